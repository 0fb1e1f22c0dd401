{{- /*
The entries of the webhook configuration. Rendered twice: there, and for the program to compare what is stored with.
*/}}
{{- define "cni-steward.webhooks" -}}
{{- $targets := include "cni-steward.targets" . | fromYaml }}
{{- $byCondition := semverCompare ">=1.28.0-0" .Capabilities.KubeVersion.Version }}
{{- $inNamespace := dict "matchLabels" (dict "kubernetes.io/metadata.name" $targets.namespace) }}
{{- $labelled := dict "matchLabels" (dict "k8s-app" "aws-node") }}
{{- $apps := dict "apiGroups" (list "apps") "resources" (list "daemonsets") }}
{{- $core := dict "apiGroups" (list "") "resources" (list "serviceaccounts" "configmaps") }}
{{- $rbac := dict "apiGroups" (list "rbac.authorization.k8s.io") "resources" (list "clusterroles" "clusterrolebindings") }}
{{- $schema := dict "apiGroups" (list "apiextensions.k8s.io") "resources" (list "customresourcedefinitions") }}
{{- $entries := list }}
{{- if $byCondition }}
  {{- /* A name that the API server has yet to make up is not there: an error then would have failurePolicy Fail refuse the write. */}}
  {{- $named := printf "has(request.name) && (request.name == '%s' || (request.resource.resource == 'configmaps' && request.name == '%s'))" $targets.name $targets.settings }}
  {{- $entries = append $entries (dict "name" "namespaced" "scope" "Namespaced" "rules" (list $core $apps) "condition" $named "namespaceSelector" $inNamespace) }}
  {{- $named = printf "has(request.name) && (request.resource.resource == 'customresourcedefinitions' ? request.name == 'eniconfigs.crd.k8s.amazonaws.com' : request.name == '%s')" $targets.name }}
  {{- $entries = append $entries (dict "name" "cluster" "scope" "Cluster" "rules" (list $schema $rbac) "condition" $named) }}
{{- else }}
  {{- /* The API server knows only selectors. The one CRD of ours has no label, so all CRD writes are called. */}}
  {{- $entries = append $entries (dict "name" "namespaced" "scope" "Namespaced" "rules" (list $core $apps) "namespaceSelector" $inNamespace "objectSelector" $labelled) }}
  {{- $entries = append $entries (dict "name" "cluster" "scope" "Cluster" "rules" (list $rbac) "objectSelector" $labelled) }}
  {{- $entries = append $entries (dict "name" "schema" "scope" "Cluster" "rules" (list $schema)) }}
{{- end }}
{{- range $entry := $entries }}
  - name: {{ $entry.name }}.cni-steward.dev
    admissionReviewVersions: [v1]
    clientConfig:
      service:
        name: {{ include "cni-steward.fullname" $ }}
        namespace: {{ $.Release.Namespace }}
        path: /mutate
        port: {{ $.Values.service.port }}
      {{- with $.Values.certificate.caBundle }}
      caBundle: {{ . | b64enc }}
      {{- end }}
    failurePolicy: {{ $.Values.webhook.failurePolicy }}
    matchPolicy: Equivalent
    reinvocationPolicy: IfNeeded
    sideEffects: NoneOnDryRun
    timeoutSeconds: {{ $.Values.webhook.timeoutSeconds }}
    {{- with $entry.condition }}
    matchConditions:
      - name: vpc-cni-by-name
        expression: {{ . | quote }}
    {{- end }}
    {{- with $entry.namespaceSelector }}
    namespaceSelector: {{ toYaml . | nindent 6 }}
    {{- end }}
    {{- with $entry.objectSelector }}
    objectSelector: {{ toYaml . | nindent 6 }}
    {{- end }}
    rules:
      {{- range $rule := $entry.rules }}
      - apiGroups: {{ toJson $rule.apiGroups }}
        apiVersions: [v1]
        operations: [CREATE, UPDATE]
        resources: {{ toJson $rule.resources }}
        scope: {{ $entry.scope }}
      {{- end }}
{{- end }}
{{- $canary := list (dict "name" "probe" "service" (include "cni-steward.fullname" .)) }}
{{- if include "cni-steward.selfManaged" . }}
{{- $canary = append $canary (dict "name" "canary" "service" (printf "%s-canary" (include "cni-steward.fullname" .))) }}
{{- end }}
{{- /* For dry runs of ourselves: whether this API server reaches us, and whether it trusts what is served next. */}}
{{- range $entry := $canary }}
  - name: {{ $entry.name }}.cni-steward.dev
    admissionReviewVersions: [v1]
    clientConfig:
      service:
        name: {{ $entry.service }}
        namespace: {{ $.Release.Namespace }}
        path: /{{ $entry.name }}
        port: {{ $.Values.service.port }}
      {{- with $.Values.certificate.caBundle }}
      caBundle: {{ . | b64enc }}
      {{- end }}
    failurePolicy: Ignore
    matchPolicy: Exact
    reinvocationPolicy: Never
    sideEffects: None
    timeoutSeconds: 3
    namespaceSelector:
      matchLabels:
        kubernetes.io/metadata.name: {{ $.Release.Namespace }}
    objectSelector:
      matchLabels:
        cni-steward.dev/canary: {{ include "cni-steward.fullname" $ }}
    rules:
      - apiGroups: [""]
        apiVersions: [v1]
        operations: [CREATE]
        resources: [configmaps]
        scope: Namespaced
{{- end }}
{{- end }}
