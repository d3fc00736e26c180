// Cluster runs three nodes as one server on this machine, to look at and to break: see
// docs/scaling.md. It needs nothing but Go. From the root folder, run
//
//	make cluster
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"signaling-server/e2e/fleet"
)

func main() {
	address := flag.String("address", "127.0.0.1:3002", "where the proxy listens")
	again := flag.Duration("restart", 5*time.Second, "how long after its end a process starts again; 0: it does not")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, *address, *again); err != nil && ctx.Err() == nil {
		fmt.Fprintf(os.Stderr, "cluster: %v.\n", err)
		os.Exit(1)
	}
}

// run runs a fleet until ctx is done.
func run(ctx context.Context, out io.Writer, address string, again time.Duration) error {
	folder, err := os.MkdirTemp("", "signaling-cluster-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	fmt.Fprintln(out, "Building a node and the NATS server. The first time this takes a minute.")
	server, nats := filepath.Join(folder, "signaling-server"), filepath.Join(folder, "nats-server")
	if err := errors.Join(build(ctx, "..", server, "./cmd/signaling-server"), build(ctx, ".", nats, fleet.Engine)); err != nil {
		return err
	}
	starting, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	f, err := fleet.Start(starting, fleet.Options{Server: server, NATS: nats, Folder: folder, Address: address})
	if err != nil {
		return err
	}
	show(out, f, folder, again)
	var watching sync.WaitGroup
	watched, end := context.WithCancel(ctx)
	for _, p := range append(append([]*fleet.Process(nil), f.Nodes...), f.Servers...) {
		watching.Go(func() { watch(watched, out, p, again) }) // ends with ctx and the process
	}
	<-ctx.Done()
	end()
	fmt.Fprintln(out, "\nEnding all of it.")
	err = f.Close()
	watching.Wait()
	return err
}

// build builds a program of the module in a folder.
func build(ctx context.Context, folder, path, program string) error {
	command := exec.CommandContext(ctx, "go", "build", "-o", path, program)
	command.Dir, command.Stderr = folder, os.Stderr
	if err := command.Run(); err != nil {
		return fmt.Errorf("building %s: %w", program, err)
	}
	return nil
}

// show says where everything is.
func show(out io.Writer, f *fleet.Fleet, folder string, again time.Duration) {
	fmt.Fprintf(out, "\n  Open %s/demo/ in two windows, and start a call.\n", f.URL)
	fmt.Fprintf(out, "  Then end any process below: the call goes on, and so does the chat.\n\n")
	for _, node := range f.Nodes {
		fmt.Fprintf(out, "  %s   kill -9 %-8d %s/dashboard/\n", node.Name, node.Pid(), node.URL)
	}
	for _, server := range f.Servers {
		fmt.Fprintf(out, "  %s   kill -9 %-8d %s\n", server.Name, server.Pid(), server.URL)
	}
	if again > 0 {
		fmt.Fprintf(out, "\n  What has ended starts again after %v.", again)
	}
	fmt.Fprintf(out, "\n  Logs are in %s. Ctrl+C ends all of it.\n\n", folder)
}

// watch tells of each end of a process, and starts it again, until ctx is done.
func watch(ctx context.Context, out io.Writer, p *fleet.Process, again time.Duration) {
	for {
		how := p.Ended()
		if ctx.Err() != nil {
			return
		}
		if how == nil {
			how = errors.New("in order")
		}
		fmt.Fprintf(out, "%s  %s has ended: %v\n", now(), p.Name, how)
		if again <= 0 {
			return
		}
		select {
		case <-time.After(again):
		case <-ctx.Done():
			return
		}
		if err := p.Start(); err != nil {
			fmt.Fprintf(out, "%s  %v\n", now(), err)
			return
		}
		if p.AwaitReady(ctx) == nil {
			fmt.Fprintf(out, "%s  %s is back     kill -9 %d\n", now(), p.Name, p.Pid())
		}
	}
}

func now() string { return time.Now().Format(time.TimeOnly) }
