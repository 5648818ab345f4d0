{{- define "wspush.name" -}}
{{- if contains "wspush" .Release.Name }}{{ .Release.Name }}{{ else }}{{ printf "%s-wspush" .Release.Name }}{{ end }}
{{- end }}

{{- define "wspush.selector" -}}
app.kubernetes.io/name: wspush
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "wspush.labels" -}}
{{ include "wspush.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}
