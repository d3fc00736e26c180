package rooms_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/rooms"
)

func newLimitedRooms(limits rooms.Options) (*rooms.Rooms, *postbox) {
	box := newPostbox()
	limits.Members = 1000
	return rooms.New(box, limits, slog.New(slog.DiscardHandler)), box
}

// The bytes of a room's roster have a bound, and not only the number of its members.
func TestARoomIsFullWhenItsRosterIsFull(t *testing.T) {
	rs, box := newLimitedRooms(rooms.Options{RosterBytes: 1000})
	large := json.RawMessage(`{"x":"` + strings.Repeat("x", 300) + `"}`)
	require.NoError(t, rs.Join("a", rooms.JoinRequest{RoomID: "room", UserID: "A", Metadata: large}))
	require.NoError(t, rs.Join("b", rooms.JoinRequest{RoomID: "room", UserID: "B", Metadata: large}))
	box.take("a")
	require.ErrorIs(t, rs.Join("c", rooms.JoinRequest{RoomID: "room", UserID: "C", Metadata: large}), rooms.ErrRosterFull)
	box.none(t, "a", "c")
	require.NoError(t, rs.Join("d", rooms.JoinRequest{RoomID: "room", UserID: "D"}), "a smaller member still fits")
	require.NoError(t, rs.Join("b", rooms.JoinRequest{RoomID: "room", UserID: "another B", Metadata: large}), "a member that joins again leaves its own place first")

	require.NoError(t, rs.Leave("b", ""))
	require.NoError(t, rs.Join("c", rooms.JoinRequest{RoomID: "room", UserID: "C", Metadata: large}))
	huge := json.RawMessage(`{"x":"` + strings.Repeat("x", 2000) + `"}`)
	require.NoError(t, rs.Join("e", rooms.JoinRequest{RoomID: "another", UserID: "E", Metadata: huge}), "the first member of a room always fits")
}

func TestOneNetworkMakesNoMoreRoomsThanItsShare(t *testing.T) {
	rs, _ := newLimitedRooms(rooms.Options{RoomsPerNetwork: 2})
	here, there := netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("192.0.2.2/32")
	join := func(socketID, roomID string, network netip.Prefix) error {
		return rs.Join(socketID, rooms.JoinRequest{RoomID: roomID, UserID: "user", Permit: rooms.Permit{Network: network}})
	}
	require.NoError(t, join("a", "one", here))
	require.NoError(t, join("b", "two", here))
	require.ErrorIs(t, join("c", "three", here), rooms.ErrTooManyRoomsOfNetwork)
	require.NoError(t, join("c", "one", here), "it may join a room that exists")
	require.NoError(t, join("d", "three", there))
	require.NoError(t, rs.Leave("b", ""))
	require.NoError(t, join("b", "four", here), "a room that has ended no longer counts")
	require.NoError(t, rs.Leave("a", ""))
	require.ErrorIs(t, join("a", "five", here), rooms.ErrTooManyRoomsOfNetwork, "its room lives on without it, and counts")
}

// The cost of an event to a whole room grows with the number of its receivers and with
// its size.
func TestEventsToAWholeRoomHaveARate(t *testing.T) {
	var told []int
	tooMuch := errors.New("too much")
	refuse := false
	rs, box := newLimitedRooms(rooms.Options{MayTell: func(_ netip.Prefix, _ string, weight int) error {
		told = append(told, weight)
		if refuse {
			return tooMuch
		}
		return nil
	}})
	join(t, rs, box, "room", "a", "b", "c")
	join(t, rs, box, "other", "x")
	told = nil
	require.NoError(t, rs.Chat("a", "hello"))
	require.NoError(t, rs.Typing("a", true))
	require.NoError(t, rs.SignalAll("a", rooms.Relay{Kind: "signal", Members: []byte(`"data":"` + strings.Repeat("x", 9000) + `"`)}))
	require.NoError(t, rs.Signal("a", "b", rooms.Relay{Kind: "signal", Members: []byte(`"data":1`)}))
	require.Equal(t, []int{3, 3, 9}, told, "one for each receiver, and more for a large event; a signal to one target has no rate here")
	told = nil
	require.NoError(t, rs.Join("x", rooms.JoinRequest{RoomID: "room", UserID: "X"}))
	require.Equal(t, []int{3 + 1 + 1}, told, "the members, the joiner, and the members of the room it leaves")

	for _, id := range []string{"a", "b", "c", "x"} {
		box.take(id)
	}
	refuse = true
	require.ErrorIs(t, rs.Chat("a", "hello"), tooMuch)
	require.ErrorIs(t, rs.Join("x", rooms.JoinRequest{RoomID: "other", UserID: "X"}), tooMuch)
	require.ErrorIs(t, rs.Join("x", rooms.JoinRequest{RoomID: "room", UserID: "X"}), tooMuch, "a repeated join has a rate, too")
	box.none(t, "a", "b", "c", "x")
	_, exists := rs.Room("other")
	require.False(t, exists, "the place that was held for the refused join is free again")
}

// A broadcast reaches all members or, if its sender has used up its share of one
// outbox, none.
func TestABroadcastReachesAllOrNobody(t *testing.T) {
	rs, box := newRooms(10)
	join(t, rs, box, "room", "a", "b", "c")
	join(t, rs, box, "other", "x")
	box.hasNoShareFor["c"] = "a"
	require.ErrorIs(t, rs.Chat("a", "hello"), rooms.ErrOverflow)
	require.ErrorIs(t, rs.SignalAll("a", rooms.Relay{Kind: "signal", Members: []byte(`"data":1`)}), rooms.ErrOverflow)
	require.ErrorIs(t, rs.Typing("a", true), rooms.ErrOverflow)
	box.none(t, "a", "b", "c")
	require.NoError(t, rs.Chat("b", "hello"))

	box.hasNoShareFor["c"] = "x"
	for _, id := range []string{"a", "b", "c"} {
		box.take(id)
	}
	require.ErrorIs(t, rs.Join("x", rooms.JoinRequest{RoomID: "room", UserID: "X"}), rooms.ErrOverflow)
	box.none(t, "a", "b", "c", "x")
	info, _ := rs.Room("other")
	require.Len(t, info.Members, 1, "the socket stays where it was")
}

// account counts the bytes that are charged to it.
type account struct{ used, limit atomic.Int64 }

func (a *account) Charge(bytes int) { a.used.Add(int64(bytes)) }

func (a *account) Take(bytes int) bool {
	if a.used.Load()+int64(bytes) > a.limit.Load() {
		return false
	}
	a.used.Add(int64(bytes))
	return true
}

// The charge for a member lasts until the last event that names it is forgotten. That
// may be after the member has left.
func TestAMemberIsChargedUntilItsMemoryIsFree(t *testing.T) {
	charged := new(account)
	charged.limit.Store(10_000)
	rs, box := newLimitedRooms(rooms.Options{Account: charged})
	large := json.RawMessage(`{"x":"` + strings.Repeat("x", 4000) + `"}`)
	require.NoError(t, rs.Join("a", rooms.JoinRequest{RoomID: "room", UserID: "A", Metadata: large}))
	require.NoError(t, rs.Join("b", rooms.JoinRequest{RoomID: "room", UserID: "B", Metadata: large}))
	require.ErrorIs(t, rs.Join("c", rooms.JoinRequest{RoomID: "room", UserID: "C", Metadata: large}), rooms.ErrOutOfMemory)
	require.NoError(t, rs.Leave("a", ""))
	require.NoError(t, rs.Leave("b", ""))
	runtime.GC()
	require.Greater(t, charged.used.Load(), int64(8000), "their events are still in the outboxes")
	box.take("a")
	box.take("b")
	require.Eventually(t, func() bool {
		runtime.GC()
		return charged.used.Load() == 0
	}, time.Minute, time.Millisecond)
}

// If many sockets join and none of them reads, the memory of their unsent events grows
// with the number of members, not with its square.
func TestAThousandJoinsShareTheirRosters(t *testing.T) {
	rs, box := newLimitedRooms(rooms.Options{})
	metadata := json.RawMessage(`{"x":"` + strings.Repeat("x", 1000) + `"}`)
	held, written := 0, 0
	box.silent = true
	for n := range 1000 {
		require.NoError(t, rs.Join(fmt.Sprint("s", n), rooms.JoinRequest{RoomID: "room", UserID: "u", Metadata: metadata}))
	}
	for _, e := range box.delivered {
		held += e.Data.Held()
		written += e.Data.Len()
	}
	require.Greater(t, written, 500_000_000)
	require.Less(t, held, 3_000_000)
}
