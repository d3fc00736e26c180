package sse

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Log brings commands to all nodes of a cluster in one order. Each node applies them by
// [Hub.Apply]. Any goroutine may call its methods at once.
type Log interface {
	// Submit appends a command, and returns what Apply at this node has returned for it. If
	// the context ends first, the error is that of the context, and the command may still be
	// applied.
	Submit(ctx context.Context, c Command) error
	// Propose is Submit for a command whose result nobody waits for. It returns at once, and
	// may be called with locks held.
	Propose(c Command)
}

const (
	// proposeAgain is how long a node waits for a command that it has proposed.
	proposeAgain = 2 * time.Second
	// notFirst is how much longer other nodes wait than the node that has served a socket
	// last, before they propose what is due for the socket.
	notFirst = time.Second
	// untold says which part of an outbox a reader may have written before the other nodes
	// learn it. It is a quarter of the share of one sender.
	untold = 16
)

// isReplicated reports whether the state changes only by what a log brings.
func (h *Hub) isReplicated() bool { return h.options.Log != nil }

// arrival is a stream or poll here whose attachment is on its way through the log.
type arrival struct {
	newReader func(*socket) reader // set once

	mu     sync.Mutex // guards what follows; held while the reader is attached
	socket *socket
	reader reader // nil: it is not attached
	before reader // that must end before it, or nil
	isOver bool   // nobody waits for it any more
}

// attachByLog brings a command through the log that attaches a reader. It returns the
// reader's socket, and the reader that must end before it, if that is here.
func (h *Hub) attachByLog(ctx context.Context, c Command, newReader func(*socket) reader) (s *socket, before reader, err error) {
	a := &arrival{newReader: newReader}
	c.Attachment = Attachment{h.options.Node, rand.Uint64()}
	h.mu.Lock()
	h.arrivals[c.Attachment] = a
	h.mu.Unlock()
	err = h.options.Log.Submit(ctx, c)
	h.mu.Lock()
	delete(h.arrivals, c.Attachment)
	h.mu.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.isOver = true
	if err != nil && a.reader != nil { // it was attached in this moment
		a.reader.close()
		a.socket.detach(a.reader)
	}
	return a.socket, a.before, err
}

// arrivalOf returns the reader that waits here for an attachment, with its lock held. It
// returns nil if none waits.
func (h *Hub) arrivalOf(c Attachment) *arrival {
	h.mu.RLock()
	a := h.arrivals[c]
	h.mu.RUnlock()
	if a == nil {
		return nil
	}
	a.mu.Lock()
	if a.isOver {
		a.mu.Unlock()
		return nil
	}
	return a
}

// make makes the reader, if one waits.
func (a *arrival) make(s *socket) reader {
	if a == nil {
		return nil
	}
	return a.newReader(s)
}

// attached notes that the reader is attached, and unlocks the arrival.
func (a *arrival) attached(s *socket, r, before reader) {
	a.socket, a.reader, a.before = s, r, before
	a.mu.Unlock()
}

// failed closes the reader, and unlocks the arrival.
func (a *arrival) failed(r reader) {
	if a != nil {
		r.close()
		a.mu.Unlock()
	}
}

// propose brings a command about the socket's latest attachment into the log. The socket's
// lock must be held.
func (s *socket) propose(c Command) {
	c.SocketID, c.Attachment = s.id, s.attachment
	s.hub.options.Log.Propose(c)
}

// isDueHere reports whether this node proposes what is due for a socket now. The node that
// has served it last does so first, so that not all nodes propose the same. If that is gone, all
// do.
func (s *socket) isDueHere(due, now time.Duration) bool {
	return s.nodeIsGone || s.attachment.Node == s.hub.options.Node || now >= due+notFirst
}

// Written returns commands that tell the other nodes what readers here have written since
// the last call. The owner of the log submits them now and then.
func (h *Hub) Written() (told []Command) {
	h.mu.Lock()
	writers := h.writers
	h.writers = nil
	h.mu.Unlock()
	for _, s := range writers {
		s.mu.Lock()
		s.isWriter = false
		if s.reader != nil && s.wroteHere > s.outbox.written {
			told = append(told, Command{Kind: NoteWritten, SocketID: s.id, Attachment: s.attachment, Sequence: s.wroteHere})
		}
		s.mu.Unlock()
	}
	return told
}

// noteWritten notes what a reader here has written, for [Hub.Written]. If that is much, the
// other nodes learn it at once: what was written must not use up the shares of senders. The
// socket's lock must be held.
func (s *socket) noteWritten(sequence uint64) {
	s.measureDelivery(sequence)
	s.wroteHere = max(s.wroteHere, sequence)
	if o := &s.outbox; s.wroteHere >= o.written+uint64(o.limits.UnsentEvents/untold) || o.unsent.bytes > o.limits.UnsentBytes/untold {
		s.propose(Command{Kind: NoteWritten, Sequence: s.wroteHere})
		return
	}
	if s.isWriter {
		return
	}
	s.isWriter = true
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.hub.writers = append(s.hub.writers, s)
}
