package httpapi

import (
	"signaling-server/limits"
	"signaling-server/machine"
	"signaling-server/sse"
)

// socketState is what the API keeps with a socket, for as long as the socket lives. The
// zero value is that of a new socket.
type socketState struct {
	limits limits.Socket
	keys   machine.Keys
}

// NewSocketState is the value for NewState of [sse.Options].
func NewSocketState() any { return new(socketState) }

// AppendBinary implements [encoding.BinaryAppender]. The limits are left out, because each
// node has its own.
func (s *socketState) AppendBinary(b []byte) ([]byte, error) { return s.keys.AppendBinary(b) }

// UnmarshalBinary implements [encoding.BinaryUnmarshaler].
func (s *socketState) UnmarshalBinary(b []byte) error { return s.keys.UnmarshalBinary(b) }

func stateOf(r sse.Ref) *socketState { return r.State().(*socketState) }

// LimitsOf returns what a socket may still ask for. Any goroutine may call it.
func LimitsOf(r sse.Ref) *limits.Socket { return &stateOf(r).limits }

// KeysOf returns what is remembered of a socket's POSTs. Any goroutine may call it.
func KeysOf(r sse.Ref) *machine.Keys { return &stateOf(r).keys }
