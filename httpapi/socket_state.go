package httpapi

import (
	"signaling-server/limits"
	"signaling-server/sse"
)

// socketState is what the API keeps with a socket, for as long as the socket lives. The
// zero value is that of a new socket.
type socketState struct {
	limits limits.Socket
	keys   socketKeys
}

// NewSocketState is the value for NewState of [sse.Options].
func NewSocketState() any { return new(socketState) }

func stateOf(r sse.Ref) *socketState { return r.State().(*socketState) }

// LimitsOf returns what a socket may still ask for. Any goroutine may call it.
func LimitsOf(r sse.Ref) *limits.Socket { return &stateOf(r).limits }

// Forget gives back what the remembered answers of a socket are charged for. It must be
// called when the socket has ended.
func (a *API) Forget(r sse.Ref) { stateOf(r).keys.forget(account{a.budget, r.Network()}) }
