package rooms

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"time"
)

// Permit is what a member may do in a room. The zero Permit allows everything and
// never expires.
type Permit struct {
	NoSignals  bool      // the member may send no signals: offers, answers, candidates and others
	NoChat     bool      // the member may send neither chat messages nor typing events
	MaxMembers int       // the join fails if the room would then have more members; 0: there is only the server's own limit
	Expires    time.Time // when the permit runs out; zero: never. See [Rooms.Run]
	ID         string    // by which the permit may be revoked; empty: it has none. See [Rooms.Revoke]

	// Network is the network that the member comes from. Rooms that the member makes
	// count against this network.
	Network netip.Prefix
}

func (p Permit) maySignal() bool { return !p.NoSignals }
func (p Permit) mayChat() bool   { return !p.NoChat }

func (p Permit) hasExpired(now time.Time) bool { return !p.Expires.IsZero() && !p.Expires.After(now) }

// Stay is one membership of a socket. It begins with the join, and ends when the member
// leaves. A socket that joins again begins another stay.
type Stay struct {
	SocketID string
	Number   uint64 // counts the stays of the register, from 1
}

// expiryInterval is how often permits are looked at.
const expiryInterval = time.Second

// Run makes each member leave its room when its permit runs out, until ctx is done.
// Without Run, permits end only by [Rooms.Expire].
func (rs *Rooms) Run(ctx context.Context) {
	ticker := time.NewTicker(expiryInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			for _, stay := range rs.Expired(rs.now()) {
				rs.Expire(stay)
			}
			rs.courier.Flush()
		}
	}
}

// Expired returns the stays whose permits have run out by a time, the oldest stay first.
func (rs *Rooms) Expired(by time.Time) []Stay {
	var expired []Stay
	for _, r := range rs.list() {
		r.mu.RLock()
		for _, m := range r.members {
			if m.permit.hasExpired(by) {
				expired = append(expired, Stay{m.socketID, m.number})
			}
		}
		r.mu.RUnlock()
	}
	slices.SortFunc(expired, func(a, b Stay) int { return cmp.Compare(a.Number, b.Number) })
	return expired
}

// Expire makes a member leave its room if its permit has run out. The member receives
// room-left with the reason "kicked". Nothing happens if the stay has ended meanwhile, or
// if the member has renewed its permit.
func (rs *Rooms) Expire(stay Stay) {
	s, ok := rs.lockStay(stay)
	if !ok {
		return
	}
	defer rs.unlockSeat(stay.SocketID, s)
	if !s.member.permit.hasExpired(rs.now()) {
		return
	}
	// operators kick members, too, so the log tells the two apart
	rs.log("a member leaves because its access token has expired", s.room, s.member, "expired", s.member.permit.Expires)
	rs.leaveAndTell(stay.SocketID, s, kicked, "")
}
