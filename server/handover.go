package server

import "time"

// State returns all sockets and rooms, so that another process can go on with them by
// [Server.Restore]. It holds all that was accepted. Commands that requests ask for later are
// refused as 503 not-ready, which clients repeat.
//
// Options.HandsOver must be set. [Server.Drain] comes before it, and [Server.Run] has returned.
// The state holds no token, but all that members have sent and not confirmed, and their addresses.
func (s *Server) State() []byte {
	s.gate.Close()
	s.hub.Settle()
	return s.machine.AppendState(nil, s.clock.elapsed())
}

// Restore makes a new server go on with the state of another. The resume windows of all sockets
// begin anew. It comes before [Server.Run] and the first request, and Options.HandsOver must be
// set. If there is an error, the server must not be used.
func (s *Server) Restore(state []byte) (err error) {
	s.clock.before, err = s.machine.RestoreState(state)
	return err
}

// clock counts the time of a state while a process has it. It stands still in between.
type clock struct {
	started time.Time
	before  time.Duration // counted by earlier processes
}

func (c *clock) elapsed() time.Duration { return c.before + time.Since(c.started) }
