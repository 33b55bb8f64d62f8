{{/* One variable: list NAME VALUE. Nothing for an empty value: the default of the agent or envFrom applies. */}}
{{- define "cdh.env" -}}
{{- $value := include "cdh.text" (index . 1) -}}
{{- if ne $value "" }}
- name: {{ index . 0 }}
  value: {{ $value | quote }}
{{- end -}}
{{- end -}}

{{/* As cdh.env, for numbers where 0 means the default of the program. */}}
{{- define "cdh.envUnlessZero" -}}
{{- $value := include "cdh.text" (index . 1) -}}
{{- if ne $value "0" }}
{{- include "cdh.env" (list (index . 0) $value) }}
{{- end -}}
{{- end -}}

{{- define "cdh.env.fromPod" }}
- name: DAEMONSET_NAME
  value: {{ include "cdh.daemonsetName" . | quote }}
- name: POD_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: POD_UID
  valueFrom: {fieldRef: {fieldPath: metadata.uid}}
- name: NODE_NAME
  valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
{{- end -}}

{{/* Read by the agent and written into the composer's settings. */}}
{{- define "cdh.env.composer" -}}
{{- with .Values.composer }}
{{- include "cdh.env" (list "COMP_LOG_LEVEL" .logLevel) }}
{{- include "cdh.env" (list "COMP_IGNORE_CRIO" .ignoreCrio) }}
{{- include "cdh.env" (list "COMP_INCLUDE_PROC_INFO" .includeProcInfo) }}
{{- include "cdh.env" (list "COMP_CRIO_IMAGE_CMD" .crioImageCmd) }}
{{- include "cdh.env" (list "COMP_FILENAME_TEMPLATE" (.filenameTemplate | replace "{{" "{" | replace "}}" "}")) }}
{{- include "cdh.env" (list "COMP_LOG_LENGTH" .logLength) }}
{{- include "cdh.env" (list "COMP_POD_SELECTOR_LABEL" .podSelectorLabel) }}
{{- include "cdh.env" (list "COMP_TIMEOUT" .timeout) }}
{{- include "cdh.env" (list "COMP_COMPRESSION" .compression) }}
{{- include "cdh.env" (list "COMP_CORE_EVENTS" .coreEvents) }}
{{- include "cdh.env" (list "COMP_COMPRESSION_MODE" .compressionMode) }}
{{- include "cdh.env" (list "COMP_COMPRESSION_ENGINE" .compressionEngine) }}
{{- include "cdh.env" (list "COMP_HOLD_BUDGET_MS" .holdBudgetMs) }}
{{- include "cdh.env" (list "COMP_CRI_CLIENT" .criClient) }}
{{- include "cdh.env" (list "COMP_HONOR_CORE_LIMIT" .honorCoreLimit) }}
{{- include "cdh.env" (list "COMP_SUID_CORES" .suidCores) }}
{{- include "cdh.env" (list "COMP_REPORT" .report) }}
{{- include "cdh.env" (list "COMP_MINICORE" .minicore) }}
{{- include "cdh.env" (list "COMP_BINARIES" .binaries) }}
{{- end }}
{{- include "cdh.env" (list "COMP_CORE_EVENT_DIR" .Values.daemonset.eventDirectory) }}
{{- end -}}

{{- define "cdh.env.limits" -}}
{{- with .Values.limits }}
{{- include "cdh.env" (list "COMP_MIN_FREE_BYTES" (include "cdh.bytes" .minFreeBytes)) }}
{{- include "cdh.env" (list "COMP_MAX_CORE_BYTES" (include "cdh.bytes" .maxCoreBytes)) }}
{{- include "cdh.env" (list "COMP_OVERSIZED_CORE" .oversizedCore) }}
{{- include "cdh.env" (list "COMP_RATE_CRASHES" .rateCrashes) }}
{{- include "cdh.env" (list "COMP_RATE_WINDOW_SECONDS" .rateWindowSeconds) }}
{{- include "cdh.env" (list "COMP_CORES_PER_FINGERPRINT" .coresPerFingerprint) }}
{{- include "cdh.env" (list "COMP_FINGERPRINT_WINDOW_SECONDS" .fingerprintWindowSeconds) }}
{{- include "cdh.envUnlessZero" (list "COMP_CONCURRENT_DRAINS" .concurrentDrains) }}
{{- include "cdh.env" (list "SPOOL_MAX_BYTES" (include "cdh.bytes" .spoolBytes)) }}
{{- include "cdh.env" (list "SPOOL_MAX_FILES" .spoolFiles) }}
{{- include "cdh.env" (list "SPOOL_MAX_AGE_HOURS" .maxAgeHours) }}
{{- end }}
{{- end -}}

{{- define "cdh.env.node" -}}
{{- with .Values.daemonset }}
{{- include "cdh.env" (list "HOST_DIR" (clean .hostDirectory)) }}
{{- include "cdh.env" (list "CORE_DIR" (clean .coreDirectory)) }}
{{- include "cdh.env" (list "SYSCTL_ROOT" "/host/proc/sys") }}
{{- include "cdh.env" (list "SUID_DUMPABLE" .suidDumpable) }}
{{- include "cdh.env" (list "VENDOR" .vendor) }}
{{- include "cdh.env" (list "DEPLOY_CRIO_CONFIG" .deployCrioConfig) }}
{{- include "cdh.env" (list "DEPLOY_CRIO_EXE" .includeCrioExe) }}
{{- /* v9's default: with it the composer would not look for the socket of another runtime */}}
{{- if ne .crioEndpoint "unix:///run/containerd/containerd.sock" }}
{{- include "cdh.env" (list "CRIO_ENDPOINT" .crioEndpoint) }}
{{- end }}
{{- with .interval }}{{ include "cdh.env" (list "INTERVAL" .) }}{{ end }}
{{- with .schedule }}{{ include "cdh.env" (list "SCHEDULE" .) }}{{ end }}
{{- include "cdh.env" (list "USE_INOTIFY" .useINotify) }}
{{- end }}
{{- end -}}

{{- define "cdh.env.destination" -}}
{{- include "cdh.env" (list "DESTINATION" .Values.destination) }}
{{- include "cdh.env" (list "S3_BUCKET_NAME" (include "cdh.bucket" .)) }}
{{- include "cdh.env" (list "S3_REGION" (include "cdh.region" .)) }}
{{- with .Values.s3 }}
{{- include "cdh.env" (list "S3_ENDPOINT" .endpoint) }}
{{- include "cdh.env" (list "S3_PATH_STYLE" .pathStyle) }}
{{- include "cdh.env" (list "S3_SSE" .serverSideEncryption) }}
{{- include "cdh.env" (list "S3_KMS_KEY_ID" .kmsKeyId) }}
{{- include "cdh.env" (list "S3_STORAGE_CLASS" .storageClass) }}
{{- include "cdh.env" (list "S3_CHECKSUM" .checksum) }}
{{- include "cdh.env" (list "S3_VERIFY" .verify) }}
{{- include "cdh.envUnlessZero" (list "S3_PART_BYTES" (include "cdh.bytes" .partBytes)) }}
{{- include "cdh.envUnlessZero" (list "S3_WORKERS" .workers) }}
{{- if or .ca.configMap .ca.secret }}
{{- include "cdh.env" (list "S3_CA_FILE" "/etc/core-dump-handler/ca/ca.crt") }}
{{- end }}
{{- end }}
{{- /* as files: every child process and every dump of the environment would show a variable */}}
{{- if or (include "cdh.ownSecret" .) .Values.s3.existingSecret }}
{{- include "cdh.env" (list "S3_ACCESS_KEY_FILE" "/etc/core-dump-handler/s3/access-key-id") }}
{{- include "cdh.env" (list "S3_SECRET_FILE" "/etc/core-dump-handler/s3/secret-access-key") }}
{{- end }}
{{- end -}}

{{- define "cdh.env.agent" -}}
{{- include "cdh.env" (list "LOG_LEVEL" .Values.agent.logLevel) }}
{{- include "cdh.env" (list "HEALTH_PORT" .Values.metrics.port) }}
{{- include "cdh.env" (list "TAMPER" .Values.agent.onTampering) }}
{{- if include "cdh.hasReceiver" . }}
{{- include "cdh.env" (list "RECEIVER_MODE" .Values.receiver.mode) }}
{{- if include "cdh.isStraightToStore" . }}
{{- include "cdh.env" (list "COMP_STRAIGHT_TO_STORE" .Values.receiver.straightToStore) }}
{{- end }}
{{- end }}
{{- if ne .Values.kernel.managedBy "agent" }}
{{- include "cdh.env" (list "KERNEL_MANAGED_BY" .Values.kernel.managedBy) }}
{{- end }}
{{- include "cdh.env" (list "POD_EVENTS" .Values.events.enabled) }}
{{- end -}}

{{/* `daemonset.extraEnvVars`, a list or the text of one, rendered as a template; as YAML. */}}
{{- define "cdh.env.extra" -}}
{{- $extra := .Values.daemonset.extraEnvVars -}}
{{- $text := tpl (ternary $extra ($extra | toYaml) (kindIs "string" $extra)) . -}}
{{- $list := fromYamlArray $text -}}
{{- range $list -}}
{{- if not (and (kindIs "map" .) (kindIs "string" (index . "name"))) -}}
{{- fail (printf "daemonset.extraEnvVars is no list of variables, such as `- name: HTTPS_PROXY`: %v" $text) -}}
{{- end -}}
{{- end -}}
{{- include "cdh.envList" (dict "path" "daemonset.extraEnvVars" "env" $list) -}}
{{- end -}}

{{- define "cdh.env.all" -}}
{{- $groups := list "fromPod" "node" "destination" "composer" "limits" "agent" -}}
{{- include "cdh.env.groups" (dict "root" . "groups" $groups) -}}
{{- end -}}

{{/* All variables of `groups`, each name once: those of `daemonset.extraEnvVars` win over the chart's. */}}
{{- define "cdh.env.groups" -}}
{{- $root := .root -}}
{{- $text := "" -}}
{{- range .groups -}}
{{- $text = print $text (include (printf "cdh.env.%s" .) $root) -}}
{{- end -}}
{{- $extra := list -}}
{{- $named := dict -}}
{{- range include "cdh.env.extra" $root | fromYamlArray | reverse -}}
{{- if not (hasKey $named .name) -}}
{{- $extra = prepend $extra . -}}
{{- $_ := set $named .name true -}}
{{- end -}}
{{- end -}}
{{- range fromYamlArray $text -}}
{{- if not (hasKey $named .name) }}
- {{ toYaml . | nindent 2 | trim }}
{{- end -}}
{{- end -}}
{{- range $extra }}
- {{ toYaml . | nindent 2 | trim }}
{{- end -}}
{{- end -}}
