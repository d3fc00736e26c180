// Command signaling-server lets WebRTC peers find each other in networks that block
// WebSockets: it sends events over Server-Sent Events, and receives them by POST.
// "signaling-server -h" lists its settings.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // nohup(1) lets it be ignored
		signal.Notify(signals, syscall.SIGHUP)
	}
	os.Exit(run(process{
		args:        os.Args[1:],
		environment: os.Environ(),
		stdout:      os.Stdout,
		stderr:      os.Stderr,
		signals:     signals,
	}))
}
