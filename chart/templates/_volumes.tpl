{{/* "true" when `inner` lies inside `outer`: the outer mount then contains it. */}}
{{- define "cdh.inside" -}}
{{- if hasPrefix (printf "%s/" (clean .outer)) (printf "%s/" (clean .inner)) -}}true{{- end -}}
{{- end -}}

{{/* Directories of the node besides hostDirectory that need a mount of their own: volume name -> path. */}}
{{- define "cdh.moreDirectories" -}}
{{- $d := .Values.daemonset -}}
{{- $more := dict -}}
{{- if not (include "cdh.inside" (dict "outer" $d.hostDirectory "inner" $d.coreDirectory)) -}}
{{- $_ := set $more "core-volume" (clean $d.coreDirectory) -}}
{{- end -}}
{{- if and (include "cdh.yes" .Values.composer.coreEvents) (not (include "cdh.inside" (dict "outer" $d.hostDirectory "inner" $d.eventDirectory))) (not (include "cdh.inside" (dict "outer" $d.coreDirectory "inner" $d.eventDirectory))) -}}
{{- $_ := set $more "event-volume" (clean $d.eventDirectory) -}}
{{- end -}}
{{- toYaml $more -}}
{{- end -}}

{{/* The directories under the paths they have on the node, for the agent and for sidecars. */}}
{{- define "cdh.directoryMounts" -}}
- name: host-volume
  mountPath: {{ clean .Values.daemonset.hostDirectory | quote }}
  # a disk that is mounted there later is seen too; Bidirectional would need a privileged container
  mountPropagation: HostToContainer
{{- range $name, $path := include "cdh.moreDirectories" . | fromYaml }}
- name: {{ $name }}
  mountPath: {{ $path | quote }}
  mountPropagation: HostToContainer
{{- end }}
{{- end -}}

{{/* Where the configuration of the node sets the sysctls. */}}
{{- define "cdh.readOnlySysctl" -}}
{{- if eq .Values.kernel.managedBy "node" }}
  readOnly: true
{{- end }}
{{- end -}}

{{/* What a container needs that uploads. */}}
{{- define "cdh.storeMounts" -}}
{{- if or (include "cdh.ownSecret" .) .Values.s3.existingSecret }}
- name: s3-credentials
  mountPath: /etc/core-dump-handler/s3
  readOnly: true
{{- end }}
{{- if or .Values.s3.ca.configMap .Values.s3.ca.secret }}
- name: s3-ca
  mountPath: /etc/core-dump-handler/ca
  readOnly: true
{{- end }}
{{- end -}}

{{- define "cdh.agentMounts" -}}
{{- include "cdh.directoryMounts" . }}
# the three sysctls, one by one: nothing else of /proc/sys is writable
- name: core-pattern
  mountPath: /host/proc/sys/kernel/core_pattern
  {{- include "cdh.readOnlySysctl" . }}
- name: core-pipe-limit
  mountPath: /host/proc/sys/kernel/core_pipe_limit
  {{- include "cdh.readOnlySysctl" . }}
- name: suid-dumpable
  mountPath: /host/proc/sys/fs/suid_dumpable
  {{- include "cdh.readOnlySysctl" . }}
{{- if .Values.daemonset.mountContainerRuntimeEndpoint }}
- name: container-runtime
  mountPath: {{ .Values.daemonset.hostContainerRuntimeEndpoint | quote }}
{{- end }}
{{- include "cdh.storeMounts" . }}
{{- with include "cdh.destinationDirectory" . }}
- name: destination
  mountPath: {{ clean . | quote }}
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "cdh.volumes" -}}
- name: host-volume
  hostPath:
    path: {{ clean .Values.daemonset.hostDirectory | quote }}
    type: DirectoryOrCreate
{{- range $name, $path := include "cdh.moreDirectories" . | fromYaml }}
- name: {{ $name }}
  hostPath:
    path: {{ $path | quote }}
    type: DirectoryOrCreate
{{- end }}
- name: core-pattern
  hostPath:
    path: /proc/sys/kernel/core_pattern
    type: File
- name: core-pipe-limit
  hostPath:
    path: /proc/sys/kernel/core_pipe_limit
    type: File
- name: suid-dumpable
  hostPath:
    path: /proc/sys/fs/suid_dumpable
    type: File
{{- if .Values.daemonset.mountContainerRuntimeEndpoint }}
- name: container-runtime
  hostPath:
    path: {{ .Values.daemonset.hostContainerRuntimeEndpoint | quote }}
{{- end }}
{{- if or (include "cdh.ownSecret" .) .Values.s3.existingSecret }}
- name: s3-credentials
  secret:
    secretName: {{ include "cdh.storeSecretName" . | quote }}
    defaultMode: 0400
    items:
      - key: {{ ternary .Values.s3.existingSecretKeys.accessKeyId "s3AccessKey" (ne .Values.s3.existingSecret "") | quote }}
        path: access-key-id
      - key: {{ ternary .Values.s3.existingSecretKeys.secretAccessKey "s3Secret" (ne .Values.s3.existingSecret "") | quote }}
        path: secret-access-key
{{- end }}
{{- with .Values.s3.ca.configMap }}
- name: s3-ca
  configMap:
    name: {{ . | quote }}
    items:
      - key: {{ $.Values.s3.ca.key | quote }}
        path: ca.crt
{{- end }}
{{- with .Values.s3.ca.secret }}
- name: s3-ca
  secret:
    secretName: {{ . | quote }}
    items:
      - key: {{ $.Values.s3.ca.key | quote }}
        path: ca.crt
{{- end }}
{{- with include "cdh.destinationDirectory" . }}
- name: destination
  {{- if $.Values.destinationVolume }}
  {{- toYaml $.Values.destinationVolume | nindent 2 }}
  {{- else }}
  hostPath:
    path: {{ clean . | quote }}
    type: DirectoryOrCreate
  {{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}
