{{/* What these values mean other than in v9, one line each, for the notes. */}}
{{- define "cdh.warnings" -}}
{{- $d := .Values.daemonset -}}
{{- range $key := list "s3AccessKey" "s3Secret" "s3BucketName" "s3Region" -}}
{{- if eq (index $d $key | toString) "XXX" }}
- daemonset.{{ $key }} is the placeholder XXX of IBM core-dump-handler 9 (v9): it counts as not set.
{{- end -}}
{{- end -}}
{{- if and (eq (toString $d.s3BucketName) "XXX") (not .Values.destination) (not $d.extraEnvVars) (not $d.envFrom) }}
- NO DESTINATION: bundles stay on the nodes until you set destination (s3://bucket/prefix or file:/directory).
{{- end -}}
{{- if include "cdh.isV9Image" . }}
- image.repository {{ .Values.image.repository }} is the image of v9: {{ include "cdh.image" . }} is used. Remove image.registry, image.repository and image.tag from your values or set them.
{{- end -}}
{{- if contains "{{" .Values.composer.filenameTemplate }}
- composer.filenameTemplate has double braces: they are read as single braces.
{{- end -}}
{{- if or (ne (toString .Values.hostStorage) "1Gi") (ne (toString .Values.coreStorage) "10Gi") (ne (toString .Values.eventStorage) "1Gi") (ne .Values.storageClass "hostclass") }}
- hostStorage, coreStorage, eventStorage and storageClass have no effect: the directories are mounted as they are, without PersistentVolumes. To limit the space set limits.spoolBytes.
{{- end -}}
{{- if include "cdh.yes" .Values.composer.straightToStore }}
- composer.straightToStore was removed and has no effect: composers write to daemonset.coreDirectory. See receiver.straightToStore.
{{- end -}}
{{- if include "cdh.yes" .Values.agent.recompress }}
- agent.recompress was removed and has no effect: cores are compressed in full at once.
{{- end -}}
{{- if ne (int .Values.replicaCount) 1 }}
- replicaCount has no effect: a DaemonSet has one pod per node.
{{- end -}}
{{- if ne ($d.vendor | toString) "default" }}
- daemonset.vendor {{ $d.vendor }} has no effect: one composer runs on every node.
{{- end -}}
{{- if $d.includeCrioExe }}
- daemonset.includeCrioExe: the image has no crictl, because the composer asks the runtime's socket itself. A crictl in {{ $d.hostDirectory }} is used.
{{- end -}}
{{- if and .Values.scc.create (eq .Values.scc.name "core-dump-admin-privileged") }}
- scc.name core-dump-admin-privileged belongs to a hook of v9 and cannot be adopted: {{ include "cdh.sccName" . }} is used. Afterwards: kubectl delete scc core-dump-admin-privileged
{{- end -}}
{{- if and $d.interval (include "cdh.yes" $d.useINotify) }}
- daemonset.interval is set: the directory is scanned every {{ include "cdh.text" $d.interval }} ms, and not for each published bundle.
{{- else if and $d.schedule (include "cdh.yes" $d.useINotify) }}
- daemonset.schedule is set: the directory is scanned by that schedule, and not for each published bundle.
{{- else if not (or $d.interval $d.schedule (include "cdh.yes" $d.useINotify)) }}
- daemonset.interval, schedule and useINotify are all off: nothing is uploaded.
{{- end -}}
{{- /* a warning only: no name depends on what is in the cluster */}}
{{- $found := lookup "apps/v1" "DaemonSet" .Release.Namespace "core-dump-handler" | default dict -}}
{{- if and (ne (include "cdh.daemonsetName" .) "core-dump-handler") (eq (dig "metadata" "annotations" "meta.helm.sh/release-name" "" $found) .Release.Name) }}
- DaemonSet core-dump-handler of this release is replaced by {{ include "cdh.daemonsetName" . }}. To keep its name set daemonset.name=core-dump-handler, daemonset.label=core-dump-ds and serviceAccount.name=core-dump-admin.
{{- end -}}
{{- range $d.sidecarContainers }}
{{- if not (.securityContext | default dict).privileged }}{{ if not $.Values.securityContext.privileged }}
- daemonset.sidecarContainers: {{ .name }} is privileged only if its own securityContext is.
{{- end }}{{ end -}}
{{- end -}}
{{- if include "cdh.yes" .Values.composer.includeProcInfo }}
- composer.includeProcInfo packs the environment of crashed processes: treat the bundles as secrets.
{{- end -}}
{{- end -}}
