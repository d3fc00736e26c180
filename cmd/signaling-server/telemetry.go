package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	signalingserver "signaling-server"
	"signaling-server/internal/telemetry"
)

// telemetrySettings say what is exported by OpenTelemetry. The variables and their defaults are
// those of its specification ("OpenTelemetry Environment Variable Specification" and "OTLP
// Exporter Configuration"). Unlike there, nothing is exported unless a variable asks for it, and a
// value that is not allowed ends the start. The SDK reads headers, compression, sampler and resource
// itself, but would pass over wrong values.
type telemetrySettings struct {
	Disabled        bool         `env:"OTEL_SDK_DISABLED" envDefault:"false" allowed:"true or false" help:"Export nothing, whatever the other variables say."`
	Traces          string       `env:"OTEL_TRACES_EXPORTER" validate:"omitempty,oneof=otlp none" allowed:"otlp or none" help:"otlp: export a span of each request. Empty: otlp if OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is set, none otherwise."`
	Logs            string       `env:"OTEL_LOGS_EXPORTER" validate:"omitempty,oneof=otlp none" allowed:"otlp or none" help:"otlp: export the log, beside writing it. The log holds personal data. Empty: none."`
	Endpoint        string       `env:"OTEL_EXPORTER_OTLP_ENDPOINT" secret:"true" validate:"omitempty,collector" allowed:"an address of http or https, without user and query" help:"Address of the collector. Spans go to /v1/traces below it, the log to /v1/logs. Empty: http://localhost:4318."`
	TracesEndpoint  string       `env:"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" secret:"true" validate:"omitempty,collector" allowed:"an address of http or https, without user and query" help:"Address to which spans go, with its whole path, such as http://collector:4318/v1/traces. Empty: below OTEL_EXPORTER_OTLP_ENDPOINT."`
	LogsEndpoint    string       `env:"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT" secret:"true" validate:"omitempty,collector" allowed:"an address of http or https, without user and query" help:"Address to which the log goes, with its whole path, such as http://collector:4318/v1/logs. Empty: below OTEL_EXPORTER_OTLP_ENDPOINT."`
	Both            otlpSettings `envPrefix:"OTEL_EXPORTER_OTLP_"`
	OfTraces        otlpSettings `envPrefix:"OTEL_EXPORTER_OTLP_TRACES_" help:"Instead of OTEL_EXPORTER_OTLP_%s, for spans."`
	OfLogs          otlpSettings `envPrefix:"OTEL_EXPORTER_OTLP_LOGS_" help:"Instead of OTEL_EXPORTER_OTLP_%s, for the log."`
	ServiceName     string       `env:"OTEL_SERVICE_NAME" allowed:"any text" help:"Name of the service in spans and log records. Empty: service.name in OTEL_RESOURCE_ATTRIBUTES or, without it, signaling-server."`
	Resource        string       `env:"OTEL_RESOURCE_ATTRIBUTES" validate:"omitempty,pairs" allowed:"a comma-separated list such as deployment.environment.name=test,team=calls, with percent-encoded values" help:"What spans and log records say of this server, beside its name, version, environment and node."`
	Sampler         string       `env:"OTEL_TRACES_SAMPLER" envDefault:"parentbased_always_on" validate:"oneof=always_on always_off traceidratio parentbased_always_on parentbased_always_off parentbased_traceidratio" allowed:"always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off or parentbased_traceidratio" help:"Which traces are exported. With parentbased, a request with traceparent is if its sender says so, and the rest of the name is for other requests."`
	SamplerArgument float64      `env:"OTEL_TRACES_SAMPLER_ARG" envDefault:"1" validate:"min=0,max=1" allowed:"a number from 0 to 1" help:"Share of the traces that a sampler with traceidratio takes."`
}

// otlpSettings say how the collector is spoken to: for both signals, or for one of them. Those for
// one have no defaults.
type otlpSettings struct {
	Protocol          string `env:"PROTOCOL" allowed:"http/protobuf; the server does not speak grpc" help:"Protocol of the collector. Collectors usually take it at port 4318."`
	Headers           string `env:"HEADERS" secret:"true" validate:"omitempty,pairs" allowed:"a comma-separated list such as api-key=a%20secret,tenant=7, with percent-encoded values" help:"Headers of each request to the collector. Empty: none."`
	Timeout           string `env:"TIMEOUT" validate:"omitempty,milliseconds" allowed:"a whole number of milliseconds from 1 to 600000" help:"How long a request to the collector may take, in milliseconds."`
	Compression       string `env:"COMPRESSION" validate:"omitempty,oneof=none gzip" allowed:"none or gzip" help:"How requests to the collector are compressed."`
	CollectorCA       string `env:"CERTIFICATE" allowed:"the path of a file in PEM" help:"File with the certificates of the authorities that the collector is checked by. Empty: those of the system."`
	ClientCertificate string `env:"CLIENT_CERTIFICATE" validate:"required_with=ClientKey" allowed:"the path of a file in PEM, together with one of the key" help:"File with the certificate that the server shows to the collector. Empty: none."`
	ClientKey         string `env:"CLIENT_KEY" validate:"required_with=ClientCertificate" allowed:"the path of a file in PEM, together with one of the certificate" help:"File with the private key of the certificate that the server shows."`
}

// isPairs reports whether a text is a list of names and percent-encoded values.
func isPairs(text string) bool {
	for item := range strings.SplitSeq(text, ",") {
		name, value, found := strings.Cut(item, "=")
		if _, err := url.PathUnescape(value); err != nil || !found || !httpguts.ValidHeaderFieldName(strings.TrimSpace(name)) {
			return false
		}
	}
	return true
}

func isMilliseconds(text string) bool {
	n, err := strconv.Atoi(text)
	return err == nil && n >= 1 && n <= 600_000
}

// isCollector reports whether the exporters can use an address. They would leave out a user and a query.
func isCollector(text string) bool {
	at, err := url.Parse(text)
	return err == nil && (at.Scheme == "http" || at.Scheme == "https") && at.Hostname() != "" && at.User == nil && at.RawQuery == ""
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
func (c config) newTelemetry(logger *slog.Logger) (_ *telemetry.Telemetry, err error) {
	s := c.Telemetry
	if !s.exportsTraces() && !s.exportsLogs() {
		return nil, nil
	}
	o := telemetry.Options{Logger: logger, Resource: map[string]string{
		"service.name": "signaling-server", "service.version": signalingserver.Version, "deployment.environment.name": c.Environment,
	}}
	if c.Cluster.Node != "" {
		o.Resource["service.instance.id"] = c.Cluster.Node
	}
	if s.exportsTraces() {
		if o.Traces, err = s.collector(s.urlOf(s.TracesEndpoint, "v1/traces"), "OTEL_EXPORTER_OTLP_TRACES_", s.OfTraces); err != nil {
			return nil, err
		}
	}
	if s.exportsLogs() {
		if o.Logs, err = s.collector(s.urlOf(s.LogsEndpoint, "v1/logs"), "OTEL_EXPORTER_OTLP_LOGS_", s.OfLogs); err != nil {
			return nil, err
		}
	}
	return telemetry.Start(o)
}

// urlOf returns the address of one signal: its own, or a path below that of both signals.
func (s telemetrySettings) urlOf(own, path string) string {
	if own != "" {
		return own
	}
	at, err := url.Parse(cmp.Or(s.Endpoint, "http://localhost:4318"))
	if err != nil {
		panic(err) // loadConfig validated it
	}
	return at.JoinPath(path).String()
}

// collector returns the collector of one signal. A setting of its own, whose variable has the
// prefix, wins over that of both signals.
func (s telemetrySettings) collector(url, prefix string, own otlpSettings) (*telemetry.Collector, error) {
	set := func(name, own, both string) envVar {
		if own != "" {
			return envVar{prefix + name, own}
		}
		return envVar{"OTEL_EXPORTER_OTLP_" + name, both}
	}
	if protocol := set("PROTOCOL", own.Protocol, s.Both.Protocol); protocol.value != "http/protobuf" {
		return nil, fmt.Errorf("%s is %q, but this server speaks only http/protobuf, which collectors take at port 4318: set it to http/protobuf, and the port in OTEL_EXPORTER_OTLP_ENDPOINT", protocol.name, protocol.value)
	}
	secured, err := clientTLS{
		authorities: set("CERTIFICATE", own.CollectorCA, s.Both.CollectorCA),
		certificate: set("CLIENT_CERTIFICATE", own.ClientCertificate, s.Both.ClientCertificate),
		key:         set("CLIENT_KEY", own.ClientKey, s.Both.ClientKey),
	}.config()
	timeout, _ := strconv.Atoi(cmp.Or(own.Timeout, s.Both.Timeout)) // loadConfig validated it
	return &telemetry.Collector{URL: url, Timeout: time.Duration(timeout) * time.Millisecond, TLS: secured}, err
}
