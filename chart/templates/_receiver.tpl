{{/* "true" when pods have a receiver; YAML reads an unquoted `off` as false. */}}
{{- define "cdh.hasReceiver" -}}
{{- if not (has (toString .Values.receiver.mode) (list "off" "false")) -}}true{{- end -}}
{{- end -}}

{{/* "true" when the receiver sends cores to the store. */}}
{{- define "cdh.isStraightToStore" -}}
{{- if and (include "cdh.hasReceiver" .) (not (has (toString .Values.receiver.straightToStore) (list "off" "false"))) -}}true{{- end -}}
{{- end -}}

{{- define "cdh.env.receiver" }}
- name: HOST_DIR
  value: {{ clean .Values.daemonset.hostDirectory | quote }}
- name: SYSCTL_ROOT
  value: /host/proc/sys
- name: NODE_NAME
  valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
{{- end -}}

{{/* The receiver: the agent's image under its other name; it reads the composer's settings in HOST_DIR. */}}
{{- define "cdh.receiver" -}}
- name: receiver
  image: {{ include "cdh.image" . | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  command: [/app/core-dump-receiver]
  env:
    {{- if include "cdh.isStraightToStore" . }}
    {{- include "cdh.env.groups" (dict "root" . "groups" (list "receiver" "destination")) | trim | nindent 4 }}
    {{- else }}
    {{- include "cdh.env.receiver" . | trim | nindent 4 }}
    {{- end }}
  {{- if and (include "cdh.isStraightToStore" .) .Values.daemonset.envFrom }}
  envFrom:
    {{- toYaml .Values.daemonset.envFrom | nindent 4 }}
  {{- end }}
  startupProbe:
    exec:
      command: [/app/core-dump-receiver, check]
    periodSeconds: 5
    timeoutSeconds: 10
    failureThreshold: 12
  # it listens and answers; whether the kernel connects to it is the readiness of the agent
  readinessProbe:
    exec:
      command: [/app/core-dump-receiver, check]
    periodSeconds: 30
    timeoutSeconds: 10
    failureThreshold: 2
  livenessProbe:
    exec:
      command: [/app/core-dump-receiver, check]
    periodSeconds: 60
    timeoutSeconds: 10
    failureThreshold: 3
  resources:
    {{- toYaml .Values.receiver.resources | nindent 4 }}
  securityContext:
    {{- if .Values.receiver.securityContext.privileged }}
    {{- omit .Values.receiver.securityContext "allowPrivilegeEscalation" "capabilities" | toYaml | nindent 4 }}
    {{- else }}
    {{- toYaml .Values.receiver.securityContext | nindent 4 }}
    {{- end }}
  volumeMounts:
    {{- include "cdh.directoryMounts" . | nindent 4 }}
    # back to the composer when the agent has ended
    - name: core-pattern
      mountPath: /host/proc/sys/kernel/core_pattern
      {{- if eq .Values.kernel.managedBy "node" }}
      readOnly: true
      {{- end }}
    # whose crash it was, and the last lines of its log
    - name: runtime-directory
      mountPath: {{ dir .Values.daemonset.hostContainerRuntimeEndpoint | quote }}
      readOnly: true
    - name: pod-logs
      mountPath: /var/log/pods
      readOnly: true
    {{- if include "cdh.isStraightToStore" . }}
    {{- include "cdh.storeMounts" . | trim | nindent 4 }}
    {{- end }}
{{- end -}}

{{/* The kernel takes the receiver's pattern only from the mount namespace of the node, which this enters for a moment. */}}
{{- define "cdh.patternContainer" -}}
- name: set-pattern
  image: {{ include "cdh.image" . | quote }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  command: [/app/core-dump-receiver, set-pattern]
  env:
    - name: HOST_DIR
      value: {{ clean .Values.daemonset.hostDirectory | quote }}
  resources:
    {{- toYaml .Values.receiver.resources | nindent 4 }}
  securityContext:
    privileged: true
    readOnlyRootFilesystem: true
  volumeMounts:
    # the value that is restored on uninstall
    - name: host-volume
      mountPath: {{ clean .Values.daemonset.hostDirectory | quote }}
{{- end -}}

{{- define "cdh.receiverVolumes" -}}
- name: runtime-directory
  hostPath:
    path: {{ dir .Values.daemonset.hostContainerRuntimeEndpoint | quote }}
    type: DirectoryOrCreate
- name: pod-logs
  hostPath:
    path: /var/log/pods
    type: DirectoryOrCreate
{{- end -}}
