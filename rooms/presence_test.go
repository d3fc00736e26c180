package rooms_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/rooms"
)

func TestTheOthersReceiveUserAwayAndUserBack(t *testing.T) {
	rs, box := newRooms(10)
	join(t, rs, box, "room", "a", "b", "c")
	join(t, rs, box, "another room", "x")
	for _, step := range []struct {
		away bool
		kind string
	}{{true, "user-away"}, {false, "user-back"}, {true, "user-away"}} {
		box.setAway("b", step.away)
		rs.Observe("b")
		rs.Observe("b")
		for _, other := range []string{"a", "c"} {
			told := box.one(t, other, step.kind)
			require.Equal(t, "b", told["socketId"])
			require.Equal(t, "user of b", told["userId"])
			require.Contains(t, told, "timestamp")
		}
		box.none(t, "b", "x")
		info, _ := rs.Room("room")
		require.Equal(t, []bool{false, step.away, false}, []bool{info.Members[0].IsAway, info.Members[1].IsAway, info.Members[2].IsAway})
	}
}

// A joiner finds in the roster which members are away. It receives no user-away for
// them.
func TestAJoinerFindsInTheRosterWhoIsAway(t *testing.T) {
	rs, box := newRooms(10)
	join(t, rs, box, "room", "a", "b")
	box.setAway("a", true)
	rs.Observe("a")
	box.take("b")
	require.NoError(t, rs.Join("c", rooms.JoinRequest{RoomID: "room", UserID: "C"}))
	members := box.one(t, "c", "room-joined")["users"].([]any)
	require.Equal(t, []any{
		map[string]any{"userId": "user of a", "socketId": "a", "away": true},
		map[string]any{"userId": "user of b", "socketId": "b"},
		map[string]any{"userId": "C", "socketId": "c"},
	}, members)
	require.Equal(t, "user-connected", box.one(t, "b", "user-connected")["type"])

	box.setAway("a", false)
	rs.Observe("a")
	require.Equal(t, "a", box.one(t, "c", "user-back")["socketId"])
	require.NoError(t, rs.Join("c", rooms.JoinRequest{RoomID: "room", UserID: "C"}))
	require.NotContains(t, box.one(t, "c", "room-joined")["users"].([]any)[0], "away")
}

func TestASocketThatJoinsWhileItIsAwayIsAwayInTheRoom(t *testing.T) {
	rs, box := newRooms(10)
	join(t, rs, box, "room", "a")
	box.setAway("b", true)
	rs.Observe("b") // it is in no room yet
	require.NoError(t, rs.Join("b", rooms.JoinRequest{RoomID: "room", UserID: "B"}))
	told := box.take("a")
	require.Len(t, told, 2)
	require.Equal(t, "user-connected", told[0].kind)
	require.Equal(t, "user-away", told[1].kind)
	box.setAway("b", false)
	rs.Observe("b")
	require.Equal(t, "b", box.one(t, "a", "user-back")["socketId"])
}

func TestAMemberThatLeavesWhileAwayIsNotBack(t *testing.T) {
	rs, box := newRooms(10)
	join(t, rs, box, "room", "a", "b")
	box.setAway("b", true)
	rs.Observe("b")
	box.one(t, "a", "user-away")
	rs.Remove("b", "transport close")
	box.one(t, "a", "user-disconnected")
	box.setAway("b", false)
	rs.Observe("b")
	box.none(t, "a")
}

// Calls of Observe for one socket may overtake each other. Even so,
// user-away and user-back alternate, and the last of them is true.
func TestAwayAndBackAlternateAndTheLastIsTrue(t *testing.T) {
	rs, box := newRooms(10)
	join(t, rs, box, "room", "a", "b")
	var observers sync.WaitGroup
	for range 8 {
		observers.Go(func() {
			for n := range 200 {
				box.setAway("b", n%3 == 0)
				rs.Observe("b")
			}
		})
	}
	observers.Wait()
	box.setAway("b", true)
	rs.Observe("b")
	kind := "user-back"
	for _, told := range box.take("a") {
		require.NotEqual(t, kind, told.kind)
		kind = told.kind
	}
	require.Equal(t, "user-away", kind)
}

// The socket's outbox was full, and the room has not received user-disconnected yet.
func TestASocketThatHasEndedIsNeitherAwayNorBack(t *testing.T) {
	rs, box := newRooms(10)
	join(t, rs, box, "room", "a", "b", "c")
	box.setAway("b", true)
	rs.Observe("b")
	box.one(t, "a", "user-away")
	box.refuse["b"] = rooms.ErrGone
	box.refuse["c"] = rooms.ErrGone
	box.setAway("c", true)
	rs.Observe("b")
	rs.Observe("c")
	box.none(t, "a")
	rs.Remove("b", "slow consumer")
	require.Equal(t, "slow consumer", box.one(t, "a", "user-disconnected")["reason"])
}
