package rooms_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/rooms"
)

func TestAMemberDoesOnlyWhatItsPermitAllows(t *testing.T) {
	rs, box := newRooms(10)
	join(t, rs, box, "room", "a")
	signal := rooms.Relay{Kind: "signal", Members: []byte(`"data":1`)}
	deeds := map[string]func(id string) error{
		"signal":     func(id string) error { return rs.Signal(id, "a", signal) },
		"signal all": func(id string) error { return rs.SignalAll(id, signal) },
		"chat":       func(id string) error { return rs.Chat(id, "hello") },
		"type":       func(id string) error { return rs.Typing(id, true) },
	}
	for id, c := range map[string]struct {
		permit rooms.Permit
		may    map[string]bool
	}{
		"everything": {rooms.Permit{}, map[string]bool{"signal": true, "signal all": true, "chat": true, "type": true}},
		"signals":    {rooms.Permit{NoChat: true}, map[string]bool{"signal": true, "signal all": true}},
		"chat":       {rooms.Permit{NoSignals: true}, map[string]bool{"chat": true, "type": true}},
		"nothing":    {rooms.Permit{NoSignals: true, NoChat: true}, nil},
	} {
		require.NoError(t, rs.Join(id, rooms.JoinRequest{RoomID: "room", UserID: id, Permit: c.permit}))
		for name, do := range deeds {
			box.take("a")
			err := do(id)
			if c.may[name] {
				require.NoError(t, err, "%s: %s", id, name)
				require.Len(t, box.take("a"), 1)
				continue
			}
			require.ErrorIs(t, err, rooms.ErrNotPermitted, "%s: %s", id, name)
			box.none(t, "a")
		}
	}
	require.NoError(t, rs.Join("nothing", rooms.JoinRequest{RoomID: "room", UserID: "nothing"}), "a member may repeat its join with a better permit")
	require.NoError(t, rs.Chat("nothing", "at last"))
}

func TestAPermitBoundsTheMembersOfTheRoom(t *testing.T) {
	rs, box := newRooms(3)
	join(t, rs, box, "room", "a", "b")
	require.ErrorIs(t, rs.Join("c", rooms.JoinRequest{RoomID: "room", UserID: "C", Permit: rooms.Permit{MaxMembers: 2}}), rooms.ErrRoomFull)
	require.NoError(t, rs.Join("c", rooms.JoinRequest{RoomID: "room", UserID: "C", Permit: rooms.Permit{MaxMembers: 100}}))
	require.ErrorIs(t, rs.Join("d", rooms.JoinRequest{RoomID: "room", UserID: "D", Permit: rooms.Permit{MaxMembers: 100}}), rooms.ErrRoomFull, "the server's own limit holds as well")
}

func TestAMemberLeavesWhenItsPermitRunsOutIfRunRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		box := newPostbox()
		rs := rooms.New(box, rooms.Options{Members: 10}, slog.New(slog.NewTextHandler(&log, nil)))
		join(t, rs, box, "room", "for ever")
		require.NoError(t, rs.Join("brief", rooms.JoinRequest{RoomID: "room", UserID: "B", Permit: rooms.Permit{Expires: time.Now().Add(10 * time.Second)}}))
		require.NoError(t, rs.Join("renewed", rooms.JoinRequest{RoomID: "room", UserID: "R", Permit: rooms.Permit{Expires: time.Now().Add(10 * time.Second)}}))
		require.NoError(t, rs.Join("renewed", rooms.JoinRequest{RoomID: "room", UserID: "R", Permit: rooms.Permit{Expires: time.Now().Add(time.Minute)}}))
		time.Sleep(20 * time.Second)
		require.NoError(t, rs.Chat("brief", "nobody watches"))
		for _, id := range []string{"for ever", "brief", "renewed"} {
			box.take(id)
		}

		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { rs.Run(ctx) })
		time.Sleep(2 * time.Second)
		left := box.one(t, "brief", "room-left")
		require.Equal(t, "kicked", left["reason"])
		require.NotContains(t, left, "requestId", "nobody asked for it")
		require.Equal(t, "kicked", box.one(t, "for ever", "user-disconnected")["reason"])
		require.ErrorIs(t, rs.Chat("brief", "out"), rooms.ErrNotInRoom)
		require.NoError(t, rs.Chat("renewed", "still here"))

		time.Sleep(time.Minute)
		require.ErrorIs(t, rs.Chat("renewed", "out as well"), rooms.ErrNotInRoom)
		require.NoError(t, rs.Chat("for ever", "alone"))
		cancel()
		running.Wait()
		require.Regexp(t, `msg="a member leaves because its access token has expired" roomId=room userId=B socketId=brief expired=\S+\n.*msg="room left" roomId=room userId=B socketId=brief reason=kicked`, log.String())
		require.Equal(t, 2, strings.Count(log.String(), "has expired"), &log)
	})
}

// A command may be late: the stay may have ended, or the permit may have been renewed.
func TestAStayThatHasEndedOrWasRenewedDoesNotExpire(t *testing.T) {
	now := time.Now()
	rs, _ := newLimitedRooms(rooms.Options{Now: func() time.Time { return now }})
	brief := rooms.JoinRequest{RoomID: "tea", UserID: "A", Permit: rooms.Permit{Expires: now.Add(time.Second)}}
	for _, id := range []string{"c", "b", "a"} {
		require.NoError(t, rs.Join(id, brief))
	}
	require.Empty(t, rs.Expired(now))
	now = now.Add(time.Second)
	late := rs.Expired(now)
	require.Equal(t, []rooms.Stay{{SocketID: "c", Number: 1}, {SocketID: "b", Number: 2}, {SocketID: "a", Number: 3}}, late)
	renewed := brief
	renewed.Permit.Expires = now.Add(time.Minute)
	require.NoError(t, rs.Join("a", renewed))
	require.NoError(t, rs.Leave("b", ""))
	require.NoError(t, rs.Join("b", brief)) // another stay, which is to expire as well
	for range 2 {
		for _, stay := range append(late, rooms.Stay{SocketID: "nobody", Number: 1}) {
			rs.Expire(stay)
		}
	}
	info, _ := rs.Room("tea")
	require.Len(t, info.Members, 2)
	require.Equal(t, []string{"a", "b"}, []string{info.Members[0].SocketID, info.Members[1].SocketID})
	require.Equal(t, []rooms.Stay{{SocketID: "b", Number: 4}}, rs.Expired(now))
}
