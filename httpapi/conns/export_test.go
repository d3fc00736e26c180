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
