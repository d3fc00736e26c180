package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
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
