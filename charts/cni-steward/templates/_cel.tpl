{{/* Rules of a policy, from lines of "group: resource resource". */}}
{{- define "cni-steward.cel.rules" -}}
{{- range $line := .rules }}
{{- $parts := splitList ": " $line }}
- apiGroups: [{{ index $parts 0 | quote }}]
  apiVersions: [v1]
  operations: {{ toJson $.operations }}
  resources: {{ splitList " " (index $parts 1) | toJson }}
{{- end }}
{{- end }}

{{/* Whether the text that `subject` gives fits one of the patterns, in CEL. */}}
{{- define "cni-steward.cel.fits" -}}
{{- $plain := list }}
{{- $parts := list }}
{{- range $pattern := .patterns }}
{{- if not (contains "*" $pattern) }}{{ $plain = append $plain (toRawJson $pattern) }}{{ end }}
{{- end }}
{{- if $plain }}{{ $parts = append $parts (printf "%s in [%s]" .subject (join ", " $plain)) }}{{ end }}
{{- range $pattern := .patterns }}
{{- if contains "*" $pattern }}
{{- $pieces := list }}
{{- range $piece := splitList "*" $pattern }}{{ $pieces = append $pieces (regexQuoteMeta $piece) }}{{ end }}
{{- $parts = append $parts (printf "%s.matches(%s)" $.subject (printf "(?s)^%s$" (join ".*" $pieces) | toRawJson)) }}
{{- end }}
{{- end }}
{{- join " || " $parts }}
{{- end }}

{{/* Whether the writer is exempt, in CEL. */}}
{{- define "cni-steward.cel.exempt" -}}
{{- $exempt := .Values.policy.exempt | default dict }}
{{- $usernames := list "eks:addon-manager" }}
{{- if hasKey $exempt "usernames" }}{{ $usernames = $exempt.usernames }}{{ end }}
{{- $parts := list }}
{{- with include "cni-steward.cel.fits" (dict "subject" "request.?userInfo.?username.orValue(\"\")" "patterns" $usernames) }}
{{- $parts = append $parts . }}
{{- end }}
{{- with include "cni-steward.cel.fits" (dict "subject" "variables.manager" "patterns" ($exempt.managers | default list)) }}
{{- $parts = append $parts . }}
{{- end }}
{{- with include "cni-steward.cel.fits" (dict "subject" "group" "patterns" ($exempt.groups | default list)) }}
{{- $parts = append $parts (printf "request.userInfo.?groups.orValue([]).exists(group, %s)" .) }}
{{- end }}
{{- join " || " $parts | default "false" }}
{{- end }}
