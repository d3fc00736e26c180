package conns

// ActiveInReserve returns how many connections of the reserve have a request under way.
func (g *Guard) ActiveInReserve() (count int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := g.reserve.first; c != nil; c = c.links[amongAll].after {
		if c.state == active {
			count++
		}
	}
	return count
}

// FieldLines returns how many lines of a header begin in bytes that come in parts, and how
// many of them the last header has.
func FieldLines(parts ...[]byte) (all, last int) {
	var lines fieldLines
	for _, part := range parts {
		all += lines.add(part)
	}
	return all, lines.count
}
