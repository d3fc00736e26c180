package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Attacks that try to get more sockets than one client may have.

// A client cannot resume from a position before what it has confirmed: it gets a new
// socket. That must cost the same as any other new socket.
func TestAttackOpeningSocketsByPositionsThatWereConfirmed(t *testing.T) {
	s := besiege(t, "RESUME_WINDOW=10s", "MAX_CONNECTIONS=2000")
	s.letStrangersIn()
	tokens := s.openByPolls(200) // each of them may begin 50 streams and polls a second
	require.NotEmpty(t, tokens)
	s.each(len(tokens), 4, func(a *asker, i int) {
		a.ask(send("/events", tokens[i], "", `{"type":"ping"}`))
		a.ask(poll(tokens[i], 1)) // confirms the pong
	})
	enough, stop := context.WithTimeout(s.attack, 5*time.Second)
	defer stop()
	s.each(100_000, 8, func(a *asker, i int) {
		switch token := tokens[i%len(tokens)]; {
		case enough.Err() != nil:
		case i%5 > 0:
			a.ask(poll(token, 0))
		default:
			if w, err := s.dial(); err == nil {
				_, _ = w.openStream("Last-Event-ID: " + token + ".0\r\n")
				w.Close()
			}
		}
	})
	living := s.livingSockets()
	seconds := int(time.Since(s.started).Seconds()) + 1
	s.expectAtMost(250+50*seconds+50, living, "sockets live: OPENS_PER_ADDRESS is 50 a second, and five seconds' worth at once")
	s.lift("rate-limited")
}

// A socket that is polled now and then lives, although no request of it is under way.
func TestAttackKeepingSocketsByRarePolls(t *testing.T) {
	s := besiege(t, "OPENS_PER_ADDRESS=0", "MAX_CONNECTIONS=2500", "RESUME_WINDOW=10s")
	s.letStrangersIn()
	tokens := s.openByPolls(3000)
	enough, stop := context.WithTimeout(s.attack, 4*time.Second)
	defer stop()
	for enough.Err() == nil {
		s.each(len(tokens), 4, func(a *asker, i int) { a.ask(poll(tokens[i], 0)) })
		rest(enough, time.Second)
	}
	living := s.livingSockets()
	s.expectAtMost(2000+50, living, "sockets live: MAX_CONNECTIONS_PER_ADDRESS is 2000, and strangers have some")
	s.lift("at-capacity", "rate-limited")
}

// The server keeps an answer so that it can repeat it. What it keeps must not contain
// the request, which may grow by each escape.
func TestAttackKeptAnswersThatRepeatTheirRequests(t *testing.T) {
	s := besiege(t)
	sockets := s.openStreams(40)
	body := `{"events":[{"type":"ping","` + strings.Repeat("<", 65_400) + `":1}]}`
	s.each(len(sockets)*64, 4, func(a *asker, i int) {
		a.ask(send("/events/batch", sockets[i%len(sockets)].token, "Idempotency-Key: "+string(rune('!'+i/len(sockets)))+"\r\n", body))
	})
	s.lift("validation-failed")
}
