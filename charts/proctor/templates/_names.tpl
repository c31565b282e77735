{{/* Name of every object of the release. */}}
{{- define "proctor.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Name of a cluster-scoped object: two releases in two namespaces must not share one, and no namespace has a colon. */}}
{{- define "proctor.clusterName" -}}
{{- printf "%s:%s" .Release.Namespace (include "proctor.name" .) -}}
{{- end -}}

{{- define "proctor.serviceAccount" -}}
{{- if not (or .Values.serviceAccount.create .Values.serviceAccount.name) -}}
{{- fail "serviceAccount.create is false: name the account in serviceAccount.name; the namespace's default one would give the operator's rights to every pod of it" -}}
{{- end -}}
{{- .Values.serviceAccount.name | default (include "proctor.name" .) -}}
{{- end -}}

{{/* What selects the operator's pod: immutable in a Deployment, so without versions. */}}
{{- define "proctor.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "proctor.labels" -}}
{{ include "proctor.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}
