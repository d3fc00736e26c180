package rooms_test

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/rooms"
)

func TestARoomIsListedAsItIsDescribed(t *testing.T) {
	rs := rooms.New(newPostbox(), rooms.Options{Members: 10}, slog.New(slog.DiscardHandler))
	for socketID, roomID := range map[string]string{"a": "tea", "b": "tea", "c": "standup"} {
		require.NoError(t, rs.Join(socketID, rooms.JoinRequest{RoomID: roomID, UserID: "user " + socketID}))
	}
	found := make(map[string]rooms.Info)
	for listed := range rs.Each() {
		require.True(t, listed.Exists())
		info, ok := listed.Info()
		require.True(t, ok)
		found[listed.RoomID()] = info
	}
	require.Len(t, found, 2)
	for roomID, info := range found {
		described, ok := rs.Room(roomID)
		require.True(t, ok)
		require.Equal(t, described, info)
	}
	for range rs.Each() {
		break // a reader may stop at any room
	}
}

func TestARoomThatEmptiesWhileItIsListedNoLongerExists(t *testing.T) {
	rs := rooms.New(newPostbox(), rooms.Options{Members: 10}, slog.New(slog.DiscardHandler))
	require.NoError(t, rs.Join("a", rooms.JoinRequest{RoomID: "tea", UserID: "Ada"}))
	for listed := range rs.Each() {
		require.NoError(t, rs.Leave("a", ""))
		require.False(t, listed.Exists())
		_, ok := listed.Info()
		require.False(t, ok)
	}
}

func TestASocketsPlaceIsTheRoomThatItIsIn(t *testing.T) {
	rs := rooms.New(newPostbox(), rooms.Options{Members: 10}, slog.New(slog.DiscardHandler))
	_, _, ok := rs.Place("a")
	require.False(t, ok)
	require.NoError(t, rs.Join("a", rooms.JoinRequest{RoomID: "tea", UserID: "Ada"}))
	roomID, userID, ok := rs.Place("a")
	require.True(t, ok)
	require.Equal(t, []string{"tea", "Ada"}, []string{roomID, userID})
	require.NoError(t, rs.Leave("a", ""))
	_, _, ok = rs.Place("a")
	require.False(t, ok)
}
