package main

import (
	"signaling-server/httpapi/conns"
)

// connections are how many connections there may be.
type connections struct{ inAll, reserve int }

// connectionsOf returns what so many file descriptors allow, 0 being no limit: a
// few are for files, for connections to key servers and the like, and a few more
// are the reserve for operators and probes.
func connectionsOf(descriptors int) connections {
	if descriptors <= 0 {
		return connections{}
	}
	files, reserve := min(64, descriptors/4), min(64, max(1, descriptors/10))
	return connections{max(1, descriptors-files-reserve), reserve}
}

// guardOptions bound the server's connections.
func guardOptions(c config) conns.Options {
	bounds := connectionsOf(maxDescriptors())
	return conns.Options{
		PerAddress:    c.ConnectionsPerAddress,
		InAll:         bounds.inAll,
		Reserve:       max(bounds.reserve, 1),
		HeaderTimeout: c.HeaderTimeout,
		IdleTimeout:   idleTimeout,
		Cost:          c.connectionBytes(),
	}
}

// connectionBytes is what a connection is taken to hold.
func (c config) connectionBytes() int {
	if c.usesTLS() {
		return conns.TLSCost
	}
	return conns.Cost
}
