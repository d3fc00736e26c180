package httpapi_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/machine"
	"signaling-server/sse"
)

// newNode starts a server whose state fails as that of one node of several.
func newNode(t *testing.T) (*server, *failing) {
	state := &failing{}
	s := newServer(t, sse.Options{}, 100, unheard, func(u *setup) {
		u.State = func(alone machine.State) machine.State {
			state.State = alone
			return state
		}
	})
	return s, state
}

// A balancer of connections brings a client to another node only over another connection. An
// EventSource gives up after any status but 200, so it gets an event.
func TestANodeThatIsOutSendsItsClientsElsewhere(t *testing.T) {
	s, state := newNode(t)
	p := s.join(t, "room", "Ada")
	own := map[string]string{"Authorization": "Bearer " + p.token, "Content-Type": "application/json"}
	for _, err := range []error{machine.ErrNotReady, machine.ErrUnknown, sse.ErrDraining} {
		state.err.Store(&err)
		waits := make(map[string]bool)
		for range 10 {
			refused := s.stream(t, http.MethodGet, "/events", own)
			word := refused.next("disconnected")
			require.Equal(t, "draining", word.json["reason"])
			require.Empty(t, word.id)
			require.True(t, refused.response.Close)
			waits[word.retry] = true
		}
		require.Greater(t, len(waits), 5, "not all clients come back at once")
		for path, body := range map[string]string{"/events/poll": "", "/events": ping} {
			method := http.MethodGet
			if body != "" {
				method = http.MethodPost
			}
			r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
			require.NoError(t, err)
			for name, value := range own {
				r.Header.Set(name, value)
			}
			response, err := s.Client().Do(r)
			require.NoError(t, err)
			response.Body.Close()
			require.True(t, response.Close, path)
			require.NotEmpty(t, response.Header.Get("Retry-After"))
			require.GreaterOrEqual(t, response.StatusCode, 503)
		}
	}
	state.err.Store(nil)
	p.quiet()
}

// slow is a state whose node waits for others until the client goes.
type slow struct{ machine.State }

func (slow) CatchUp(ctx context.Context) (knowsMore bool, err error) {
	<-ctx.Done()
	return false, ctx.Err()
}

func TestAClientMayGoBeforeItsStreamBegins(t *testing.T) {
	s := newServer(t, sse.Options{}, 100, unheard, func(u *setup) {
		u.State = func(alone machine.State) machine.State { return slow{alone} }
	})
	for _, accept := range []string{"text/event-stream", "*/*"} {
		ctx, cancel := context.WithCancel(t.Context())
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/events", nil)
		r.Header.Set("Accept", accept)
		r.Header.Set("Last-Event-ID", string(sse.NewToken().Secret())+".0")
		cancel()
		require.PanicsWithValue(t, http.ErrAbortHandler, func() { s.Config.Handler.ServeHTTP(httptest.NewRecorder(), r) })
	}
}
