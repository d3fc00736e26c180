package modeltest

import (
	"cmp"
	"slices"
	"time"

	"signaling-server/sse"
)

// look compares what operators see with what the oracle predicts.
func (m *machine) look(c *modelClient) {
	m.did(c, "looks at the monitoring")
	m.oracle.now = time.Now()
	var rooms, connections, stats, health fact
	m.server.get(m.t, "/rooms", &rooms)
	m.server.get(m.t, "/connections", &connections)
	m.server.get(m.t, "/stats", &stats)
	m.server.get(m.t, "/health", &health)

	m.mustBe(wordsFor(m.oracle.roomList()), wordsFor(rooms), "GET /rooms")
	for _, one := range connections["connections"].([]any) {
		delete(one.(map[string]any), "ip")
		delete(one.(map[string]any), "userAgent")
	}
	m.mustBe(wordsFor(m.oracle.connectionList()), wordsFor(connections), "GET /connections")
	active, members := len(m.oracle.rooms), 0
	for _, room := range m.oracle.rooms {
		members += len(room.members)
	}
	m.mustBe(wordsFor(fact{
		"totalConnections": m.oracle.opened, "activeConnections": len(m.oracle.sockets),
		"totalRooms": m.oracle.founded, "activeRooms": active, "averageUsersPerRoom": float64(members) / float64(max(1, active)),
	}), wordsFor(only(stats, "totalConnections", "activeConnections", "totalRooms", "activeRooms", "averageUsersPerRoom")), "GET /stats")
	m.mustBe(wordsFor(fact{
		"status":      "healthy",
		"connections": fact{"active": len(m.oracle.sockets), "total": m.oracle.opened},
		"rooms":       fact{"active": active, "total": m.oracle.founded},
	}), wordsFor(only(health, "status", "connections", "rooms")), "GET /health")
}

// only returns an object with the named members of another.
func only(object fact, names ...string) fact {
	some := make(fact)
	for _, name := range names {
		some[name] = object[name]
	}
	return some
}

func wordsFor(document fact) []string { return []string{jsonOf(document)} }

// roomList returns the answer to GET /rooms.
func (o *oracle) roomList() fact {
	rooms := slices.SortedFunc(slices.Values(o.rooms), func(x, y *oracleRoom) int { return cmp.Compare(x.id, y.id) })
	list := make([]fact, len(rooms))
	for i, room := range rooms {
		users := make([]fact, len(room.members))
		for i, m := range room.members {
			users[i] = fact{"userId": m.userID, "socketId": m.socket.id, "joinedAt": timestamp(m.joinedAt)}
			if m.awaySince != "" {
				users[i]["away"] = true
			}
		}
		list[i] = fact{
			"roomId": room.id, "users": len(users), "userList": users,
			"createdAt": timestamp(room.foundedAt), "lastActivity": timestamp(room.lastActivity),
		}
	}
	return fact{"totalRooms": len(list), "rooms": list}
}

// connectionList returns the answer to GET /connections.
func (o *oracle) connectionList() fact {
	list := make([]fact, len(o.sockets))
	for i, s := range o.sockets {
		list[i] = fact{"socketId": s.id, "connectedAt": timestamp(s.openedAt), "transport": string(s.transport)}
		if s.away {
			list[i]["transport"] = string(sse.Away)
		}
		if s.room != nil {
			list[i]["currentRoom"], list[i]["userId"] = s.room.id, s.member.userID
		}
	}
	return fact{"totalConnections": len(list), "connections": list}
}
