{{/* Names, labels and the image: what several templates say alike. */}}

{{- define "interlock.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* 52 characters leave room for the longest ending, "-common-kinds" being cut off by no name of a usual length. */}}
{{- define "interlock.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "interlock.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "interlock.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "interlock.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "interlock.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name is needed: serviceAccount.create is false, so name the one that is there" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "interlock.selector" -}}
app.kubernetes.io/name: {{ include "interlock.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "interlock.labels" -}}
{{ include "interlock.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Where the registries named in values listen, as a JSON list. 443 also for the token servers and blob stores that a
     registry on another port may lead to. */}}
{{- define "interlock.registryPorts" -}}
{{- $ports := list -}}
{{- if .Values.registries.allow -}}
{{- $ports = list "443" -}}
{{- range .Values.registries.allow -}}
{{- $ports = append $ports (regexFind ":[0-9]+" . | trimPrefix ":" | default "443") -}}
{{- end -}}
{{- range .Values.registries.plainHttp -}}
{{- $ports = append $ports (regexFind ":[0-9]+" . | trimPrefix ":" | default "80") -}}
{{- end -}}
{{- end -}}
{{- $ports | uniq | toJson -}}
{{- end -}}

{{- define "interlock.image" -}}
{{- $repository := required "image.repository is needed: push an image with `make image` and name its repository and digest here" .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}
