package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	signalingserver "signaling-server"
	"signaling-server/internal/telemetry"
)

// telemetrySettings say what is exported by OpenTelemetry. The variables and their defaults are
// those of its specification ("OpenTelemetry Environment Variable Specification" and "OTLP
// Exporter Configuration"). Unlike there, nothing is exported unless a variable asks for it, and a
// value that is not allowed ends the start.
type telemetrySettings struct {
	Disabled          bool    `env:"OTEL_SDK_DISABLED" envDefault:"false" allowed:"true or false" help:"Export nothing, whatever the other variables say."`
	Traces            string  `env:"OTEL_TRACES_EXPORTER" validate:"omitempty,oneof=otlp none" allowed:"otlp or none" help:"otlp: export a span of each request. Empty: otlp if OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is set, none otherwise."`
	Logs              string  `env:"OTEL_LOGS_EXPORTER" validate:"omitempty,oneof=otlp none" allowed:"otlp or none" help:"otlp: export the log, beside writing it. The log holds personal data. Empty: none."`
	Endpoint          string  `env:"OTEL_EXPORTER_OTLP_ENDPOINT" secret:"true" validate:"omitempty,http_url" allowed:"an address of http or https" help:"Address of the collector. Spans go to /v1/traces below it, the log to /v1/logs. Empty: http://localhost:4318."`
	TracesEndpoint    string  `env:"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" secret:"true" validate:"omitempty,http_url" allowed:"an address of http or https" help:"Address to which spans go, with its whole path. Empty: below OTEL_EXPORTER_OTLP_ENDPOINT."`
	LogsEndpoint      string  `env:"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT" secret:"true" validate:"omitempty,http_url" allowed:"an address of http or https" help:"Address to which the log goes, with its whole path. Empty: below OTEL_EXPORTER_OTLP_ENDPOINT."`
	Protocol          string  `env:"OTEL_EXPORTER_OTLP_PROTOCOL" envDefault:"http/protobuf" allowed:"http/protobuf; the server does not speak grpc" help:"Protocol of the collector. Collectors usually take it at port 4318."`
	Headers           string  `env:"OTEL_EXPORTER_OTLP_HEADERS" secret:"true" validate:"pairs" allowed:"a comma-separated list such as api-key=a%20secret,tenant=7, with percent-encoded values" help:"Headers of each request to the collector. Empty: none."`
	Timeout           int     `env:"OTEL_EXPORTER_OTLP_TIMEOUT" envDefault:"10000" validate:"min=1,max=600000" allowed:"a whole number of milliseconds from 1 to 600000" help:"How long a request to the collector may take, in milliseconds."`
	Compression       string  `env:"OTEL_EXPORTER_OTLP_COMPRESSION" envDefault:"none" validate:"oneof=none gzip" allowed:"none or gzip" help:"How requests to the collector are compressed."`
	CollectorCA       string  `env:"OTEL_EXPORTER_OTLP_CERTIFICATE" allowed:"the path of a file in PEM" help:"File with the certificates of the authorities that the collector is checked by. Empty: those of the system."`
	ClientCertificate string  `env:"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE" validate:"required_with=ClientKey" allowed:"the path of a file in PEM, together with OTEL_EXPORTER_OTLP_CLIENT_KEY" help:"File with the certificate that the server shows to the collector. Empty: none."`
	ClientKey         string  `env:"OTEL_EXPORTER_OTLP_CLIENT_KEY" validate:"required_with=ClientCertificate" allowed:"the path of a file in PEM, together with OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE" help:"File with the private key of OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE."`
	ServiceName       string  `env:"OTEL_SERVICE_NAME" allowed:"any text" help:"Name of the service in spans and log records. Empty: service.name in OTEL_RESOURCE_ATTRIBUTES or, without it, signaling-server."`
	Resource          string  `env:"OTEL_RESOURCE_ATTRIBUTES" validate:"pairs" allowed:"a comma-separated list such as deployment.environment.name=test,team=calls, with percent-encoded values" help:"What spans and log records say of this server, beside its name, version, environment and node."`
	Sampler           string  `env:"OTEL_TRACES_SAMPLER" envDefault:"parentbased_always_on" validate:"oneof=always_on always_off traceidratio parentbased_always_on parentbased_always_off parentbased_traceidratio" allowed:"always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off or parentbased_traceidratio" help:"Which traces are exported. With parentbased, a request with traceparent is if its sender says so, and the rest of the name is for other requests."`
	SamplerArgument   float64 `env:"OTEL_TRACES_SAMPLER_ARG" envDefault:"1" validate:"min=0,max=1" allowed:"a number from 0 to 1" help:"Share of the traces that a sampler with traceidratio takes."`
}

// isPairs reports whether a text can be read by [pairs].
func isPairs(text string) bool {
	_, err := pairs(text)
	return err == nil
}

// pairs reads a list of names and percent-encoded values.
func pairs(text string) (map[string]string, error) {
	all := make(map[string]string)
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		name, value, found := strings.Cut(item, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); err != nil || !found || name == "" {
			return nil, errors.New("it is not a list of names and values")
		}
		all[name] = value
	}
	return all, nil
}

// exportsTraces reports whether spans are exported.
func (s telemetrySettings) exportsTraces() bool {
	if s.Traces == "" {
		return !s.Disabled && s.Endpoint+s.TracesEndpoint != ""
	}
	return !s.Disabled && s.Traces == "otlp"
}

// exportsLogs reports whether the log is exported.
func (s telemetrySettings) exportsLogs() bool { return !s.Disabled && s.Logs == "otlp" }

// newTelemetry starts the export, which the caller shuts down. It returns nil if nothing is
// exported. The logger is for what cannot be exported.
func (c config) newTelemetry(logger *slog.Logger) (*telemetry.Telemetry, error) {
	s := c.Telemetry
	if !s.exportsTraces() && !s.exportsLogs() {
		return nil, nil
	}
	if s.Protocol != "http/protobuf" {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q, but this server speaks only http/protobuf, which collectors take at port 4318: set it to http/protobuf, and the port in OTEL_EXPORTER_OTLP_ENDPOINT", s.Protocol)
	}
	secured, err := s.tls()
	if err != nil {
		return nil, err
	}
	headers, _ := pairs(s.Headers) // loadConfig has read both
	resource, _ := pairs(s.Resource)
	c.describe(resource)
	o := telemetry.Options{
		Headers: headers, Gzip: s.Compression == "gzip", Timeout: time.Duration(s.Timeout) * time.Millisecond, TLS: secured,
		Sampler: s.Sampler, Share: s.SamplerArgument, Resource: resource, Version: signalingserver.Version, Logger: logger,
	}
	if s.exportsTraces() {
		o.TracesURL = s.urlOf(s.TracesEndpoint, "v1/traces")
	}
	if s.exportsLogs() {
		o.LogsURL = s.urlOf(s.LogsEndpoint, "v1/logs")
	}
	return telemetry.Start(o), nil
}

// urlOf returns the address of one signal: its own, or a path below that of all signals.
func (s telemetrySettings) urlOf(own, path string) string {
	if own != "" {
		return own
	}
	base := s.Endpoint
	if base == "" {
		base = "http://localhost:4318"
	}
	at, err := url.Parse(base)
	if err != nil {
		panic(err) // loadConfig validated it
	}
	return at.JoinPath(path).String()
}

// describe adds what this server knows of itself to the attributes that the operator has set.
// Those win, unless OTEL_SERVICE_NAME is set.
func (c config) describe(resource map[string]string) {
	for name, value := range map[string]string{
		"service.name":                "signaling-server",
		"service.version":             signalingserver.Version,
		"service.instance.id":         c.Cluster.Node,
		"deployment.environment.name": c.Environment,
	} {
		if resource[name] == "" && value != "" {
			resource[name] = value
		}
	}
	if c.Telemetry.ServiceName != "" {
		resource["service.name"] = c.Telemetry.ServiceName
	}
}

// tls returns how the collector is checked, or nil if as every server is.
func (s telemetrySettings) tls() (*tls.Config, error) {
	return clientTLS{
		authorities: pemFile{"OTEL_EXPORTER_OTLP_CERTIFICATE", s.CollectorCA},
		certificate: pemFile{"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", s.ClientCertificate},
		key:         pemFile{"OTEL_EXPORTER_OTLP_CLIENT_KEY", s.ClientKey},
	}.config()
}
