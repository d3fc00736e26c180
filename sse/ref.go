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

// Confirms returns the sequence up to which everything has arrived, by an id that the client
// sends. It is 0 if the id is not of the token that was authenticated.
func (r Ref) Confirms(id EventID) uint64 {
	if id.Token != r.token {
		return 0
	}
	return id.Sequence
}

// Tell is [Ref.Posted] for a request that leads to no POST that is applied. If there are several
// nodes, it tells them.
func (r Ref) Tell(confirmed uint64) {
	if r.socket.hub.isReplicated() {
		r.socket.tell(confirmed)
		return
	}
	r.socket.confirmMore(confirmed)
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
// false if there is none. It counts as a sign of life of the socket's client, but only here: a
// POST that is applied, or [Ref.Tell], brings it to other nodes.
func (h *Hub) Authenticate(t Token) (r Ref, ok bool) {
	var id [socketIDLength]byte
	t.putSocketID(id[:])
	h.mu.RLock()
	s := h.sockets[string(id[:])]
	h.mu.RUnlock()
	if s == nil {
		return Ref{}, false
	}
	s.hear()
	return Ref{s, t}, true
}
