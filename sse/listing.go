package sse

import (
	"iter"
	"time"
)

// Listed is a living socket in a list that is being read. Do not keep it: it holds all
// that the socket holds. To describe the socket later, call [Hub.Info] with its ID.
type Listed struct{ socket *socket }

// SocketID returns the socket's ID.
func (l Listed) SocketID() string { return l.socket.id }

// ConnectedAt returns when the socket was opened.
func (l Listed) ConnectedAt() time.Time { return l.socket.connectedAt }

// Info describes the socket as it is now.
func (l Listed) Info() Info { return l.socket.info() }

// Sockets lists the sockets that live when the list is first read, in no order. No lock
// is held between two sockets. Some may have ended when their turn comes.
func (h *Hub) Sockets() iter.Seq[Listed] {
	return func(yield func(Listed) bool) {
		active, _, _ := h.Counts()
		for _, s := range h.snapshot(make([]*socket, 0, active)) {
			if !yield(Listed{s}) {
				return
			}
		}
	}
}
