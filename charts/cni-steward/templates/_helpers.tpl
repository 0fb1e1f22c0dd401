{{- define "cni-steward.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Short enough for the longest suffix that is put behind it. */}}
{{- define "cni-steward.fullname" -}}
{{- $name := include "cni-steward.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "cni-steward.selectorLabels" -}}
app.kubernetes.io/name: {{ include "cni-steward.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "cni-steward.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "cni-steward.selectorLabels" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "cni-steward.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default (include "cni-steward.fullname" .) }}
{{- else }}
{{- .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}

{{- define "cni-steward.image" -}}
{{- $image := .Values.image }}
{{- if $image.digest }}
{{- printf "%s@%s" $image.repository $image.digest }}
{{- else }}
{{- printf "%s:%s" $image.repository ($image.tag | default .Chart.AppVersion) }}
{{- end }}
{{- end }}

{{/* What a pod needs to run on a node that has no CNI yet; the Deployment's and the test's are the same. */}}
{{- define "cni-steward.placement" -}}
hostNetwork: {{ .Values.hostNetwork }}
dnsPolicy: {{ .Values.dnsPolicy }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
securityContext: {{ toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The names of the targets, as the policy's `targets` or its defaults have them. */}}
{{- define "cni-steward.targets" -}}
{{- merge (dict) (.Values.policy.targets | default dict) (dict "name" "aws-node" "namespace" "kube-system" "settings" "amazon-vpc-cni") | toYaml }}
{{- end }}

{{/* The release that the policy stamps, as JSON; empty without one. Argo CD has none unless it is named. */}}
{{- define "cni-steward.release" -}}
{{- $owner := .Values.policy.owner | default dict }}
{{- if and (not (and (hasKey $owner "release") (not $owner.release))) (or $owner.release (not (hasPrefix "argocd" ($owner.manager | default "")))) }}
{{- $given := $owner.release | default dict }}
{{- printf "{\"name\": %s, \"namespace\": %s}" (toRawJson ($given.name | default "aws-vpc-cni")) (toRawJson ($given.namespace | default "kube-system")) }}
{{- end }}
{{- end }}

{{/* What the policy has us write: "all" targets, the "core" four (Cluster API's label), or nothing. */}}
{{- define "cni-steward.writes" -}}
{{- if eq .Values.policy.mode "Adopt" }}all
{{- else if and (eq .Values.policy.mode "Block") (has (.Values.policy.clusterApi | default "Leave") (list "Protect" "Release")) }}core
{{- end }}
{{- end }}

{{/* Where Events about our things and the targets lie. */}}
{{- define "cni-steward.eventNamespaces" -}}
{{- list .Release.Namespace (include "cni-steward.targets" . | fromYaml).namespace "kube-system" | uniq | sortAlpha | toJson }}
{{- end }}

{{- define "cni-steward.verbs" -}}
{{- if . }}[get, list, watch, patch]{{ else }}[get, list, watch]{{ end }}
{{- end }}

{{/* Whether the servers make and renew their certificate themselves. */}}
{{- define "cni-steward.selfManaged" -}}
{{- if not .Values.certificate.secretName }}yes{{ end }}
{{- end }}

{{/* What no schema can say. Every error names the value and says what to do. */}}
{{- define "cni-steward.check" -}}
{{- $certificate := .Values.certificate }}
{{- $ways := list }}
{{- if $certificate.caBundle }}{{ $ways = append $ways "certificate.caBundle" }}{{ end }}
{{- if $certificate.certManager.injectCaFrom }}{{ $ways = append $ways "certificate.certManager.injectCaFrom" }}{{ end }}
{{- if $certificate.certManager.injectCaFromSecret }}{{ $ways = append $ways "certificate.certManager.injectCaFromSecret" }}{{ end }}
{{- if and $ways (include "cni-steward.selfManaged" .) }}
{{- fail (printf "%s: this is for a certificate of your own; name its Secret in certificate.secretName, or leave both empty and cni-steward makes one" (first $ways)) }}
{{- end }}
{{- if and (include "cni-steward.selfManaged" .) (not .Values.serviceAccount.automountServiceAccountToken) }}
{{- fail "serviceAccount.automountServiceAccountToken: cni-steward makes its certificate itself and needs its token for that; set it to true, or bring a certificate (certificate.secretName)" }}
{{- end }}
{{- if and $certificate.secretName (not $ways) }}
{{- fail "certificate.caBundle: the API server has to trust the certificate: give the CA (--set-file certificate.caBundle=ca.crt), or set certificate.certManager.injectCaFrom" }}
{{- end }}
{{- if gt (len $ways) 1 }}
{{- fail (printf "%s: set only one of them, or each would undo the other" (join " and " $ways)) }}
{{- end }}
{{- if contains "PRIVATE KEY" $certificate.caBundle }}
{{- fail "certificate.caBundle: it holds a private key, which must never leave the CA; give certificates only" }}
{{- end }}
{{- if and .Values.telemetry.enabled (eq (int .Values.webhook.port) (int .Values.telemetry.port)) }}
{{- fail (printf "telemetry.port: %d is webhook.port too; the two listeners need a port each" (int .Values.telemetry.port)) }}
{{- end }}
{{- if and (not .Values.telemetry.enabled) (or .Values.podMonitor.enabled .Values.serviceMonitor.enabled) }}
{{- fail "telemetry.enabled: podMonitor and serviceMonitor have nothing to read while it is false" }}
{{- end }}
{{- $owner := .Values.policy.owner | default dict }}
{{- if and (eq .Values.policy.mode "Adopt") (eq (.Values.policy.clusterApi | default "") "Release") (include "cni-steward.release" .) }}
{{- fail "policy.clusterApi: Release contradicts policy.mode Adopt with a release: old Cluster API versions delete only what is not managed-by: Helm, and Helm owns only what is; set Protect or Leave, policy.owner.release=null, or policy.mode=Block" }}
{{- end }}
{{- if and (ne .Values.policy.mode "Block") (eq (.Values.policy.fields | default "") "Stamp") (not (include "cni-steward.release" .)) }}
{{- fail "policy.fields: Stamp would change nothing without a release; set policy.owner.release, or policy.fields=Transfer" }}
{{- end }}
{{- if has $owner.manager (list "eks" "cni-steward") }}
{{- fail (printf "policy.owner.manager: %s cannot be the owner; name who shall be, such as helm, helm-controller or argocd-controller" $owner.manager) }}
{{- end }}
{{- if and (not .Values.serviceAccount.create) (not .Values.serviceAccount.name) (or .Values.rbac.create .Values.validatingAdmissionPolicy.enabled) }}
{{- fail "serviceAccount.name: name the account that you made; with create=false and no name it would be the namespace's default account, and other pods of the namespace would get and lose rights with ours" }}
{{- end }}
{{- if and .Values.hostNetwork (ne (int .Values.strategy.rollingUpdate.maxSurge) 0) }}
{{- fail "strategy.rollingUpdate.maxSurge: must be 0 with hostNetwork: a node has the port only once, so the new pod would wait for ever" }}
{{- end }}
{{- end }}

{{- define "cni-steward.subjects" -}}
- kind: ServiceAccount
  name: {{ include "cni-steward.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}
