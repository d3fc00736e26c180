package rooms_test

import (
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/rooms"
)

var (
	theUser   = rooms.Revoked{Subject: rooms.OfUser, ID: "mallory"}
	thePermit = rooms.Revoked{Subject: rooms.OfPermit, ID: "permit-7"}
)

func TestARevocationKeepsAUserOrAPermitOutUntilItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rs, box := newRooms(10)
		join(t, rs, box, "room", "a")
		mallory := rooms.JoinRequest{RoomID: "room", UserID: "mallory"}
		holder := rooms.JoinRequest{RoomID: "another", UserID: "b", Permit: rooms.Permit{ID: "permit-7"}}
		require.NoError(t, rs.Join("m1", mallory))
		require.NoError(t, rs.Join("h", holder))
		require.NoError(t, rs.Join("m2", rooms.JoinRequest{RoomID: "another", UserID: "mallory"}))

		until := time.Now().Add(time.Hour)
		concerned, err := rs.Revoke(theUser, until)
		require.NoError(t, err)
		require.Equal(t, []string{"m1", "m2"}, concerned, "in the order of their joins")
		concerned, err = rs.Revoke(thePermit, until.Add(time.Hour))
		require.NoError(t, err)
		require.Equal(t, []string{"h"}, concerned)
		require.ElementsMatch(t, []rooms.Revoked{theUser, thePermit}, rs.Revocations(time.Now()))

		require.ErrorIs(t, rs.Join("m1", mallory), rooms.ErrRevoked, "a repeated join renews a permit")
		require.ErrorIs(t, rs.Join("m3", mallory), rooms.ErrRevoked)
		require.ErrorIs(t, rs.Join("h", holder), rooms.ErrRevoked)
		_, err = rs.Revoke(rooms.Revoked{Subject: rooms.OfPermit}, until)
		require.NoError(t, err, "this concerns nobody")
		require.NoError(t, rs.Join("p", rooms.JoinRequest{RoomID: "another", UserID: "p"}))
		require.True(t, rs.Allow(rooms.Revoked{Subject: rooms.OfPermit}))
		holder.Permit.ID = "permit-8"
		require.NoError(t, rs.Join("h", holder), "only the permit was revoked")

		time.Sleep(time.Hour)
		_, isRevoked := rs.Revocation(theUser, time.Now())
		require.False(t, isRevoked)
		require.NoError(t, rs.Join("m3", mallory))
		found, isRevoked := rs.Revocation(thePermit, time.Now())
		require.True(t, isRevoked)
		require.Equal(t, until.Add(time.Hour), found)
		require.Equal(t, []rooms.Revoked{thePermit}, rs.Revocations(time.Now()))

		require.True(t, rs.Allow(thePermit))
		require.False(t, rs.Allow(thePermit))
		holder.Permit.ID = "permit-7"
		require.NoError(t, rs.Join("h", holder))
	})
}

func TestThereIsABoundOnRevocations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rs, _ := newRooms(10)
		until := time.Now().Add(time.Hour)
		for i := range rooms.MaxRevocations {
			_, err := rs.Revoke(rooms.Revoked{Subject: rooms.OfUser, ID: fmt.Sprint(i)}, until)
			require.NoError(t, err)
		}
		_, err := rs.Revoke(theUser, until)
		require.ErrorIs(t, err, rooms.ErrTooManyRevocations)
		_, err = rs.Revoke(rooms.Revoked{Subject: rooms.OfUser, ID: "7"}, until.Add(time.Hour))
		require.NoError(t, err, "one that is there may get another time")
		time.Sleep(time.Hour)
		_, err = rs.Revoke(theUser, until.Add(time.Hour))
		require.NoError(t, err, "the others are over")
	})
}

// A join that began before the revocation must not leave a member that the revocation did not find.
func TestNoJoinSlipsPastARevocation(t *testing.T) {
	for i := range 300 {
		rs, _ := newRooms(10)
		joined := make(chan error)
		go func() { joined <- rs.Join("m", rooms.JoinRequest{RoomID: "room", UserID: "mallory"}) }()
		concerned, err := rs.Revoke(theUser, time.Now().Add(time.Hour))
		require.NoError(t, err)
		if err := <-joined; err == nil {
			require.Equal(t, []string{"m"}, concerned, "round %d", i)
		} else {
			require.ErrorIs(t, err, rooms.ErrRevoked)
		}
	}
}

func TestRevocationsAreInTheSnapshot(t *testing.T) {
	rs, _ := newRooms(10)
	require.NoError(t, rs.Join("h", rooms.JoinRequest{RoomID: "room", UserID: "b", Permit: rooms.Permit{ID: "permit-7"}}))
	until := time.Now().Add(time.Hour).UTC()
	for _, one := range []rooms.Revoked{theUser, {Subject: rooms.OfPermit, ID: "mallory"}, {Subject: rooms.OfUser, ID: ""}} {
		_, err := rs.Revoke(one, until)
		require.NoError(t, err)
	}
	snapshot := rs.AppendSnapshot(nil)
	again := rooms.New(newPostbox(), rooms.Options{Members: 10}, slog.New(slog.DiscardHandler))
	require.NoError(t, again.Restore(snapshot))
	require.Equal(t, snapshot, again.AppendSnapshot(nil))
	require.ElementsMatch(t, rs.Revocations(time.Now()), again.Revocations(time.Now()))
	concerned, err := again.Revoke(thePermit, until)
	require.NoError(t, err)
	require.Equal(t, []string{"h"}, concerned, "a member keeps its permit")
}
