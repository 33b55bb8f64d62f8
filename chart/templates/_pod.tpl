{{/* The agent's security context; a privileged container may not have the other two fields. */}}
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
{{- with .Values.image -}}
{{- $requests := dict "memory" .request_mem "cpu" .request_cpu -}}
{{- toYaml (dict "requests" $requests "limits" (dict "memory" .limit_mem "cpu" .limit_cpu)) -}}
{{- end -}}
{{- end }}
{{- end -}}

{{- define "cdh.probe" -}}
httpGet:
  path: {{ .path }}
  port: metrics
{{ omit .probe "enabled" | toYaml }}
{{- end -}}

{{/* Pull secrets of both values: a bare name becomes {name: …}, and each name is there once. */}}
{{- define "cdh.pullSecrets" -}}
{{- $names := list -}}
{{- range concat .Values.image.pullSecrets .Values.imagePullSecrets -}}
{{- $names = append $names (kindIs "map" . | ternary (get (kindIs "map" . | ternary . dict) "name") .) -}}
{{- end -}}
{{- range uniq $names }}
- name: {{ include "cdh.requireText" (dict "path" "imagePullSecrets: a name" "value" .) | quote }}
{{- end }}
{{- end -}}

{{/* Labels of the pods; the selector's label `name` is always the chart's. */}}
{{- define "cdh.podLabels" -}}
{{- $selected := dict "name" (include "cdh.podLabel" .) -}}
{{- include "cdh.mergeMaps" (list $selected .Values.daemonset.podLabels (include "cdh.labels" . | fromYaml) .Values.commonLabels) -}}
{{- end -}}

{{- define "cdh.podAnnotations" -}}
{{- $own := dict "kubectl.kubernetes.io/default-container" "coredump-container" -}}
{{- if include "cdh.ownSecret" . -}}
{{- /* another access key makes new pods. Nothing of the secret: a reader of the annotation could try secrets
against its hash; the agent reads a secret that changes alone again once the store refuses the old one */ -}}
{{- $_ := set $own "checksum/s3" (include "cdh.accessKey" . | sha256sum) -}}
{{- end -}}
{{- if .Values.metrics.annotations -}}
{{- $_ := set $own "prometheus.io/scrape" "true" -}}
{{- $_ := set $own "prometheus.io/port" (include "cdh.text" .Values.metrics.port) -}}
{{- end -}}
{{- include "cdh.mergeMaps" (list .Values.daemonset.podAnnotations $own .Values.commonAnnotations) -}}
{{- end -}}

{{/* Where pods run, for the DaemonSet and the test pod. */}}
{{- define "cdh.placement" -}}
nodeSelector:
  {{- include "cdh.mergeMaps" (list (dict "kubernetes.io/os" "linux") .Values.nodeSelector) | nindent 2 }}
affinity:
  {{- include "cdh.affinity" . | nindent 2 }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/*
`affinity`, with the nodes that cannot run the agent excluded in each of its terms (they are alternatives):
other architectures than the image's, EKS Fargate, virtual nodes (AKS and others). Their pods would stay
Pending, and `helm --wait` would never end.
*/}}
{{- define "cdh.affinity" -}}
{{- $affinity := deepCopy .Values.affinity -}}
{{- $node := $affinity.nodeAffinity | default dict -}}
{{- $required := $node.requiredDuringSchedulingIgnoredDuringExecution | default dict -}}
{{- $fit := list
  (dict "key" "kubernetes.io/arch" "operator" "In" "values" (list "amd64" "arm64"))
  (dict "key" "eks.amazonaws.com/compute-type" "operator" "NotIn" "values" (list "fargate"))
  (dict "key" "type" "operator" "NotIn" "values" (list "virtual-kubelet")) -}}
{{- $terms := list -}}
{{- range compact ($required.nodeSelectorTerms | default list) | default (list dict) -}}
{{- $terms = append $terms (set . "matchExpressions" (concat (.matchExpressions | default list) $fit)) -}}
{{- end -}}
{{- $_ := set $node "requiredDuringSchedulingIgnoredDuringExecution" (dict "nodeSelectorTerms" $terms) -}}
{{- toYaml (set $affinity "nodeAffinity" $node) -}}
{{- end -}}

{{/* A container of the user's: dict "path" … "container" …; its variables are checked. */}}
{{- define "cdh.container" -}}
{{- $container := deepCopy .container -}}
{{- if $container.env -}}
{{- $_ := set $container "env" (include "cdh.envList" (dict "path" .path "env" $container.env) | fromYamlArray) -}}
{{- end -}}
{{- toYaml $container -}}
{{- end -}}

{{/* A sidecar: the agent's directories unless it mounts something there, then its own mounts; the agent's security context unless it has one. */}}
{{- define "cdh.sidecar" -}}
{{- $own := .sidecar.volumeMounts | default list -}}
{{- $taken := list -}}
{{- range $own }}{{- $taken = append $taken (clean (toString .mountPath)) -}}{{- end -}}
{{- $mounts := list -}}
{{- range include "cdh.directoryMounts" .root | fromYamlArray -}}
{{- if not (has .mountPath $taken) }}{{- $mounts = append $mounts . -}}{{- end -}}
{{- end -}}
{{- $context := .sidecar.securityContext | default (include "cdh.securityContext" .root | fromYaml) -}}
{{- $container := include "cdh.container" (dict "path" "daemonset.sidecarContainers" "container" .sidecar) | fromYaml -}}
{{- $_ := set $container "volumeMounts" (concat $mounts $own) -}}
{{- $_ := set $container "securityContext" $context -}}
- {{ toYaml $container | nindent 2 | trim }}
{{- end -}}
