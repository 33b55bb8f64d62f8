{{/*
What no schema can say, or what must hold where the schema is skipped (`helm template | kubectl apply`).
Each message names the values and says what to set.
*/}}
{{- define "cdh.validate" -}}
{{- $d := .Values.daemonset -}}
{{- if and $d.interval $d.schedule -}}
{{- fail (printf "daemonset.interval (%v) and daemonset.schedule (%v) are both set: keep one of them and set the other to null" $d.interval $d.schedule) -}}
{{- end -}}
{{- if and $d.interval (lt (int64 $d.interval) 1000) -}}
{{- fail (printf "daemonset.interval is %v: it is in milliseconds and at least 1000" $d.interval) -}}
{{- end -}}
{{- if and $d.schedule (ne (len (splitList " " (regexReplaceAll "\\s+" (trim $d.schedule) " "))) 6) -}}
{{- fail (printf "daemonset.schedule is %q: it wants 6 fields, seconds first, such as \"0 */5 * * * *\"" $d.schedule) -}}
{{- end -}}
{{- range $key := list "hostDirectory" "coreDirectory" "eventDirectory" -}}
{{- $path := index $d $key | toString -}}
{{- if or (not (hasPrefix "/" $path)) (eq (clean $path) "/") (regexMatch "(^|/)\\.\\.(/|$)" $path) (regexMatch "\\s" $path) -}}
{{- fail (printf "daemonset.%s is %q: it must be an absolute path on the node, not the root directory, without `..` and blanks" $key $path) -}}
{{- end -}}
{{- end -}}
{{/* the shortest pattern the agent can fall back to: |HOST_DIR/cdc with version 9's flags and -P */}}
{{- if gt (len (clean $d.hostDirectory)) 60 -}}
{{- fail (printf "daemonset.hostDirectory has %d characters: the kernel takes a core_pattern of at most 127 bytes, which leaves 60 for this path" (len (clean $d.hostDirectory))) -}}
{{- end -}}
{{- $bucket := include "cdh.bucket" . -}}
{{- with .Values.destination -}}
{{- if not (or (hasPrefix "s3://" .) (hasPrefix "file:" .)) -}}
{{- fail (printf "destination is %q: it must be s3://bucket/prefix or file:/directory" .) -}}
{{- end -}}
{{- if and (hasPrefix "s3://" .) $bucket (ne $bucket (regexReplaceAll "^s3://([^/]+).*$" . "${1}")) -}}
{{- fail (printf "destination (%s) and daemonset.s3BucketName (%s) name different buckets: keep destination and set daemonset.s3BucketName to \"\"" . $bucket) -}}
{{- end -}}
{{- end -}}
{{- if hasPrefix "file:" .Values.destination -}}
{{- $directory := include "cdh.destinationDirectory" . -}}
{{- if or (not (hasPrefix "/" $directory)) (eq (clean $directory) "/") -}}
{{- fail (printf "destination is %q: after file: comes an absolute directory, not the root" .Values.destination) -}}
{{- end -}}
{{- if hasPrefix (printf "%s/" (clean $d.coreDirectory)) (printf "%s/" (clean $directory)) -}}
{{- fail (printf "destination (%s) is inside daemonset.coreDirectory (%s): choose a directory of its own" .Values.destination $d.coreDirectory) -}}
{{- end -}}
{{- end -}}
{{- if and (not .Values.destination) (not $d.s3BucketName) (not $d.extraEnvVars) (not $d.envFrom) -}}
{{- fail "no destination: set destination to s3://bucket/prefix or file:/directory (or daemonset.s3BucketName, as version 9 called it)" -}}
{{- end -}}
{{- if ne (empty (include "cdh.accessKey" .)) (empty (include "cdh.secretKey" .)) -}}
{{- fail "only one of s3.accessKeyId and s3.secretAccessKey is set: set both, or neither to use the credentials of the node or the ServiceAccount" -}}
{{- end -}}
{{- if and .Values.s3.existingSecret (include "cdh.accessKey" .) -}}
{{- fail (printf "s3.existingSecret (%s) and an access key are both set: keep the Secret and remove s3.accessKeyId/s3.secretAccessKey (daemonset.s3AccessKey/s3Secret)" .Values.s3.existingSecret) -}}
{{- end -}}
{{- if and .Values.s3.ca.configMap .Values.s3.ca.secret -}}
{{- fail "s3.ca.configMap and s3.ca.secret are both set: keep one" -}}
{{- end -}}
{{- end -}}
