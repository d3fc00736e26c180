package rooms_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/rooms"
)

func TestAnAnnouncementReachesAllInTheRoomAndNobodyElse(t *testing.T) {
	rs, box := newRooms(10)
	join(t, rs, box, "room", "a", "b")
	join(t, rs, box, "another", "x")
	require.NoError(t, rs.Announce("room", json.RawMessage(`{"text":"<b>in ten minutes</b>","n":1.0}`)))
	for _, id := range []string{"a", "b"} {
		all := box.take(id)
		require.Len(t, all, 1)
		require.Equal(t, "announcement", all[0].kind)
		require.Equal(t, "room", all[0].json["roomId"])
		require.Contains(t, string(all[0].data), `"data":{"text":"<b>in ten minutes</b>","n":1.0}`, "as it was written")
		require.Contains(t, all[0].json, "timestamp")
	}
	box.none(t, "x")
	require.ErrorIs(t, rs.Announce("nowhere", json.RawMessage(`1`)), rooms.ErrNoRoom)
}

func TestALockedRoomAdmitsNobodyAndKeepsItsMembers(t *testing.T) {
	rs, box := newRooms(10)
	join(t, rs, box, "room", "a", "b")
	require.NoError(t, rs.SetLocked("room", true))
	info, _ := rs.Room("room")
	require.True(t, info.IsLocked)

	require.ErrorIs(t, rs.Join("c", rooms.JoinRequest{RoomID: "room", UserID: "C"}), rooms.ErrRoomLocked)
	box.none(t, "a", "b", "c")
	require.NoError(t, rs.Join("a", rooms.JoinRequest{RoomID: "room", UserID: "user of a"}), "a member may repeat its join")
	require.NoError(t, rs.Join("a", rooms.JoinRequest{RoomID: "room", UserID: "A2"}), "and join as another user")
	require.NoError(t, rs.Chat("b", "hello"))

	require.NoError(t, rs.SetLocked("room", false))
	require.NoError(t, rs.Join("c", rooms.JoinRequest{RoomID: "room", UserID: "C"}))
}

func TestTheLockOfARoomGoesWithItsLastMember(t *testing.T) {
	rs, box := newRooms(10)
	join(t, rs, box, "room", "a")
	require.NoError(t, rs.SetLocked("room", true))
	require.NoError(t, rs.Leave("a", ""))
	require.ErrorIs(t, rs.SetLocked("room", true), rooms.ErrNoRoom)
	require.NoError(t, rs.Join("b", rooms.JoinRequest{RoomID: "room", UserID: "B"}))
}

func TestClosingARoomTakesAllMembersOutAndSaysWhy(t *testing.T) {
	rs, box := newRooms(10)
	join(t, rs, box, "room", "a", "b")
	join(t, rs, box, "another", "x")
	require.NoError(t, rs.Close("room"))
	left := box.one(t, "a", "room-left")
	require.Equal(t, "room", left["roomId"])
	require.Equal(t, "room closed", left["reason"])
	require.NotContains(t, left, "requestId", "nobody asked for it")
	told := box.take("b")
	require.Equal(t, "user-disconnected", told[0].kind)
	require.Equal(t, "room closed", told[0].json["reason"])
	require.Equal(t, "room-left", told[len(told)-1].kind)
	box.none(t, "x")

	_, exists := rs.Room("room")
	require.False(t, exists)
	require.ErrorIs(t, rs.Close("room"), rooms.ErrNoRoom)
	require.ErrorIs(t, rs.Chat("a", "hello?"), rooms.ErrNotInRoom)
	require.NoError(t, rs.Join("a", rooms.JoinRequest{RoomID: "room", UserID: "A"}), "a new room may have the same ID")
}

// Each member of a room that is closed leaves it exactly once, whatever else happens
// in the room meanwhile.
func TestClosingARoomWhileOthersComeAndGo(t *testing.T) {
	rs, box := newRooms(1000)
	var busy sync.WaitGroup
	for n := range 16 {
		busy.Go(func() {
			id := fmt.Sprint("s", n)
			for range 100 {
				_ = rs.Join(id, rooms.JoinRequest{RoomID: "room", UserID: id})
				_ = rs.Leave(id, "") // Close may have taken it out already
			}
		})
	}
	for range 200 {
		if err := rs.Close("room"); err != nil {
			require.ErrorIs(t, err, rooms.ErrNoRoom)
		}
	}
	busy.Wait()
	_, members, _ := rs.Counts()
	require.Zero(t, members)
	for n := range 16 {
		joined, left := 0, 0
		for _, m := range box.take(fmt.Sprint("s", n)) {
			switch m.kind {
			case "room-joined":
				joined++
			case "room-left":
				left++
			}
		}
		require.Equal(t, 100, joined)
		require.Equal(t, joined, left)
	}
}

func TestTheNumberOfRoomsIsBounded(t *testing.T) {
	box := newPostbox()
	rs := rooms.New(box, rooms.Options{Members: 10, Rooms: 2}, slog.New(slog.DiscardHandler))
	join(t, rs, box, "one", "a")
	join(t, rs, box, "two", "b")
	require.ErrorIs(t, rs.Join("c", rooms.JoinRequest{RoomID: "three", UserID: "C"}), rooms.ErrTooManyRooms)
	require.NoError(t, rs.Join("c", rooms.JoinRequest{RoomID: "two", UserID: "C"}), "the rooms that exist stay open")
	require.ErrorIs(t, rs.Join("c", rooms.JoinRequest{RoomID: "three", UserID: "C"}), rooms.ErrTooManyRooms)
	require.NoError(t, rs.Chat("c", "a socket that was refused is still in its room"))
	require.NoError(t, rs.Leave("a", ""))
	require.NoError(t, rs.Join("a", rooms.JoinRequest{RoomID: "three", UserID: "A"}))
}
