{{/*
Makes the values complete, in place; every template begins with it. A group or value that is absent or
null (`composer:` with everything below it commented out, `--set agent=null`, `--reuse-values` from an
older chart) gets its default of files/defaults.json, which is made from values.yaml.
*/}}
{{- define "cdh.normalise" -}}
{{- include "cdh.normaliseGroup" (dict "into" .Values "keys" (.Files.Get "files/defaults.json" | fromJson) "path" "") -}}
{{- end -}}

{{- define "cdh.normaliseGroup" -}}
{{- range $key, $leaf := .keys -}}
{{- $path := printf "%s%s" $.path $key -}}
{{- $value := index $.into $key -}}
{{- if $leaf.keys -}}
{{- if kindIs "invalid" $value -}}
{{- $value = dict -}}
{{- $_ := set $.into $key $value -}}
{{- else if not (kindIs "map" $value) -}}
{{- fail (printf "%s is %v: it is a group of values, see the README of the chart" $path $value) -}}
{{- end -}}
{{- include "cdh.normaliseGroup" (dict "into" $value "keys" $leaf.keys "path" (printf "%s." $path)) -}}
{{- else if kindIs "invalid" $value -}}
{{- $_ := set $.into $key $leaf.default -}}
{{- else if eq (toString $leaf.kind) "text" -}}
{{- $_ := set $.into $key (include "cdh.requireText" (dict "path" $path "value" $value)) -}}
{{- else if eq (toString $leaf.kind) "textMap" -}}
{{- $map := dict -}}
{{- range $name, $text := $value -}}
{{- if not (kindIs "invalid" $text) -}}
{{- $_ := set $map $name (include "cdh.requireText" (dict "path" (printf "%s.%s" $path $name) "value" $text)) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $.into $key $map -}}
{{- else if kindIs "slice" $value -}}
{{- $_ := set $.into $key (compact $value) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Text, or a failure with what to write. Only `--set` makes an int64: it has the digits that were written. */}}
{{- define "cdh.requireText" -}}
{{- if kindIs "string" .value -}}
{{- .value -}}
{{- else if kindIs "int64" .value -}}
{{- .value -}}
{{- else if kindIs "bool" .value -}}
{{- fail (printf "%s is the boolean %v, and text is meant: write it in quotes, %q, or use --set-string (YAML reads yes, no, on and off as booleans too)" .path .value (toString .value)) -}}
{{- else if kindIs "float64" .value -}}
{{- $digits := include "cdh.text" .value -}}
{{- fail (printf "%s is the number %s, and text is meant: write it in quotes, %q, or use --set-string (YAML reads 0123456, 1.10 and 1e10 as other numbers)" .path $digits $digits) -}}
{{- else -}}
{{- fail (printf "%s is a %s, and text is meant" .path (kindOf .value)) -}}
{{- end -}}
{{- end -}}

{{/* A scalar as text. Numbers of a values file are floats: printed as they are, 1000000 becomes 1e+06. */}}
{{- define "cdh.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}{{- int64 . -}}{{- else if not (kindIs "invalid" .) -}}{{- . -}}{{- end -}}
{{- end -}}

{{/* One map of a list of maps, as YAML: the first that has a key wins, so that no key is there twice. */}}
{{- define "cdh.mergeMaps" -}}
{{- $merged := dict -}}
{{- range $map := reverse . -}}
{{- range $key, $value := $map -}}
{{- $_ := set $merged $key $value -}}
{{- end -}}
{{- end -}}
{{- if $merged -}}{{- toYaml $merged -}}{{- end -}}
{{- end -}}

{{/* Variables of a container as a list: dict "path" … "env" …; a value that is not text is refused. */}}
{{- define "cdh.envList" -}}
{{- range .env -}}
{{- if hasKey . "value" -}}
{{- $value := index . "value" -}}
{{- if not (kindIs "invalid" $value) -}}
{{- $_ := set . "value" (include "cdh.requireText" (dict "path" (printf "%s: the value of %v" $.path (index . "name")) "value" $value)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml .env -}}
{{- end -}}
