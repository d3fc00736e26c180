package httpapi

import (
	"fmt"
	"net/http"
	"time"

	"signaling-server/httpapi/problem"
	"signaling-server/sse"
)

// clusterView is what this node knows of the nodes that share a log.
type clusterView struct {
	*ownView            // nil: this server is alone
	Nodes    []nodeView `json:"nodes"`
}

// ownView is what this node knows of itself.
type ownView struct {
	Node          string `json:"node"`
	Ready         bool   `json:"ready"`
	Reason        string `json:"reason,omitempty"` // why it is not ready
	EngineReached bool   `json:"engineReached"`
	Position      uint64 `json:"position"`
	Lag           uint64 `json:"lag"` // records
}

// nodeView is what the log knows of a node.
type nodeView struct {
	Name    string  `json:"name"`
	Lost    bool    `json:"lost"`
	Silence float64 `json:"silence"` // seconds
	Streams int     `json:"streams"`
	Polls   int     `json:"polls"`
}

// isClustered reports whether this server is one of several nodes.
func (a *API) isClustered() bool { return a.state.Status().Name != "" }

// getCluster describes the nodes.
func (a *API) getCluster(w http.ResponseWriter, _ *http.Request, _ params) error {
	view := clusterView{Nodes: []nodeView{}}
	if s := a.state.Status(); s.Name != "" {
		view.ownView = &ownView{s.Name, s.Out == "", sentence(s.Out), s.IsEngineReached, s.Position, s.Lag()}
		served := a.hub.Served()
		for _, n := range s.Nodes {
			of := served[n.Name]
			view.Nodes = append(view.Nodes, nodeView{n.Name, n.IsLost, n.Silence.Seconds(), of.Streams, of.Polls})
		}
	}
	return writeJSON(w, view)
}

// sentence makes a sentence of why this node is out; "" if it is not.
func sentence(out string) string {
	if out == "" {
		return ""
	}
	return fmt.Sprintf("This node does not serve: %s.", out)
}

type readiness struct {
	Status string  `json:"status"`
	Lag    *uint64 `json:"lag,omitempty"` // records; nil: this node is alone
}

// getReadiness reports whether the server accepts new clients.
func (a *API) getReadiness(w http.ResponseWriter, _ *http.Request, _ params) error {
	if a.hub.Draining() {
		return sse.ErrDraining
	}
	answer := readiness{Status: "ready"}
	if s := a.state.Status(); s.Name != "" {
		if s.Out != "" {
			return problem.NotReady.With(sentence(s.Out)).After(time.Second)
		}
		lag := s.Lag()
		answer.Lag = &lag
	}
	return writeJSON(w, answer)
}
