package rooms

import "time"

// The methods of this file say what an event costs, so that limits can be asked before the
// event. They change nothing. A weight is for the rate of the sender: each receiver counts
// 1, and 1 more for each full 4 KiB of the event.

// SignalAllWeight returns the weight of [Rooms.SignalAll]. It is 0 if the socket may not
// send the event, or is in no room.
func (rs *Rooms) SignalAllWeight(socketID string, relay Relay) int {
	return rs.tellWeight(socketID, Permit.maySignal, func(*room, *member) int { return relay.length(socketID) })
}

// ChatWeight returns the weight of [Rooms.Chat], as [Rooms.SignalAllWeight] does.
func (rs *Rooms) ChatWeight(socketID, message string) int {
	return rs.tellWeight(socketID, Permit.mayChat, func(r *room, sender *member) int {
		if isShort(len(message) + len(r.id) + len(sender.userID)) {
			return 0
		}
		const someID = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" // as long as that of [crypto/rand.Text]
		return r.chat(sender, message, someID, time.Time{}).Data.Len()
	})
}

// TypingWeight returns the weight of [Rooms.Typing], as [Rooms.SignalAllWeight] does.
func (rs *Rooms) TypingWeight(socketID string) int {
	return rs.tellWeight(socketID, Permit.mayChat, func(_ *room, sender *member) int {
		if isShort(len(sender.userID)) {
			return 0
		}
		return sender.typing(true).Data.Len()
	})
}

// JoinCost returns the weight of [Rooms.Join], and about how many bytes of memory the new
// member takes. A join that is repeated makes no new member. The events of a join go to the
// room, to the room that the joiner leaves, and to the joiner, which receives the roster.
func (rs *Rooms) JoinCost(socketID string, request JoinRequest) (weight, bytes int) {
	var former *room
	isRepeated := false
	if s, err := rs.lockOccupiedSeat(socketID); err == nil {
		former, isRepeated = s.room, s.isAlreadyIn(request)
		s.mu.Unlock()
	}
	joined := rs.find(request.RoomID)
	members, roster := joined.size()
	weight = Weigh(1, roster)
	if isRepeated {
		return weight, 0
	}
	if former != joined {
		left, _ := former.size()
		weight += left
	}
	connected := 0
	if bytes = len(request.UserID) + len(request.Metadata); !isShort(bytes) {
		joiner := member{socketID: socketID, userID: request.UserID, metadata: request.Metadata}
		connected = joiner.connected().Data.Len()
	}
	return weight + Weigh(members, connected), bytes + memberBytes
}

// size returns how many members a room has, and how many bytes they take in room-joined.
// Both are 0 for nil, which is a room that does not exist.
func (r *room) size() (members, roster int) {
	if r == nil {
		return 0, 0
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.members), r.roster.size()
}

// tellWeight returns the weight of an event to the socket's whole room. It has length bytes.
func (rs *Rooms) tellWeight(socketID string, may func(Permit) bool, length func(*room, *member) int) int {
	s, err := rs.lockOccupiedSeat(socketID)
	if err != nil {
		return 0
	}
	defer s.mu.Unlock()
	if !may(s.member.permit) {
		return 0
	}
	s.room.mu.RLock()
	defer s.room.mu.RUnlock()
	return Weigh(len(s.room.members), length(s.room, s.member))
}

// Size returns how many members a room has, or 0 if there is no such room.
func (rs *Rooms) Size(roomID string) int {
	members, _ := rs.find(roomID).size()
	return members
}

// Weigh returns the weight of an event of so many bytes.
func Weigh(receivers, bytes int) int { return receivers * (1 + bytes>>12) }

// isShort reports whether an event is under 4 KiB because of the texts in it, which have so
// many bytes together. JSON takes six bytes at most for one of them. An event that is short
// need not be serialised to be weighed.
func isShort(bytes int) bool { return 6*bytes+256 < 4<<10 }
