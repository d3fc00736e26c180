package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"reflect"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/go-playground/validator/v10"
)

// config is everything that can be set. Each field's tags are the one source of
// what is read, what is allowed, and what -h and the README say of it.
type config struct {
	Port              int           `env:"PORT" envDefault:"3002" validate:"min=0,max=65535" allowed:"a port number from 0 (any free port) to 65535" help:"TCP port to listen on."`
	Host              string        `env:"HOST" validate:"omitempty,ip|hostname" allowed:"an IP address or a host name of this machine" help:"Address to listen on. Empty: all of them."`
	CORSOrigins       []string      `env:"CORS_ORIGIN" envDefault:"*" validate:"min=1,dive,origin" allowed:"*, or a comma-separated list of origins such as https://app.example.com or https://*.example.com" help:"Origins whose pages may use the server."`
	Environment       string        `env:"ENVIRONMENT" validate:"omitempty,max=64,printascii" allowed:"a word such as development or production" help:"Name of the environment, told by the monitoring endpoints. In production the log is JSON. Empty: NODE_ENV."`
	NodeEnv           string        `env:"NODE_ENV" envDefault:"development" validate:"max=64,printascii" allowed:"a word such as development or production" help:"Read where ENVIRONMENT is not set."`
	LogLevel          string        `env:"LOG_LEVEL" envDefault:"info" validate:"oneof=debug info warn error" allowed:"debug, info, warn or error" help:"What the log tells: this and what is more serious."`
	HeartbeatInterval time.Duration `env:"HEARTBEAT_INTERVAL" envDefault:"10s" validate:"min=1s,max=10m" allowed:"a duration from 1s to 10m" help:"Silence on a stream after which a heartbeat is sent."`
	ResumeWindow      time.Duration `env:"RESUME_WINDOW" envDefault:"10s" validate:"min=1s,max=1h" allowed:"a duration from 1s to 1h" help:"How long a client whose stream dropped may take to resume before its room is told that it is gone."`
	AwayAfter         time.Duration `env:"AWAY_AFTER" envDefault:"3s" validate:"min=1s,max=1h" allowed:"a duration from 1s to 1h" help:"How long a client may have neither stream nor poll before its room is told that it is away."`
	ShutdownTimeout   time.Duration `env:"SHUTDOWN_TIMEOUT" envDefault:"10s" validate:"min=0s,max=1h" allowed:"a duration from 0s to 1h" help:"How long clients are given to read the last events when the server stops."`
	MaxConnections    int           `env:"MAX_CONNECTIONS" envDefault:"20000" validate:"min=1" allowed:"a whole number from 1" help:"Sockets that may be connected at once."`
	MaxRoomMembers    int           `env:"MAX_ROOM_MEMBERS" envDefault:"1000" validate:"min=1" allowed:"a whole number from 1" help:"Members that a room may have."`
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
	var c config
	if err := env.ParseWithOptions(&c, env.Options{Environment: set}); err != nil {
		var wrong env.ParseError
		if errors.As(err, &wrong) {
			return config{}, notAllowed(wrong.Name, set)
		}
		return config{}, err
	}
	for i, origin := range c.CORSOrigins {
		c.CORSOrigins[i] = strings.TrimSpace(origin)
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
	field, _ := reflect.TypeFor[config]().FieldByName(fieldName)
	name := field.Tag.Get("env")
	return fmt.Errorf("%s is %q, but must be %s", name, set[name], field.Tag.Get("allowed"))
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
type setting struct{ name, byDefault, allowed, help string }

func settings() []setting {
	var all []setting
	for _, field := range reflect.VisibleFields(reflect.TypeFor[config]()) {
		tag := field.Tag
		all = append(all, setting{tag.Get("env"), tag.Get("envDefault"), tag.Get("allowed"), tag.Get("help")})
	}
	return all
}

// printUsage writes what -h answers.
func printUsage(w io.Writer) {
	fmt.Fprint(w, `signaling-server lets WebRTC peers find each other where WebSockets are blocked.

Usage:
  signaling-server               start the server
  signaling-server healthcheck   exit 0 if the server on this machine is alive
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
