package machine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"signaling-server/internal/budget"
	"signaling-server/machine"
	"signaling-server/rooms"
	"signaling-server/sse"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// state is a hub and a register of rooms, with a machine that changes them.
type state struct {
	*machine.Machine
	t *testing.T
	// panics, if it is set, makes the courier panic
	panics bool
}

var home = netip.MustParsePrefix("192.0.2.1/32")

// newState makes a state. Its keys are charged to a budget of their own.
func newState(t *testing.T, options sse.Options, limits rooms.Options) *state {
	s := &state{t: t, Machine: &machine.Machine{
		Keys:   func(r sse.Ref) *machine.Keys { return r.State().(*machine.Keys) },
		Budget: budget.New(1 << 40),
	}}
	options.NewState = func() any { return new(machine.Keys) }
	options.OnEnd = func(r sse.Ref, reason sse.Reason) {
		s.Rooms.Remove(r.SocketID(), string(reason))
		s.Forget(r)
	}
	s.Hub = sse.NewHub(options)
	limits.Members = max(limits.Members, 2)
	s.Rooms = rooms.New(courier{s}, limits, slog.New(slog.DiscardHandler))
	return s
}

// client is a socket that is read by polls.
type client struct {
	state *state
	id    string
	at    sse.EventID
}

func (s *state) open() *client {
	c := &client{state: s}
	hello := c.poll(nil)[0]
	token, ok := sse.ParseToken(hello["token"].(string))
	require.True(s.t, ok)
	c.id, c.at = token.SocketID(), sse.EventID{Token: token}
	return c
}

// poll returns the events after a position.
func (c *client) poll(after *sse.EventID) []map[string]any {
	answer := httptest.NewRecorder()
	require.NoError(c.state.t, c.state.Hub.ServePoll(answer, httptest.NewRequest("GET", "/", nil), after, 0, sse.Client{Network: home}))
	var list struct {
		Events      []map[string]any
		LastEventID string
	}
	require.NoError(c.state.t, json.Unmarshal(answer.Body.Bytes(), &list))
	if after != nil && list.LastEventID != "" {
		*after, _ = sse.ParseEventID(list.LastEventID)
	}
	return list.Events
}

// receives requires that the events that were not read yet have these types.
func (c *client) receives(types ...any) []map[string]any {
	c.state.t.Helper()
	events := c.poll(&c.at)
	got := []any{}
	for _, e := range events {
		got = append(got, e["type"])
	}
	require.Equal(c.state.t, append([]any{}, types...), got)
	return events
}

// post applies acts of the client, which must be the first POST with its key.
func (c *client) post(key machine.Key, acts ...machine.Act) []machine.Outcome {
	c.state.t.Helper()
	outcomes, isRepeat, err := c.postAgain(key, acts...)
	require.NoError(c.state.t, err)
	require.False(c.state.t, isRepeat)
	return outcomes
}

func (c *client) postAgain(key machine.Key, acts ...machine.Act) (outcomes []machine.Outcome, isRepeat bool, err error) {
	p := machine.Post{SocketID: c.id, Key: key}
	for _, a := range acts {
		p.Ask(a)
	}
	list, isRepeat, err := c.state.Post(&p)
	return []machine.Outcome(list), isRepeat, err
}

// one applies one act without a key.
func (c *client) one(a machine.Act) machine.Outcome {
	c.state.t.Helper()
	return c.post(machine.Key{}, a)[0]
}

// join makes the client a member, and drops what it has received since.
func (c *client) join(roomID string) machine.Outcome {
	c.state.t.Helper()
	outcome := c.one(join(roomID))
	c.poll(&c.at)
	return outcome
}

func join(roomID string) machine.Act {
	return machine.Act{Kind: machine.JoinRoom, Join: &rooms.JoinRequest{RoomID: roomID, UserID: "user", Permit: rooms.Permit{Network: home}}}
}

func signal(target string, n int) machine.Act {
	members := fmt.Sprintf(`"data":%d`, n)
	if target != "" {
		members = fmt.Sprintf(`"target":%q,%s`, target, members)
	}
	return machine.Act{Kind: machine.Signal, Target: target, Members: []byte(members)}
}

func key(name, content string) machine.Key { return machine.NewKey(name, "/events", []byte(content)) }

// courier is the courier of package server.
type courier struct{ *state }

func (c courier) Deliver(id string, e rooms.Event) error {
	return c.error(c.Hub.DeliverMessage(id, message(e)))
}

func (c courier) Send(id string, e rooms.Event) error { return c.error(c.Hub.Send(id, message(e))) }

func (c courier) Admit(ids iter.Seq[string], e rooms.Event) error {
	return c.error(c.Hub.Admit(ids, message(e)))
}

func (c courier) Tell(ids iter.Seq[string], e rooms.Event) error {
	return c.error(c.Hub.Tell(ids, message(e)))
}

func (c courier) IsAway(id string) (away, lives bool) { return c.Hub.IsAway(id) }

func (c courier) Flush() { c.Hub.Flush() }

func message(e rooms.Event) sse.Message {
	return sse.Message{Kind: e.Kind, Data: e.Data, From: e.From, Key: e.Key}
}

func (c courier) error(err error) error {
	switch {
	case c.panics:
		panic("the courier panics")
	case errors.Is(err, sse.ErrGone):
		return rooms.ErrGone
	}
	return err
}
