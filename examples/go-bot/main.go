// Command go-bot joins a room, answers all calls, and sends back what it hears and sees.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"signaling-server/client"
)

func main() {
	server := flag.String("url", "http://localhost:3002", "base `URL` of the signaling server")
	room := flag.String("room", "demo", "the room to join")
	name := flag.String("name", "Echo", "the user ID to join as")
	polling := flag.Bool("polling", false, "fetch events by long polling from the start")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	join := client.JoinRoomMessage{RoomID: *room, UserID: *name, AccessToken: os.Getenv("ACCESS_TOKEN")}
	if err := run(ctx, *server, join, client.Options{Polling: *polling}); err != nil {
		fmt.Fprintln(os.Stderr, "go-bot:", err)
		os.Exit(1)
	}
}

// run keeps a bot in a room until ctx ends. The bot comes back by itself after the
// network or the server was gone.
func run(ctx context.Context, server string, join client.JoinRoomMessage, options client.Options) error {
	// The client's context does not end with ctx, so that Close can still end the socket.
	c, err := options.Dial(context.WithoutCancel(ctx), server)
	if err != nil {
		return err
	}
	closed := make(chan error, 1)
	stopClosing := context.AfterFunc(ctx, func() { closed <- c.Close() }) // this ends the events
	b, err := newBot(ctx, c, server, join)
	if err == nil {
		err = b.listen()
		b.endCalls()
	}
	if stopClosing() {
		_ = c.Close() // err is more important
		return err
	}
	return errors.Join(err, <-closed)
}
