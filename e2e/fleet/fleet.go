// Package fleet runs several nodes as one server on this machine: three NATS servers, three
// nodes, and a reverse proxy that sends each request to the next node. Each connection
// between them leads through a link that can be cut and slowed, and each process can be
// killed, stopped, paused and started again.
//
//	client ─▶ proxy ─▶ node-1 … node-3 ─▶ links ─▶ nats-1 … nats-3 ─▶ links among them
package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// size is how many nodes there are, and how many NATS servers.
const size = 3

// Options say what a fleet consists of.
type Options struct {
	Server   string       // the program of a node
	NATS     string       // the program of a NATS server: see Engine
	Folder   string       // exists; gets the logs and the files of the NATS servers
	Settings []string     // of each node, such as RESUME_WINDOW=1m
	Address  string       // of the proxy; empty: any free port of 127.0.0.1
	Answered func(Answer) // is called for each request that the proxy has passed on; nil: nothing is
}

// Answer is what a node has answered to a request. A stream is answered when it begins.
type Answer struct {
	Node         string
	Method, Path string
	Key          string    // Idempotency-Key
	Status       int       // 0: the node has not answered
	Asked        time.Time // when the proxy sent the request to the node
}

// Engine is the package of the NATS server, in the version that go.mod of this module pins.
const Engine = "github.com/nats-io/nats-server/v2"

// Fleet is a cluster of processes. Any goroutine may call its methods.
type Fleet struct {
	URL     string     // of the proxy
	Nodes   []*Process // node-1, node-2, node-3
	Servers []*Process // nats-1, nats-2, nats-3

	proxy *proxy
	links []*Link
}

// Start starts a fleet, and waits until all of it is ready. The caller ends it by Close. If
// it does not get ready before ctx ends, it is ended already.
func Start(ctx context.Context, o Options) (*Fleet, error) {
	f := &Fleet{}
	if err := f.start(ctx, o); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (f *Fleet) start(ctx context.Context, o Options) (err error) {
	if err := f.prepareServers(o); err != nil {
		return err
	}
	if err := f.prepareNodes(o); err != nil {
		return err
	}
	for _, all := range [][]*Process{f.Servers, f.Nodes} {
		if err := start(ctx, all); err != nil {
			return err
		}
	}
	if f.proxy, err = startProxy(o.Address, f.Nodes, o.Answered); err != nil {
		return err
	}
	f.URL = f.proxy.url
	return nil
}

// start starts processes, and waits until all of them are ready.
func start(ctx context.Context, all []*Process) error {
	for _, p := range all {
		if err := p.Start(); err != nil {
			return err
		}
	}
	return awaitReady(ctx, all)
}

func awaitReady(ctx context.Context, all []*Process) error {
	for _, p := range all {
		if err := p.AwaitReady(ctx); err != nil {
			return err
		}
	}
	return nil
}

// prepareServers describes the NATS servers, and opens the links among them.
func (f *Fleet) prepareServers(o Options) error {
	var clients, routes []string // where each server listens
	for i := range size {
		ports, err := freePorts(3)
		if err != nil {
			return err
		}
		clients, routes = append(clients, loopback(ports[0])), append(routes, loopback(ports[1]))
		f.Servers = append(f.Servers, &Process{
			Name:    fmt.Sprintf("nats-%d", i+1),
			URL:     "http://" + loopback(ports[2]),
			address: clients[i],
			path:    o.NATS,
			args:    []string{"-c", filepath.Join(o.Folder, fmt.Sprintf("nats-%d.conf", i+1))},
			ready:   "/healthz", // 200 when its copies of the streams are current
			log:     filepath.Join(o.Folder, fmt.Sprintf("nats-%d.log", i+1)),
			files:   filepath.Join(o.Folder, fmt.Sprintf("nats-%d", i+1)),
		})
	}
	for i, server := range f.Servers {
		var others []string
		for j, other := range f.Servers {
			if i == j {
				continue
			}
			link, err := openLink(server, other, routes[j])
			if err != nil {
				return err
			}
			f.links = append(f.links, link)
			others = append(others, "nats://"+link.Address)
		}
		// Each server tells the others its address. Only the links may be used, so what
		// it tells leads nowhere.
		configuration := fmt.Sprintf(`server_name: %s
listen: %q
http: %q
jetstream { store_dir: %q }
cluster { name: fleet, listen: %q, advertise: "127.0.0.1:1", no_advertise: true, routes: [%s] }
`, server.Name, clients[i], strings.TrimPrefix(server.URL, "http://"), server.files, routes[i], strings.Join(others, ", "))
		if err := os.WriteFile(server.args[1], []byte(configuration), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// prepareNodes describes the nodes, and opens their links to the NATS servers.
func (f *Fleet) prepareNodes(o Options) error {
	for i := range size {
		ports, err := freePorts(1)
		if err != nil {
			return err
		}
		node := &Process{
			Name:    fmt.Sprintf("node-%d", i+1),
			URL:     "http://" + loopback(ports[0]),
			address: loopback(ports[0]),
			path:    o.Server,
			ready:   "/readyz",
			log:     filepath.Join(o.Folder, fmt.Sprintf("node-%d.log", i+1)),
		}
		var servers []string
		for _, server := range f.Servers {
			link, err := openLink(node, server, server.address)
			if err != nil {
				return err
			}
			f.links = append(f.links, link)
			servers = append(servers, "nats://"+link.Address)
		}
		// A node gets no other variable, so no setting of this machine changes it.
		node.env = append([]string{
			"HOST=127.0.0.1", "PORT=" + ports[0], "TRUSTED_PROXIES=127.0.0.1",
			"CLUSTER_URL=" + strings.Join(servers, ","), "NODE_NAME=" + node.Name,
		}, o.Settings...)
		f.Nodes = append(f.Nodes, node)
	}
	return nil
}

// AwaitReady waits until each process is ready. The error names what is not.
func (f *Fleet) AwaitReady(ctx context.Context) error {
	return errors.Join(awaitReady(ctx, f.Servers), awaitReady(ctx, f.Nodes))
}

// Close ends the fleet: the nodes in order, as an operator does, and then the NATS servers.
// The error says which node did not end well.
func (f *Fleet) Close() error {
	if f.proxy != nil {
		f.proxy.close()
	}
	f.Links(func(from, to *Process) bool { return true }).Mend()
	ends := make([]error, len(f.Nodes))
	var ending sync.WaitGroup
	for i, node := range f.Nodes {
		ending.Go(func() { ends[i] = node.Stop() })
	}
	ending.Wait()
	for _, server := range f.Servers {
		server.Kill()
	}
	for _, link := range f.links {
		link.close()
	}
	return errors.Join(ends...)
}

// Links returns the links that a function chooses by their ends.
func (f *Fleet) Links(chosen func(from, to *Process) bool) (all Links) {
	for _, link := range f.links {
		if chosen(link.From, link.To) {
			all = append(all, link)
		}
	}
	return all
}

// Leader returns the NATS server that leads the log, as the others know it now.
func (f *Fleet) Leader(ctx context.Context) (*Process, error) {
	var failed error
	for _, server := range f.Servers {
		name, err := leaderBy(ctx, server)
		failed = errors.Join(failed, err)
		for _, leader := range f.Servers {
			if leader.Name == name && leader.Pid() != 0 {
				return leader, nil
			}
		}
	}
	return nil, fmt.Errorf("no NATS server leads the log now: %w", failed)
}

// leaderBy asks a NATS server which one leads the log. The name is empty if it knows none.
func leaderBy(ctx context.Context, server *Process) (name string, err error) {
	text, err := server.get(ctx, "/jsz?streams=true")
	if err != nil {
		return "", err
	}
	var answer struct {
		Accounts []struct {
			Streams []struct {
				Name    string
				Cluster struct{ Leader string }
			} `json:"stream_detail"`
		} `json:"account_details"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return "", err
	}
	for _, account := range answer.Accounts {
		for _, stream := range account.Streams {
			if stream.Name == "signaling-log" {
				return stream.Cluster.Leader, nil
			}
		}
	}
	return "", nil
}

func loopback(port string) string { return net.JoinHostPort("127.0.0.1", port) }
