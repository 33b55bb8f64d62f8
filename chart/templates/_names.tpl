{{- define "cdh.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/*
"true" when this release goes by the names of version 9, so that an upgrade replaces its pods
one by one: it says so, it has the usual release name, or the DaemonSet is there and is its own.
*/}}
{{- define "cdh.ancestral" -}}
{{- $name := .Values.daemonset.name | default "core-dump-handler" -}}
{{- $found := lookup "apps/v1" "DaemonSet" .Release.Namespace $name | default dict -}}
{{- $owner := dig "metadata" "annotations" "meta.helm.sh/release-name" "" $found -}}
{{- $account := dig "spec" "template" "spec" "serviceAccountName" "" $found -}}
{{- if eq .Values.daemonset.name "core-dump-handler" -}}
true
{{- else if and (eq $owner .Release.Name) (or (eq $account "core-dump-admin") (eq $name "core-dump-handler")) -}}
true
{{- else if and (not .Values.daemonset.name) (not .Values.fullnameOverride) (eq .Release.Name "core-dump-handler") -}}
true
{{- end -}}
{{- end -}}

{{- define "cdh.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if include "cdh.ancestral" . -}}
core-dump-handler
{{- else if contains (include "cdh.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "cdh.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Cluster-scoped objects carry the namespace too: the same release name may be used in two. */}}
{{- define "cdh.clusterName" -}}
{{- printf "%s-%s" (include "cdh.fullname" .) .Release.Namespace -}}
{{- end -}}

{{- define "cdh.daemonsetName" -}}
{{- if .Values.daemonset.name -}}
{{- .Values.daemonset.name -}}
{{- else if include "cdh.ancestral" . -}}
core-dump-handler
{{- else -}}
{{- include "cdh.fullname" . -}}
{{- end -}}
{{- end -}}

{{/* The selector is immutable: version 9 selects by the label `name` alone, so we do. */}}
{{- define "cdh.podLabel" -}}
{{- .Values.daemonset.label | default (ternary "core-dump-ds" (include "cdh.fullname" .) (eq (include "cdh.ancestral" .) "true")) -}}
{{- end -}}

{{- define "cdh.serviceAccountName" -}}
{{- if .Values.serviceAccount.name -}}
{{- .Values.serviceAccount.name -}}
{{- else if not .Values.serviceAccount.create -}}
default
{{- else -}}
{{- ternary "core-dump-admin" (include "cdh.fullname" .) (eq (include "cdh.ancestral" .) "true") -}}
{{- end -}}
{{- end -}}

{{- define "cdh.tokenSecretName" -}}
{{- .Values.serviceAccount.tokenSecretName | default (ternary "core-dump-service-account-token" (printf "%s-token" (include "cdh.fullname" .)) (eq (include "cdh.ancestral" .) "true")) -}}
{{- end -}}

{{- define "cdh.storeSecretName" -}}
{{- .Values.s3.existingSecret | default (ternary "s3config" (printf "%s-s3" (include "cdh.fullname" .)) (eq (include "cdh.ancestral" .) "true")) -}}
{{- end -}}

{{/* Version 9 made its SCC in a hook, so helm cannot adopt one of that name. */}}
{{- define "cdh.sccName" -}}
{{- if and .Values.scc.name (ne .Values.scc.name "core-dump-admin-privileged") -}}
{{- .Values.scc.name -}}
{{- else -}}
{{- include "cdh.clusterName" . -}}
{{- end -}}
{{- end -}}

{{- define "cdh.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "cdh.identity" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "cdh.identity" -}}
app.kubernetes.io/name: {{ include "cdh.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* metadata of an object: dict "root" $ "name" … ["labels" …] ["annotations" …] ["cluster" true] */}}
{{- define "cdh.metadata" -}}
name: {{ .name }}
{{- if not .cluster }}
namespace: {{ .namespace | default .root.Release.Namespace }}
{{- end }}
labels:
  {{- include "cdh.labels" .root | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (.annotations | default dict) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
