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
	st, err := h.openStream(r, position, c, false)
	if err != nil {
		return err
	}
	ctx := r.Context()
	r.Header = nil // up to 2 KB that nobody reads while the stream lives
	conn := newHeldConn(w, r, h.options.WriteTimeout)
	st.link.hold(conn)
	conn.serve(ctx, st)
	if p := conn.panicked; p != nil {
		panic(p)
	}
	return nil
}

// park begins a stream on a parked connection. When it returns, the stream goes on.
func (h *Hub) park(w http.ResponseWriter, r *http.Request, position *EventID, c Client) error {
	st, err := h.openStream(r, position, c, true)
	if err != nil {
		return err
	}
	conn, err := h.options.Parking.Park(w, r, st.link)
	if err != nil { // the connection broke in this moment
		st.link.abandon()
		panic(http.ErrAbortHandler)
	}
	st.link.park(conn, w.Header())
	return nil
}

// openStream makes a stream of the socket that position names, or of a new one.
func (h *Hub) openStream(r *http.Request, position *EventID, c Client, isParked bool) (*stream, error) {
	return openReader(r.Context(), h, OverStream, position, c, func(s *socket, token Token, resumed bool) *stream {
		st := newStream(s, token, resumed)
		st.link = &link{stream: st, isParked: isParked, isChunked: isParked && r.ProtoAtLeast(1, 1)}
		return st
	})
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
