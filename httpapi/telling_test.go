package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/httpapi"
	"signaling-server/internal/budget"
	"signaling-server/limits"
	"signaling-server/rooms"
	signaling "signaling-server/server"
	"signaling-server/sse"
)

// What goes to a whole room has a rate, for the socket and for its network. What is
// refused reaches nobody.
func TestEventsToAWholeRoomHaveARate(t *testing.T) {
	slow := limits.Rates{Tellings: 2}
	for name, o := range map[string]limits.Options{"of a socket": {PerSocket: slow}, "of a network": {PerAddress: slow}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				joined, err := signaling.Join(signaling.Parts{
					SSE:   sse.Options{AwayAfter: time.Hour, ResumeWindow: time.Hour},
					Rooms: rooms.Options{Members: 10},
					API:   httpapi.Options{Limits: limits.New(o)},
				})
				require.NoError(t, err)
				s := &amplified{api: joined.Handler(), hub: joined.Hub()}
				ada, bob := s.open(t), s.open(t)
				const join = `{"type":"join-room","roomId":"tea","userId":"Ada"}`
				require.Equal(t, http.StatusAccepted, s.post(ada, "/events", join))
				require.Equal(t, http.StatusAccepted, s.post(bob, "/events", `{"type":"join-room","roomId":"tea","userId":"Bob"}`))
				for s.post(ada, "/events", join) == http.StatusAccepted { // a repeated join weighs least
				}
				costly := []string{
					join,
					`{"type":"join-room","roomId":"coffee","userId":"Ada"}`,
					`{"type":"send-message","message":"hello"}`,
					`{"type":"typing-start"}`,
					`{"type":"typing-stop"}`,
					`{"type":"signal","data":1}`,
				}
				for _, event := range costly {
					require.Equal(t, http.StatusTooManyRequests, s.post(ada, "/events", event), event)
				}
				require.Equal(t, http.StatusAccepted, s.post(ada, "/events", `{"type":"ping"}`))
				require.Equal(t, []string{"room-joined"}, s.heard(t, bob))

				time.Sleep(limits.Burst)
				for _, event := range costly[2:] {
					require.Equal(t, http.StatusAccepted, s.post(ada, "/events", event), event)
				}
				require.Equal(t, []string{"room-joined", "new-message", "user-typing", "signal"}, s.heard(t, bob))
			})
		})
	}
}

// The rates are asked before the first event of a batch is applied. So they must count a room
// that the batch itself joins, and a join that would change nothing without those before it.
func TestABatchCannotAvoidTheRateOfAWholeRoom(t *testing.T) {
	const (
		joinBig   = `{"type":"join-room","roomId":"big","userId":"Eve"}`
		joinSmall = `{"type":"join-room","roomId":"small","userId":"Eve"}`
		leave     = `{"type":"leave-room"}`
		members   = 20
	)
	for name, batch := range map[string]struct {
		start  string   // how the sender joins a room before
		events []string // all but leave cost as much as the members of the big room
		times  int      // how often one batch has these events
	}{
		"chat in a room that it joins":                {"", []string{joinBig, `{"type":"send-message","message":"hello"}`}, 32},
		"signals to a room that it joins":             {joinSmall, []string{joinBig, `{"type":"signal","data":1}`}, 32},
		"typing in a room that it joins":              {joinSmall, []string{joinBig, `{"type":"typing-start"}`}, 32},
		"going away and coming back":                  {joinBig, []string{joinSmall, joinBig}, 32},
		"going away and coming back, in a batch each": {joinBig, []string{joinSmall, joinBig}, 1},
		"leaving and coming back":                     {joinBig, []string{leave, joinBig}, 32},
		"leaving and coming back, in a batch each":    {joinBig, []string{leave, joinBig}, 1},
		"a smaller room after the large one":          {"", []string{joinBig, joinSmall}, 32},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				joined, err := signaling.Join(signaling.Parts{
					SSE:   sse.Options{AwayAfter: time.Hour, ResumeWindow: time.Hour},
					Rooms: rooms.Options{Members: 2 * members},
					API:   httpapi.Options{Limits: limits.New(limits.Options{PerSocket: limits.Rates{Tellings: 4 * members}})},
				})
				require.NoError(t, err)
				s := &amplified{api: joined.Handler(), hub: joined.Hub()}
				for range members {
					require.Equal(t, http.StatusAccepted, s.post(s.open(t), "/events", joinBig))
				}
				eve := s.open(t)
				if batch.start != "" {
					require.Equal(t, http.StatusAccepted, s.post(eve, "/events", batch.start))
				}
				costly := 0
				list := strings.TrimSuffix(strings.Repeat(strings.Join(batch.events, ",")+",", batch.times), ",")
				for range 32 / batch.times {
					answer := httptest.NewRecorder()
					s.api.ServeHTTP(answer, asked{method: http.MethodPost, path: "/events/batch", token: eve, body: `{"events":[` + list + `]}`}.request(0))
					require.Equal(t, http.StatusOK, answer.Code)
					for i, result := range read[answeredBatch](t, answer.Body.String()).Results {
						if result.Status == http.StatusAccepted && batch.events[i%len(batch.events)] != leave {
							costly++
						}
					}
				}
				const saved = 5 * 4 // times the members, in a burst
				require.Positive(t, costly)
				require.LessOrEqual(t, costly, saved+2)
			})
		})
	}
}

// heard returns the types of the events that a socket has not confirmed.
func (s *amplified) heard(t *testing.T, token string) (types []string) {
	r := httptest.NewRequest(http.MethodGet, "/events/poll?wait=0", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	answer := httptest.NewRecorder()
	s.api.ServeHTTP(answer, r)
	var told struct{ Events []struct{ Type string } }
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &told))
	for _, e := range told.Events {
		types = append(types, e.Type)
	}
	return types
}

// A newcomer needs memory. A member needs none to renew its permit.
func TestWithoutMemoryNobodyJoins(t *testing.T) {
	memory := budget.New(1 << 20)
	joined, err := signaling.Join(signaling.Parts{
		SSE:   sse.Options{Budget: memory},
		Rooms: rooms.Options{Members: 10, Charge: memory.Charge},
		API:   httpapi.Options{Budget: memory},
	})
	require.NoError(t, err)
	s := &amplified{api: joined.Handler(), hub: joined.Hub()}
	ada, bob := s.open(t), s.open(t)
	const join = `{"type":"join-room","roomId":"tea","userId":"Ada"}`
	require.Equal(t, http.StatusAccepted, s.post(ada, "/events", join))
	memory.Charge(int(memory.Limit() - memory.Used()))

	answer := httptest.NewRecorder()
	s.api.ServeHTTP(answer, asked{method: http.MethodPost, path: "/events", token: bob, body: `{"type":"join-room","roomId":"tea","userId":"Bob"}`}.request(0))
	require.Equal(t, http.StatusServiceUnavailable, answer.Code)
	require.Contains(t, answer.Body.String(), `"/problems/at-capacity"`)
	require.Contains(t, answer.Body.String(), "The memory for clients is used up (MEMORY_LIMIT).")
	require.NotEmpty(t, answer.Header().Get("Retry-After"))
	require.Equal(t, http.StatusAccepted, s.post(ada, "/events", join))
	require.Equal(t, []string{"room-joined", "room-joined"}, s.heard(t, ada), "nobody else came")
}
