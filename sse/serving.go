package sse

import (
	"net/http"
	"time"
)

// ServeStream serves one stream of the socket that position names. It opens a new
// socket if position is nil or cannot be resumed. It returns when the stream has ended, or
// when [Options].Parking has taken its connection.
//
// The error is [ErrDraining], [ErrAtCapacity], [ErrTooMany], [ErrOutOfBudget] or an
// error of [Options].MayOpen or MayRead. If there is an error, nothing was written. A
// request whose stream has begun has no header any more.
func (h *Hub) ServeStream(w http.ResponseWriter, r *http.Request, position *EventID, c Client) error {
	if parking := h.options.Parking; parking != nil && parking.CanPark(w, r) {
		return h.park(w, r, position, c)
	}
	st, err := openReader(r.Context(), h, OverStream, position, c, func(s *socket, token Token, resumed bool) *stream {
		st := newStream(s, token, resumed)
		st.link = newEngineLink(st, w, r)
		return st
	})
	if err != nil {
		return err
	}
	defer h.closeReader(st.socket, st)
	r.Header = nil // up to 2 KB that nobody reads while the stream lives
	l := st.link.(*engineLink)
	l.serve()
	if p := l.writer.panicked; p != nil {
		panic(p)
	}
	return nil
}

// park begins a stream on a parked connection. When it returns, the stream goes on.
func (h *Hub) park(w http.ResponseWriter, r *http.Request, position *EventID, c Client) error {
	st, err := openReader(r.Context(), h, OverStream, position, c, func(s *socket, token Token, resumed bool) *stream {
		st := newStream(s, token, resumed)
		st.link = newParkedLink(st, r)
		return st
	})
	if err != nil {
		return err
	}
	l := st.link.(*parkedLink)
	conn, err := h.options.Parking.Park(w, r, l)
	if err != nil { // the connection broke in this moment
		l.abandon()
		panic(http.ErrAbortHandler)
	}
	l.park(conn, w.Header())
	return nil
}

// ServePoll answers one poll of the socket that position names. It opens a new socket
// if position is nil or cannot be resumed. The first event of a new socket is connected.
//
// The answer is {"events": […], "lastEventId": "…"}. It holds the events after the
// position, as many as one answer may hold. If none is there, ServePoll waits for one,
// and answers with an empty list when the wait is over.
//
// The errors are those of [Hub.ServeStream], and the error of the request's context if
// the client has gone. If there is an error, nothing was written.
func (h *Hub) ServePoll(w http.ResponseWriter, r *http.Request, position *EventID, wait time.Duration, c Client) error {
	p, err := openReader(r.Context(), h, OverPoll, position, c, func(s *socket, token Token, resumed bool) *poll {
		return newPoll(s, token, w, resumed)
	})
	if err != nil {
		return err
	}
	defer h.closeReader(p.socket, p)
	if !p.await(r.Context(), wait) {
		return r.Context().Err()
	}
	p.answer()
	return nil
}
