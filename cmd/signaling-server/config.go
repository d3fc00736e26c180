package main

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/go-playground/validator/v10"

	"signaling-server/server"
)

// config holds all settings. The tags of a field are the only source for its
// variable, for what is allowed, and for what -h and docs/configuration.md say about
// it. No message shows the value of a field with the tag secret.
type config struct {
	Port            int            `env:"PORT" envDefault:"3002" validate:"min=0,max=65535" allowed:"a port number from 0 (any free port) to 65535" help:"TCP port to listen on."`
	Host            string         `env:"HOST" validate:"omitempty,ip|hostname|socket" allowed:"an IP address or a host name of this machine, or a path such as unix:/run/signaling.sock" help:"Address, host name or Unix socket to listen on. With a Unix socket, PORT is not used. Empty: all addresses of this machine."`
	SocketMode      string         `env:"SOCKET_MODE" envDefault:"0660" validate:"mode" allowed:"an octal number from 0000 to 0777" help:"Permissions of the Unix socket in HOST. A proxy that connects to it needs the permission to write."`
	Environment     string         `env:"ENVIRONMENT" validate:"omitempty,max=64,printascii" allowed:"a word such as development or production" help:"Name of the environment, which the monitoring endpoints show. In production the log is JSON, and monitoring needs the token of an operator. Empty: the value of NODE_ENV."`
	NodeEnv         string         `env:"NODE_ENV" validate:"max=64,printascii" allowed:"a word such as development or production" help:"Name of the environment if ENVIRONMENT is empty."`
	LogLevel        string         `env:"LOG_LEVEL" envDefault:"info" validate:"oneof=debug info warn error" allowed:"debug, info, warn or error" help:"The least serious level that is logged. At debug, every request is logged. What operators do is logged at each level."`
	ShutdownTimeout time.Duration  `env:"SHUTDOWN_TIMEOUT" envDefault:"10s" validate:"min=0s,max=1h" allowed:"a duration from 0s to 1h" help:"How long clients may take to read their last events when the server stops. 0s: the server stops at once."`
	StateFile       string         `env:"STATE_FILE" allowed:"the path of a file, without CLUSTER_URL" help:"File in which a server that stops leaves its sockets and rooms for the next one, which starts within RESUME_WINDOW. Its folder must be writable. Empty: a restart loses all sockets."`
	CORSOrigins     []string       `env:"CORS_ORIGIN" validate:"min=1" allowed:"*, or a comma-separated list of origins such as https://app.example.com, https://*.example.com, http://localhost:*, capacitor://localhost or null" help:"Origins whose pages may use the server. *: all origins."`
	TrustedProxies  []string       `env:"TRUSTED_PROXIES" validate:"required_if=ProxyProtocol true,dive,cidr|ip|eq=unix" allowed:"a comma-separated list of networks and addresses such as 10.0.0.0/8 or 2001:db8::1, or unix for all that connect by a Unix socket" help:"Proxies that may say who the client is, by X-Forwarded-For, Forwarded or X-Real-IP, and whether it used https, by X-Forwarded-Proto or Forwarded. Empty: no proxy is trusted."`
	ProxyProtocol   bool           `env:"PROXY_PROTOCOL" envDefault:"false" allowed:"true, together with TRUSTED_PROXIES, or false" help:"Demand a PROXY header, version 1 or 2, on each connection from an address in TRUSTED_PROXIES. It names the client."`
	HSTSMaxAge      *time.Duration `env:"HSTS_MAX_AGE" validate:"omitempty,min=0s,max=87600h" allowed:"a duration from 0s to 87600h" help:"How long browsers insist on https after an answer over https (Strict-Transport-Security). 0s: they do not. Empty: 8760h (a year) in production, 0s elsewhere."`

	TLSCertificate string   `env:"TLS_CERT" validate:"required_with=TLSKey" allowed:"the path of a file in PEM, together with TLS_KEY" help:"File with the TLS certificate chain. The server then speaks HTTPS and HTTP/2. The file is read again when it changes. Empty: no TLS, unless ACME_DOMAINS is set."`
	TLSKey         string   `env:"TLS_KEY" validate:"required_with=TLSCertificate" allowed:"the path of a file in PEM, together with TLS_CERT" help:"File with the private key of TLS_CERT. The file is read again when it changes."`
	ACMEDomains    []string `env:"ACME_DOMAINS" validate:"excluded_with=TLSCertificate,dive,fqdn" allowed:"a comma-separated list of host names, without TLS_CERT" help:"Host names to get Let's Encrypt certificates for. Setting it accepts Let's Encrypt's terms of service. The internet must reach PORT as port 443. Empty: no such certificates."`
	ACMEEmail      string   `env:"ACME_EMAIL" validate:"omitempty,email" allowed:"an email address" help:"Email address that Let's Encrypt writes to if something is wrong with a certificate. Empty: none."`
	ACMECache      string   `env:"ACME_CACHE" envDefault:"acme" allowed:"the path of a folder" help:"Folder that keeps the certificates of ACME_DOMAINS. It must outlive the server, because Let's Encrypt limits how many certificates it issues."`
	H2C            bool     `env:"H2C" envDefault:"false" allowed:"true or false" help:"Speak HTTP/2 without TLS too, for a proxy that speaks it."`

	HeartbeatInterval time.Duration `env:"HEARTBEAT_INTERVAL" validate:"min=1s,max=10m" allowed:"a duration from 1s to 10m" help:"How long a stream may be silent before the server sends a heartbeat."`
	ResumeWindow      time.Duration `env:"RESUME_WINDOW" validate:"min=1s,max=1h" allowed:"a duration from 1s to 1h" help:"How long a client may take to resume after its stream dropped. Then its socket ends, and its room receives user-disconnected."`
	AwayAfter         time.Duration `env:"AWAY_AFTER" validate:"min=1s,max=1h" allowed:"a duration from 1s to 1h" help:"How long a client may have neither stream nor poll before its room receives user-away."`

	AccessSecret        string   `env:"ACCESS_SECRET" secret:"true" validate:"omitempty,min=32,excluded_with=AccessPublicKey,excluded_with=AccessJWKSURL" allowed:"32 characters or more, without ACCESS_PUBLIC_KEY and ACCESS_JWKS_URL" help:"Secret that access tokens are signed with (HS256; HS384 from 48 bytes, HS512 from 64). join-room then needs an access token. Empty: not used."`
	AccessPublicKey     string   `env:"ACCESS_PUBLIC_KEY" validate:"omitempty,excluded_with=AccessJWKSURL" allowed:"a public key in PEM (RSA, ECDSA on P-256, P-384 or P-521, or Ed25519), or the path of a file with one, without ACCESS_JWKS_URL" help:"Public key that access tokens are checked with. Its type and curve say by which algorithms. join-room then needs an access token. Empty: not used."`
	AccessJWKSURL       string   `env:"ACCESS_JWKS_URL" secret:"true" validate:"omitempty,http_url" allowed:"an address of http or https" help:"Address of a JWK Set with the keys that access tokens are checked with. join-room then needs an access token. Empty: not used."`
	AccessAudiences     []string `env:"ACCESS_AUDIENCE" validate:"excluded_without_all=AccessSecret AccessPublicKey AccessJWKSURL,dive,required" allowed:"a comma-separated list such as https://signaling.example.com, together with ACCESS_SECRET, ACCESS_PUBLIC_KEY or ACCESS_JWKS_URL" help:"Audiences of access tokens: their claim aud must contain one of them. Empty: aud is not checked."`
	AccessIssuers       []string `env:"ACCESS_ISSUER" validate:"excluded_without_all=AccessSecret AccessPublicKey AccessJWKSURL,dive,required" allowed:"a comma-separated list such as https://issuer.example.com/, together with ACCESS_SECRET, ACCESS_PUBLIC_KEY or ACCESS_JWKS_URL" help:"Issuers of access tokens: their claim iss must be one of them, to the letter. Empty: iss is not checked."`
	AccessEnforceExpiry bool     `env:"ACCESS_ENFORCE_EXPIRY" envDefault:"false" validate:"excluded_without_all=AccessSecret AccessPublicKey AccessJWKSURL" allowed:"true, together with ACCESS_SECRET, ACCESS_PUBLIC_KEY or ACCESS_JWKS_URL, or false" help:"Take members out of their room when their access token expires. If false, they may stay."`
	AdminToken          string   `env:"ADMIN_TOKEN" secret:"true" validate:"omitempty,min=16,printascii,excludes= " allowed:"16 visible ASCII characters or more" help:"Token of the operator that may do everything. Empty, and without OPERATOR_TOKENS: monitoring is disabled in production, and open elsewhere."`
	OperatorTokens      string   `env:"OPERATOR_TOKENS" secret:"true" allowed:"lines as signaling-server operator-token prints them, also separated by semicolons, or the path of a file with them" help:"Names, scopes and hashed tokens of further operators. Empty: none."`

	ICEServers string        `env:"ICE_SERVERS" secret:"true" allowed:"a JSON array of RTCIceServers, such as [{\"urls\": \"stun:stun.example.com\"}], or the JSON that Twilio, Cloudflare or Xirsys answers" help:"STUN and TURN servers that every client receives. Empty: none."`
	TURNURLs   []string      `env:"TURN_URLS" validate:"required_with=TURNSecret" allowed:"a comma-separated list such as turn:turn.example.com,turns:turn.example.com:443?transport=tcp, together with TURN_SECRET" help:"TURN servers for which each client receives credentials that expire. Empty: none."`
	TURNSecret string        `env:"TURN_SECRET" secret:"true" validate:"required_with=TURNURLs" allowed:"the secret of the servers in TURN_URLS (coturn: static-auth-secret)" help:"Secret that the servers of TURN_URLS share with this server. It signs the credentials."`
	TURNTTL    time.Duration `env:"TURN_TTL" envDefault:"12h" validate:"min=1s,max=168h" allowed:"a duration from 1s to 168h" help:"How long the credentials for TURN_URLS are valid. A client asks for new ones during a longer call."`

	Limits        limitSettings
	MemoryLimit   int64         `env:"MEMORY_LIMIT" envDefault:"0" validate:"eq=0|min=67108864" allowed:"a number of bytes from 67108864, or 0" help:"Maximum memory of the process in bytes. At the limit newcomers are refused, and the sockets with the most unread events are ended. 0: the limit of the container or, without one, the memory of the machine."`
	HeaderTimeout time.Duration `env:"HEADER_TIMEOUT" envDefault:"10s" validate:"min=1s,max=1m" allowed:"a duration from 1s to 1m" help:"How long a client may take to send a request's header."`
	IdleTimeout   time.Duration `env:"IDLE_TIMEOUT" envDefault:"2m" validate:"min=1s,max=1h" allowed:"a duration from 1s to 1h" help:"How long a connection may wait for its next request. Set it higher than the idle timeout of a proxy that keeps connections open. It is shorter for an address with many idle connections."`
	MaxHeader     int           `env:"MAX_HEADER" envDefault:"16384" validate:"min=4096,max=262144" allowed:"a number of bytes from 4096 to 262144" help:"Maximum size of a request's header in bytes. What exceeds 16384 is charged to the memory for clients for each connection."`
	BodyTimeout   time.Duration `env:"BODY_TIMEOUT" envDefault:"20s" validate:"min=1s,max=5m,gtefield=HeaderTimeout" allowed:"a duration from HEADER_TIMEOUT to 5m" help:"How long a client may take to send a whole request, header and body."`

	ConnectionsPerAddress int `env:"CONNECTIONS_PER_ADDRESS" envDefault:"4000" validate:"min=0" allowed:"a whole number, 0 for no limit" help:"Maximum number of TCP connections from one address. It is never more than half of what the process's file descriptors allow. Addresses in TRUSTED_PROXIES are exempt."`

	Webhooks webhookSettings
	Cluster  clusterSettings

	Telemetry telemetrySettings
}

// limitSettings has the fields of [server.Limits], in the same order, and tags for the
// settings. Go converts between structs that differ only in their tags.
type limitSettings struct {
	MaxSockets             int `env:"MAX_CONNECTIONS" validate:"min=1" allowed:"a whole number from 1" help:"Maximum number of sockets at once."`
	MaxSocketsPerAddress   int `env:"MAX_CONNECTIONS_PER_ADDRESS" validate:"min=0" allowed:"a whole number, 0 for no limit" help:"Maximum number of sockets at once from one address (of IPv6, one /64)."`
	OpensPerAddress        int `env:"OPENS_PER_ADDRESS" validate:"min=0" allowed:"a whole number, 0 for no limit" help:"How many sockets per second one address may open. Five seconds' worth may come at once."`
	OpensPerSocket         int `env:"OPENS_PER_SOCKET" validate:"min=0" allowed:"a whole number, 0 for no limit" help:"How many streams and polls per second one socket may open. Five seconds' worth may come at once."`
	PostsPerAddress        int `env:"POSTS_PER_ADDRESS" validate:"min=0" allowed:"a whole number, 0 for no limit" help:"How many requests per second one address may make to send events. Five seconds' worth may come at once."`
	PostsPerSocket         int `env:"POSTS_PER_SOCKET" validate:"min=0" allowed:"a whole number, 0 for no limit" help:"How many requests per second one socket may make to send events. Five seconds' worth may come at once."`
	EventsPerAddress       int `env:"EVENTS_PER_ADDRESS" validate:"min=0" allowed:"a whole number, 0 for no limit" help:"How many events per second one address may send. Five seconds' worth may come at once."`
	EventsPerSocket        int `env:"EVENTS_PER_SOCKET" validate:"min=0" allowed:"a whole number, 0 for no limit" help:"How many events per second one socket may send. Five seconds' worth may come at once."`
	ReceiversPerAddress    int `env:"RECEIVERS_PER_ADDRESS" validate:"min=0" allowed:"a whole number, 0 for no limit" help:"How many receivers per second one address may reach with events to whole rooms. An event to 10 members has 10 receivers. An event of 4 KiB counts twice, of 8 KiB three times, and so on. Five seconds' worth may come at once."`
	ReceiversPerSocket     int `env:"RECEIVERS_PER_SOCKET" validate:"min=0" allowed:"a whole number, 0 for no limit" help:"How many receivers per second one socket may reach with events to its whole room. An event to 10 members has 10 receivers. An event of 4 KiB counts twice, of 8 KiB three times, and so on. Five seconds' worth may come at once."`
	MonitoringPerAddress   int `env:"MONITORING_PER_ADDRESS" validate:"min=0" allowed:"a whole number, 0 for no limit" help:"How many monitoring requests per second one address may make. A list of 1000 entries counts twice, of 2000 three times, and so on. Five seconds' worth may come at once."`
	MaxRoomMembers         int `env:"MAX_ROOM_MEMBERS" validate:"min=1" allowed:"a whole number from 1" help:"Maximum number of members in one room."`
	RoomBytes              int `env:"ROOM_BYTES" validate:"min=65536" allowed:"a number of bytes from 65536" help:"Maximum size of one room's list of members in bytes, with their metadata."`
	MaxRooms               int `env:"MAX_ROOMS" validate:"min=0" allowed:"a whole number, 0 for no limit" help:"Maximum number of rooms at once."`
	MaxRoomsPerAddress     int `env:"MAX_ROOMS_PER_ADDRESS" validate:"min=0" allowed:"a whole number, 0 for no limit" help:"Maximum number of rooms at once that one address has created."`
	MaxBody                int `env:"MAX_BODY" validate:"min=65536,max=1048576" allowed:"a number of bytes from 65536 to 1048576" help:"Maximum size of a request's body in bytes."`
	RequestBytesPerAddress int `env:"REQUEST_BYTES_PER_ADDRESS" validate:"eq=0|gtefield=MaxBody" allowed:"a number of bytes from MAX_BODY, 0 for no limit" help:"Maximum size in bytes of the bodies of all requests under way from one address together."`
	MaxBatch               int `env:"MAX_BATCH" validate:"min=64,max=1024" allowed:"a whole number from 64 to 1024" help:"Maximum number of events in one batch."`
	RequestsPerAddress     int `env:"REQUESTS_PER_ADDRESS" validate:"min=0" allowed:"a whole number, 0 for no limit" help:"Maximum number of requests under way at once from one address, without streams and polls."`
	OutboxEvents           int `env:"OUTBOX_EVENTS" validate:"min=256,max=1000000" allowed:"a whole number from 256 to 1000000" help:"Maximum number of events that wait for one client to read them. The server also keeps up to this many sent events, from which the client can resume."`
	OutboxBytes            int `env:"OUTBOX_BYTES" validate:"min=1048576,max=1073741824" allowed:"a number of bytes from 1048576 to 1073741824" help:"Maximum size in bytes of the events that wait for one client. One sender may use a quarter of it, one address half of it. The server also keeps up to a quarter of it in sent events, from which the client can resume."`
	OutboxBytesPerAddress  int `env:"OUTBOX_BYTES_PER_ADDRESS" validate:"min=0" allowed:"a number of bytes, 0 for a quarter of the memory for clients" help:"Maximum size in bytes of the events from one address that wait for all clients together. It is never more than a quarter of the memory for clients, unless CLUSTER_URL is set."`
}

// defaultConfig returns the defaults that package server has. All other defaults are
// in the tags.
func defaultConfig() config {
	d := server.DefaultOptions()
	return config{
		NodeEnv:           d.Environment,
		CORSOrigins:       d.CORSOrigins,
		HeartbeatInterval: d.HeartbeatInterval,
		ResumeWindow:      d.ResumeWindow,
		AwayAfter:         d.AwayAfter,
		Limits:            limitSettings(d.Limits),
		Telemetry:         telemetrySettings{Both: otlpSettings{Protocol: "http/protobuf", Timeout: "10000", Compression: "none"}},
	}
}

// loadConfig reads the settings from environment variables. An empty variable counts
// as not set. The error is a sentence for the operator.
func loadConfig(environment []string) (config, error) {
	set := env.ToMap(environment)
	for name, value := range set {
		if value == "" {
			delete(set, name)
		}
	}
	c := defaultConfig()
	if err := env.ParseWithOptions(&c, env.Options{Environment: set}); err != nil {
		var wrong env.ParseError
		if errors.As(err, &wrong) {
			return config{}, notAllowed("."+wrong.Name, set)
		}
		return config{}, err
	}
	for _, list := range []*[]string{&c.CORSOrigins, &c.ACMEDomains, &c.TrustedProxies, &c.TURNURLs, &c.AccessAudiences, &c.AccessIssuers, &c.Webhooks.Secrets, &c.Cluster.URLs} {
		for i, item := range *list {
			(*list)[i] = strings.TrimSpace(item)
		}
		if last := len(*list) - 1; last > 0 && (*list)[last] == "" { // after a comma at the end
			*list = (*list)[:last]
		}
	}
	var wrong validator.ValidationErrors
	if errors.As(configValidator().Struct(c), &wrong) {
		name, _, _ := strings.Cut(wrong[0].StructNamespace(), "[") // for an item of a list, the name ends with its index, as in "config.ACMEDomains[1]"
		return config{}, notAllowed(name, set)
	}
	if c.Environment == "" {
		c.Environment = c.NodeEnv
	}
	return c, nil
}

// notAllowed returns the error for a field whose value is not allowed. It names the
// variable, its value unless that is secret, and what is allowed. The path of the field may lack its
// beginning.
func notAllowed(field string, set map[string]string) error {
	all := settings()
	s := all[slices.IndexFunc(all, func(s setting) bool { return strings.HasSuffix(s.field, field) })]
	value, isSet := set[s.name]
	switch {
	case !isSet:
		return fmt.Errorf("%s is not set, but must be %s", s.name, s.allowed)
	case s.isSecret:
		return fmt.Errorf("%s must be %s", s.name, s.allowed)
	}
	return fmt.Errorf("%s is %q, but must be %s", s.name, value, s.allowed)
}

func configValidator() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	for tag, isValid := range map[string]func(string) bool{"socket": isSocket, "mode": isMode, "nats": isEngine, "pairs": isPairs, "milliseconds": isMilliseconds, "collector": isCollector, "whsec": isWebhookSecret} {
		if err := v.RegisterValidation(tag, func(f validator.FieldLevel) bool { return isValid(f.Field().String()) }); err != nil {
			panic(err) // only if the tag is empty or the function is nil
		}
	}
	return v
}

// setting describes one variable.
type setting struct {
	field                          string // its path, as in config.Limits.MaxRooms
	name, byDefault, allowed, help string
	isSecret                       bool
}

// settings returns all variables in the order of config.
func settings() []setting { return settingsOf("config", "", reflect.ValueOf(defaultConfig())) }

// settingsOf returns the variables of a struct at a path, with the tag of the field that holds it.
func settingsOf(path string, in reflect.StructTag, defaults reflect.Value) (all []setting) {
	for field, value := range defaults.Fields() {
		tag, path := field.Tag, path+"."+field.Name
		if field.Type.Kind() == reflect.Struct {
			all = append(all, settingsOf(path, tag, value)...)
			continue
		}
		byDefault, isInTag := tag.Lookup("envDefault")
		if !isInTag && !value.IsZero() {
			byDefault = strings.Trim(fmt.Sprint(value), "[]") // fmt encloses a list in brackets
		}
		help := tag.Get("help")
		if instead := in.Get("help"); instead != "" {
			help = fmt.Sprintf(instead, tag.Get("env"))
		}
		all = append(all, setting{path, in.Get("envPrefix") + tag.Get("env"), byDefault, tag.Get("allowed"), help, tag.Get("secret") != ""})
	}
	return all
}

// printUsage writes the output of -h.
func printUsage(w io.Writer) {
	fmt.Fprint(w, `signaling-server lets WebRTC peers find each other in networks that block WebSockets.

Usage:
  signaling-server               start the server
  signaling-server -version      print the version, the commit and Go
  signaling-server -h            print this text

The server on this machine, by the exit code:
  signaling-server healthcheck         whether it is alive
  signaling-server healthcheck ready   whether it serves

The way to a server:
  signaling-server doctor URL    say what is wrong on it, and what to change; -h lists the options

Tokens:
  signaling-server token -h                     how to make an access token, signed with ACCESS_SECRET
  signaling-server operator-token NAME SCOPES   make a token for an operator with the scopes read, send, rooms, sockets, revoke or webhooks

Environment variables:
`)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range settings() {
		byDefault := s.byDefault
		if byDefault == "" {
			byDefault = "empty"
		}
		fmt.Fprintf(table, "  %s\t%s\n  \t\tdefault: %s; allowed: %s\n", s.name, s.help, byDefault, s.allowed)
	}
	table.Flush()
}
