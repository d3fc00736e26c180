package sse

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// reader reads a socket's outbox from a position. It is a stream or a poll. A socket has
// one reader at most, and a new reader takes over from the old one.
//
// The methods of the first group are called with the socket's lock held.
type reader interface {
	// start makes the reader read the events after a position.
	start(position uint64)
	// advance makes the reader take the next thing to write, if there is one.
	advance()
	// beat makes the reader send a heartbeat if it has been silent for too long, or if its
	// client must say that it lives. It returns when it must be called again. The times are
	// of the hub's clock.
	beat(now time.Duration) (again time.Duration)
	// end makes the reader stop. It first writes everything that the outbox holds, unless
	// skip is true. Then it writes the last word, if there is one. The limit bounds how
	// long all this may take.
	end(skip bool, lastWord *event, limit time.Duration)

	// transport returns OverStream or OverPoll.
	transport() Transport
	// bytes returns how much memory the reader takes, without its connection.
	bytes() int
	// close ends the reader. It is called once, when the reader writes nothing.
	close()
	// isStalled reports whether the reader ended because a write timed out. It is called
	// after close.
	isStalled() bool
	// gone returns a channel that is closed when the reader delivers nothing more.
	gone() <-chan struct{}
}

// errOvertaken: the client has confirmed more than this request says. So this request
// was held up on the way, and the client has gone on with another request. The socket
// must live on.
var errOvertaken = errors.New("sse: the client has confirmed more than this position")

// lastWordTime is how long a reader that must stop may take for the write under way and
// for its last word.
const lastWordTime = 250 * time.Millisecond

// openReader makes a reader of the socket that position names. The reader gets a new
// socket if position is nil or cannot be resumed. openReader waits until the reader
// before it has ended: two readers of one socket never both deliver. If there is no
// error, closeReader must follow.
func openReader[R reader](ctx context.Context, h *Hub, t Transport, position *EventID, c Client, newReader func(s *socket, token Token, resumed bool) R) (R, error) {
	h.countReaders(1)
	r, before, err := attachReader(ctx, h, t, position, c, newReader)
	if err != nil {
		h.countReaders(-1)
		return r, err
	}
	h.options.OnRead(r.transport())
	h.Flush() // the last word of the reader before, and what members of the room learn
	if before != nil {
		<-before.gone()
	}
	return r, nil
}

// closeReader closes a reader, then detaches it: a socket has its reader for as long as
// the reader delivers anything.
func (h *Hub) closeReader(s *socket, r reader) {
	r.close()
	s.detach(r)
	h.options.Budget.ChargeFor(s.origin.network, -r.bytes())
	h.countReaders(-1)
}

// attachReader makes a reader of the socket that position names, or of a new one. It
// also returns the reader that was there before, if any.
func attachReader[R reader](ctx context.Context, h *Hub, t Transport, position *EventID, c Client, newReader func(s *socket, token Token, resumed bool) R) (r R, before reader, err error) {
	if position != nil {
		if s := h.socket(position.Token.SocketID()); s != nil {
			if err := h.options.MayRead(Ref{socket: s}); err != nil {
				return r, nil, err
			}
			r, before, err = resumeReader(ctx, h, s, t, *position, c, newReader)
			if err == nil {
				h.options.OnResume(t, true)
			}
			if !errors.Is(err, ErrGone) && !errors.Is(err, errOvertaken) {
				return r, before, err
			}
		}
		if !errors.Is(err, errOvertaken) { // otherwise another request has resumed the socket
			h.options.OnResume(t, false)
		}
	}
	r, err = firstReader(ctx, h, t, c, newReader)
	return r, nil, err
}

// resumeReader makes a reader of a living socket. If the error is [ErrGone] or
// errOvertaken, the client needs a new socket.
func resumeReader[R reader](ctx context.Context, h *Hub, s *socket, t Transport, position EventID, c Client, newReader func(s *socket, token Token, resumed bool) R) (r R, before reader, err error) {
	if h.isReplicated() {
		if h.Draining() {
			return r, nil, ErrDraining
		}
		attach := Command{Kind: AttachReader, SocketID: s.id, Transport: t, Client: c, Sequence: position.Sequence}
		for err = errMisplaced; errors.Is(err, errMisplaced); { // another attachment may come in between
			attach.Before = s.latest()
			_, before, err = h.attachByLog(ctx, attach, func(s *socket) reader {
				r = newReader(s, position.Token, true)
				return r
			})
		}
		if err != nil {
			return r, nil, err
		}
		h.options.Budget.ChargeFor(s.origin.network, r.bytes())
		h.logResumption(ctx, s, t, c)
		return r, before, nil
	}
	r = newReader(s, position.Token, true)
	before, wasAway, err := s.attach(r, position.Sequence, c)
	if err != nil {
		r.close()
		if errors.Is(err, ErrGone) {
			h.End(s.id, TransportClose) // the client gets a new socket, so the old socket must not stay in its room
		}
		return r, nil, err
	}
	h.options.Budget.ChargeFor(s.origin.network, r.bytes())
	h.logResumption(ctx, s, r.transport(), c)
	if wasAway {
		h.options.OnPresence(s.id)
	}
	return r, before, nil
}

// firstReader makes a reader of a new socket. A request with a position that cannot be
// resumed costs as much as a request without a position: it must not be a cheaper way
// to open sockets.
func firstReader[R reader](ctx context.Context, h *Hub, t Transport, c Client, newReader func(s *socket, token Token, resumed bool) R) (r R, err error) {
	if err := h.options.MayOpen(c.Network); err != nil {
		return r, err
	}
	token := NewToken()
	if h.isReplicated() {
		return firstByLog(ctx, h, t, token, c, newReader)
	}
	s := newSocket(h, token.SocketID())
	r = newReader(s, token, false)
	_, _, _ = s.attach(r, 0, c) // it cannot fail: nobody knows the socket yet, so nobody has ended it
	charge := func(bytes int) bool { return h.options.Budget.TakeFor(c.Network, bytes+r.bytes()) }
	if err := h.register(s, c.Network, charge); err != nil {
		r.close()
		s.end(TransportClose, "") // so that Run, which looks at it soon, forgets it
		return r, err
	}
	h.logConnection(ctx, s, r.transport(), c)
	return r, nil
}

// firstByLog is firstReader for a hub with a log, which opens the socket at all nodes.
func firstByLog[R reader](ctx context.Context, h *Hub, t Transport, token Token, c Client, newReader func(s *socket, token Token, resumed bool) R) (r R, err error) {
	switch {
	case h.Draining():
		return r, ErrDraining
	case !h.options.Budget.TakeFor(c.Network, socketBytes):
		return r, ErrOutOfBudget
	}
	defer h.options.Budget.ChargeFor(c.Network, -socketBytes) // the command that opens the socket charges for it
	open := Command{Kind: OpenSocket, SocketID: token.SocketID(), Transport: t, Client: c}
	s, _, err := h.attachByLog(ctx, open, func(s *socket) reader {
		r = newReader(s, token, false)
		return r
	})
	if err != nil {
		return r, err
	}
	h.options.Budget.ChargeFor(c.Network, r.bytes())
	h.logConnection(ctx, s, t, c)
	return r, nil
}

// logConnection logs that a new socket has a reader.
func (h *Hub) logConnection(ctx context.Context, s *socket, t Transport, c Client) {
	traceReader(ctx, s, false)
	h.options.Logger.InfoContext(ctx, "socket connected", "socketId", s.id, "ip", c.IP, "transport", string(t))
}

// logResumption logs that a socket has a reader again. For polls that is the normal case
// and happens all the time, so polls are logged at debug level.
func (h *Hub) logResumption(ctx context.Context, s *socket, t Transport, c Client) {
	traceReader(ctx, s, true)
	level := slog.LevelInfo
	if t == OverPoll {
		level = slog.LevelDebug
	}
	h.options.Logger.Log(ctx, level, "socket resumed", "socketId", s.id, "ip", c.IP, "transport", string(t))
}

// countReaders changes the number of readers that are being served.
func (h *Hub) countReaders(change int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.readers += change
}
