package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/internal/budget"
	"signaling-server/sse"
)

// What a client confirms in what it posts is not kept, whatever becomes of the POST. A wrong
// confirmation changes nothing: a header must not make a good event fail.
func TestAPostGivesBackTheMemoryOfWhatItConfirms(t *testing.T) {
	const ping = `{"type":"ping"}`
	own := func(p, _ *peer) string { return p.lastID }
	for name, c := range map[string]struct {
		path, body string
		lastID     func(p, other *peer) string
		status     int
		confirms   bool
	}{
		"an event":                  {"/events", ping, own, 202, true},
		"a batch":                   {"/events/batch", `{"events":[` + ping + `]}`, own, 200, true},
		"an event that is refused":  {"/events", `{"type":"jump"}`, own, 422, true},
		"a body that is refused":    {"/events", `{`, own, 400, true},
		"no confirmation":           {"/events", ping, func(*peer, *peer) string { return "" }, 202, false},
		"a malformed confirmation":  {"/events", ping, func(p, _ *peer) string { return p.lastID + " " + p.lastID }, 202, false},
		"a confirmation of nothing": {"/events", ping, func(p, _ *peer) string { return p.token + ".0" }, 202, false},
		"a number alone":            {"/events", ping, func(*peer, *peer) string { return "100" }, 202, false},
		"too long a confirmation":   {"/events", ping, func(p, _ *peer) string { return p.token + "." + strings.Repeat("1", 5000) }, 202, false},
		"a foreign confirmation":    {"/events", ping, func(_, other *peer) string { return other.lastID }, 202, false},
		"an unknown confirmation":   {"/events", ping, func(*peer, *peer) string { return sse.NewToken().Secret() + ".100" }, 202, false},
		"a confirmation too soon":   {"/events", ping, func(p, _ *peer) string { return p.token + ".1000" }, 202, false},
	} {
		t.Run(name, func(t *testing.T) {
			memory := budget.New(1 << 30)
			s := newServer(t, sse.Options{Budget: memory}, 100, unheard)
			other, p := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
			other.next("user-connected")
			beginning, idle := p.lastID, memory.Used()
			for range 100 {
				other.send(fmt.Sprintf(`{"type":"signal","target":%q,"data":%q}`, p.socketID, strings.Repeat("x", 2000)))
				p.next("signal")
			}
			require.Greater(t, memory.Used()-idle, int64(200_000))

			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+c.path, strings.NewReader(c.body))
			require.NoError(t, err)
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", "Bearer "+p.token)
			r.Header.Set("Last-Event-ID", c.lastID(p, other))
			status, answer := s.do(t, r)
			require.Equal(t, c.status, status, "%v", answer)
			if c.confirms {
				require.Less(t, memory.Used()-idle, int64(100_000))
			} else {
				require.Greater(t, memory.Used()-idle, int64(200_000))
			}
			again := s.stream(t, http.MethodGet, "/events", map[string]string{"Last-Event-ID": beginning})
			require.Equal(t, !c.confirms, again.next("connected").json["resumed"])
		})
	}
}

// A client repeats a POST with its key, and has received more meanwhile.
func TestARepeatMayConfirmMore(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	p := s.connect(t)
	for range 3 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/events", strings.NewReader(`{"type":"send-message","message":"hello"}`))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+p.token)
		r.Header.Set("Idempotency-Key", "one")
		r.Header.Set("Last-Event-ID", p.lastID)
		status, answer := s.do(t, r)
		require.Equal(t, 409, status, "%v", answer)
		p.quiet()
	}
}
