package rooms_test

import (
	"encoding/json"
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

func newLimitedRooms(o rooms.Options) (*rooms.Rooms, *postbox) {
	box := newPostbox()
	o.Members = 1000
	return rooms.New(box, o, slog.New(slog.DiscardHandler)), box
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

// The weight of an event to a whole room grows with the number of its receivers and with
// its size.
func TestAnEventToAWholeRoomHasAWeight(t *testing.T) {
	rs, box := newRooms(100)
	large := json.RawMessage(`{"x":"` + strings.Repeat("x", 5000) + `"}`)
	join(t, rs, box, "room", "a", "b", "c")
	join(t, rs, box, "other", "x")
	require.NoError(t, rs.Join("d", rooms.JoinRequest{RoomID: "large", UserID: "D", Metadata: large}))
	signal := rooms.Relay{Kind: "signal", Members: []byte(`"data":"` + strings.Repeat("x", 9000) + `"`)}
	require.Equal(t, 3, rs.ChatWeight("a", "hello"), "one for each member")
	require.Equal(t, 3, rs.TypingWeight("a"))
	require.Equal(t, 9, rs.SignalAllWeight("a", signal), "and one more for each full 4 KiB")
	for _, message := range []string{strings.Repeat("x", 3800), strings.Repeat("x", 3950), strings.Repeat("\x01", 4000)} {
		require.NoError(t, rs.Chat("a", message))
		length := box.take("a")[0].event.Data.Len()
		require.Equal(t, 3*(1+length/4096), rs.ChatWeight("a", message), "%d bytes with all that is escaped", length)
	}

	for name, one := range map[string]struct {
		socketID string
		request  rooms.JoinRequest
		weight   int
	}{
		"the room, the joiner, and the room it leaves": {"x", rooms.JoinRequest{RoomID: "room", UserID: "X"}, 3 + 1 + 1},
		"a room that does not exist":                   {"x", rooms.JoinRequest{RoomID: "new", UserID: "X"}, 0 + 1 + 1},
		"a socket in no room":                          {"y", rooms.JoinRequest{RoomID: "room", UserID: "Y"}, 3 + 1},
		"a large joiner":                               {"y", rooms.JoinRequest{RoomID: "room", UserID: "Y", Metadata: large}, 3*2 + 1},
		"a large roster":                               {"y", rooms.JoinRequest{RoomID: "large", UserID: "Y"}, 1 + 2},
		"the same room as another user":                {"a", rooms.JoinRequest{RoomID: "room", UserID: "A2"}, 3 + 1},
	} {
		weight, bytes := rs.JoinCost(one.socketID, one.request)
		require.Equal(t, one.weight, weight, name)
		require.Greater(t, bytes, len(one.request.Metadata), name)
	}
	weight, bytes := rs.JoinCost("a", rooms.JoinRequest{RoomID: "room", UserID: "user of a"})
	require.Equal(t, []int{1, 0}, []int{weight, bytes}, "a repeated join reaches the joiner alone, and makes no new member")
}

func TestAnEventThatReachesNobodyHasNoWeight(t *testing.T) {
	rs, box := newRooms(10)
	join(t, rs, box, "room", "a")
	require.NoError(t, rs.Join("mute", rooms.JoinRequest{RoomID: "room", UserID: "M", Permit: rooms.Permit{NoSignals: true, NoChat: true}}))
	for _, id := range []string{"mute", "in no room"} {
		require.Zero(t, rs.ChatWeight(id, "hello"), id)
		require.Zero(t, rs.TypingWeight(id), id)
		require.Zero(t, rs.SignalAllWeight(id, rooms.Relay{Kind: "signal"}), id)
	}
	_, members, _ := rs.Counts()
	require.Equal(t, 2, members, "to ask changes nothing")
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

// The charge for a member lasts until the last event that names it is forgotten. That
// may be after the member has left.
func TestAMemberIsChargedUntilItsMemoryIsFree(t *testing.T) {
	var used atomic.Int64
	rs, box := newLimitedRooms(rooms.Options{Charge: func(bytes int) { used.Add(int64(bytes)) }})
	large := json.RawMessage(`{"x":"` + strings.Repeat("x", 4000) + `"}`)
	require.NoError(t, rs.Join("a", rooms.JoinRequest{RoomID: "room", UserID: "A", Metadata: large}))
	require.NoError(t, rs.Join("b", rooms.JoinRequest{RoomID: "room", UserID: "B", Metadata: large}))
	require.NoError(t, rs.Leave("a", ""))
	require.NoError(t, rs.Leave("b", ""))
	runtime.GC()
	require.Greater(t, used.Load(), int64(8000), "their events are still in the outboxes")
	box.take("a")
	box.take("b")
	require.Eventually(t, func() bool {
		runtime.GC()
		return used.Load() == 0
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
