package sse

import "time"

// schedule says when [Hub.Run] must look at each socket. To look at all sockets at each tick
// cost more than their heartbeats. Only Run's goroutine uses it.
type schedule struct{ looks []look }

// look is a time, by the hub's clock, at which something is due for a socket.
type look struct {
	due    time.Duration
	socket *socket
}

// soon makes Run look at sockets at the next tick.
func (sc *schedule) soon(changed []*socket) {
	for _, s := range changed {
		if s.place == 0 {
			sc.looks = append(sc.looks, look{socket: s})
			s.place = len(sc.looks)
		}
		sc.looks[s.place-1].due = 0
	}
}

// due calls visit for each socket for which something is due. The result says when visit
// must be called again, or that the socket has ended.
func (sc *schedule) due(now time.Duration, visit func(*socket) (again time.Duration, ended bool)) {
	for i := 0; i < len(sc.looks); {
		if sc.looks[i].due > now {
			i++
			continue
		}
		again, ended := visit(sc.looks[i].socket)
		if ended {
			sc.drop(i)
			continue
		}
		sc.looks[i].due = again
		i++
	}
}

// drop forgets the socket at a place.
func (sc *schedule) drop(i int) {
	last := len(sc.looks) - 1
	sc.looks[i].socket.place = 0
	if i != last {
		sc.looks[i] = sc.looks[last]
		sc.looks[i].socket.place = i + 1
	}
	sc.looks[last] = look{}
	sc.looks = sc.looks[:last]
	if cap(sc.looks) > 1024 && len(sc.looks) < cap(sc.looks)/4 {
		sc.looks = append(make([]look, 0, 2*len(sc.looks)), sc.looks...)
	}
}

// lookSoon makes Run look at a socket at the next tick, because something may be due sooner
// than when Run last looked. The socket's lock must be held.
func (s *socket) lookSoon() {
	if s.isChanged {
		return
	}
	s.isChanged = true
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.hub.changed = append(s.hub.changed, s)
}

// takeChanged returns the sockets that Run must look at now.
func (h *Hub) takeChanged() []*socket {
	h.mu.Lock()
	defer h.mu.Unlock()
	changed := h.changed
	h.changed = nil
	return changed
}
