package httpapi

import (
	"encoding/json"
	"net/http"

	"signaling-server/iceservers"
)

// getICEServers returns the STUN and TURN servers through which a socket may reach its
// peers, with new credentials each time (GET /ice-servers).
func (a *API) getICEServers(w http.ResponseWriter, r *http.Request, _ params) error {
	socket, err := a.authenticate(r)
	if err != nil {
		return err
	}
	socket.Tell(0)
	if err := a.limits.IceServers(LimitsOf(socket)); err != nil {
		return err
	}
	servers := a.iceServers.For(socket.SocketID())
	if servers == nil {
		servers = []iceservers.Server{}
	}
	return writeJSON(w, servers)
}

// ICEServers returns a function for [sse.Options]: it returns a socket's ICE servers as
// JSON, or nil if the provider has none. Any goroutine may call it.
func ICEServers(p iceservers.Provider) func(socketID string) json.RawMessage {
	return func(socketID string) json.RawMessage {
		if p.IsEmpty() {
			return nil
		}
		servers, err := marshal(p.For(socketID))
		if err != nil {
			panic(err) // strings always marshal
		}
		return servers
	}
}
