{{/*
What the operator may do in the namespaces that it watches. Secrets are not here: pods refer to
them by name, and the kubelet reads them.
*/}}
{{- define "proctor.rules" -}}
- apiGroups: [proctor.dev]
  resources: [modeldeployments, evaluationruns]
  verbs: [get, list, watch]
# A run whose ttlSecondsAfterFinished is over.
- apiGroups: [proctor.dev]
  resources: [evaluationruns]
  verbs: [delete]
- apiGroups: [proctor.dev]
  resources: [modeldeployments/status, evaluationruns/status]
  verbs: [get, patch]
# Asked for by admission (OwnerReferencesPermissionEnforcement) of whoever sets
# blockOwnerDeletion; the operator itself sets no finalizers.
- apiGroups: [proctor.dev]
  resources: [modeldeployments/finalizers, evaluationruns/finalizers]
  verbs: [update]
# Server-side apply is a patch that may create.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
{{- end -}}
