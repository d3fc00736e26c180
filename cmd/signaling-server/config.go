package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/go-playground/validator/v10"

	"signaling-server/server"
)

// config is everything that can be set. Each field's tags are the one source of
// what is read, what is allowed, and what -h and the README say of it.
//
// Of a limit, 0 is none. What is marked as a secret is told to nobody again.
type config struct {
	Port            int           `env:"PORT" envDefault:"3002" validate:"min=0,max=65535" allowed:"a port number from 0 (any free port) to 65535" help:"TCP port to listen on."`
	Host            string        `env:"HOST" validate:"omitempty,ip|hostname" allowed:"an IP address or a host name of this machine" help:"Address to listen on. Empty: all of them."`
	Environment     string        `env:"ENVIRONMENT" validate:"omitempty,max=64,printascii" allowed:"a word such as development or production" help:"Name of the environment, told by the monitoring endpoints. In production the log is JSON, and monitoring needs ADMIN_TOKEN. Empty: NODE_ENV."`
	NodeEnv         string        `env:"NODE_ENV" validate:"max=64,printascii" allowed:"a word such as development or production" help:"Read where ENVIRONMENT is not set."`
	LogLevel        string        `env:"LOG_LEVEL" envDefault:"info" validate:"oneof=debug info warn error" allowed:"debug, info, warn or error" help:"What the log tells: this and what is more serious. With debug, every request."`
	ShutdownTimeout time.Duration `env:"SHUTDOWN_TIMEOUT" envDefault:"10s" validate:"min=0s,max=1h" allowed:"a duration from 0s to 1h" help:"How long clients are given to read the last events when the server stops."`
	CORSOrigins     []string      `env:"CORS_ORIGIN" validate:"min=1,dive,origin" allowed:"*, or a comma-separated list of origins such as https://app.example.com or https://*.example.com" help:"Origins whose pages may use the server."`
	TrustedProxies  []string      `env:"TRUSTED_PROXIES" validate:"dive,cidr|ip" allowed:"a comma-separated list of networks and addresses such as 10.0.0.0/8 or 2001:db8::1" help:"Proxies that are believed where they say, by X-Forwarded-For or Forwarded, from whom a request comes."`

	TLSCertificate string   `env:"TLS_CERT" validate:"required_with=TLSKey" allowed:"the path of a file in PEM, together with TLS_KEY" help:"Certificate, and those that vouch for it. The files are read again when they change. With it the server speaks HTTPS and HTTP/2."`
	TLSKey         string   `env:"TLS_KEY" validate:"required_with=TLSCertificate" allowed:"the path of a file in PEM, together with TLS_CERT" help:"Its private key."`
	ACMEDomains    []string `env:"ACME_DOMAINS" validate:"excluded_with=TLSCertificate,dive,fqdn" allowed:"a comma-separated list of host names, without TLS_CERT" help:"Names for which certificates are had from Let's Encrypt, whose terms of service you accept by it. PORT must be reachable as 443."`
	ACMEEmail      string   `env:"ACME_EMAIL" validate:"omitempty,email" allowed:"an email address" help:"Where Let's Encrypt writes to when something is wrong."`
	ACMECache      string   `env:"ACME_CACHE" envDefault:"acme" allowed:"the path of a folder" help:"Where those certificates are kept. It must outlive the server, or soon no more are given."`
	H2C            bool     `env:"H2C" envDefault:"false" allowed:"true or false" help:"Speak HTTP/2 without TLS as well, to a proxy that does."`

	HeartbeatInterval time.Duration `env:"HEARTBEAT_INTERVAL" validate:"min=1s,max=10m" allowed:"a duration from 1s to 10m" help:"Silence on a stream after which a heartbeat is sent."`
	ResumeWindow      time.Duration `env:"RESUME_WINDOW" validate:"min=1s,max=1h" allowed:"a duration from 1s to 1h" help:"How long a client whose stream dropped may take to resume before its room is told that it is gone."`
	AwayAfter         time.Duration `env:"AWAY_AFTER" validate:"min=1s,max=1h" allowed:"a duration from 1s to 1h" help:"How long a client may have neither stream nor poll before its room is told that it is away."`

	AccessSecret        string `env:"ACCESS_SECRET" secret:"true" validate:"omitempty,min=32,excluded_with=AccessPublicKey,excluded_with=AccessJWKSURL" allowed:"32 characters or more, without ACCESS_PUBLIC_KEY and ACCESS_JWKS_URL" help:"Makes join-room need an access token, signed with this secret (HS256)."`
	AccessPublicKey     string `env:"ACCESS_PUBLIC_KEY" validate:"omitempty,excluded_with=AccessJWKSURL" allowed:"a public key in PEM (RSA, ECDSA on P-256, or Ed25519), or the path of a file with one, without ACCESS_JWKS_URL" help:"The same, for tokens signed with its private key (RS256, ES256, EdDSA)."`
	AccessJWKSURL       string `env:"ACCESS_JWKS_URL" secret:"true" validate:"omitempty,http_url" allowed:"an address of http or https" help:"The same, for tokens signed with one of the keys there (a JWK Set)."`
	AccessEnforceExpiry bool   `env:"ACCESS_ENFORCE_EXPIRY" envDefault:"false" allowed:"true or false" help:"Put members out of their room when their access token runs out. Otherwise they may stay."`
	AdminToken          string `env:"ADMIN_TOKEN" secret:"true" validate:"omitempty,min=16,printascii,excludes= " allowed:"16 visible ASCII characters or more" help:"What operators are known by. In production monitoring is closed without one."`

	ICEServers string        `env:"ICE_SERVERS" secret:"true" allowed:"a JSON array of RTCIceServers, such as [{\"urls\": \"stun:stun.example.com\"}]" help:"STUN and TURN servers that clients are told of."`
	TURNURLs   []string      `env:"TURN_URLS" validate:"required_with=TURNSecret" allowed:"a comma-separated list such as turn:turn.example.com,turns:turn.example.com:443?transport=tcp, together with TURN_SECRET" help:"TURN servers for which clients get credentials that run out."`
	TURNSecret string        `env:"TURN_SECRET" secret:"true" validate:"required_with=TURNURLs" allowed:"the secret of those servers (of coturn, static-auth-secret), together with TURN_URLS" help:"What these credentials are signed with."`
	TURNTTL    time.Duration `env:"TURN_TTL" envDefault:"12h" validate:"min=1s,max=168h" allowed:"a duration from 1s to 168h" help:"How long a credential is good. Calls that last longer must ask for another."`

	Limits        limitSettings
	MemoryLimit   int64         `env:"MEMORY_LIMIT" envDefault:"0" validate:"eq=0|min=67108864" allowed:"a number of bytes from 67108864, or 0" help:"Memory that the process may take. At the limit newcomers are refused, and the sockets that hold the most unread end. 0: that of the container or, without one, of the machine."`
	HeaderTimeout time.Duration `env:"HEADER_TIMEOUT" envDefault:"10s" validate:"min=1s,max=1m" allowed:"a duration from 1s to 1m" help:"How long a client may take to send a request's header."`
	BodyTimeout   time.Duration `env:"BODY_TIMEOUT" envDefault:"20s" validate:"min=1s,max=5m,gtefield=HeaderTimeout" allowed:"a duration from HEADER_TIMEOUT to 5m" help:"How long it may take to send the whole request."`

	ConnectionsPerAddress int `env:"CONNECTIONS_PER_ADDRESS" envDefault:"4000" validate:"min=0" allowed:"a whole number, 0 for no limit" help:"TCP connections from one address. At most half of what the process's file descriptors allow; TRUSTED_PROXIES are exempt."`
}

// limitSettings are [server.Limits] with the tags of their settings: Go converts
// between structs that differ in tags alone.
type limitSettings struct {
	MaxSockets             int `env:"MAX_CONNECTIONS" validate:"min=1" allowed:"a whole number from 1" help:"Sockets that may be connected at once."`
	MaxSocketsPerAddress   int `env:"MAX_CONNECTIONS_PER_ADDRESS" validate:"min=0" allowed:"a whole number, 0 for no limit" help:"Sockets that may be connected at once from one address (of IPv6, one /64)."`
	OpensPerAddress        int `env:"OPENS_PER_ADDRESS" validate:"min=0" allowed:"a whole number, 0 for no limit" help:"New sockets a second from one address, over five seconds."`
	OpensPerSocket         int `env:"OPENS_PER_SOCKET" validate:"min=0" allowed:"a whole number, 0 for no limit" help:"Streams and polls a second of one socket."`
	PostsPerAddress        int `env:"POSTS_PER_ADDRESS" validate:"min=0" allowed:"a whole number, 0 for no limit" help:"Requests a second that send events from one address."`
	PostsPerSocket         int `env:"POSTS_PER_SOCKET" validate:"min=0" allowed:"a whole number, 0 for no limit" help:"Such requests a second of one socket."`
	EventsPerAddress       int `env:"EVENTS_PER_ADDRESS" validate:"min=0" allowed:"a whole number, 0 for no limit" help:"Events a second in them from one address."`
	EventsPerSocket        int `env:"EVENTS_PER_SOCKET" validate:"min=0" allowed:"a whole number, 0 for no limit" help:"Events a second in them of one socket."`
	ReceiversPerAddress    int `env:"RECEIVERS_PER_ADDRESS" validate:"min=0" allowed:"a whole number, 0 for no limit" help:"Receivers a second of what one address tells to whole rooms. An event counts once more for each 4 KiB."`
	ReceiversPerSocket     int `env:"RECEIVERS_PER_SOCKET" validate:"min=0" allowed:"a whole number, 0 for no limit" help:"The same, for one socket."`
	MonitoringPerAddress   int `env:"MONITORING_PER_ADDRESS" validate:"min=0" allowed:"a whole number, 0 for no limit" help:"Requests a second from one address that read the monitoring. A list counts as one more for each 1000 entries."`
	MaxRoomMembers         int `env:"MAX_ROOM_MEMBERS" validate:"min=1" allowed:"a whole number from 1" help:"Members that a room may have."`
	RoomBytes              int `env:"ROOM_BYTES" validate:"min=65536" allowed:"a number of bytes from 65536" help:"Size of a room's list of members, with their metadata."`
	MaxRooms               int `env:"MAX_ROOMS" validate:"min=0" allowed:"a whole number, 0 for no limit" help:"Rooms that there may be at once."`
	MaxRoomsPerAddress     int `env:"MAX_ROOMS_PER_ADDRESS" validate:"min=0" allowed:"a whole number, 0 for no limit" help:"Rooms that one address may have made."`
	MaxBody                int `env:"MAX_BODY" validate:"min=65536,max=1048576" allowed:"a number of bytes from 65536 to 1048576" help:"Size of a request's body."`
	RequestBytesPerAddress int `env:"REQUEST_BYTES_PER_ADDRESS" validate:"eq=0|gtefield=MaxBody" allowed:"a number of bytes from MAX_BODY, 0 for no limit" help:"Bytes that the bodies of all requests under way from one address may take."`
	MaxBatch               int `env:"MAX_BATCH" validate:"min=64,max=1024" allowed:"a whole number from 64 to 1024" help:"Events of one batch."`
	RequestsPerAddress     int `env:"REQUESTS_PER_ADDRESS" validate:"min=0" allowed:"a whole number, 0 for no limit" help:"Requests under way at once from one address, without streams and polls."`
	OutboxEvents           int `env:"OUTBOX_EVENTS" validate:"min=256,max=1000000" allowed:"a whole number from 256 to 1000000" help:"Events that may wait for one client to read them, or be kept for it to resume."`
	OutboxBytes            int `env:"OUTBOX_BYTES" validate:"min=1048576,max=1073741824" allowed:"a number of bytes from 1048576 to 1073741824" help:"Their size while they wait. One sender may use a quarter of it, one address a half. A quarter is kept for resuming."`
	OutboxBytesPerAddress  int `env:"OUTBOX_BYTES_PER_ADDRESS" validate:"min=0" allowed:"a number of bytes, 0 for a quarter of the memory for clients" help:"Size of all events from one address that wait for any client to read them. A quarter of the memory for clients at most."`
}

// defaultConfig holds the defaults of the server. All others stand in the tags.
func defaultConfig() config {
	d := server.DefaultOptions()
	return config{
		NodeEnv:           d.Environment,
		CORSOrigins:       d.CORSOrigins,
		HeartbeatInterval: d.HeartbeatInterval,
		ResumeWindow:      d.ResumeWindow,
		AwayAfter:         d.AwayAfter,
		Limits:            limitSettings(d.Limits),
	}
}

// loadConfig reads the configuration from environment variables. An empty one
// counts as not set. The error is a sentence for the operator.
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
			return config{}, notAllowed(wrong.Name, set)
		}
		return config{}, err
	}
	for _, list := range [][]string{c.CORSOrigins, c.ACMEDomains, c.TrustedProxies, c.TURNURLs} {
		for i, one := range list {
			list[i] = strings.TrimSpace(one)
		}
	}
	var wrong validator.ValidationErrors
	if errors.As(configValidator().Struct(c), &wrong) {
		name, _, _ := strings.Cut(wrong[0].StructField(), "[") // of a list, the one that is wrong
		return config{}, notAllowed(name, set)
	}
	if c.Environment == "" {
		c.Environment = c.NodeEnv
	}
	return c, nil
}

// notAllowed says which variable has which value, and what is allowed.
func notAllowed(fieldName string, set map[string]string) error {
	all := settings()
	s := all[slices.IndexFunc(all, func(s setting) bool { return s.field == fieldName })]
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
	if err := v.RegisterValidation("origin", func(f validator.FieldLevel) bool { return isOrigin(f.Field().String()) }); err != nil {
		panic(err) // only for an empty tag or a missing rule
	}
	return v
}

// isOrigin tells whether a text is a web origin (RFC 6454), with a * for any
// subdomain perhaps, or * for all origins.
func isOrigin(text string) bool {
	if text == "*" {
		return true
	}
	origin, err := url.Parse(strings.Replace(text, "://*.", "://any.", 1))
	return err == nil && (origin.Scheme == "http" || origin.Scheme == "https") && origin.Host != "" &&
		!strings.Contains(origin.Host, "*") && origin.Scheme+"://"+origin.Host == strings.Replace(text, "://*.", "://any.", 1)
}

// setting is what people are told of one variable.
type setting struct {
	field                          string // of config
	name, byDefault, allowed, help string
	isSecret                       bool
}

// settings lists all variables.
func settings() []setting { return settingsOf(reflect.ValueOf(defaultConfig())) }

func settingsOf(defaults reflect.Value) (all []setting) {
	for field, value := range defaults.Fields() {
		if field.Type.Kind() == reflect.Struct {
			all = append(all, settingsOf(value)...)
			continue
		}
		tag := field.Tag
		byDefault, isInTag := tag.Lookup("envDefault")
		if !isInTag && !value.IsZero() {
			byDefault = strings.Trim(fmt.Sprint(value), "[]")
		}
		all = append(all, setting{field.Name, tag.Get("env"), byDefault, tag.Get("allowed"), tag.Get("help"), tag.Get("secret") != ""})
	}
	return all
}

// printUsage writes what -h answers.
func printUsage(w io.Writer) {
	fmt.Fprint(w, `signaling-server lets WebRTC peers find each other where WebSockets are blocked.

Usage:
  signaling-server               start the server
  signaling-server healthcheck   exit 0 if the server on this machine is alive
  signaling-server -version      print the version, and the revision it was built from
  signaling-server -h            print this

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
