package main

import "signaling-server/httpapi/conns"

// connections says how many TCP connections there may be, and how many more are reserved
// for operators and probes.
type connections struct{ inAll, reserve int }

// connectionsOf returns how many connections a number of file descriptors allows. Some
// descriptors are left for files, and for connections that the server opens itself,
// for example to key servers. If the number is 0, there is no limit, and the result is
// zero.
func connectionsOf(descriptors int) connections {
	if descriptors <= 0 {
		return connections{}
	}
	files, reserve := min(64, descriptors/4), min(64, max(1, descriptors/10))
	return connections{max(1, descriptors-files-reserve), reserve}
}

// guardOptions returns the bounds of the server's connections.
func guardOptions(c config) conns.Options {
	bounds := connectionsOf(maxDescriptors())
	return conns.Options{
		PerAddress:    c.ConnectionsPerAddress,
		InAll:         bounds.inAll,
		Reserve:       max(bounds.reserve, 1),
		HeaderTimeout: c.HeaderTimeout,
		IdleTimeout:   c.IdleTimeout,
		ProxyProtocol: c.ProxyProtocol,
		Cost:          c.connectionBytes(),
		MaxHeader:     c.maxHeaderOfHTTP(),
	}
}

// connectionBytes returns how many bytes a connection is charged for. A client may leave
// its header unfinished for a while, so a larger header costs more.
func (c config) connectionBytes() int {
	const included = 16 << 10 // bytes of the header
	header := max(c.MaxHeader-included, 0)
	if c.usesTLS() {
		return conns.TLSCost + header
	}
	return conns.Cost + header
}
