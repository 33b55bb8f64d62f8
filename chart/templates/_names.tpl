{{- define "cdh.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/*
"true" when this release has the names of IBM core-dump-handler 9 (v9), so that an upgrade replaces its
pods one by one: `daemonset.name` is v9's, or the release has the usual name. Nothing of the cluster is
asked: `helm template` and Argo CD make the same names as `helm upgrade`.
*/}}
{{- define "cdh.v9Names" -}}
{{- if eq .Values.daemonset.name "core-dump-handler" -}}
true
{{- else if and (not .Values.daemonset.name) (not .Values.fullnameOverride) (eq .Release.Name "core-dump-handler") -}}
true
{{- end -}}
{{- end -}}

{{- define "cdh.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if include "cdh.v9Names" . -}}
core-dump-handler
{{- else if contains (include "cdh.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "cdh.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The names of cluster-scoped objects contain the namespace: the same release name may be used in two. */}}
{{- define "cdh.clusterName" -}}
{{- printf "%s-%s" (include "cdh.fullname" .) .Release.Namespace -}}
{{- end -}}

{{- define "cdh.daemonsetName" -}}
{{- if .Values.daemonset.name -}}
{{- .Values.daemonset.name -}}
{{- else if include "cdh.v9Names" . -}}
core-dump-handler
{{- else -}}
{{- include "cdh.fullname" . -}}
{{- end -}}
{{- end -}}

{{/* The selector is immutable: v9 selects by the label `name` alone. */}}
{{- define "cdh.podLabel" -}}
{{- .Values.daemonset.label | default (ternary "core-dump-ds" (include "cdh.fullname" .) (eq (include "cdh.v9Names" .) "true")) -}}
{{- end -}}

{{- define "cdh.serviceAccountName" -}}
{{- if .Values.serviceAccount.name -}}
{{- .Values.serviceAccount.name -}}
{{- else if not .Values.serviceAccount.create -}}
default
{{- else -}}
{{- ternary "core-dump-admin" (include "cdh.fullname" .) (eq (include "cdh.v9Names" .) "true") -}}
{{- end -}}
{{- end -}}

{{- define "cdh.tokenSecretName" -}}
{{- .Values.serviceAccount.tokenSecretName | default (ternary "core-dump-service-account-token" (printf "%s-token" (include "cdh.fullname" .)) (eq (include "cdh.v9Names" .) "true")) -}}
{{- end -}}

{{- define "cdh.storeSecretName" -}}
{{- .Values.s3.existingSecret | default (ternary "s3config" (printf "%s-s3" (include "cdh.fullname" .)) (eq (include "cdh.v9Names" .) "true")) -}}
{{- end -}}

{{/* v9 made its SCC in a hook, so helm cannot adopt one of that name. */}}
{{- define "cdh.sccName" -}}
{{- if and .Values.scc.name (ne .Values.scc.name "core-dump-admin-privileged") -}}
{{- .Values.scc.name -}}
{{- else -}}
{{- include "cdh.clusterName" . -}}
{{- end -}}
{{- end -}}

{{/* Labels of the chart itself, as YAML. */}}
{{- define "cdh.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
{{ include "cdh.identity" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
{{- end -}}

{{- define "cdh.identity" -}}
app.kubernetes.io/name: {{ include "cdh.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* metadata of an object: dict "root" $ "name" … ["labels" …] ["annotations" …] ["namespace" …] ["cluster" true] */}}
{{- define "cdh.metadata" -}}
name: {{ .name | quote }}
{{- if not .cluster }}
namespace: {{ .namespace | default .root.Release.Namespace | quote }}
{{- end }}
labels:
  {{- include "cdh.mergeMaps" (list .labels (include "cdh.labels" .root | fromYaml) .root.Values.commonLabels) | nindent 2 }}
{{- with include "cdh.mergeMaps" (list .annotations .root.Values.commonAnnotations) }}
annotations:
  {{- . | nindent 2 }}
{{- end }}
{{- end -}}
