package rooms

import (
	"bytes"
	"io"
	"slices"
	"sync"
)

// chunkSize is how many members one chunk of a roster holds. A change copies one chunk
// and the list of chunks. Both are short even in a room with a thousand members.
const chunkSize = 32

// roster is the members of a room as room-joined names them, in order of joining. A
// roster never changes: each change makes a new roster, which shares all but one chunk
// with the old one. So a room-joined that waits in an outbox costs little memory,
// however large the room is.
type roster struct {
	chunks  [][]place
	members int
	length  int // of the members' JSON in bytes, without the commas between them
}

// place is one member in a roster.
type place struct {
	member *member
	isAway bool
}

// awayMember ends the entry of a member that is away.
const awayMember = `,"away":true}`

func (p place) length() int {
	if p.isAway {
		return len(p.member.entry) - len("}") + len(awayMember)
	}
	return len(p.member.entry)
}

func (p place) appendTo(text []byte) []byte {
	if p.isAway {
		return append(append(text, p.member.entry[:len(p.member.entry)-1]...), awayMember...)
	}
	return append(text, p.member.entry...)
}

// with returns a roster that has one more member, at the end.
func (r roster) with(m *member) roster {
	added := place{member: m}
	last := len(r.chunks) - 1
	if last >= 0 && len(r.chunks[last]) < chunkSize {
		return r.changed(last, slices.Concat(r.chunks[last], []place{added}), 1, added.length())
	}
	chunks := slices.Concat(r.chunks, [][]place{{added}})
	return roster{chunks, r.members + 1, r.length + added.length()}
}

// without returns a roster that does not have this member.
func (r roster) without(m *member) roster {
	c, i := r.find(m)
	if c < 0 {
		return r
	}
	less := slices.Concat(r.chunks[c][:i], r.chunks[c][i+1:])
	return r.changed(c, less, -1, -r.chunks[c][i].length()).dense()
}

// marked returns a roster in which a member is marked as away, or as present.
func (r roster) marked(m *member, isAway bool) roster {
	c, i := r.find(m)
	if c < 0 {
		return r
	}
	before, after := r.chunks[c][i], place{m, isAway}
	marked := slices.Clone(r.chunks[c])
	marked[i] = after
	return r.changed(c, marked, 0, after.length()-before.length())
}

// changed returns a roster in which chunk c is replaced. The last two arguments are
// how many more members and bytes the new chunk has, negative if it has fewer.
func (r roster) changed(c int, chunk []place, members, length int) roster {
	chunks := slices.Clone(r.chunks)
	if chunks[c] = chunk; len(chunk) == 0 {
		chunks = slices.Delete(chunks, c, c+1)
	}
	return roster{chunks, r.members + members, r.length + length}
}

// maxChunks is how many chunks a roster of so many members has at most after a member has
// left. A member that joins may add one.
func maxChunks(members int) int { return 1 + 2*members/chunkSize }

// dense returns the same roster in fewer chunks, if its chunks are mostly empty.
func (r roster) dense() roster {
	if len(r.chunks) <= maxChunks(r.members) {
		return r
	}
	all := slices.Concat(r.chunks...)
	return roster{slices.Collect(slices.Chunk(all, chunkSize)), r.members, r.length}
}

func (r roster) find(m *member) (chunk, index int) {
	for c, places := range r.chunks {
		if i := slices.IndexFunc(places, func(p place) bool { return p.member == m }); i >= 0 {
			return c, i
		}
	}
	return -1, -1
}

// size returns the length of the members' JSON in bytes, with the commas between them.
func (r roster) size() int { return r.length + max(0, r.members-1) }

// roomJoinedData is the [Data] of an event room-joined: its beginning, the roster as it
// was when the event was made, and its end. It is set once and shared by goroutines.
type roomJoinedData struct {
	head  []byte // from the start of the text to the bracket that opens users, bracket included
	users roster
	tail  []byte // from the bracket that closes users to the end of the text
}

// newRoomJoinedData returns the text of an event with these users.
func newRoomJoinedData(e roomJoined, users roster) *roomJoinedData {
	text := encode(e)
	noUsers := []byte(`"users":[]`) // no string of JSON contains it, because a quote in a string is escaped
	at := bytes.Index(text, noUsers) + len(noUsers) - len("]")
	return &roomJoinedData{text[:at], users, text[at:]}
}

// Len implements [Data].
func (d *roomJoinedData) Len() int { return len(d.head) + d.users.size() + len(d.tail) }

// Held implements [Data]. It counts the beginning, the end, one chunk, and the longest
// list of chunks that so many members may have: the other chunks are shared. It does not
// ask for the present list. That depends on who has left before, so a register that was
// restored has another.
func (d *roomJoinedData) Held() int {
	return len(d.head) + len(d.tail) + 16*chunkSize + 24*maxChunks(d.users.members)
}

// pieceSize is how many bytes of a roster are put together for one write.
const pieceSize = 8 << 10

var rosterPieces = sync.Pool{New: func() any { return new(make([]byte, 0, pieceSize)) }}

// WriteTo implements [Data].
func (d *roomJoinedData) WriteTo(w io.Writer) (written int64, err error) {
	piece := rosterPieces.Get().(*[]byte)
	text := append((*piece)[:0], d.head...)
	defer func() {
		*piece = text[:0]
		rosterPieces.Put(piece)
	}()
	flush := func() error {
		n, err := w.Write(text)
		written += int64(n)
		text = text[:0]
		return err
	}
	isFirst := true
	for _, chunk := range d.users.chunks {
		for _, p := range chunk {
			if len(text)+1+p.length() > pieceSize && len(text) > 0 {
				if err := flush(); err != nil {
					return written, err
				}
			}
			if !isFirst {
				text = append(text, ',')
			}
			isFirst = false
			text = p.appendTo(text)
		}
	}
	text = append(text, d.tail...)
	return written, flush()
}
