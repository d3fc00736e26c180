package httpapi

import (
	"encoding/json"
	"net/http"

	"signaling-server/iceservers"
)

// getICEServers tells a socket through which servers it may reach its peers, with
// fresh credentials each time (GET /ice-servers).
func (a *API) getICEServers(w http.ResponseWriter, r *http.Request, _ params) error {
	socketID, err := a.authenticate(r)
	if err != nil {
		return err
	}
	if err := a.limits.IceServers(socketID); err != nil {
		return err
	}
	servers := a.iceServers.For(socketID)
	if servers == nil {
		servers = []iceservers.Server{}
	}
	return writeJSON(w, servers)
}

// ICEServers tells a socket's servers as [sse.Options] wants them: nothing where
// there are none for anybody.
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
