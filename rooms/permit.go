package rooms

import (
	"context"
	"net/netip"
	"time"
)

// Permit is what a member may do in a room. The zero Permit allows everything and
// never expires.
type Permit struct {
	NoSignals  bool      // the member may send no signals: offers, answers, candidates and others
	NoChat     bool      // the member may send neither chat messages nor typing events
	MaxMembers int       // the join fails if the room would then have more members; 0: there is only the server's own limit
	Expires    time.Time // when the permit runs out; zero: never. See [Rooms.Run]

	// Network is the network that the member comes from. Rooms that the member makes
	// count against this network.
	Network netip.Prefix
}

func (p Permit) maySignal() bool { return !p.NoSignals }
func (p Permit) mayChat() bool   { return !p.NoChat }

func (p Permit) hasExpired(now time.Time) bool { return !p.Expires.IsZero() && !p.Expires.After(now) }

// expiryInterval is how often permits are looked at.
const expiryInterval = time.Second

// Run makes each member leave its room when its permit runs out, until ctx is done. The
// member receives room-left with the reason "kicked". Without Run, permits never end.
func (rs *Rooms) Run(ctx context.Context) {
	ticker := time.NewTicker(expiryInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			now := rs.now()
			for _, r := range rs.list() {
				rs.evict(r.list(), kicked, func(m *member) bool { return rs.isOver(r, m, now) })
			}
			rs.courier.Flush()
		}
	}
}

// isOver reports whether a member's permit has run out, and logs it: operators kick
// members, too.
func (rs *Rooms) isOver(r *room, m *member, now time.Time) bool {
	if !m.permit.hasExpired(now) {
		return false
	}
	rs.logger.Info("a member leaves because its access token has expired",
		"roomId", r.id, "userId", m.userID, "socketId", m.socketID, "expired", m.permit.Expires)
	return true
}
