package rooms_test

import (
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/rooms"
)

// keeping returns a register that keeps changes.
func keeping(most int) *rooms.Rooms {
	return rooms.New(newPostbox(), rooms.Options{Members: 10, Changes: most}, slog.New(slog.DiscardHandler))
}

// texts describes changes that are kept after a sequence.
func texts(rs *rooms.Rooms, after uint64) (lines []string) {
	list, _ := rs.Changes(after, math.MaxInt)
	for _, c := range list {
		line := fmt.Sprint(c.Sequence, " ", c.Kind, " ", c.RoomID)
		if c.SocketID != "" {
			line += " " + c.UserID + " " + c.SocketID
		}
		if c.Reason != "" {
			line += ": " + c.Reason
		}
		lines = append(lines, line)
	}
	return lines
}

func enter(t *testing.T, rs *rooms.Rooms, roomID, socketID string) {
	t.Helper()
	require.NoError(t, rs.Join(socketID, rooms.JoinRequest{RoomID: roomID, UserID: strings.ToUpper(socketID)}))
}

func TestChangesSayWhoIsInWhichRoom(t *testing.T) {
	rs := keeping(100)
	enter(t, rs, "tea", "a")
	enter(t, rs, "tea", "b")
	enter(t, rs, "tea", "a")
	require.ErrorIs(t, rs.Join("c", rooms.JoinRequest{RoomID: "tea", UserID: "C", Permit: rooms.Permit{MaxMembers: 2}}), rooms.ErrRoomFull)
	enter(t, rs, "coffee", "b")
	require.NoError(t, rs.Leave("a", ""))
	rs.Remove("b", "transport close")
	rs.Remove("b", "transport close")
	enter(t, rs, "tea", "a")
	require.NoError(t, rs.Join("a", rooms.JoinRequest{RoomID: "tea", UserID: "another"}))
	require.NoError(t, rs.Close("tea"))
	require.Equal(t, []string{
		"1 room-created tea", "2 member-joined tea A a", "3 member-joined tea B b",
		"4 member-left tea B b: left", "5 room-created coffee", "6 member-joined coffee B b",
		"7 member-left tea A a: left", "8 room-closed tea",
		"9 member-left coffee B b: transport close", "10 room-closed coffee",
		"11 room-created tea", "12 member-joined tea A a",
		"13 member-left tea A a: left", "14 member-joined tea another a", // the room was there all the time
		"15 member-left tea another a: room closed", "16 room-closed tea",
	}, texts(rs, 0))
	require.Equal(t, []string{"15 member-left tea another a: room closed", "16 room-closed tea"}, texts(rs, 14))
	require.Empty(t, texts(rs, 16))
	require.Empty(t, texts(rs, 99))
}

func TestAJoinThatCannotBeAnsweredIsNoChange(t *testing.T) {
	box := newLedger()
	rs := rooms.New(box, rooms.Options{Members: 10, Changes: 10}, slog.New(slog.DiscardHandler))
	box.gone["a"] = true
	require.ErrorIs(t, rs.Join("a", rooms.JoinRequest{RoomID: "tea", UserID: "A"}), rooms.ErrGone)
	require.Empty(t, texts(rs, 0))
}

func TestNoChangesAreKeptUnlessTheyAreAskedFor(t *testing.T) {
	rs := keeping(0)
	enter(t, rs, "tea", "a")
	require.Empty(t, texts(rs, 0))
	require.Zero(t, rs.ChangesInfo())
	rs.Delivered(0, []uint64{1})
	rs.Replay(time.Time{})
	require.Empty(t, texts(rs, 0))
}

// What is pushed out before it was delivered is counted, and gives its memory back.
func TestNewerChangesPushOutOlderOnes(t *testing.T) {
	var charged atomic.Int64
	calls := 0
	rs := rooms.New(newLedger(), rooms.Options{
		Members: 10, Changes: 4, Charge: func(bytes int) { charged.Add(int64(bytes)) }, OnChange: func(bool) { calls++ },
	}, slog.New(slog.DiscardHandler))
	enter(t, rs, "tea", "a")
	enter(t, rs, "tea", "b")
	one := charged.Load()
	rs.Delivered(0, []uint64{1, 1, 7})
	require.Equal(t, 2, rs.ChangesInfo().Waiting)
	require.NoError(t, rs.Leave("a", ""))
	enter(t, rs, "tea", "a")
	info := rs.ChangesInfo()
	require.Equal(t, [...]uint64{5, 1, 0, 4}, [...]uint64{info.Last, info.Delivered, info.Dropped, uint64(info.Waiting)}, "the first was delivered")
	require.NoError(t, rs.Leave("a", ""))
	require.Equal(t, uint64(1), rs.ChangesInfo().Dropped)
	require.Len(t, texts(rs, 0), 4)
	require.Equal(t, "3 member-joined tea B b", texts(rs, 0)[0])
	require.Equal(t, 6, calls)
	require.Less(t, charged.Load(), 3*one)
	rs.Delivered(0, []uint64{2})
	require.Equal(t, uint64(1), rs.ChangesInfo().Delivered, "it is kept no more")
}

func TestChangesAreDeliveredAgainSinceATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var again []bool
		rs := rooms.New(newLedger(), rooms.Options{Members: 10, Changes: 9, OnChange: func(is bool) { again = append(again, is) }}, slog.New(slog.DiscardHandler))
		enter(t, rs, "tea", "a")
		time.Sleep(time.Minute)
		second := time.Now()
		enter(t, rs, "tea", "b")
		rs.Delivered(0, []uint64{1, 2, 3})
		require.Zero(t, rs.ChangesInfo().Waiting)
		require.Zero(t, rs.ChangesInfo().Oldest)

		rs.Replay(second)
		require.Equal(t, 1, rs.ChangesInfo().Waiting)
		require.WithinDuration(t, second, rs.ChangesInfo().Oldest, 0)
		rs.Delivered(0, []uint64{3})
		require.Equal(t, 1, rs.ChangesInfo().Waiting, "this delivery came before")
		rs.Delivered(1, []uint64{3})
		require.Zero(t, rs.ChangesInfo().Waiting)
		require.Equal(t, uint64(4), rs.ChangesInfo().Delivered)
		require.Equal(t, []bool{false, false, false, true}, again)
	})
}

// Each room's changes are in order, whatever happens at once: nobody leaves before it came, and a
// room is closed when all have left.
func TestTheChangesOfARoomAreInOrder(t *testing.T) {
	rs := keeping(math.MaxInt)
	var all sync.WaitGroup
	for i := range 4 {
		socketID := fmt.Sprint("s", i)
		all.Go(func() {
			for n := range 300 {
				_ = rs.Join(socketID, rooms.JoinRequest{RoomID: []string{"tea", "coffee"}[n%2], UserID: "U"})
				if n%3 == 0 {
					_ = rs.Leave(socketID, "")
				}
			}
			rs.Remove(socketID, "transport close")
		})
	}
	all.Wait()
	inside := map[string]map[string]bool{}
	list, _ := rs.Changes(0, math.MaxInt)
	for i, c := range list {
		require.Equal(t, uint64(i+1), c.Sequence)
		members, exists := inside[c.RoomID]
		switch c.Kind {
		case rooms.RoomCreated:
			require.False(t, exists)
			inside[c.RoomID] = map[string]bool{}
		case rooms.MemberJoined:
			require.True(t, exists && !members[c.SocketID])
			members[c.SocketID] = true
		case rooms.MemberLeft:
			require.True(t, members[c.SocketID])
			delete(members, c.SocketID)
		case rooms.RoomClosed:
			require.True(t, exists && len(members) == 0)
			delete(inside, c.RoomID)
		}
	}
	require.Empty(t, inside)
}

// Sockets end with their process. The next process says so of those that the last one has kept.
func TestTheNextProcessGoesOnWithTheChanges(t *testing.T) {
	first := keeping(9)
	enter(t, first, "tea", "a")
	enter(t, first, "coffee", "c")
	enter(t, first, "tea", "b")
	first.Delivered(0, []uint64{1, 3})
	list, _ := first.Changes(0, 9)
	kept := rooms.Kept{ChangesInfo: first.ChangesInfo(), Changes: list, Members: []rooms.Membership{{RoomID: "coffee"}, {"coffee", "C", "c"}, {RoomID: "tea"}, {"tea", "A", "a"}, {"tea", "B", "b"}}}
	require.ElementsMatch(t, kept.Members, first.Memberships())

	next := keeping(9)
	next.Continue(kept)
	require.Equal(t, []string{
		"2 member-joined tea A a", "3 room-created coffee", "4 member-joined coffee C c", "5 member-joined tea B b",
		"6 member-left coffee C c: server ended", "7 room-closed coffee: server ended",
		"8 member-left tea A a: server ended", "9 member-left tea B b: server ended", "10 room-closed tea: server ended",
	}, texts(next, 0), "the oldest is pushed out")
	info := next.ChangesInfo()
	require.Equal(t, first.ChangesInfo().Source, info.Source)
	require.Equal(t, 8, info.Waiting)
	require.Zero(t, info.Dropped)

	between := keeping(9) // a process that was killed before anybody was in the room
	between.Continue(rooms.Kept{Members: []rooms.Membership{{RoomID: "tea"}}})
	require.Equal(t, []string{"1 room-closed tea: server ended"}, texts(between, 0))
}

// A node that begins anew forgets what it knew.
func TestRestoringReplacesChangesAndRevocations(t *testing.T) {
	rs, other := keeping(9), keeping(9)
	enter(t, rs, "tea", "a")
	rs.Remove("a", "transport close")
	_, err := rs.Revoke(theUser, time.Now().Add(time.Hour))
	require.NoError(t, err)
	enter(t, other, "coffee", "c")
	other.Delivered(0, []uint64{1})
	snapshot := other.AppendSnapshot(nil)
	require.NoError(t, rs.Restore(snapshot))
	require.Equal(t, snapshot, rs.AppendSnapshot(nil))
	require.Equal(t, 1, rs.ChangesInfo().Waiting)

	fewer := keeping(1)
	require.NoError(t, fewer.Restore(snapshot))
	require.Equal(t, []string{"2 member-joined coffee C c"}, texts(fewer, 0))
	without := keeping(0)
	require.NoError(t, without.Restore(snapshot))
	require.Empty(t, texts(without, 0))
	require.Equal(t, uint64(2), without.ChangesInfo().Last, "numbers never come twice")
}
