package e2e

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// verdict counts what is not as it was promised.
type verdict struct {
	Lost          int // accepted, and not heard
	Duplicated    int // heard again
	Reordered     int // heard behind what was accepted later
	Uninvited     int // heard, and not accepted
	ChatDiffers   int // members that heard the room's messages in another order than the first one
	Introductions int // pairs of which not exactly the later was told of, and the earlier found, once
	Disappeared   int // times that a member was said to be gone
}

// judge compares what was accepted with what was heard, for each sender and each
// receiver. Nothing may be under way any more.
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

// saidTo are the numbers of what the member says that another is to hear.
func (m *member) saidTo(other *member) (numbers []int) {
	for _, s := range m.said {
		if s.target == "" || s.target == other.client.id() {
			numbers = append(numbers, s.number)
		}
	}
	return numbers
}

// compare judges what one heard of another. Numbers grow as they are said.
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

// introduce judges how two members came to know each other.
func (v *verdict) introduce(a, b *member) {
	isLater := func(later, earlier *member) bool {
		l, e := later.client.id(), earlier.client.id()
		return earlier.told[l] == 1 && later.found[e] == 1 && later.told[e] == 0 && earlier.found[l] == 0
	}
	if !isLater(a, b) && !isLater(b, a) {
		v.Introductions++
	}
}

// Who finds nothing wrong must be able to.
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
