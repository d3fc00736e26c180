package sse

import (
	"net/netip"
	"time"
)

// Ref refers to a socket, so that it need not be looked up again by its ID. Do not keep it
// for long: it holds all that the socket holds, also after the socket has ended. To describe
// the socket later, call [Hub.Info] with its ID. Any goroutine may call the methods.
type Ref struct {
	socket *socket
	token  Token // that the socket was found by; zero: it was not found by its token
}

// SocketID returns the socket's ID.
func (r Ref) SocketID() string { return r.socket.id }

// ConnectedAt returns when the socket was opened.
func (r Ref) ConnectedAt() time.Time { return r.socket.connectedAt }

// Network returns the network from which the socket was opened.
func (r Ref) Network() netip.Prefix { return r.socket.origin.network }

// State returns what [Options].NewState made for the socket.
func (r Ref) State() any { return r.socket.state }

// Lives reports whether the socket has not ended.
func (r Ref) Lives() bool {
	_, lives := r.socket.isAway()
	return lives
}

// Confirm notes that everything up to a position has arrived, so that it need not be kept
// for a resume. The position must be of the token that was authenticated. Confirm does nothing
// if the present stream or poll has not reached it, if a later position is confirmed already,
// or if the socket has ended.
func (r Ref) Confirm(position EventID) {
	if position.Token == r.token {
		r.socket.confirmMore(position.Sequence)
	}
}

// Info describes the socket as it is now.
func (r Ref) Info() Info { return r.socket.info() }

// Ref returns the living socket with an ID. The second result is false if the socket has
// ended.
func (h *Hub) Ref(socketID string) (r Ref, ok bool) {
	s := h.socket(socketID)
	return Ref{socket: s}, s != nil
}

// Authenticate returns the living socket that a token speaks for. The second result is
// false if there is none. It counts as a sign of life of the socket's client.
func (h *Hub) Authenticate(t Token) (r Ref, ok bool) {
	var id [socketIDLength]byte
	t.putSocketID(id[:])
	h.mu.RLock()
	s := h.sockets[string(id[:])]
	h.mu.RUnlock()
	if s == nil {
		return Ref{}, false
	}
	if before := s.heard.Load(); before != 0 {
		s.hear()
		s.tellHeard(before)
	}
	return Ref{s, t}, true
}
