{{/* A value, or nothing for v9's placeholder XXX, its default for keys, bucket and region. */}}
{{- define "cdh.given" -}}
{{- if ne (toString .) "XXX" -}}{{- . -}}{{- end -}}
{{- end -}}

{{- define "cdh.bucket" -}}{{- include "cdh.given" .Values.daemonset.s3BucketName -}}{{- end -}}
{{- define "cdh.region" -}}{{- .Values.s3.region | default (include "cdh.given" .Values.daemonset.s3Region) -}}{{- end -}}
{{- define "cdh.accessKey" -}}{{- .Values.s3.accessKeyId | default (include "cdh.given" .Values.daemonset.s3AccessKey) -}}{{- end -}}
{{- define "cdh.secretKey" -}}{{- .Values.s3.secretAccessKey | default (include "cdh.given" .Values.daemonset.s3Secret) -}}{{- end -}}

{{/* "true" when the chart makes the Secret of the store. */}}
{{- define "cdh.ownSecret" -}}
{{- if and .Values.daemonset.manageStoreSecret (not .Values.s3.existingSecret) (include "cdh.accessKey" .) -}}true{{- end -}}
{{- end -}}

{{/* Directory of `destination: file:…`, or nothing. */}}
{{- define "cdh.destinationDirectory" -}}
{{- if hasPrefix "file:" .Values.destination -}}
{{- regexReplaceAll "^file:(//)?" .Values.destination "" -}}
{{- end -}}
{{- end -}}

{{/* "true" when a string, boolean or number means yes. */}}
{{- define "cdh.yes" -}}{{- if eq (toString . | lower) "true" -}}true{{- end -}}{{- end -}}

{{/* A quantity such as 10Gi in bytes. */}}
{{- define "cdh.bytes" -}}
{{- if kindIs "string" . -}}
{{- $units := dict "" 1 "K" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "P" 1000000000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "Pi" 1125899906842624 -}}
{{- mul (regexFind "^[0-9]+" . | int64) (get $units (regexFind "[KMGTP]?i?$" .) | int64) -}}
{{- else -}}
{{- int64 . -}}
{{- end -}}
{{- end -}}

{{/* The image. v9's own image is never meant: its values files name it by default. */}}
{{- define "cdh.image" -}}
{{- $v9 := include "cdh.isV9Image" . -}}
{{- $registry := ternary "" .Values.image.registry (and (eq $v9 "true") (eq .Values.image.registry "quay.io")) -}}
{{- $repository := ternary "core-dump-handler" .Values.image.repository (eq $v9 "true") -}}
{{- $tag := ternary .Chart.AppVersion (.Values.image.tag | default .Chart.AppVersion | toString) (and (eq $v9 "true") (regexMatch "^v?[0-9]+\\." (toString .Values.image.tag))) -}}
{{- if and (not $registry) (eq $repository "core-dump-handler") -}}
{{- fail "image.registry is not set, and there is no public image yet: build the image and push it to your registry (see \"The image\" in the README), then set image.registry to that registry (and image.repository where it is another); for an image that was imported into every node set image.repository to its name" -}}
{{- end -}}
{{- with $registry }}{{ trimSuffix "/" . }}/{{ end -}}
{{- $repository -}}
{{- if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ $tag }}{{ end -}}
{{- end -}}

{{- define "cdh.isV9Image" -}}
{{- if eq .Values.image.repository "icdh/core-dump-handler" -}}true{{- end -}}
{{- end -}}
