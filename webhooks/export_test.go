package webhooks

import "signaling-server/rooms"

// What tests need to see.
var (
	ReadJournal = readJournal
	Sign        = sign
)

// Follow returns all changes of rooms, and the members that a journal has after them.
func Follow(of *rooms.Rooms) ([]rooms.Change, []rooms.Membership) {
	w := &writer{rooms: of}
	list, _ := w.follow()
	return list, w.inside.list()
}

const (
	LaneCount    = laneCount
	FirstPause   = firstPause
	LongestPause = longestPause
	AnswerWithin = answerWithin
)
