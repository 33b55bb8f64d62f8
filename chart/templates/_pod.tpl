{{/* The agent's security context; a privileged container may not carry the rest. */}}
{{- define "cdh.securityContext" -}}
{{- if .Values.securityContext.privileged -}}
{{- omit .Values.securityContext "allowPrivilegeEscalation" "capabilities" | toYaml -}}
{{- else -}}
{{- toYaml .Values.securityContext -}}
{{- end -}}
{{- end -}}

{{- define "cdh.resources" -}}
{{- with .Values.agent.resources }}
{{- toYaml . }}
{{- else -}}
requests:
  memory: {{ .Values.image.request_mem }}
  cpu: {{ .Values.image.request_cpu }}
limits:
  memory: {{ .Values.image.limit_mem }}
  cpu: {{ .Values.image.limit_cpu }}
{{- end }}
{{- end -}}

{{- define "cdh.probe" -}}
httpGet:
  path: {{ .path }}
  port: metrics
{{ omit .probe "enabled" | toYaml }}
{{- end -}}

{{/* Pull secrets as Kubernetes wants them: a bare name becomes {name: …}. */}}
{{- define "cdh.pullSecrets" -}}
{{- range concat .Values.image.pullSecrets .Values.imagePullSecrets | uniq }}
- name: {{ kindIs "string" . | ternary . (get (kindIs "map" . | ternary . dict) "name") }}
{{- end }}
{{- end -}}

{{/* Where pods go, for the DaemonSet and the canary alike. */}}
{{- define "cdh.placement" -}}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A sidecar: the agent's directories first, its own mounts after; the agent's security context unless it has one. */}}
{{- define "cdh.sidecar" -}}
{{- $own := .sidecar.volumeMounts | default list -}}
{{- $mounts := concat (include "cdh.directoryMounts" .root | fromYamlArray) $own -}}
{{- $context := .sidecar.securityContext | default (include "cdh.securityContext" .root | fromYaml) -}}
- {{ merge (dict "volumeMounts" $mounts "securityContext" $context) (omit .sidecar "volumeMounts" "securityContext") | toYaml | nindent 2 | trim }}
{{- end -}}
