// Package conns counts the TCP connections of a server. It bounds them for each address
// and in all, and closes connections that wait for too long. It charges what a header takes
// before it is complete.
//
// A [Guard] works in two places. It wraps the listener, where connections begin, and it
// receives http.Server.ConnState, which reports what each connection does. HTTP/1,
// HTTP/2, TLS, hijacking and http.Server.Shutdown work as they do without it. On Linux, an
// idle connection of HTTP/1 without TLS is taken away from net/http: http.Server.ConnState
// reports that it is closed. When its next request comes, it is reported as new.
// Until then IdleTimeout of [Options] bounds how long it may sleep, not that of http.Server.
//
// A listener of [Guard.ListenFor] also answers small POSTs without net/http, by the same
// handler. http.Server.ConnState hears of a connection only when net/http gets it.
package conns
