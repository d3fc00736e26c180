package e2e

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// verdict counts what breaks the promise.
type verdict struct {
	Lost          int // accepted but not heard
	Duplicated    int // heard more than once
	Reordered     int // heard after an event that was accepted later
	Uninvited     int // heard but not accepted
	ChatDiffers   int // members that heard the room's messages in another order than the first member
	Introductions int // pairs of members in which the earlier did not receive user-connected for the later exactly once, or the later did not find the earlier in room-joined exactly once
	Disappeared   int // how often user-disconnected came
}

// judge compares what was accepted with what was heard, for each sender and each
// receiver. No event may still be under way.
func judge(crowd []*member) verdict {
	rooms := make(map[string][]*member)
	for _, m := range crowd {
		rooms[m.room] = append(rooms[m.room], m)
	}
	var v verdict
	for _, members := range rooms {
		for i, one := range members {
			v.Disappeared += one.gone
			if !slices.Equal(one.chat, members[0].chat) {
				v.ChatDiffers++
			}
			for _, other := range members[:i] {
				v.compare(one.saidTo(other), other.heard[one.client.id()])
				v.compare(other.saidTo(one), one.heard[other.client.id()])
				v.introduce(one, other)
			}
		}
	}
	return v
}

// saidTo returns the numbers of the events that the other member must hear.
func (m *member) saidTo(other *member) (numbers []int) {
	for _, s := range m.said {
		if s.target == "" || s.target == other.client.id() {
			numbers = append(numbers, s.number)
		}
	}
	return numbers
}

// compare judges what one member heard of another. A member numbers its events in
// order.
func (v *verdict) compare(said, heard []int) {
	times := make(map[int]int)
	latest := 0
	for _, number := range heard {
		times[number]++
		if number < latest && times[number] == 1 {
			v.Reordered++
		}
		latest = max(latest, number)
	}
	for _, number := range said {
		if times[number] == 0 {
			v.Lost++
		}
		v.Duplicated += max(times[number]-1, 0)
		delete(times, number)
	}
	for _, n := range times {
		v.Uninvited += n
	}
}

// introduce judges how two members learned of each other.
func (v *verdict) introduce(a, b *member) {
	isLater := func(later, earlier *member) bool {
		l, e := later.client.id(), earlier.client.id()
		return earlier.told[l] == 1 && later.found[e] == 1 && later.told[e] == 0 && earlier.found[l] == 0
	}
	if !isLater(a, b) && !isLater(b, a) {
		v.Introductions++
	}
}

// A verdict that finds nothing wrong must be able to find something.
func TestTheVerdictFindsWhatIsWrong(t *testing.T) {
	for name, is := range map[string]struct {
		heard []int
		want  verdict
	}{
		"all as accepted": {[]int{1, 2, 4, 5}, verdict{}},
		"lost":            {[]int{1, 4}, verdict{Lost: 2}},
		"duplicated":      {[]int{1, 2, 4, 4, 5, 2}, verdict{Duplicated: 2}},
		"reordered":       {[]int{1, 4, 2, 5}, verdict{Reordered: 1}},
		"never accepted":  {[]int{1, 2, 3, 4, 5, 3}, verdict{Uninvited: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			var v verdict
			v.compare([]int{1, 2, 4, 5}, is.heard)
			require.Equal(t, is.want, v)
		})
	}
}
