{{/* Full reference of an image. Argument: a list of the root context and the key in images. */}}
{{- define "proctor.image" -}}
{{- $root := index . 0 -}}
{{- $images := $root.Values.images -}}
{{- $image := index $images (index . 1) -}}
{{- $name := list $images.registry $image.repository | compact | join "/" -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $name $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (coalesce $image.tag $images.tag $root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}
