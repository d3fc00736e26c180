package rooms

import (
	"encoding/binary"
	"sync"
	"time"

	"signaling-server/internal/wire"
)

// ChangeKind is what has changed.
type ChangeKind byte

// The kinds of changes. They are stored, so a number never gets another meaning.
const (
	RoomCreated  ChangeKind = iota + 1 // a room has its first member
	MemberJoined                       // a socket is in a room
	MemberLeft                         // a socket is in a room no more
	RoomClosed                         // a room has no members any more

	changeKinds // one more than the last
)

// String returns the name of the kind, such as “member-joined”.
func (k ChangeKind) String() string {
	return [changeKinds]string{"", "room-created", "member-joined", "member-left", "room-closed"}[k]
}

// IsValid reports whether k is a kind.
func (k ChangeKind) IsValid() bool { return k > 0 && k < changeKinds }

// ServerEnded is the reason of a [MemberLeft] or [RoomClosed] whose server has ended without it.
const ServerEnded = "server ended"

// Change is a change of who is in which room.
type Change struct {
	Sequence    uint64 // counts the changes, from 1
	Kind        ChangeKind
	At          time.Time
	RoomID      string
	UserID      string // of a member
	SocketID    string // of a member
	Reason      string // why a member left; otherwise empty, except ServerEnded
	IsDelivered bool   // the receiver has it
}

// changeBytes is the memory that a change takes without its texts.
const changeBytes = 160

func (c *Change) size() int {
	return changeBytes + len(c.RoomID) + len(c.UserID) + len(c.SocketID) + len(c.Reason)
}

// changes are the newest changes. A change stays until newer ones push it out, so that it can be
// delivered again.
type changes struct {
	mu      sync.Mutex // guards what follows; no lock is taken while it is held
	state   ChangesInfo
	kept    []Change // the oldest first; no sequence is missing
	settled uint64   // all changes up to this one are delivered or dropped
}

// ChangesInfo says what became of the changes.
type ChangesInfo struct {
	Source    string // together with it, no sequence ever comes twice; empty: there was no change
	Last      uint64 // sequence of the newest change
	Round     uint64 // how often changes were to be delivered again
	Delivered uint64 // how often a change was delivered
	Dropped   uint64 // how many were pushed out before they were delivered

	Waiting int       // how many are kept that are not delivered
	Oldest  time.Time // when the oldest of these was; zero: none waits
}

// Kept is what a process has kept of the changes for the next process.
type Kept struct {
	// Waiting and Oldest do not matter. If Source is empty, the changes get another.
	ChangesInfo
	Changes []Change // the oldest first; no sequence is missing
	Members []Membership
}

// Membership says that a socket is in a room, or without a socket that there is the room: it may have no
// member for a moment.
type Membership struct{ RoomID, UserID, SocketID string }

// note keeps a change, if changes are kept. The lock of its room must be held, so that the
// changes of a room are in order.
func (rs *Rooms) note(c Change) {
	if rs.options.Changes == 0 {
		return
	}
	c.At = rs.now()
	rs.changes.mu.Lock()
	rs.add(c)
	rs.changes.mu.Unlock()
	rs.options.OnChange(false)
}

// add keeps a change, and pushes out the oldest. The lock of the changes must be held.
func (rs *Rooms) add(c Change) {
	all := &rs.changes
	if all.state.Source == "" {
		all.state.Source = rs.options.NewID()
	}
	all.state.Last++
	c.Sequence = all.state.Last
	all.kept = append(all.kept, c)
	all.state.Waiting++
	rs.charge(c.size())
	rs.trim()
}

// trim pushes out the oldest changes if there are too many. The lock of the changes must be held.
func (rs *Rooms) trim() {
	all := &rs.changes
	for len(all.kept) > rs.options.Changes {
		oldest := &all.kept[0]
		if !oldest.IsDelivered {
			all.state.Waiting--
			all.state.Dropped++
		}
		rs.charge(-oldest.size())
		*oldest = Change{} // the memory of its texts
		all.kept = all.kept[1:]
	}
	all.settle()
}

// settle notes how far all changes are delivered or dropped. The lock must be held.
func (c *changes) settle() {
	c.settled = max(c.settled, c.before())
	for c.settled < c.state.Last && c.at(c.settled+1).IsDelivered {
		c.settled++
	}
}

// at returns the change with a sequence, which must be kept. The lock must be held.
func (c *changes) at(sequence uint64) *Change { return &c.kept[sequence-c.before()-1] }

// info returns what became of the changes. The lock must be held.
func (c *changes) info() ChangesInfo {
	info := c.state
	if c.settled < info.Last {
		info.Oldest = c.at(c.settled + 1).At
	}
	return info
}

// charge counts the memory of changes.
func (rs *Rooms) charge(bytes int) {
	if rs.options.Charge != nil {
		rs.options.Charge(bytes)
	}
}

// Changes returns the first kept changes after a sequence, and what became of all changes.
func (rs *Rooms) Changes(after uint64, most int) (list []Change, info ChangesInfo) {
	all := &rs.changes
	all.mu.Lock()
	defer all.mu.Unlock()
	skipped := min(max(after, all.before())-all.before(), uint64(len(all.kept)))
	rest := all.kept[skipped:]
	return append(list, rest[:min(most, len(rest))]...), all.info()
}

// before returns the sequence before the first that is kept. The lock must be held.
func (c *changes) before() uint64 { return c.state.Last - uint64(len(c.kept)) }

// Delivered notes that changes were delivered, unless changes were to be delivered again since the
// round. A change that is not kept any more does not count.
func (rs *Rooms) Delivered(round uint64, sequences []uint64) {
	all := &rs.changes
	all.mu.Lock()
	defer all.mu.Unlock()
	if round != all.state.Round {
		return
	}
	for _, sequence := range sequences {
		if sequence <= all.before() || sequence > all.state.Last {
			continue
		}
		if c := all.at(sequence); !c.IsDelivered {
			c.IsDelivered = true
			all.state.Waiting--
			all.state.Delivered++
		}
	}
	all.settle()
}

// Replay lets all kept changes since a time be delivered again.
func (rs *Rooms) Replay(since time.Time) {
	all := &rs.changes
	all.mu.Lock()
	all.state.Round++
	for i := range all.kept {
		if c := &all.kept[i]; c.IsDelivered && !c.At.Before(since) {
			c.IsDelivered = false
			all.state.Waiting++
		}
	}
	all.settled = 0
	all.settle()
	all.mu.Unlock()
	rs.options.OnChange(true)
}

// ChangesInfo returns what became of the changes.
func (rs *Rooms) ChangesInfo() ChangesInfo {
	all := &rs.changes
	all.mu.Lock()
	defer all.mu.Unlock()
	return all.info()
}

// Memberships returns all memberships that there are now, in no order, as changes have told them.
func (rs *Rooms) Memberships() (all []Membership) {
	for _, r := range rs.list() {
		all = r.appendMemberships(all)
	}
	return all
}

func (r *room) appendMemberships(all []Membership) []Membership {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.isNoted && !r.closed {
		all = append(all, Membership{RoomID: r.id})
	}
	for _, m := range r.members {
		all = append(all, Membership{r.id, m.userID, m.socketID})
	}
	return all
}

// Continue goes on with the changes that a process before this one has kept. Its sockets are gone,
// so their members have left, and the rooms are closed. The register must be empty.
func (rs *Rooms) Continue(k Kept) {
	all := &rs.changes
	all.mu.Lock()
	defer all.mu.Unlock()
	all.state, all.kept = k.ChangesInfo, k.Changes
	if all.state.Source == "" && all.state.Last > 0 {
		all.state.Source = rs.options.NewID()
	}
	rs.count()
	for i, m := range k.Members {
		if m.SocketID != "" {
			rs.add(Change{Kind: MemberLeft, At: rs.now(), RoomID: m.RoomID, UserID: m.UserID, SocketID: m.SocketID, Reason: ServerEnded})
		}
		if isLast := i == len(k.Members)-1 || k.Members[i+1].RoomID != m.RoomID; isLast {
			rs.add(Change{Kind: RoomClosed, At: rs.now(), RoomID: m.RoomID, Reason: ServerEnded})
		}
	}
}

// count numbers the changes that another register has kept, and counts what waits. The lock of the
// changes must be held.
func (rs *Rooms) count() {
	all := &rs.changes
	all.state.Waiting, all.state.Oldest, all.settled = 0, time.Time{}, 0
	for i := range all.kept {
		c := &all.kept[i]
		c.Sequence = all.before() + uint64(i) + 1
		if !c.IsDelivered {
			all.state.Waiting++
		}
		rs.charge(c.size())
	}
	rs.trim()
}

// appendTo appends the changes to a snapshot.
func (c *changes) appendTo(b []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	b = wire.AppendText(b, c.state.Source)
	for _, count := range []uint64{c.state.Last, c.state.Round, c.state.Delivered, c.state.Dropped, uint64(len(c.kept))} {
		b = binary.AppendUvarint(b, count)
	}
	for i := range c.kept {
		b = c.kept[i].appendTo(b)
	}
	return b
}

func (c *Change) appendTo(b []byte) []byte {
	b = wire.AppendTime(append(b, byte(c.Kind)), c.At)
	for _, text := range []string{c.RoomID, c.UserID, c.SocketID, c.Reason} {
		b = wire.AppendText(b, text)
	}
	return wire.AppendBool(b, c.IsDelivered)
}

// restoreChanges reads what appendTo appends, in place of the changes that there are.
func (rs *Rooms) restoreChanges(from *wire.Reader) {
	all := &rs.changes
	all.mu.Lock()
	defer all.mu.Unlock()
	for i := range all.kept {
		rs.charge(-all.kept[i].size())
	}
	all.state = ChangesInfo{Source: from.Text(), Last: from.Uvarint(), Round: from.Uvarint(), Delivered: from.Uvarint(), Dropped: from.Uvarint()}
	all.kept = nil
	for range from.Count() {
		c := Change{Kind: ChangeKind(from.Byte()), At: from.Time(), RoomID: from.Text(), UserID: from.Text(), SocketID: from.Text(), Reason: from.Text(), IsDelivered: from.Bool()}
		if !c.Kind.IsValid() {
			from.Fail(errNoState)
		}
		if from.Err() != nil {
			break
		}
		all.kept = append(all.kept, c)
	}
	if uint64(len(all.kept)) > all.state.Last || all.state.Source == "" && all.state.Last > 0 {
		from.Fail(errNoState)
		all.kept = nil
	}
	rs.count()
}
