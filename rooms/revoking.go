package rooms

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
	"sync"
	"time"

	"signaling-server/internal/wire"
)

// MaxRevocations is how many revocations a register holds at once.
const MaxRevocations = 10_000

// Subject is what a revocation is about.
type Subject byte

// The subjects. They are stored, so a number never gets another meaning.
const (
	OfUser   Subject = iota + 1 // the user with an ID
	OfPermit                    // the permit with an ID

	subjects // one more than the last
)

// Revoked names a user or a permit.
type Revoked struct {
	Subject Subject
	ID      string
}

func (r Revoked) compare(other Revoked) int {
	return cmp.Or(cmp.Compare(r.Subject, other.Subject), cmp.Compare(r.ID, other.ID))
}

// revocations are the users and permits that may be in no room for some time.
type revocations struct {
	mu    sync.RWMutex // guards what follows; held for look-ups only
	until map[Revoked]time.Time
}

// Revoke keeps a user or a permit out of all rooms until a time. It returns the sockets that
// are in a room by it, in the order of their joins: the caller must end them. The error is
// ErrTooManyRevocations.
func (rs *Rooms) Revoke(r Revoked, until time.Time) (socketIDs []string, err error) {
	if err := rs.revoked.add(r, until, rs.now()); err != nil {
		return nil, err
	}
	var concerned []Stay
	for _, one := range rs.list() {
		one.mu.RLock()
		for _, m := range one.members {
			if slices.Contains(revocable(m.userID, m.permit), r) {
				concerned = append(concerned, Stay{m.socketID, m.number})
			}
		}
		one.mu.RUnlock()
	}
	slices.SortFunc(concerned, func(a, b Stay) int { return cmp.Compare(a.Number, b.Number) })
	for _, stay := range concerned {
		socketIDs = append(socketIDs, stay.SocketID)
	}
	return socketIDs, nil
}

// Allow ends a revocation before its time. It returns false if there is none.
func (rs *Rooms) Allow(r Revoked) bool {
	rs.revoked.mu.Lock()
	defer rs.revoked.mu.Unlock()
	_, isRevoked := rs.revoked.until[r]
	delete(rs.revoked.until, r)
	return isRevoked
}

// Revocation returns until when a user or a permit is revoked. The second result is false if it
// is not, now. Any goroutine may call it.
func (rs *Rooms) Revocation(r Revoked, now time.Time) (until time.Time, isRevoked bool) {
	return rs.revoked.find(r, now)
}

// Revocations returns all that is revoked now, in no order. Any goroutine may call it.
func (rs *Rooms) Revocations(now time.Time) []Revoked {
	rs.revoked.mu.RLock()
	defer rs.revoked.mu.RUnlock()
	var all []Revoked
	for r, until := range rs.revoked.until {
		if until.After(now) {
			all = append(all, r)
		}
	}
	return all
}

// revocable returns what may be revoked of a user with a permit.
func revocable(userID string, p Permit) []Revoked {
	if p.ID == "" {
		return []Revoked{{OfUser, userID}}
	}
	return []Revoked{{OfUser, userID}, {OfPermit, p.ID}}
}

// mayJoin returns ErrRevoked if the user or the permit of a request is revoked.
func (rs *Rooms) mayJoin(request JoinRequest) error {
	if rs.revoked.isEmpty() {
		return nil
	}
	now := rs.now()
	for _, one := range revocable(request.UserID, request.Permit) {
		if _, isRevoked := rs.revoked.find(one, now); isRevoked {
			return ErrRevoked
		}
	}
	return nil
}

func (r *revocations) isEmpty() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.until) == 0
}

func (r *revocations) find(one Revoked, now time.Time) (until time.Time, isRevoked bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	until, isRevoked = r.until[one]
	return until, isRevoked && until.After(now)
}

// add adds a revocation, and forgets those whose time is over.
func (r *revocations) add(one Revoked, until, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.until, func(_ Revoked, until time.Time) bool { return !until.After(now) })
	if _, isKnown := r.until[one]; !isKnown && len(r.until) >= MaxRevocations {
		return ErrTooManyRevocations
	}
	if r.until == nil {
		r.until = make(map[Revoked]time.Time)
	}
	r.until[one] = until
	return nil
}

// appendTo appends the revocations to a snapshot.
func (r *revocations) appendTo(b []byte) []byte {
	r.mu.RLock()
	defer r.mu.RUnlock()
	b = binary.AppendUvarint(b, uint64(len(r.until)))
	for _, one := range slices.SortedFunc(maps.Keys(r.until), Revoked.compare) {
		b = wire.AppendTime(one.Append(b), r.until[one])
	}
	return b
}

// restore reads what appendTo appends, in place of the revocations that there are.
func (r *revocations) restore(from *wire.Reader) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.until = nil
	count := from.Count()
	if count > MaxRevocations {
		from.Fail(errNoState)
	}
	var before Revoked
	for range count {
		one, until := ReadRevoked(from), from.Time()
		if from.Err() == nil && one.compare(before) <= 0 {
			from.Fail(errNoState)
		}
		if from.Err() != nil {
			return
		}
		if r.until == nil {
			r.until = make(map[Revoked]time.Time)
		}
		r.until[one], before = until, one
	}
}

// Append appends the name, which [ReadRevoked] reads.
func (r Revoked) Append(b []byte) []byte { return wire.AppendText(append(b, byte(r.Subject)), r.ID) }

// ReadRevoked reads what [Revoked.Append] appends. If that is malformed, the reader has an error.
func ReadRevoked(from *wire.Reader) Revoked {
	r := Revoked{Subject(from.Byte()), from.Text()}
	if r.Subject == 0 || r.Subject >= subjects {
		from.Fail(errNoState)
	}
	return r
}
