package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// fleet is three NATS servers, and nodes that are one server through them.
type fleet struct {
	folder   string
	settings []string // of each node
	engine   []*exec.Cmd
	urls     []string // of the engine
	nodes    []*server
}

// startFleet starts the engine and as many nodes, with some settings. The caller stops the fleet.
func (b *bench) startFleet(ctx context.Context, nodes int, settings ...string) (f *fleet, err error) {
	f = &fleet{settings: settings}
	defer func() {
		if err != nil {
			f.stop()
		}
	}()
	if f.folder, err = os.MkdirTemp("", "bench-"); err != nil {
		return f, err
	}
	if err := b.startEngine(ctx, f); err != nil {
		return f, err
	}
	for range nodes {
		n, err := b.startNode(ctx, f)
		if err != nil {
			return f, err
		}
		if err := n.awaitReady(ctx); err != nil {
			return f, err
		}
	}
	return f, nil
}

func (b *bench) startEngine(ctx context.Context, f *fleet) error {
	var ports, routes []string
	for range 3 {
		port, err := freePort()
		if err != nil {
			return err
		}
		route, err := freePort()
		if err != nil {
			return err
		}
		ports, routes = append(ports, port), append(routes, "nats://127.0.0.1:"+route)
		f.urls = append(f.urls, "nats://127.0.0.1:"+port)
	}
	for i, port := range ports {
		name := fmt.Sprintf("nats-%d", i+1)
		settings := fmt.Sprintf("server_name: %s\nlisten: 127.0.0.1:%s\njetstream { store_dir: %q }\ncluster { name: bench, listen: %q, routes: [%s] }\n",
			name, port, filepath.Join(f.folder, name), strings.TrimPrefix(routes[i], "nats://"), strings.Join(routes, ", "))
		path := filepath.Join(f.folder, name+".conf")
		if err := os.WriteFile(path, []byte(settings), 0o600); err != nil {
			return err
		}
		command := exec.CommandContext(ctx, b.nats, "-c", path)
		if err := command.Start(); err != nil {
			return err
		}
		f.engine = append(f.engine, command)
	}
	return nil
}

// startNode starts one more node, which is not ready yet.
func (b *bench) startNode(ctx context.Context, f *fleet) (*server, error) {
	own := []string{"CLUSTER_URL=" + strings.Join(f.urls, ","), fmt.Sprintf("NODE_NAME=node-%d", len(f.nodes)+1)}
	n, err := b.startAlone(ctx, slices.Concat(f.settings, own)...)
	if err == nil {
		f.nodes = append(f.nodes, n)
	}
	return n, err
}

// startAlone starts a server that may use all cores, with some settings.
func (b *bench) startAlone(ctx context.Context, settings ...string) (*server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s := &server{command: exec.CommandContext(ctx, b.server), url: "http://127.0.0.1:" + port}
	if slices.ContainsFunc(settings, func(s string) bool { return strings.HasPrefix(s, "TLS_CERT=") }) {
		s.url = "https://127.0.0.1:" + port
	}
	s.command.Env = slices.Concat(os.Environ(), unlimited, []string{"PORT=" + port, "HEARTBEAT_INTERVAL=10s"}, settings)
	s.command.Stderr = b.progress
	return s, s.command.Start()
}

// awaitReady waits until the server says that it is ready.
func (s *server) awaitReady(ctx context.Context) error {
	for end := time.Now().Add(time.Minute); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		response, err := http.Get(s.url + "/readyz")
		if err != nil {
			continue
		}
		_ = response.Body.Close()
		if response.StatusCode == http.StatusOK {
			return nil
		}
	}
	return errors.Join(ctx.Err(), fmt.Errorf("%s is not ready", s.command))
}

func (s *server) pid() string { return strconv.Itoa(s.command.Process.Pid) }

// processes are flags that let the generator measure all processes.
func (f *fleet) processes() (flags []string) {
	for _, n := range f.nodes {
		flags = append(flags, "-pid="+n.pid())
	}
	for _, e := range f.engine {
		flags = append(flags, "-engine-pid="+strconv.Itoa(e.Process.Pid))
	}
	return flags
}

// addresses are flags that let the generator use the first nodes.
func (f *fleet) addresses(nodes int) (flags []string) {
	for _, n := range f.nodes[:nodes] {
		flags = append(flags, "-url="+n.url)
	}
	return flags
}

func (f *fleet) stop() {
	for _, n := range f.nodes {
		n.stop()
	}
	for _, e := range f.engine {
		_ = e.Process.Kill()
		_ = e.Wait() // it was killed
	}
	_ = os.RemoveAll(f.folder)
}
