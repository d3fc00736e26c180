package machine_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/machine"
	"signaling-server/rooms"
	"signaling-server/sse"
)

func TestEveryActIsApplied(t *testing.T) {
	s := newState(t, sse.Options{}, rooms.Options{})
	a, b := s.open(), s.open()
	require.Equal(t, machine.Accepted, a.one(join("room")))
	a.receives("room-joined")
	require.Equal(t, machine.Accepted, b.one(join("room")))
	b.receives("room-joined")
	a.receives("user-connected")
	for _, act := range []struct {
		machine.Act
		sender, receiver []any // the types of what they receive
	}{
		{machine.Act{Kind: machine.Offer, Target: b.id, Members: []byte(`"offer":1`)}, nil, []any{"offer"}},
		{machine.Act{Kind: machine.Answer, Target: b.id, Members: []byte(`"answer":1`)}, nil, []any{"answer"}},
		{machine.Act{Kind: machine.ICECandidate, Target: b.id, Members: []byte(`"candidate":1`)}, nil, []any{"ice-candidate"}},
		{signal(b.id, 1), nil, []any{"signal"}},
		{signal("", 1), nil, []any{"signal"}},
		{machine.Act{Kind: machine.SendMessage, Message: "hello"}, []any{"new-message"}, []any{"new-message"}},
		{machine.Act{Kind: machine.TypingStart}, nil, []any{"user-typing"}},
		{machine.Act{Kind: machine.TypingStop}, nil, []any{"user-typing"}},
		{machine.Act{Kind: machine.Ping}, []any{"pong"}, nil},
		{machine.Act{Kind: machine.Heartbeat}, nil, nil},
		{machine.Act{Kind: machine.LeaveRoom, RequestID: "1"}, []any{"room-left"}, []any{"user-disconnected"}},
	} {
		require.Equal(t, machine.Accepted, a.one(act.Act), act.Kind)
		a.receives(act.sender...)
		for _, e := range b.receives(act.receiver...) {
			if act.Members != nil {
				require.Equal(t, a.id, e["from"])
			}
		}
	}
	require.Equal(t, machine.Accepted, a.one(machine.Act{Kind: machine.Disconnect}))
	_, lives := s.Hub.Ref(a.id)
	require.False(t, lives)
	require.Equal(t, machine.Failed, b.one(machine.Act{}), "an act of no kind")
}

// All kinds are known to the machine and to the tests of the bytes.
func TestNoKindIsForgotten(t *testing.T) {
	s := newState(t, sse.Options{}, rooms.Options{})
	for kind := machine.JoinRoom; kind <= machine.Disconnect; kind++ {
		i := slices.IndexFunc(acts, func(a machine.Act) bool { return a.Kind == kind })
		require.GreaterOrEqual(t, i, 0, kind)
		require.NotEmpty(t, kind.String())
		require.NotEqual(t, machine.Failed, s.open().one(acts[i]), kind)
	}
}

func TestTheStateRefusesAnAct(t *testing.T) {
	s := newState(t, sse.Options{}, rooms.Options{RosterBytes: 2000, Rooms: 3, RoomsPerNetwork: 2})
	a, b, c := s.open(), s.open(), s.open()
	require.Equal(t, machine.NotInRoom, a.one(signal(b.id, 1)))
	require.Equal(t, machine.NotInRoom, a.one(machine.Act{Kind: machine.LeaveRoom}))
	a.join("room")
	require.Equal(t, machine.TargetNotFound, a.one(signal(b.id, 1)))

	limited := join("limited")
	limited.Join.Permit.NoSignals, limited.Join.Permit.NoChat = true, true
	require.Equal(t, machine.Accepted, c.one(limited))
	require.Equal(t, machine.NotPermitted, c.one(signal("", 1)))
	require.Equal(t, machine.NotPermitted, c.one(machine.Act{Kind: machine.SendMessage, Message: "x"}))
	require.Equal(t, machine.TooManyRoomsOfNetwork, b.one(join("third")))

	large := join("room")
	large.Join.Metadata = []byte(`{"x":"` + strings.Repeat("x", 2000) + `"}`)
	require.Equal(t, machine.RosterFull, b.one(large))
	require.Equal(t, machine.Accepted, s.Operate(machine.Operation{Kind: machine.Lock, ID: "room"}))
	require.Equal(t, machine.RoomLocked, b.one(join("room")))
	require.Equal(t, machine.Accepted, s.Operate(machine.Operation{Kind: machine.Unlock, ID: "room"}))
	require.Equal(t, machine.Accepted, b.one(join("room")))
	require.Equal(t, machine.RoomFull, c.one(join("room")))

	for n := range 2 {
		other := join(fmt.Sprint("of another ", n))
		other.Join.Permit = rooms.Permit{}
		require.Equal(t, []machine.Outcome{machine.Accepted, machine.TooManyRooms}[n], s.open().one(other))
	}
}

func TestAnOutboxHasAShareOfEachSender(t *testing.T) {
	s := newState(t, sse.Options{Outbox: sse.OutboxLimits{UnsentEvents: 8, UnsentBytes: 1 << 20, RetainedEvents: 8, RetainedBytes: 1 << 20}}, rooms.Options{})
	a, b := s.open(), s.open()
	a.join("room")
	b.join("room")
	a.poll(&a.at)
	outcomes := a.post(machine.Key{}, signal(b.id, 0), signal(b.id, 1), signal(b.id, 2), signal(b.id, 3))
	require.Equal(t, machine.Accepted, outcomes[0])
	require.Equal(t, machine.Overflow, outcomes[3])
}

func TestNothingIsAcceptedWhileTheServerStops(t *testing.T) {
	s := newState(t, sse.Options{}, rooms.Options{})
	a, b := s.open(), s.open()
	a.join("room")
	b.join("room")
	now, cancel := context.WithCancel(t.Context())
	cancel()
	_ = s.Hub.Drain(now) // does not wait until all has been read
	require.Equal(t, []machine.Outcome{machine.Draining, machine.Draining, machine.Draining},
		a.post(machine.Key{}, signal(b.id, 1), machine.Act{Kind: machine.SendMessage, Message: "x"}, machine.Act{Kind: machine.Ping}))
	require.Equal(t, machine.Draining, s.Operate(machine.Operation{Kind: machine.Announce, ID: "room", Data: []byte("1")}))
}

func TestEveryOperationIsApplied(t *testing.T) {
	s := newState(t, sse.Options{}, rooms.Options{})
	a := s.open()
	for kind := machine.Close; kind <= machine.Announce; kind++ {
		require.Equal(t, machine.NoRoom, s.Operate(machine.Operation{Kind: kind, ID: "room"}))
	}
	require.Equal(t, machine.NotInRoom, s.Operate(machine.Operation{Kind: machine.AnnounceTo, ID: a.id, Data: []byte(`1`)}))
	require.Equal(t, machine.Gone, s.Operate(machine.Operation{Kind: machine.AnnounceTo, ID: "nobody", Data: []byte(`1`)}))
	a.join("room")
	require.Equal(t, machine.Accepted, s.Operate(machine.Operation{Kind: machine.Announce, ID: "room", Data: []byte(`{"x":1}`)}))
	require.Equal(t, map[string]any{"x": 1.0}, a.receives("announcement")[0]["data"])
	require.Equal(t, machine.Accepted, s.Operate(machine.Operation{Kind: machine.AnnounceTo, ID: a.id, Data: []byte(`2`)}))
	require.Equal(t, 2.0, a.receives("announcement")[0]["data"])
	require.Equal(t, machine.NotRevoked, s.Operate(machine.Operation{Kind: machine.Allow, Revoked: rooms.Revoked{Subject: rooms.OfUser, ID: "Cyd"}}))
	require.Equal(t, machine.Accepted, s.Operate(machine.Operation{Kind: machine.Revoke, Revoked: rooms.Revoked{Subject: rooms.OfUser, ID: "Cyd"}, Until: time.Now().Add(time.Hour)}))
	require.Equal(t, machine.Accepted, s.Operate(machine.Operation{Kind: machine.Allow, Revoked: rooms.Revoked{Subject: rooms.OfUser, ID: "Cyd"}}))
	require.Equal(t, machine.Accepted, s.Operate(machine.Operation{Kind: machine.Close, ID: "room"}))
	require.Equal(t, "room closed", a.receives("room-left")[0]["reason"])
	require.Equal(t, machine.Accepted, s.Operate(machine.Operation{Kind: machine.Kick, ID: a.id, Reason: "enough"}))
	require.Equal(t, machine.Gone, s.Operate(machine.Operation{Kind: machine.Kick, ID: a.id, Reason: "enough"}))
	require.Equal(t, machine.Failed, s.Operate(machine.Operation{ID: a.id}))
}

func TestABatchIsAppliedInOrder(t *testing.T) {
	s := newState(t, sse.Options{}, rooms.Options{})
	a, b := s.open(), s.open()
	b.join("room")
	p := machine.Post{SocketID: a.id}
	p.Ask(signal(b.id, 0))
	p.Refuse(machine.Invalid)
	p.Ask(join("room"))
	p.Refuse(machine.RateLimited)
	p.Ask(signal(b.id, 1))
	p.Ask(signal("nobody", 2))
	p.Ask(machine.Act{Kind: machine.Disconnect})
	p.Refuse(machine.Denied)
	p.Ask(signal(b.id, 3))
	outcomes, isRepeat, err := s.Post(&p)
	require.NoError(t, err)
	require.False(t, isRepeat)
	require.Equal(t, []machine.Outcome{
		machine.NotInRoom, machine.Invalid, machine.Accepted, machine.RateLimited, machine.Accepted, machine.TargetNotFound,
		machine.Accepted, machine.Gone, machine.Gone,
	}, []machine.Outcome(outcomes))
	b.receives("user-connected", "signal", "user-disconnected")
	require.Equal(t, []machine.Outcome{machine.Gone, machine.Gone}, a.post(key("k", ""), signal(b.id, 4), signal(b.id, 5)), "the socket is gone")
}

func TestARepeatChangesNothing(t *testing.T) {
	s := newState(t, sse.Options{}, rooms.Options{})
	a, b := s.open(), s.open()
	a.join("room")
	b.join("room")
	a.poll(&a.at)
	acts := []machine.Act{signal(b.id, 1), signal("nobody", 2), {Kind: machine.Ping}}
	first := a.post(key("k", "x"), acts...)
	require.Equal(t, []machine.Outcome{machine.Accepted, machine.TargetNotFound, machine.Accepted}, first)
	for range 3 {
		outcomes, isRepeat, err := a.postAgain(key("k", "x"), acts...)
		require.NoError(t, err)
		require.True(t, isRepeat)
		require.Equal(t, first, outcomes)
		remembered, isRepeat, err := a.keys().Recall(key("k", "x"))
		require.NoError(t, err)
		require.True(t, isRepeat)
		require.Equal(t, first, []machine.Outcome(remembered))
	}
	for _, other := range []machine.Key{key("k", "y"), machine.NewKey("k", "/events/batch", []byte("x"))} {
		_, isRepeat, err := a.postAgain(other, acts...)
		require.ErrorIs(t, err, machine.ErrKeyReused)
		require.True(t, isRepeat)
	}
	require.Len(t, b.post(key("k", "y"), signal(a.id, 1)), 1, "each socket has its own keys")
	_, isRepeat, err := a.keys().Recall(machine.Key{})
	require.NoError(t, err)
	require.False(t, isRepeat, "there is no key")
	b.receives("signal")
	a.receives("pong", "signal")
}

func (c *client) keys() *machine.Keys {
	r, lives := c.state.Hub.Ref(c.id)
	require.True(c.state.t, lives)
	return c.state.Keys(r)
}

// Other nodes remember what this node refused, so a repeat that they receive must get the
// same answer, even if they would not refuse it.
func TestWhatTheNodeRefusedIsRemembered(t *testing.T) {
	s := newState(t, sse.Options{}, rooms.Options{})
	a := s.open()
	p := machine.Post{SocketID: a.id, Key: key("k", "x")}
	p.Refuse(machine.Denied)
	outcomes, _, err := s.Post(&p)
	require.NoError(t, err)
	require.Equal(t, machine.Denied, outcomes.At(0))
	again, isRepeat, err := a.postAgain(p.Key, join("room"))
	require.NoError(t, err)
	require.True(t, isRepeat)
	require.Equal(t, []machine.Outcome{machine.Denied}, again)
	require.Equal(t, machine.NotInRoom, a.one(machine.Act{Kind: machine.LeaveRoom}))
}

func TestOnlyTheLatestKeysAreRemembered(t *testing.T) {
	s := newState(t, sse.Options{}, rooms.Options{})
	a := s.open()
	for n := range 66 {
		a.post(key(fmt.Sprint(n), ""), machine.Act{Kind: machine.Ping})
	}
	for n := range 66 {
		_, isRepeat, err := a.keys().Recall(key(fmt.Sprint(n), ""))
		require.NoError(t, err)
		require.Equal(t, n >= 2, isRepeat)
	}
	a.receives(slicesOf("pong", 66)...)
}

func slicesOf(value any, times int) (list []any) {
	for range times {
		list = append(list, value)
	}
	return list
}

// A repeat that comes while the first POST is applied waits, and changes nothing.
func TestManyPOSTsWithOneKeyAreAppliedOnce(t *testing.T) {
	s := newState(t, sse.Options{}, rooms.Options{})
	a := s.open()
	for n := range 20 {
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				outcomes, _, err := a.postAgain(key(fmt.Sprint(n), ""), machine.Act{Kind: machine.Ping})
				if err != nil || len(outcomes) != 1 || outcomes[0] != machine.Accepted {
					panic(fmt.Sprint(outcomes, err))
				}
			})
		}
		all.Wait()
	}
	a.receives(slicesOf("pong", 20)...)
}

// The socket ends while its keys are in use, and what they are charged for is given back.
func TestAPOSTWithAKeyMayDisconnect(t *testing.T) {
	s := newState(t, sse.Options{}, rooms.Options{})
	a := s.open()
	a.post(key("1", ""), machine.Act{Kind: machine.Ping}, signal("nobody", 1))
	require.Positive(t, s.Budget.Used())
	require.Less(t, s.Budget.Used(), int64(100))
	keys := a.keys()
	require.Equal(t, []machine.Outcome{machine.Accepted, machine.Gone}, a.post(key("2", ""), machine.Act{Kind: machine.Disconnect}, machine.Act{Kind: machine.Ping}))
	require.Zero(t, s.Budget.Used())
	outcomes, isRepeat, err := keys.Recall(key("2", ""))
	require.NoError(t, err)
	require.True(t, isRepeat, "a repeat that was under way gets the answer")
	require.Equal(t, machine.Accepted, outcomes.At(0))
}

func TestWhatKeysTakeIsBounded(t *testing.T) {
	s := newState(t, sse.Options{}, rooms.Options{})
	a := s.open()
	for n := range 200 {
		acts := make([]machine.Act, 64)
		for i := range acts {
			acts[i] = signal("nobody", 1)
		}
		a.post(key(fmt.Sprint(n), ""), acts...)
	}
	require.Equal(t, int64(64*(64+64)), s.Budget.Used())
}

// Nobody knows what a POST did that ended in a panic. So a repeat must not do it again, and its
// answer must not say that anything was accepted.
func TestAPOSTThatPanicsIsNotAppliedAgain(t *testing.T) {
	s := newState(t, sse.Options{}, rooms.Options{})
	a, b := s.open(), s.open()
	a.join("room")
	b.join("room")
	s.panics = true
	require.Panics(t, func() { _, _, _ = a.postAgain(key("k", ""), signal(b.id, 1)) })
	s.panics = false
	outcomes, isRepeat, err := a.postAgain(key("k", ""), signal(b.id, 1))
	require.NoError(t, err)
	require.True(t, isRepeat)
	require.Empty(t, outcomes)
	b.receives("signal")
	require.Equal(t, machine.Accepted, a.post(key("another", ""), signal(b.id, 2))[0])
}
