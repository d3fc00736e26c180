package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// faulty is a server of the floor's protocol that makes mistakes.
type faulty struct {
	// deliver brings the nth event of all to its target, as it likes.
	deliver func(s *faulty, nth int, target, event string)
	// isSilent says that members do not hear of a newcomer.
	isSilent bool

	mu      sync.Mutex
	streams map[string]chan string
	rooms   map[string][]string
	held    map[string]string // by target
	nth     int
}

func (s *faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if r.Method == http.MethodGet {
		s.stream(w, r, query.Get("id"))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if room := query.Get("join"); room != "" {
		s.join(query.Get("from"), room)
		return
	}
	body, _ := io.ReadAll(r.Body)
	s.nth++
	s.deliver(s, s.nth, query.Get("to"), fmt.Sprintf("event: %s\ndata: %s\n\n", query.Get("ev"), body))
}

func (s *faulty) join(id, room string) {
	users := ""
	for _, member := range s.rooms[room] {
		users += fmt.Sprintf(`{"socketId":"%s"},`, member)
		if !s.isSilent {
			s.streams[member] <- "event: user-connected\ndata: {}\n\n"
		}
	}
	s.rooms[room] = append(s.rooms[room], id)
	s.streams[id] <- fmt.Sprintf("event: room-joined\ndata: {\"users\":[%s{}]}\n\n", users)
}

func (s *faulty) stream(w http.ResponseWriter, r *http.Request, id string) {
	events := make(chan string, 10_000)
	s.mu.Lock()
	s.streams[id] = events
	s.mu.Unlock()
	_, _ = fmt.Fprintf(w, "event: connected\ndata: {\"socketId\":\"%s\"}\n\n", id)
	for http.NewResponseController(w).Flush() == nil {
		select {
		case event := <-events:
			_, _ = io.WriteString(w, event)
		case <-r.Context().Done():
			return
		}
	}
}

// A check that never finds a fault proves nothing.
func TestEachFaultOfAServerIsFound(t *testing.T) {
	deliver := func(s *faulty, _ int, target, event string) { s.streams[target] <- event }
	for name, c := range map[string]struct {
		server *faulty
		finds  func(check) int // what must be above 0; nil: nothing may be
		says   string
	}{
		"none": {&faulty{deliver: deliver}, nil, `lost · doubled · reordered +0 · 0 · 0`},
		"each tenth is lost": {
			&faulty{deliver: func(s *faulty, nth int, target, event string) {
				if nth%10 != 0 {
					s.streams[target] <- event
				}
			}},
			func(c check) int { return c.Lost }, `lost · doubled · reordered +[1-9]\d* · 0 · 0`,
		},
		"each tenth comes twice": {
			&faulty{deliver: func(s *faulty, nth int, target, event string) {
				s.streams[target] <- event
				if nth%10 == 0 {
					s.streams[target] <- event
				}
			}},
			func(c check) int { return c.Doubled }, `lost · doubled · reordered +0 · [1-9]\d* · 0`,
		},
		"each tenth is overtaken": {
			&faulty{deliver: func(s *faulty, nth int, target, event string) {
				if held := s.held[target]; held != "" {
					delete(s.held, target)
					s.streams[target] <- event
					event = held
				} else if nth%10 == 0 {
					s.held[target] = event
					return
				}
				s.streams[target] <- event
			}},
			func(c check) int { return c.Reordered }, `lost · doubled · reordered +[01] · 0 · [1-9]\d*`,
		},
		"a wrong room": {
			&faulty{deliver: func(s *faulty, _ int, target, event string) {
				for _, each := range s.streams {
					each <- event
				}
			}},
			func(c check) int { return int(c.Strays) }, `in the wrong room +[1-9]`,
		},
		"no user-connected": {
			&faulty{deliver: deliver, isSilent: true},
			func(c check) int { return c.Unknown }, `not told of a member +[1-9]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.server.streams, c.server.rooms, c.server.held = make(map[string]chan string), make(map[string][]string), make(map[string]string)
			status, stdout, stderr := try(t, brief(serve(t, c.server), "-floor", "-rate=500", "-clients=4", "-json")...)
			var r result
			require.NoError(t, json.Unmarshal([]byte(stdout), &r), stderr)
			var table bytes.Buffer
			r.write(&table)
			require.Regexp(t, c.says, table.String())
			require.Equal(t, c.finds != nil, r.Check.IsBroken(), "%+v", r.Check)
			if c.finds == nil {
				require.Zero(t, status)
				return
			}
			require.Equal(t, 1, status)
			require.Positive(t, c.finds(r.Check))
			require.NotContains(t, r.verdict(), "once each")
		})
	}
}

// An event that the server refused is not lost.
func TestRefusalsAreCountedAndExplained(t *testing.T) {
	s := &faulty{streams: make(map[string]chan string), rooms: make(map[string][]string)}
	s.deliver = func(s *faulty, nth int, target, event string) { s.streams[target] <- event }
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		refuses := r.URL.Query().Has("to") && s.nth >= 20
		s.mu.Unlock()
		if refuses {
			http.Error(w, "slow down", http.StatusTooManyRequests)
			return
		}
		s.ServeHTTP(w, r)
	}))
	status, stdout, _ := try(t, brief(url, "-floor", "-rate=500")...)
	require.Zero(t, status, stdout)
	require.Regexp(t, `accepted +20, refused [1-9]`, stdout)
	require.Contains(t, stdout, "429 Too Many Requests: slow down")
	require.Contains(t, stdout, "start it without the limits")
	require.Contains(t, stdout, "The rate was not reached")
}
