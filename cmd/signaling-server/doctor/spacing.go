package doctor

import "time"

// arrival is a pong: when it came, and the server's time when it left.
type arrival struct{ at, left time.Duration }

const (
	together   = 100 * time.Millisecond // events that are closer arrived together
	compressed = 400 * time.Millisecond // events that arrived together are a lump if sending them took this much longer than their arrival
)

// spacing distinguishes events that came one by one from events that a proxy collected, as
// static/doctor/spacing.js does.
type spacing struct {
	lump    int           // the size of the largest lump; 1 if there is none
	inLumps int           // events in lumps
	heldFor time.Duration // how much longer the slowest event took than the fastest
}

func judgeSpacing(arrivals []arrival) (s spacing) {
	if len(arrivals) == 0 {
		return s
	}
	s.lump = 1
	begin := 0
	for i := 1; i <= len(arrivals); i++ {
		if i < len(arrivals) && arrivals[i].at-arrivals[i-1].at < together {
			continue
		}
		first, last := arrivals[begin], arrivals[i-1]
		if (last.left-first.left)-(last.at-first.at) >= compressed {
			s.lump = max(s.lump, i-begin)
			s.inLumps += i - begin
		}
		begin = i
	}
	shortest, longest := arrivals[0].at-arrivals[0].left, arrivals[0].at-arrivals[0].left
	for _, each := range arrivals {
		shortest, longest = min(shortest, each.at-each.left), max(longest, each.at-each.left)
	}
	s.heldFor = longest - shortest
	return s
}

// isLumpy reports whether a proxy collects events. A lost packet may cause one lump; a
// proxy makes one lump after the other.
func (s spacing) isLumpy(count int) bool { return s.inLumps > 0 && 2*s.inLumps >= count }
