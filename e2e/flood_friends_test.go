package e2e

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/stretchr/testify/require"
)

// friends are two honest members of the attacked room. One of them polls now and then,
// as phones do. The other keeps sending it numbered signals.
type friends struct {
	// set once
	siege  *siege
	phone  *poller
	friend *signaling
	id     string // the phone's socket

	stop    context.CancelFunc
	talking sync.WaitGroup

	// each known to one goroutine of talking, and afterwards to judge
	said  int // signals that were accepted
	heard int // numbers that came, from 0
}

// phones is a resume window in which even a busy machine polls again.
const phones = "RESUME_WINDOW=1m"

const (
	phoneRests  = 1200 * time.Millisecond
	friendRests = 20 * time.Millisecond
)

// befriend lets two friends enter a room.
func (s *siege) befriend(room string) *friends {
	s.t.Helper()
	transport := &http.Transport{DialContext: dialAt(roommateAddress)}
	s.t.Cleanup(transport.CloseIdleConnections)
	f := &friends{siege: s, phone: &poller{t: s.t, client: &http.Client{Transport: transport}, url: s.url}}
	hello := f.phone.poll(0).Events[0]
	f.phone.token, f.id = hello.Token, hello.SocketID
	f.phone.post(fields{"type": "join-room", "roomId": room, "userId": "phone"})
	f.friend = connectBy(s.t, &http.Transport{DialContext: dialAt(roommateAddress)}, s.url)
	f.friend.join(room, "friend")

	ctx, stop := context.WithCancel(s.attack)
	f.stop = stop
	f.talking.Go(func() { f.talk(ctx) })
	f.talking.Go(func() { f.listen(ctx) })
	f.talking.Go(func() { f.drop(ctx) })
	return f
}

// talk sends signals to the phone. The attacker must not cause a refusal of them.
func (f *friends) talk(ctx context.Context) {
	for ; ctx.Err() == nil; rest(ctx, friendRests) {
		limit, cancel := context.WithTimeout(context.Background(), within)
		err := f.friend.send(limit, fields{"type": "signal", "target": f.id, "data": f.said})
		cancel()
		if err != nil {
			f.siege.t.Errorf("the signal %d of an honest member: %v", f.said, err)
			return
		}
		f.said++
	}
}

// drop reads and forgets what the friend hears.
func (f *friends) drop(ctx context.Context) {
	for {
		select {
		case <-f.friend.events:
		case <-ctx.Done():
			return
		}
	}
}

// listen polls now and then, and each time until nothing is left.
func (f *friends) listen(ctx context.Context) {
	for ; ctx.Err() == nil; rest(ctx, phoneRests) {
		if err := f.catchUp(); err != nil {
			f.siege.t.Errorf("the phone, after %d signals: %v", f.heard, err)
			return
		}
	}
}

// catchUp polls until an answer is empty. The friend's numbers must come in order.
func (f *friends) catchUp() error {
	ctx, cancel := context.WithTimeout(context.Background(), within) // the test may have failed, and ended its own
	defer cancel()
	for {
		got, err := f.phone.tryPoll(ctx, 0)
		if err != nil || len(got.Events) == 0 {
			return err
		}
		f.phone.after = sequence(got.LastEventID)
		for _, e := range got.Events {
			switch {
			case e.Type == "connected" || e.Type == "disconnected":
				return fmt.Errorf("its socket has ended: %s", e.Type)
			case e.Type != "signal" || e.From != f.friend.id():
			case string(e.Data) != fmt.Sprint(f.heard):
				return fmt.Errorf("%s came instead of %d", e.Data, f.heard)
			default:
				f.heard++
			}
		}
	}
}

// judge lets the friends finish. The phone must then have heard all that was accepted
// for it.
func (f *friends) judge() {
	f.siege.t.Helper()
	f.stop()
	f.talking.Wait()
	if !f.siege.t.Failed() {
		require.NoError(f.siege.t, f.catchUp())
		require.Equal(f.siege.t, f.said, f.heard, "signals of an honest member that were accepted, and heard")
		f.siege.t.Logf("the phone heard all %d signals of its friend", f.heard)
	}
}
