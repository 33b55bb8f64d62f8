{{/* What differs from version 9 for the values at hand, one line each; shown by NOTES. */}}
{{- define "cdh.warnings" -}}
{{- $d := .Values.daemonset -}}
{{- range $key := list "s3AccessKey" "s3Secret" "s3BucketName" "s3Region" -}}
{{- if eq (index $d $key | toString) "XXX" }}
- daemonset.{{ $key }} is the placeholder XXX of version 9: it counts as not set.
{{- end -}}
{{- end -}}
{{- if and (eq (toString $d.s3BucketName) "XXX") (not .Values.destination) (not $d.extraEnvVars) (not $d.envFrom) }}
- NO DESTINATION: bundles stay on the nodes until you set destination (s3://bucket/prefix or file:/directory).
{{- end -}}
{{- if include "cdh.ancestralImage" . }}
- image.repository {{ .Values.image.repository }} is the image of version 9: {{ include "cdh.image" . }} is used. Remove image.registry, image.repository and image.tag from your values or set them.
{{- end -}}
{{- if contains "{{" .Values.composer.filenameTemplate }}
- composer.filenameTemplate has double braces, which never worked: they are taken as single ones.
{{- end -}}
{{- if or (ne (toString .Values.hostStorage) "1Gi") (ne (toString .Values.coreStorage) "10Gi") (ne (toString .Values.eventStorage) "1Gi") (ne .Values.storageClass "hostclass") }}
- hostStorage, coreStorage, eventStorage and storageClass do nothing: the directories are mounted as they are, without PersistentVolumes. To limit the space set limits.spoolBytes.
{{- end -}}
{{- if include "cdh.yes" .Values.composer.straightToStore }}
- composer.straightToStore was removed and does nothing: bundles always go through daemonset.coreDirectory.
{{- end -}}
{{- if ne (int .Values.replicaCount) 1 }}
- replicaCount does nothing: a DaemonSet has one pod per node.
{{- end -}}
{{- if ne $d.vendor "default" }}
- daemonset.vendor {{ $d.vendor }} does nothing: one composer runs on every node.
{{- end -}}
{{- if $d.includeCrioExe }}
- daemonset.includeCrioExe: the image brings no crictl, the composer asks the runtime's socket itself. A crictl you put into {{ $d.hostDirectory }} is used.
{{- end -}}
{{- if and .Values.scc.create (eq .Values.scc.name "core-dump-admin-privileged") }}
- scc.name core-dump-admin-privileged belongs to a hook of version 9 and cannot be adopted: {{ include "cdh.sccName" . }} is used. Afterwards: kubectl delete scc core-dump-admin-privileged
{{- end -}}
{{- if and $d.interval (include "cdh.yes" $d.useINotify) }}
- daemonset.interval is set: the directory is looked at every {{ $d.interval }} ms, and not at each finished bundle.
{{- else if and $d.schedule (include "cdh.yes" $d.useINotify) }}
- daemonset.schedule is set: the directory is looked at by that schedule, and not at each finished bundle.
{{- else if not (or $d.interval $d.schedule (include "cdh.yes" $d.useINotify)) }}
- daemonset.interval, schedule and useINotify are all off: nothing is uploaded.
{{- end -}}
{{- range $d.sidecarContainers }}
{{- if not (dig "securityContext" "privileged" false .) }}{{ if not $.Values.securityContext.privileged }}
- daemonset.sidecarContainers: {{ .name }} is no longer privileged unless its securityContext says so.
{{- end }}{{ end -}}
{{- end -}}
{{- if include "cdh.yes" .Values.composer.includeProcInfo }}
- composer.includeProcInfo packs the environment of crashed processes: treat the bundles as secrets.
{{- end -}}
{{- end -}}
