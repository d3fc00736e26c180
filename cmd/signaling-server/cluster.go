package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"

	"signaling-server/cluster"
	"signaling-server/cluster/jetstream"
)

// clusterSettings make the server one of several nodes.
type clusterSettings struct {
	URLs        []string `env:"CLUSTER_URL" secret:"true" validate:"dive,nats" allowed:"a comma-separated list such as nats://nats-1:4222,nats://nats-2:4222,nats://nats-3:4222, or of tls://" help:"Servers of NATS JetStream, through which several nodes are one server. Empty: this node is alone."`
	Credentials string   `env:"CLUSTER_CREDENTIALS" validate:"excluded_without=URLs" allowed:"the path of a file, together with CLUSTER_URL" help:"File with the credentials of a NATS user (.creds). Empty: none, or those in CLUSTER_URL."`
	Authorities string   `env:"CLUSTER_TLS_CA" validate:"excluded_without=URLs" allowed:"the path of a file in PEM, together with CLUSTER_URL" help:"File with the certificates of the authorities that the NATS servers are checked by. Empty: those of the system."`
	Certificate string   `env:"CLUSTER_TLS_CERT" validate:"required_with=Key,excluded_without=URLs" allowed:"the path of a file in PEM, together with CLUSTER_URL and CLUSTER_TLS_KEY" help:"File with the certificate that this node shows to the NATS servers. Empty: none."`
	Key         string   `env:"CLUSTER_TLS_KEY" validate:"required_with=Certificate" allowed:"the path of a file in PEM, together with CLUSTER_TLS_CERT" help:"File with the private key of CLUSTER_TLS_CERT."`
	Name        string   `env:"CLUSTER_NAME" envDefault:"signaling" validate:"max=32,alphanum" allowed:"up to 32 letters and digits" help:"Name of the cluster. Clusters with different names may share the NATS servers."`
	Replicas    int      `env:"CLUSTER_REPLICAS" envDefault:"3" validate:"oneof=1 3 5" allowed:"1, 3 or 5" help:"How many NATS servers keep the log. With 3, one of them may fail, with 5 two."`
	Node        string   `env:"NODE_NAME" validate:"max=64,printascii,excludesall= /" allowed:"up to 64 visible ASCII characters without a slash" help:"Name of this node, which no other node has. A node that starts again keeps its name. Empty: the name of the machine."`
}

// maxClusteredBody is how many bytes the body of a request to one of several nodes may have.
const maxClusteredBody = 512 << 10

// isEngine reports whether a text is the address of a NATS server.
func isEngine(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "nats" || u.Scheme == "tls") && u.Hostname() != ""
}

// newCluster returns how this node takes part in a cluster, and its engine, which the caller
// closes. Both are nil if the node is alone. The error is a sentence for the operator.
func (c config) newCluster(logger *slog.Logger) (*cluster.Options, *jetstream.Engine, error) {
	s := c.Cluster
	if len(s.URLs) == 0 {
		return nil, nil, nil
	}
	if c.StateFile != "" {
		return nil, nil, errors.New("STATE_FILE must not be set together with CLUSTER_URL, since the log keeps the state of several nodes")
	}
	if c.Limits.MaxBody > maxClusteredBody {
		return nil, nil, fmt.Errorf("MAX_BODY must be at most %d together with CLUSTER_URL, since a NATS server takes a MiB at once", maxClusteredBody)
	}
	name := s.Node
	if name == "" {
		var err error
		if name, err = os.Hostname(); err != nil {
			return nil, nil, fmt.Errorf("the name of the machine cannot be read: set NODE_NAME (%w)", err)
		}
	}
	secured, err := s.tls()
	if err != nil {
		return nil, nil, err
	}
	if s.Credentials != "" {
		if _, err := os.ReadFile(s.Credentials); err != nil {
			return nil, nil, fmt.Errorf("CLUSTER_CREDENTIALS cannot be used: %w", withUser(err))
		}
	}
	engine, err := jetstream.New(jetstream.Options{
		URLs: s.URLs, Credentials: s.Credentials, TLS: secured, Name: s.Name, Node: name, Replicas: s.Replicas, Logger: logger,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("CLUSTER_CREDENTIALS cannot be used: %w", err)
	}
	return &cluster.Options{Name: name, Engine: engine, Logger: logger}, engine, nil
}

// tls returns how the NATS servers are checked, or nil if CLUSTER_URL says all.
func (s clusterSettings) tls() (*tls.Config, error) {
	return clientTLS{
		authorities: envVar{"CLUSTER_TLS_CA", s.Authorities},
		certificate: envVar{"CLUSTER_TLS_CERT", s.Certificate},
		key:         envVar{"CLUSTER_TLS_KEY", s.Key},
	}.config()
}
