package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// dialAt dials from one of this machine's addresses.
func dialAt(address string) func(ctx context.Context, network, address string) (net.Conn, error) {
	return (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}).DialContext
}

func fetch(ctx context.Context, client *http.Client, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s was answered with %s: %s", url, response.Status, body)
	}
	return string(body), err
}

// honestPair is two members of a room that signal each other all the time, over
// streams. Their clients make sure that nothing is lost, repeated or reordered.
type honestPair struct {
	t       *testing.T
	sides   [2]*honest
	stop    context.CancelFunc
	running sync.WaitGroup
}

type honest struct {
	client *signaling
	sent   atomic.Int64  // signals that were accepted
	heard  chan struct{} // closed when all that the other side has sent was heard

	worst time.Duration // the longest time from before the POST to the event; read it after heard
	count int
}

// numbered is the content of a signal.
type numbered struct {
	Number int
	Sent   time.Time
	Last   bool
}

// pairPause is how long each of the pair rests between two signals.
const pairPause = 10 * time.Millisecond

func converse(t *testing.T, url string) *honestPair {
	t.Helper()
	p := &honestPair{t: t}
	for i := range p.sides {
		transport := &http.Transport{DialContext: dialAt(honestAddress)}
		p.sides[i] = &honest{client: connectBy(t, transport, url), heard: make(chan struct{})}
		p.sides[i].client.join("an honest room", fmt.Sprintf("honest %d", i))
	}
	p.sides[0].client.await("user-connected", nil)
	ctx, stop := context.WithCancel(t.Context())
	p.stop = stop
	t.Cleanup(func() { stop(); p.running.Wait() })
	for i, side := range p.sides {
		other := p.sides[1-i]
		p.running.Go(func() { p.speak(ctx, side, other.client.id()) })
		p.running.Go(func() { p.listen(t.Context(), side) })
	}
	return p
}

// speak sends signals until ctx is done, and then a last one.
func (p *honestPair) speak(ctx context.Context, h *honest, target string) {
	for n := 0; ; n++ {
		last := ctx.Err() != nil
		content := numbered{n, time.Now(), last}
		// If the test has failed, its context has ended.
		limit, cancel := context.WithTimeout(p.t.Context(), within)
		err := h.client.send(limit, fields{"type": "signal", "target": target, "data": content})
		cancel()
		if err != nil {
			if p.t.Context().Err() == nil {
				p.t.Errorf("the signal %d of an honest client: %v", n, err)
			}
			return
		}
		h.sent.Add(1)
		if last {
			return
		}
		rest(ctx, pairPause)
	}
}

// listen hears the other's signals up to the last one.
func (p *honestPair) listen(ctx context.Context, h *honest) {
	defer close(h.heard)
	for {
		var e event
		select {
		case e = <-h.client.events:
		case <-ctx.Done():
			return
		}
		if e.Type != "signal" {
			continue // connected, after a resume
		}
		var is struct{ Data numbered }
		e.decode(p.t, &is)
		if is.Data.Number != h.count {
			p.t.Errorf("an honest client heard signal %d instead of %d", is.Data.Number, h.count)
			return
		}
		h.count++
		h.worst = max(h.worst, time.Since(is.Data.Sent))
		if is.Data.Last {
			return
		}
	}
}

// honestVerdict is the result of an honest pair.
type honestVerdict struct {
	count int
	worst time.Duration
}

func (v honestVerdict) String() string {
	return fmt.Sprintf("%d honest signals took %v at most", v.count, v.worst.Round(time.Millisecond))
}

// end lets the pair finish, and returns its result.
func (p *honestPair) end() (verdict honestVerdict) {
	p.t.Helper()
	p.stop()
	for _, side := range p.sides {
		select {
		case <-side.heard:
		case <-time.After(within):
			require.FailNow(p.t, "an honest client has not heard all that was accepted for it")
		}
	}
	p.running.Wait() // an answer may come later than the event that it accepts
	for i, side := range p.sides {
		verdict.count += side.count
		verdict.worst = max(verdict.worst, side.worst)
		require.EqualValues(p.t, p.sides[1-i].sent.Load(), side.count, "signals that were accepted and heard")
	}
	return verdict
}

// letStrangersIn lets new clients come one after the other, from an address of their
// own, until the attack is over. Each opens a stream and waits for its first event.
func (s *siege) letStrangersIn() {
	s.running.Go(func() {
		for s.attack.Err() == nil {
			started := time.Now()
			switch err := s.knock(); {
			case err == nil:
				s.knocks.Add(1)
			case s.attack.Err() == nil:
				if s.keptOut.Add(1) == 1 {
					s.t.Log("a stranger did not get in:", err)
				}
			}
			s.worstWait.Store(max(s.worstWait.Load(), int64(time.Since(started)))) // the end of the attack may have cut off the last visit
			rest(s.attack, 200*time.Millisecond)
		}
	})
}

func (s *siege) strangers() string {
	if s.knocks.Load()+s.keptOut.Load() == 0 {
		return "no stranger came"
	}
	return fmt.Sprintf("%d strangers got in within %v, %d did not", s.knocks.Load(), time.Duration(s.worstWait.Load()).Round(time.Millisecond), s.keptOut.Load())
}

// knock is one stranger's visit. Strangers close their streams, so they are not a crowd
// themselves.
func (s *siege) knock() error {
	transport := &http.Transport{DialContext: dialAt(strangerAddress)}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var hello struct{ Token, Reason string }
	err := readStream(s.attack, client, http.MethodGet, s.url+"/events", func(e event) bool {
		e.decode(s.t, &hello)
		return false
	})
	if err != nil {
		return err
	}
	if hello.Token == "" {
		return fmt.Errorf("a stranger was refused: %s", hello.Reason)
	}
	return nil
}
