package sse

import (
	"net/http"
	"time"
)

// ServeStream serves one stream: of the socket that position names, or of a
// new one where position is nil or cannot be gone on from. It returns when the
// stream has ended. With [ErrDraining] or [ErrAtCapacity] nothing was written.
// While it runs the request has no header.
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

// ServePoll answers one poll: of the socket that position names, or of a new
// one where position is nil or cannot be gone on from. The answer is
// {"events": […], "lastEventId": "…"}, with as many events as there are and as
// one answer may hold. Where there is none it waits for one, and answers an
// empty list when the wait is over. A new socket's first event is connected.
// With [ErrDraining] or [ErrAtCapacity] nothing was written. Nor was it with the
// error of the request's context, when the client is gone.
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
