// Package conns counts the TCP connections of a server, bounds them for each
// address and in all, and closes those that wait for too long.
//
// A [Guard] stands in two places: around the listener, where connections come
// into being, and behind http.Server.ConnState, which reports what each of them
// does. HTTP/1, HTTP/2, TLS, hijacking and http.Server.Shutdown work as they do
// without it.
package conns
