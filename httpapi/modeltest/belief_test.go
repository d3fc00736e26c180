package modeltest

import (
	"fmt"
	"slices"
	"strings"
)

// belief is what a client makes of its events: who is with it in its room. A
// client that has seen everything must believe what is true.
type belief struct {
	sequence int // that of the last event that was heard
	roomID   string
	users    []believed // in order of joining
}

type believed struct {
	userID, socketID any
	away             bool
}

// hear changes the belief by an event, unless it was heard before. The error is
// an event that makes no sense to one who heard all those before it.
func (b *belief) hear(sequence int, e fact) error {
	if isAside(e["type"].(string)) || sequence <= b.sequence {
		return nil
	}
	if sequence > b.sequence+1 {
		return fmt.Errorf("%v comes at %d, behind %d", e, sequence, b.sequence)
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
			return fmt.Errorf("%v comes who is there", e)
		}
		b.users = append(b.users, believed{userID: e["userId"], socketID: e["socketId"]})
	case "user-disconnected":
		if !known {
			return fmt.Errorf("%v goes who is not there", e)
		}
		b.users = slices.Delete(b.users, at, at+1)
	case "user-away", "user-back":
		isAway := e["type"] == "user-away"
		if !known || b.users[at].away == isAway {
			return fmt.Errorf("%v is no change", e)
		}
		b.users[at].away = isAway
	case "offer", "answer", "ice-candidate", "signal":
		if !slices.ContainsFunc(b.users, func(u believed) bool { return u.socketID == e["from"] }) {
			return fmt.Errorf("%v is from one who is not there", e)
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

// truth is what a socket's client has to believe. Of itself it is never told that
// it is away.
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
