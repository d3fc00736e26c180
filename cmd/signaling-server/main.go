// Command signaling-server lets WebRTC peers find each other where WebSockets
// are blocked: Server-Sent Events down, POST up. "signaling-server -h" lists
// its settings.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	os.Exit(run(process{
		args:        os.Args[1:],
		environment: os.Environ(),
		stdout:      os.Stdout,
		stderr:      os.Stderr,
		signals:     signals,
	}))
}
