package server_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"signaling-server/client"
	"signaling-server/server"
)

// A program serves the signaling server beside its own routes. It stops in an order in
// which no client loses an event.
func Example() {
	signaling, err := server.New(server.Options{ResumeWindow: 20 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	routes := http.NewServeMux()
	routes.HandleFunc("GET /lessons/{name}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "The lesson %s takes place in the room with this name.", r.PathValue("name"))
	})
	routes.Handle("/", signaling.Handler()) // everything else

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	web := &http.Server{Handler: routes, ReadHeaderTimeout: 10 * time.Second}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { signaling.Run(ctx) })
	running.Go(func() { _ = web.Serve(listener) }) // until Shutdown

	visit("http://" + listener.Addr().String())

	// Drain comes first: Shutdown waits for streams but does not end them.
	within, cancelWithin := context.WithTimeout(ctx, 10*time.Second)
	defer cancelWithin()
	fmt.Println("Drained:", signaling.Drain(within))
	fmt.Println("Shut down:", web.Shutdown(within))
	cancel()
	running.Wait()
	// Output:
	// A client joined algebra.
	// Drained: <nil>
	// Shut down: <nil>
}

// visit joins a room as a client, and leaves.
func visit(url string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := client.Dial(ctx, url)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if err := c.Join(ctx, "algebra", "Ada"); err != nil {
		log.Fatal(err)
	}
	for event, err := range c.Events() {
		if err != nil {
			log.Fatal(err)
		}
		if joined, ok := event.(client.RoomJoinedEvent); ok {
			fmt.Printf("A client joined %s.\n", joined.RoomID)
			return
		}
	}
}
