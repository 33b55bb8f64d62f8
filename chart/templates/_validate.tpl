{{/*
What a schema cannot express, or what must hold where the schema is skipped (`--skip-schema-validation`).
Each message names the values and what to write.
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
{{- fail (printf "daemonset.schedule is %q: it needs 6 fields, seconds first, such as \"0 */5 * * * *\"" $d.schedule) -}}
{{- end -}}
{{- range $key := list "hostDirectory" "coreDirectory" "eventDirectory" -}}
{{- $path := index $d $key | toString -}}
{{- if or (not (hasPrefix "/" $path)) (eq (clean $path) "/") (regexMatch "(^|/)\\.\\.(/|$)" $path) (regexMatch "\\s" $path) -}}
{{- fail (printf "daemonset.%s is %q: it must be an absolute path on the node, not the root directory, without `..` and blanks" $key $path) -}}
{{- end -}}
{{- end -}}
{{/* the shortest pattern of the agent: |HOST_DIR/cdc with v9's flags and -P */}}
{{- if gt (len (clean $d.hostDirectory)) 60 -}}
{{- fail (printf "daemonset.hostDirectory has %d characters: a core_pattern has at most 127 bytes, which leaves 60 for this path" (len (clean $d.hostDirectory))) -}}
{{- end -}}
{{- if and (include "cdh.hasReceiver" .) (not .Values.hostPID) -}}
{{- fail (printf "receiver.mode is %v and hostPID is false: the receiver knows a crashed process by its pid on the node; set hostPID to true, or receiver.mode to \"off\"" .Values.receiver.mode) -}}
{{- end -}}
{{- if and (eq .Values.kernel.managedBy "init-container") (not (include "cdh.hasReceiver" .)) -}}
{{- fail (printf "kernel.managedBy is init-container and receiver.mode is %v: the init container sets the pattern of the receiver; set receiver.mode to required or auto" .Values.receiver.mode) -}}
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
{{- fail "no destination: set destination to s3://bucket/prefix or file:/directory (or daemonset.s3BucketName, its name in v9)" -}}
{{- end -}}
{{- if ne (empty (include "cdh.accessKey" .)) (empty (include "cdh.secretKey" .)) -}}
{{- fail "only one of s3.accessKeyId and s3.secretAccessKey is set: set both, or neither to use the credentials of the node or the ServiceAccount" -}}
{{- end -}}
{{- if and .Values.s3.existingSecret (include "cdh.accessKey" .) -}}
{{- fail (printf "s3.existingSecret (%s) and an access key are both set: keep the Secret and remove s3.accessKeyId/s3.secretAccessKey (daemonset.s3AccessKey/s3Secret)" .Values.s3.existingSecret) -}}
{{- end -}}
{{- include "cdh.validateSchedule" $d.schedule -}}
{{- if regexMatch "^s3://[^/]+(/.*)?/\\.\\.?(/|$)" .Values.destination -}}
{{- fail (printf "destination is %q: its prefix must not have the components `.` and `..`" .Values.destination) -}}
{{- end -}}
{{- $safe := 9007199254740991 -}}
{{- with .Values.limits -}}
{{- include "cdh.validateBytes" (list "limits.spoolBytes" .spoolBytes 0 $safe) -}}
{{- include "cdh.validateBytes" (list "limits.minFreeBytes" .minFreeBytes 0 $safe) -}}
{{- include "cdh.validateBytes" (list "limits.maxCoreBytes" .maxCoreBytes 0 $safe) -}}
{{- end -}}
{{- if ne (include "cdh.bytes" .Values.s3.partBytes) "0" -}}
{{- include "cdh.validateBytes" (list "s3.partBytes" .Values.s3.partBytes 5242880 1073741824) -}}
{{- end -}}
{{- $surge := include "cdh.text" ($d.updateStrategy.rollingUpdate | default dict).maxSurge -}}
{{- if not (has $surge (list "" "0" "0%")) -}}
{{- fail (printf "daemonset.updateStrategy.rollingUpdate.maxSurge is %s: the new pod of a node waits until the old one has ended, and Kubernetes keeps the old one until the new one is ready, so the update would never end. Remove it and use maxUnavailable" $surge) -}}
{{- end -}}
{{- if and (eq (include "cdh.serviceAccountName" .) "default") (or .Values.scc.create .Values.rbac.create .Values.serviceAccount.create .Values.serviceAccount.useToken) -}}
{{- fail "the ServiceAccount would be `default`: every pod of the namespace would get its roles and SecurityContextConstraints. Set serviceAccount.name to an account for the agent alone, or serviceAccount.create to true" -}}
{{- end -}}
{{- if and .Values.s3.ca.configMap .Values.s3.ca.secret -}}
{{- fail "s3.ca.configMap and s3.ca.secret are both set: keep one" -}}
{{- end -}}
{{- end -}}

{{/* list PATH VALUE MIN MAX, in bytes; what the agent accepts. */}}
{{- define "cdh.validateBytes" -}}
{{- $value := index . 1 -}}
{{- $units := dict "" 0 "K" 3 "M" 6 "G" 9 "T" 12 "P" 15 -}}
{{- $text := include "cdh.text" $value -}}
{{- $digits := add (len (regexFind "^[0-9]+" $text)) (get $units (regexFind "[KMGTP]?" (regexFind "[KMGTP]?i?$" $text))) -}}
{{- if or (not (regexMatch "^[0-9]+([KMGTP]i?)?$" $text)) (gt (int $digits) 18) -}}
{{- fail (printf "%s is %s: it must be a number of bytes, such as 20Gi, and at most %d" (index . 0) $text (int64 (index . 3))) -}}
{{- end -}}
{{- $bytes := include "cdh.bytes" $value | int64 -}}
{{- if or (lt $bytes (int64 (index . 2))) (gt $bytes (int64 (index . 3))) -}}
{{- fail (printf "%s is %s: it must be from %d to %d bytes" (index . 0) $text (int64 (index . 2)) (int64 (index . 3))) -}}
{{- end -}}
{{- end -}}

{{/* Each field of a schedule that is made of numbers is in its range; names (MON, JAN) are left to the agent. */}}
{{- define "cdh.validateSchedule" -}}
{{- if . -}}
{{- $schedule := . -}}
{{- $fields := splitList " " (regexReplaceAll "\\s+" (trim $schedule) " ") -}}
{{- $names := list "second" "minute" "hour" "day of the month" "month" "day of the week" -}}
{{- range $index, $max := list 59 59 23 31 12 7 -}}
{{- $field := index $fields $index -}}
{{- if not (regexMatch "^[0-9A-Za-z*,/?#-]+$" $field) -}}
{{- fail (printf "daemonset.schedule is %q: %q is no %s" $schedule $field (index $names $index)) -}}
{{- end -}}
{{- range regexFindAll "[0-9]+" (regexReplaceAll "/[0-9]+|#[0-9]+" $field "") -1 -}}
{{- if or (gt (atoi .) (int $max)) (and (has $index (list 3 4)) (eq (atoi .) 0)) -}}
{{- fail (printf "daemonset.schedule is %q: %s is no %s" $schedule . (index $names $index)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
