package sse

import (
	"net/http"
	"time"
)

// ServeStream serves one stream of the socket that position names. It opens a new
// socket if position is nil or cannot be resumed. It returns when the stream has ended.
//
// The error is [ErrDraining], [ErrAtCapacity], [ErrTooMany], [ErrOutOfBudget] or an
// error of [Options].MayOpen or MayRead. If there is an error, nothing was written. A
// request whose stream has begun has no header any more.
func (h *Hub) ServeStream(w http.ResponseWriter, r *http.Request, position *EventID, c Client) error {
	st, err := openReader(h, position, c, func(s *socket, resumed bool) *stream { return newStream(s, w, r, resumed) })
	if err != nil {
		return err
	}
	defer h.closeReader(st.socket, st)
	r.Header = nil // up to 2 KB that nobody reads while the stream lives
	st.lane.serve(st.writer, st.request)
	if p := st.writer.panicked; p != nil {
		panic(p)
	}
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
	p, err := openReader(h, position, c, func(s *socket, resumed bool) *poll { return newPoll(s, w, resumed) })
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
