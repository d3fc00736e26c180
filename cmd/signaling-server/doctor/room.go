package doctor

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"signaling-server/client"
)

// meet lets two clients join a room, one by a stream and one by polls, and sends a signal
// from one to the other.
func (e *examiner) meet(ctx context.Context) outcome {
	if e.AccessToken != "" && !e.verified {
		return found(Finding{"room", Info, "A room was not tried", "The access token is not sent, because the certificate does not prove who would get it.", nothing, nil})
	}
	ctx, cancel := context.WithTimeout(ctx, 4*e.Timeout)
	defer cancel()
	began := time.Now()
	room, user := roomOf(e.AccessToken)
	err := e.signalInRoom(ctx, client.JoinRoomMessage{RoomID: room, UserID: user, AccessToken: e.AccessToken})
	var problem *client.Problem
	switch isProblem := errors.As(err, &problem); {
	case errors.Is(err, errMayNotSignal):
		return found(Finding{"room", Good, "Two clients meet in a room", "The access token lets them join, but not signal.", nothing, nil})
	case err == nil:
		return found(Finding{"room", Good, "Two clients meet in a room", fmt.Sprintf("One read a stream, the other polled. It took %s.", duration(time.Since(began))), nothing, nil})
	case isProblem && problem.Name() == "access-denied" && e.AccessToken == "":
		return found(Finding{"room", Info, "A room needs an access token", "The server demands one, and none was given.", giveToken, nil})
	case isProblem && problem.Name() == "access-denied":
		return found(Finding{"room", Bad, "The access token is refused", problem.Detail, acceptedToken, nil})
	case isProblem && (problem.Status == http.StatusTooManyRequests || problem.Status == http.StatusServiceUnavailable):
		return found(Finding{"room", Warn, "The server refused a room", problem.Title + ".", again, nil})
	case isProblem:
		return found(Finding{"room", Bad, "The server refused a room", strings.TrimSpace(problem.Title + ". " + problem.Detail), again, nil})
	}
	return found(Finding{"room", Bad, "Two clients do not meet in a room", "No signal went from one to the other in time.", mendStreams, nil})
}

// errMayNotSignal says that an access token has the claim "can" without "signal".
var errMayNotSignal = errors.New("the access token does not allow signals")

// roomOf returns the room and the user of an access token. Its signature is for the server
// to judge. Without a token the room is a new one.
func roomOf(accessToken string) (room, user string) {
	own := "doctor-" + rand.Text()[:10]
	var claims struct {
		jwt.RegisteredClaims
		Room string `json:"room"`
	}
	if _, _, err := jwt.NewParser().ParseUnverified(accessToken, &claims); err != nil || claims.Room == "" || claims.Subject == "" {
		return own, "doctor"
	}
	if begin, isPrefix := strings.CutSuffix(claims.Room, "*"); isPrefix {
		return begin + own, claims.Subject
	}
	return claims.Room, claims.Subject
}

func (e *examiner) signalInRoom(ctx context.Context, join client.JoinRoomMessage) error {
	reader, err := client.Options{HTTP: e.http}.Dial(ctx, e.Server.String())
	if err != nil {
		return err
	}
	defer reader.Close()
	poller, err := client.Options{HTTP: e.http, Polling: true}.Dial(ctx, e.Server.String())
	if err != nil {
		return err
	}
	defer poller.Close()
	for _, c := range []*client.Client{reader, poller} {
		if err := c.Send(ctx, join); err != nil {
			return err
		}
		if err := awaitEvent(ctx, c, func(event client.Event) bool { _, isJoined := event.(client.RoomJoinedEvent); return isJoined }); err != nil {
			return err
		}
	}
	for _, way := range []struct{ from, to *client.Client }{{poller, reader}, {reader, poller}} {
		err := way.from.Send(ctx, client.SignalMessage{Target: way.to.SocketID(), Data: "doctor"})
		var problem *client.Problem
		if errors.As(err, &problem) && problem.Name() == "access-denied" {
			return errMayNotSignal
		}
		if err != nil {
			return err
		}
		from := way.from.SocketID()
		if err := awaitEvent(ctx, way.to, func(event client.Event) bool {
			signal, isSignal := event.(client.SignalEvent)
			return isSignal && signal.From == from
		}); err != nil {
			return err
		}
	}
	return nil
}

// awaitEvent reads events up to one that is wanted.
func awaitEvent(ctx context.Context, c *client.Client, isWanted func(client.Event) bool) error {
	for event, err := range c.Events() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil && isWanted(event) {
			return nil
		}
	}
	return cmp.Or(ctx.Err(), client.ErrClosed)
}
