package modeltest

import (
	"maps"
	"reflect"
	"slices"
	"time"
)

// The answers to a client event, in short form.
const (
	accepted         = "202"
	unknownSession   = "401 unknown-session"
	targetNotFound   = "404 target-not-found"
	notInRoom        = "409 not-in-room"
	roomFull         = "409 room-full"
	validationFailed = "422 validation-failed"
	targetOverflow   = "429 target-overflow"
	shuttingDown     = "503 shutting-down"
)

// oracleRoom is a room that has members.
type oracleRoom struct {
	id           string
	members      []*oracleMember // in order of joining
	foundedAt    time.Time
	lastActivity time.Time
}

// oracleMember is a socket that is in a room.
type oracleMember struct {
	socket    *oracleSocket
	userID    string
	metadata  any // nil if it has none
	joinedAt  time.Time
	awaySince string // the time in user-away; "" if it is not away
}

// post does what a valid client event asks for, and returns the answer.
func (o *oracle) post(s *oracleSocket, e fact) string {
	switch e["type"] {
	case "join-room":
		return o.join(s, e)
	case "ping":
		return orAccepted(o.send(s.id, s, fact{"type": "pong", "timestamp": o.now.UnixMilli()}))
	case "heartbeat":
		s.heard = o.now
		return accepted
	case "disconnect":
		o.end(s, "client disconnect")
		return accepted
	}
	if s.room == nil {
		return notInRoom
	}
	switch e["type"] {
	case "leave-room":
		room := s.room
		o.vacate(s, "left")
		o.deliver(s, answering(e, fact{"type": "room-left", "roomId": room.id, "reason": "left", "timestamp": o.timestamp()}))
		return accepted
	case "send-message":
		message := s.member.event("new-message", o.timestamp())
		message["roomId"], message["message"] = s.room.id, e["message"]
		return o.broadcast(s, nil, message)
	case "typing-start", "typing-stop":
		return o.broadcast(s, s, fact{
			"type": "user-typing", "userId": s.member.userID, "socketId": s.id, "isTyping": e["type"] == "typing-start",
		})
	}
	relayed := maps.Clone(e)
	relayed["from"] = s.id
	if e["target"] == nil {
		return o.broadcast(s, s, relayed)
	}
	return o.signal(s, e["target"].(string), relayed)
}

// answering adds the ID of a request to the event that answers it, if the request has an ID.
func answering(request, e fact) fact {
	if id, has := request["requestId"]; has {
		e["requestId"] = id
	}
	return e
}

func orAccepted(refusal string) string {
	if refusal == "" {
		return accepted
	}
	return refusal
}

// signal sends an event to one other member of the room.
func (o *oracle) signal(s *oracleSocket, target string, e fact) string {
	for _, m := range s.room.members {
		if m.socket.id == target && m.socket != s {
			refusal := o.send(s.id, m.socket, e)
			s.room.lastActivity = o.now
			return orAccepted(refusal)
		}
	}
	return targetNotFound
}

// broadcast sends a member's event to all members of its room except one (nil: to all). If a
// member does not admit the event, nobody receives it.
func (o *oracle) broadcast(sender, except *oracleSocket, e fact) string {
	for _, m := range sender.room.members {
		if m.socket != except && !o.admits(sender.id, m.socket) {
			return targetOverflow
		}
	}
	sender.room.lastActivity = o.now
	o.tell(sender.id, sender.room, except, e)
	return accepted
}

func (o *oracle) tell(from string, room *oracleRoom, except *oracleSocket, e fact) {
	for _, m := range room.members {
		if m.socket != except {
			o.deliverFrom(from, m.socket, e)
		}
	}
}

// mayJoin reports whether all sockets that receive an event for a join admit it.
func (o *oracle) mayJoin(s *oracleSocket, room *oracleRoom) bool {
	for _, m := range room.members {
		if m.socket != s && !o.admits(s.id, m.socket) {
			return false
		}
	}
	return o.admits(s.id, s)
}

// join takes a socket out of its room and into another. If it is in that room already, with
// the same user ID and metadata, it only receives room-joined again.
func (o *oracle) join(s *oracleSocket, request fact) string {
	roomID, userID, metadata := request["roomId"].(string), request["userId"].(string), request["metadata"]
	room := o.room(roomID)
	own := s.room != nil && s.room == room
	switch {
	case own && s.member.userID == userID && reflect.DeepEqual(s.member.metadata, metadata):
		return orAccepted(o.welcome(s, request))
	case room != nil && !own && len(room.members) >= o.maxMembers:
		return roomFull
	case room == nil:
		room = &oracleRoom{id: roomID, foundedAt: o.now}
		o.founded++
	}
	if !o.mayJoin(s, room) {
		return targetOverflow
	}
	if s.room != nil {
		o.vacate(s, "left")
	}
	s.room, s.member = room, &oracleMember{socket: s, userID: userID, metadata: metadata, joinedAt: o.now}
	room.members = append(room.members, s.member)
	if !slices.Contains(o.rooms, room) {
		o.rooms = append(o.rooms, room)
	}
	if refusal := o.welcome(s, request); refusal != "" {
		o.withdraw(s)
		return refusal
	}
	room.lastActivity = o.now
	connected := s.member.user()
	connected["type"], connected["timestamp"] = "user-connected", o.timestamp()
	o.tell(s.id, room, s, connected)
	o.observe(s)
	return accepted
}

// welcome sends room-joined to a socket, with the members of its room. The event says which
// of the others are away.
func (o *oracle) welcome(s *oracleSocket, request fact) (refusal string) {
	users := make([]fact, len(s.room.members))
	for i, m := range s.room.members {
		users[i] = m.user()
		if m.awaySince != "" && m.socket != s {
			users[i]["away"] = true
		}
	}
	return o.deliverFrom(s.id, s, answering(request, fact{
		"type": "room-joined", "roomId": s.room.id, "userId": s.member.userID, "users": users, "timestamp": o.timestamp(),
	}))
}

// user returns a member as the other members see it.
func (m *oracleMember) user() fact {
	user := fact{"userId": m.userID, "socketId": m.socket.id}
	if m.metadata != nil {
		user["metadata"] = m.metadata
	}
	return user
}

// event makes an event about a member, for the other members.
func (m *oracleMember) event(kind, timestamp string) fact {
	return fact{"type": kind, "userId": m.userID, "socketId": m.socket.id, "timestamp": timestamp}
}

// observe tells a room that a member went away or came back, unless the room knows or the
// member has ended.
func (o *oracle) observe(s *oracleSocket) {
	m := s.member
	switch {
	case s.room == nil, s.ended:
	case s.away && m.awaySince == "":
		m.awaySince = o.timestamp()
		o.tell("", s.room, s, m.event("user-away", m.awaySince))
	case !s.away && m.awaySince != "":
		m.awaySince = ""
		o.tell("", s.room, s, m.event("user-back", o.timestamp()))
	}
}

// vacate takes a socket out of its room, and tells the others the reason.
func (o *oracle) vacate(s *oracleSocket, reason string) {
	room, gone := s.room, s.member.event("user-disconnected", o.timestamp())
	gone["reason"] = reason
	o.withdraw(s)
	room.lastActivity = o.now
	o.tell(s.id, room, s, gone)
}

func (o *oracle) withdraw(s *oracleSocket) {
	room := s.room
	room.members = slices.DeleteFunc(room.members, func(m *oracleMember) bool { return m == s.member })
	s.room, s.member = nil, nil
	if len(room.members) == 0 {
		o.rooms = slices.DeleteFunc(o.rooms, func(other *oracleRoom) bool { return other == room })
	}
}

// room returns the room with this ID, or nil.
func (o *oracle) room(id string) *oracleRoom {
	for _, room := range o.rooms {
		if room.id == id {
			return room
		}
	}
	return nil
}
