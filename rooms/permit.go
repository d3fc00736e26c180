package rooms

import (
	"context"
	"net/netip"
	"time"
)

// Permit is what a member may do in a room. The zero one is for everything.
type Permit struct {
	NoSignals  bool      // it may send no signals: offers, answers, candidates and others
	NoChat     bool      // it may send no messages, nor that it is typing
	MaxMembers int       // it joins only where it is one of so many at most; 0: of any number
	Expires    time.Time // when it runs out; zero: never. See [Rooms.Run]

	// Network is where the member comes from. The rooms that it makes, and what it
	// tells, count against that.
	Network netip.Prefix
}

func (p Permit) signals() bool { return !p.NoSignals }
func (p Permit) chats() bool   { return !p.NoChat }

func (p Permit) hasExpired(now time.Time) bool { return !p.Expires.IsZero() && !p.Expires.After(now) }

// expiryInterval is how often permits are looked at.
const expiryInterval = time.Second

// Run takes members whose permits have run out out of their rooms, until ctx is
// done. Where it does not run they stay for as long as they like.
func (rs *Rooms) Run(ctx context.Context) {
	ticker := time.NewTicker(expiryInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			for _, r := range rs.snapshot() {
				rs.evict(r.snapshot(), kicked, func(p Permit) bool { return p.hasExpired(now) })
			}
		}
	}
}
