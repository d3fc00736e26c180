package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"signaling-server/client"
	"signaling-server/server"
)

// A bot joins a room and writes to it.
func Example() {
	web, stop := startServer(direct)
	defer stop()
	ctx := context.Background()

	bot, err := client.Dial(ctx, web.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer bot.Close()
	for event, err := range bot.Events() {
		switch e := event.(type) {
		case client.ConnectedEvent: // first, and whenever the socket could not be resumed
			err = bot.Join(ctx, "lobby", "bot")
		case client.RoomJoinedEvent:
			fmt.Println("Members:", len(e.Users))
			err = bot.Send(ctx, client.ChatMessage{Message: "Hello"})
		case client.NewMessageEvent: // the sender receives it as well
			fmt.Printf("%s wrote: %s\n", e.UserID, e.Message)
			return
		}
		if err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// Members: 1
	// bot wrote: Hello
}

// When a stream drops, the client resumes its socket by itself, and misses no event.
func ExampleClient_Events() {
	web, stop := startServer(direct)
	defer stop()
	ctx := context.Background()
	ada, bob := join(ctx, web.URL, "Ada"), join(ctx, web.URL, "Bob")
	defer ada.Close()
	defer bob.Close()

	before := ada.SocketID()
	web.CloseClientConnections()
	if err := bob.Send(ctx, client.ChatMessage{Message: "Still there?"}); err != nil {
		log.Fatal(err)
	}
	for event := range ada.Events() {
		if e, ok := event.(client.NewMessageEvent); ok {
			fmt.Printf("%s wrote: %s\n", e.UserID, e.Message)
			break
		}
	}
	fmt.Println("The same socket:", ada.SocketID() == before)
	// Output:
	// Bob wrote: Still there?
	// The same socket: true
}

// If something on the way holds streams back, the client polls.
func ExampleOptions_Dial() {
	web, stop := startServer(holdStreamsBack)
	defer stop()

	c, err := client.Options{Patience: 100 * time.Millisecond}.Dial(context.Background(), web.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	for event := range c.Events() {
		fmt.Printf("%T\n", event)
		break
	}
	// Output:
	// GET /events is held back
	// client.ConnectedEvent
}

// The server says why it refuses a message.
func ExampleProblem() {
	web, stop := startServer(direct)
	defer stop()
	ctx := context.Background()
	c, err := client.Dial(ctx, web.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	var problem *client.Problem
	if err := c.Join(ctx, "", "Ada"); errors.As(err, &problem) {
		fmt.Println(problem.Name(), problem.Errors)
	}
	// Output:
	// validation-failed [{roomId required is required}]
}

// startServer runs a signaling server on a loopback port, with a handler before it that
// all requests pass. Your clients need only the URL of a server.
func startServer(before func(signaling http.Handler) http.Handler) (web *httptest.Server, stop func()) {
	signaling, err := server.New(server.Options{})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { signaling.Run(ctx) })
	web = httptest.NewServer(before(signaling.Handler()))
	return web, func() {
		web.CloseClientConnections()
		web.Close()
		cancel()
		running.Wait()
	}
}

// direct means that there is nothing before the server.
func direct(signaling http.Handler) http.Handler { return signaling }

// holdStreamsBack is like a proxy that passes a stream on only when it has ended.
func holdStreamsBack(signaling http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && r.URL.Path == "/events" {
			fmt.Println("GET /events is held back")
			<-r.Context().Done()
			return
		}
		signaling.ServeHTTP(w, r)
	})
}

// join returns a client that has joined the lobby.
func join(ctx context.Context, url, userID string) *client.Client {
	c, err := client.Dial(ctx, url)
	if err != nil {
		log.Fatal(err)
	}
	if err := c.Join(ctx, "lobby", userID); err != nil {
		log.Fatal(err)
	}
	return c
}
