package sse

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// reader is what reads a socket's outbox from a position: a stream or a poll. A
// socket has one at most, and a new one takes over from the old.
//
// The methods of the first group are called with the socket's lock held.
type reader interface {
	// start makes it read what is behind a position.
	start(position uint64)
	// advance makes it take what it waits for, if that is there.
	advance()
	// beat makes it say something if it has been silent for too long.
	beat(now time.Time)
	// end makes it stop: after everything that the outbox holds, or (skip)
	// without it, and with a last word if there is one. The limit bounds how long
	// its client may take to read that.
	end(skip bool, lastWord *event, limit time.Duration)

	// transport says what kind it is.
	transport() Transport
	// close is called by its own goroutine when it reads no more.
	close()
	// isStalled tells, after close, whether it ended because its connection took
	// nothing any more.
	isStalled() bool
	// gone is closed when it delivers nothing more.
	gone() <-chan struct{}
}

// errOvertaken: the client has since confirmed what this request asks for. The
// request was held up on the way, and its client has long gone on with another;
// the socket must not suffer from it.
var errOvertaken = errors.New("sse: the client has read on behind this position")

// partingTime is how long a reader that is not to go on may take for the write
// under way and its last words.
const partingTime = 250 * time.Millisecond

// openReader makes a reader of the socket that position names, or of a new one
// where position is nil or cannot be gone on from, and waits until the reader
// before it has ended: two of one socket never both deliver. Without an error,
// closeReader must follow.
func openReader[R reader](h *Hub, position *EventID, c Client, newReader func(s *socket, resumed bool) R) (R, error) {
	h.countReaders(1)
	r, before, err := attachReader(h, position, c, newReader)
	if err != nil {
		h.countReaders(-1)
		return r, err
	}
	h.options.OnRead(r.transport())
	if before != nil {
		<-before.gone()
	}
	return r, nil
}

// closeReader ends a reader's stay. Only when it delivers nothing more is its
// socket without one.
func (h *Hub) closeReader(s *socket, r reader) {
	r.close()
	s.detach(r)
	h.options.Budget.ChargeFor(s.origin.network, -r.transport().bytes())
	h.countReaders(-1)
}

// attachReader finds or makes the socket for a reader.
func attachReader[R reader](h *Hub, position *EventID, c Client, newReader func(s *socket, resumed bool) R) (r R, before reader, err error) {
	if position != nil {
		if s := h.socket(position.Token.SocketID()); s != nil {
			if err := h.options.MayRead(s.id); err != nil {
				return r, nil, err
			}
			r, before, err = resumeReader(h, s, position.Sequence, c, newReader)
			if !errors.Is(err, ErrGone) && !errors.Is(err, errOvertaken) {
				return r, before, err
			}
		}
	}
	r, err = firstReader(h, c, newReader)
	return r, nil, err
}

// resumeReader attaches a reader to a socket that lives. With [ErrGone] and
// errOvertaken the client needs a new one.
func resumeReader[R reader](h *Hub, s *socket, position uint64, c Client, newReader func(s *socket, resumed bool) R) (r R, before reader, err error) {
	r = newReader(s, true)
	before, wasAway, err := s.attach(r, position, c)
	if err != nil {
		r.close()
		if errors.Is(err, ErrGone) {
			h.End(s.id, TransportClose) // it could not be resumed: no ghost of it stays
		}
		return r, nil, err
	}
	h.options.Budget.ChargeFor(s.origin.network, r.transport().bytes())
	h.logResumption(s, r.transport(), c)
	if wasAway {
		h.options.OnPresence(s.id)
	}
	return r, before, nil
}

// firstReader opens a new socket for a reader. What a client asked for before costs
// it nothing less: a position that cannot be gone on from is no cheaper way to open.
func firstReader[R reader](h *Hub, c Client, newReader func(s *socket, resumed bool) R) (r R, err error) {
	if err := h.options.MayOpen(c.Network); err != nil {
		return r, err
	}
	s := newSocket(h, NewToken())
	r = newReader(s, false)
	_, _, _ = s.attach(r, 0, c) // nothing has ended a socket that nobody knows
	if err := h.register(s, c.Network, r.transport()); err != nil {
		r.close()
		return r, err
	}
	h.options.Logger.Info("socket connected", "socketId", s.id, "ip", c.IP, "transport", string(r.transport()))
	return r, nil
}

// logResumption tells of a socket that is read on. That a client polls again is
// the usual, and it does so all the time.
func (h *Hub) logResumption(s *socket, t Transport, c Client) {
	level := slog.LevelInfo
	if t == OverPoll {
		level = slog.LevelDebug
	}
	h.options.Logger.Log(context.Background(), level, "socket resumed", "socketId", s.id, "ip", c.IP, "transport", string(t))
}

func (h *Hub) countReaders(change int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.readers += change
}
