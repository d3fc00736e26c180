package httpapi

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"signaling-server/httpapi/clientip"
	"signaling-server/httpapi/limits"
	"signaling-server/rooms"
	"signaling-server/sse"
)

// networkOf is what a request counts against: what its client's address is part
// of, as far as one client has it all.
func (a *API) networkOf(r *http.Request) netip.Prefix { return clientip.Network(a.proxies.Of(r)) }

// noticeProxy tells the operator, once, of a proxy that is not trusted: all its
// clients count as one, and soon reach the limits of one address.
func (a *API) noticeProxy(r *http.Request) {
	if len(a.proxies) > 0 || r.Header.Get("X-Forwarded-For") == "" || !a.proxyNoticed.CompareAndSwap(false, true) {
		return
	}
	a.logger.Warn("requests come through a proxy that is not trusted, and count as one address: if it is yours, set TRUSTED_PROXIES", "ip", a.clientOf(r).IP)
}

// clientOf is what operators are told of a client.
func (a *API) clientOf(r *http.Request) sse.Client {
	c := sse.Client{UserAgent: strings.Clone(r.UserAgent())} // a part of the header would keep all of it
	if address := a.proxies.Of(r); address.IsValid() {
		c.IP = address.String()
	}
	return c
}

// admitReader asks whether a stream or a poll may begin, at the position where
// its client wants to go on, if anywhere. Without an error done must follow. Who
// goes on with a socket that lives is not held up by others of his address who
// want new ones.
func (a *API) admitReader(r *http.Request, position *sse.EventID) (done func(), err error) {
	network := a.networkOf(r)
	if socketID, ok := a.livingSocket(position); ok {
		err = a.limits.Resume(socketID)
	} else {
		err = a.limits.Open(network)
	}
	if err != nil {
		return nil, err
	}
	return a.limits.Read(network)
}

func (a *API) livingSocket(position *sse.EventID) (socketID string, ok bool) {
	if position == nil {
		return "", false
	}
	return a.hub.Authenticate(position.Token)
}

// The limits that are not about requests in a second. Others see to them; here
// they have names, to be counted by.
const (
	connections    limits.Name = "connections"
	membersPerRoom limits.Name = "members per room"
	roomsInAll     limits.Name = "rooms"
	outboxSize     limits.Name = "outbox"
	bodySize       limits.Name = "body size"
	requestMemory  limits.Name = "request memory"
)

func limitNames() []limits.Name {
	return append(limits.Names(), connections, membersPerRoom, roomsInAll, outboxSize, bodySize, requestMemory)
}

// limitOf names the limit for which something was refused, "" where it was for
// another reason.
func limitOf(err error) limits.Name {
	var exceeded *limits.Exceeded
	var problem *Problem
	switch {
	case errors.As(err, &exceeded):
		return exceeded.Limit
	case errors.Is(err, sse.ErrAtCapacity):
		return connections
	case errors.Is(err, rooms.ErrRoomFull):
		return membersPerRoom
	case errors.Is(err, rooms.ErrTooManyRooms):
		return roomsInAll
	case errors.Is(err, rooms.ErrOverflow), errors.Is(err, sse.ErrOverflow):
		return outboxSize
	case errors.As(err, &problem) && problem.name == payloadTooLarge.name:
		return bodySize
	case errors.Is(err, errNoMemory):
		return requestMemory
	}
	return ""
}

// exceededSentences tell a client which limit it is about.
var exceededSentences = map[limits.Name]string{
	limits.ReadersPerAddress:   "Your address has as many streams and polls open as one address may have.",
	limits.OpensPerAddress:     "Too many new connections come from your address.",
	limits.OpensPerSocket:      "You open streams and polls too often.",
	limits.PostsPerAddress:     "Too many requests come from your address.",
	limits.PostsPerSocket:      "You send too many requests. Send what queues up meanwhile as one batch.",
	limits.EventsPerAddress:    "Too many events come from your address.",
	limits.EventsPerSocket:     "You send too many events.",
	limits.IceServersPerSocket: "You ask for ICE servers too often.",
	limits.GuessesPerAddress:   "Too many wrong tokens came from your address.",
	limits.BytesPerAddress:     "The requests that are under way from your address are as large together as those of one address may be.",
}

const (
	// holdBackFor is how long a refusal waits for which somebody has asked too often.
	// Were it long, a bucket would fill meanwhile, and be emptied in lumps that others
	// feel.
	holdBackFor = 2 * time.Millisecond
	// maxHeldBack is how many may wait at once. Further ones do not.
	maxHeldBack = 1024
)

// holdBack lets a refusal wait of who has asked too often: over one connection he
// asks no faster then than he is answered, and the flood stays where it comes from.
func (a *API) holdBack(r *http.Request, err error) {
	var exceeded *limits.Exceeded
	if !errors.As(err, &exceeded) || exceeded.RetryAfter == 0 {
		return
	}
	select {
	case a.heldBack <- struct{}{}:
		defer func() { <-a.heldBack }()
	default:
		return
	}
	timer := time.NewTimer(holdBackFor)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	case <-a.hub.Stopping():
	}
}

// exceededProblem is what whoever asked too much is told.
func exceededProblem(e *limits.Exceeded) *Problem {
	kind := rateLimited
	if e.Limit == limits.ReadersPerAddress {
		kind = atCapacity
	}
	return kind.with(exceededSentences[e.Limit]).after(max(e.RetryAfter, sse.ReconnectAfter()))
}
