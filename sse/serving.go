package sse

import "net/http"

// ServeStream serves one stream: of the socket that position names, or of a
// new one where position is nil or cannot be gone on from. It returns when the
// stream has ended. With [ErrDraining] or [ErrAtCapacity] nothing was written.
// While it runs the request has no header.
func (h *Hub) ServeStream(w http.ResponseWriter, r *http.Request, position *EventID, c Client) error {
	st, err := h.openStream(w, r, position, c)
	if err != nil {
		return err
	}
	defer h.closeStream(st)
	r.Header = nil // up to 2 KB that nobody reads while the stream lives
	st.lane.serve(st.writer, st.request)
	if p := st.writer.panicked; p != nil {
		panic(p)
	}
	return nil
}

// openStream attaches a stream to its socket, and waits until the one before it
// has ended: two streams of one socket never both deliver.
func (h *Hub) openStream(w http.ResponseWriter, r *http.Request, position *EventID, c Client) (*stream, error) {
	if err := h.enter(); err != nil {
		return nil, err
	}
	st, before, err := h.attach(w, r, position, c)
	if err != nil {
		h.leave()
		return nil, err
	}
	if before != nil {
		<-before.done
	}
	return st, nil
}

// closeStream ends a stream's stay. Only when the engine has let go of it is it
// done, and only then is its socket away.
func (h *Hub) closeStream(st *stream) {
	st.close()
	st.socket.detach(st)
	h.leave()
}

// attach finds or makes the socket for a stream.
func (h *Hub) attach(w http.ResponseWriter, r *http.Request, position *EventID, c Client) (st, before *stream, err error) {
	if position != nil {
		if s := h.socket(position.Token.SocketID()); s != nil {
			st = newStream(s, w, r)
			st.open(true)
			if before, ok := s.attach(st, position.Sequence, c); ok {
				h.options.Logger.Info("stream resumed", "socketId", s.id, "ip", c.IP)
				return st, before, nil
			}
			st.close()
			h.End(s.id, TransportClose) // it could not be resumed: no ghost of it stays
		}
	}
	s, err := h.open()
	if err != nil {
		return nil, nil, err
	}
	st = newStream(s, w, r)
	st.open(false)
	if _, ok := s.attach(st, 0, c); !ok {
		st.close()
		return nil, nil, ErrDraining // nothing else can end a socket whose token nobody knows
	}
	h.options.Logger.Info("socket connected", "socketId", s.id, "ip", c.IP)
	return st, nil, nil
}

func (h *Hub) enter() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.draining {
		return ErrDraining
	}
	h.streams++
	return nil
}

func (h *Hub) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.streams--
	if h.draining && h.streams == 0 {
		close(h.drained)
	}
}
