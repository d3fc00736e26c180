package modeltest

import (
	"fmt"
	"slices"
	"strings"
)

// belief is what a client concludes from its events: its room, and the members there. If a
// client has received all its events, its belief must be true.
type belief struct {
	sequence int // the sequence number of the last event
	roomID   string
	users    []believed // in order of joining
}

type believed struct {
	userID, socketID any
	away             bool
}

// hear updates the belief by an event. It ignores an event that it has heard before. It
// returns an error if the event contradicts the events before it.
func (b *belief) hear(sequence int, e fact) error {
	if isAside(e["type"].(string)) || sequence <= b.sequence {
		return nil
	}
	if sequence > b.sequence+1 {
		return fmt.Errorf("%v has the number %d, but follows %d", e, sequence, b.sequence)
	}
	b.sequence = sequence
	at := slices.IndexFunc(b.users, func(u believed) bool { return u.socketID == e["socketId"] })
	known := at >= 0
	switch e["type"] {
	case "room-joined":
		b.roomID, b.users = e["roomId"].(string), nil
		for _, user := range e["users"].([]any) {
			u := user.(map[string]any)
			b.users = append(b.users, believed{u["userId"], u["socketId"], u["away"] == true})
		}
	case "room-left":
		b.roomID, b.users = "", nil
	case "user-connected":
		if known {
			return fmt.Errorf("%v is about a member that is in the room already", e)
		}
		b.users = append(b.users, believed{userID: e["userId"], socketID: e["socketId"]})
	case "user-disconnected":
		if !known {
			return fmt.Errorf("%v is about a socket that is not in the room", e)
		}
		b.users = slices.Delete(b.users, at, at+1)
	case "user-away", "user-back":
		isAway := e["type"] == "user-away"
		if !known || b.users[at].away == isAway {
			return fmt.Errorf("%v does not change anything", e)
		}
		b.users[at].away = isAway
	case "offer", "answer", "ice-candidate", "signal":
		if !slices.ContainsFunc(b.users, func(u believed) bool { return u.socketID == e["from"] }) {
			return fmt.Errorf("%v is from a socket that is not in the room", e)
		}
	}
	return nil
}

func (b *belief) String() string {
	var users []string
	for _, u := range b.users {
		users = append(users, fmt.Sprintf("%v at %v, away %v", u.userID, u.socketID, u.away))
	}
	return b.roomID + ": " + strings.Join(users, "; ")
}

// truth is what a socket's client must believe. The server never tells a client that the
// client itself is away.
func truth(s *oracleSocket) string {
	var b belief
	if s.room != nil {
		b.roomID = s.room.id
		for _, m := range s.room.members {
			b.users = append(b.users, believed{m.userID, m.socket.id, m.awaySince != "" && m.socket != s})
		}
	}
	return b.String()
}
