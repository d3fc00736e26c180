package httpapi

import (
	"errors"
	"net/http"
	"time"

	"signaling-server/httpapi/problem"
	"signaling-server/limits"
	"signaling-server/sse"
)

// The limits that are not about requests in a second. Others see to them; here
// they have names, to be counted by.
const (
	connections       limits.Name = "connections"
	socketsPerAddress limits.Name = "sockets per address"
	membersPerRoom    limits.Name = "members per room"
	rosterSize        limits.Name = "roster"
	roomsInAll        limits.Name = "rooms"
	roomsPerAddress   limits.Name = "rooms per address"
	outboxSize        limits.Name = "outbox"
	bodySize          limits.Name = "body size"
	memoryForClients  limits.Name = "memory"
	requestMemory     limits.Name = "request memory"
	tcpConnections    limits.Name = "TCP connections"
)

func limitNames() []limits.Name {
	return append(limits.Names(), connections, socketsPerAddress, membersPerRoom, rosterSize, roomsInAll, roomsPerAddress, outboxSize, bodySize, memoryForClients, requestMemory, tcpConnections)
}

// exceededSentences tell a client which limit it is about.
var exceededSentences = map[limits.Name]string{
	limits.OpensPerAddress:     "Too many new connections come from your address.",
	limits.OpensPerSocket:      "You open streams and polls too often.",
	limits.PostsPerAddress:     "Too many requests come from your address.",
	limits.PostsPerSocket:      "You send too many requests. Send what queues up meanwhile as one batch.",
	limits.EventsPerAddress:    "Too many events come from your address.",
	limits.EventsPerSocket:     "You send too many events.",
	limits.IceServersPerSocket: "You ask for ICE servers too often.",
	limits.TellingsPerAddress:  "Too much is told to large rooms from your address.",
	limits.TellingsPerSocket:   "You tell too much to a large room.",
	limits.GuessesPerAddress:   "Too many wrong tokens came from your address.",

	limits.MonitoringPerAddress: "Your address asks too much of the monitoring. Ask less often, or for pages by ?limit=.",
	limits.SilencesPerAddress:   "Your address has as many silent streams open as one address may have.",
	limits.SilencesInAll:        "As many silent streams are open as there may be.",
	limits.RequestsPerAddress:   "Your address has as many requests under way as one address may have.",
	limits.ReadingPerAddress:    "Your address has as many streams and polls under way as one address may have.",
	limits.BytesPerAddress:      "The requests that are under way from your address are as large together as those of one address may be.",
}

const (
	// holdBackFor is how long a refusal waits for which somebody has asked too often.
	// Were it long, a bucket would fill meanwhile, and be emptied in lumps that others
	// feel.
	holdBackFor = 2 * time.Millisecond
	// maxHeldBack is how many may wait at once, and maxHeldBackPerAddress how many of
	// one address. Further ones do not.
	maxHeldBack           = 1024
	maxHeldBackPerAddress = 64
)

// holdBack lets a refusal wait of who has asked too often: over one connection he
// asks no faster then than he is answered, and the flood stays where it comes from.
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

// exceededProblem is the problem of a client that asked too much.
func exceededProblem(e *limits.Exceeded) *problem.Problem {
	kind := problem.RateLimited
	switch e.Limit {
	case limits.SilencesPerAddress, limits.SilencesInAll, limits.RequestsPerAddress, limits.ReadingPerAddress:
		kind = problem.AtCapacity
	}
	return kind.With(exceededSentences[e.Limit]).After(max(e.RetryAfter, sse.ReconnectAfter()))
}
