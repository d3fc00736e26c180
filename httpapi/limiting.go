package httpapi

import (
	"errors"
	"net/http"
	"time"

	"signaling-server/httpapi/problem"
	"signaling-server/limits"
	"signaling-server/sse"
)

// These limits are not in package limits, because other packages enforce them. Their
// names are for the metrics.
const (
	connections       limits.Name = "connections"
	socketsPerAddress limits.Name = "sockets per address"
	membersPerRoom    limits.Name = "members per room"
	rosterSize        limits.Name = "roster"
	roomsInAll        limits.Name = "rooms"
	roomsPerAddress   limits.Name = "rooms per address"
	outboxSize        limits.Name = "outbox"
	bodySize          limits.Name = "body size"
	headerSize        limits.Name = "header size"
	memoryForClients  limits.Name = "memory"
	requestMemory     limits.Name = "request memory"
	tcpConnections    limits.Name = "TCP connections"
	revocations       limits.Name = "revocations"
)

// limitNames are the names of all limits.
func limitNames() []limits.Name {
	return append(limits.Names(), connections, socketsPerAddress, membersPerRoom, rosterSize, roomsInAll, roomsPerAddress, outboxSize, bodySize, headerSize, memoryForClients, requestMemory, tcpConnections, revocations)
}

// exceededSentences tell a client which limit it has reached.
var exceededSentences = map[limits.Name]string{
	limits.OpensPerAddress:     "Too many new connections come from your address.",
	limits.OpensPerSocket:      "You open streams and polls too often.",
	limits.PostsPerAddress:     "Too many requests come from your address.",
	limits.PostsPerSocket:      "You send too many requests. Send events that wait as one batch.",
	limits.EventsPerAddress:    "Too many events come from your address.",
	limits.EventsPerSocket:     "You send too many events.",
	limits.IceServersPerSocket: "You ask for ICE servers too often.",
	limits.TellingsPerAddress:  "Your address sends too much to large rooms.",
	limits.TellingsPerSocket:   "You send too much to a large room.",
	limits.GuessesPerAddress:   "Too many wrong tokens came from your address.",

	limits.MonitoringPerAddress: "Your address uses the monitoring too much. Ask less often, or for pages with ?limit=.",
	limits.SilencesPerAddress:   "Your address has as many silent streams open as one address may have.",
	limits.SilencesInAll:        "The server has as many silent streams open as it may have.",
	limits.RequestsPerAddress:   "Your address has as many requests under way as one address may have.",
	limits.ReadingPerAddress:    "Your address has as many streams and polls under way as one address may have.",
	limits.BytesPerAddress:      "The requests under way from your address already have as many bytes as one address may send at once.",
}

const (
	// holdBackFor is how long the refusal of a client that exceeded a rate is delayed.
	// A long delay would let the client's bucket refill, and the client would empty it
	// in bursts that others notice.
	holdBackFor = 2 * time.Millisecond
	// maxHeldBack is how many refusals are delayed at once, and maxHeldBackPerAddress
	// how many of one address. Further refusals are sent at once.
	maxHeldBack           = 1024
	maxHeldBackPerAddress = 64
)

// holdBack delays the refusal of a client that exceeded a rate. Over one connection
// the client cannot ask faster than it is answered, so a flood slows itself down.
func (a *API) holdBack(r *http.Request, err error) {
	var exceeded *limits.Exceeded
	if !errors.As(err, &exceeded) || exceeded.RetryAfter == 0 {
		return
	}
	release, full := a.heldBack.Take(a.networkOf(r))
	if full != nil {
		return
	}
	defer release()
	timer := time.NewTimer(holdBackFor)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	case <-a.hub.Stopping():
	}
}

// exceededProblem is the problem of a client that has reached a limit.
func exceededProblem(e *limits.Exceeded) *problem.Problem {
	kind := problem.RateLimited
	switch e.Limit {
	case limits.SilencesPerAddress, limits.SilencesInAll, limits.RequestsPerAddress, limits.ReadingPerAddress:
		kind = problem.AtCapacity
	}
	return kind.With(exceededSentences[e.Limit]).After(max(e.RetryAfter, sse.ReconnectAfter()))
}
