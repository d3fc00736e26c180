// Package httpapi translates between HTTP and the server. Requests become calls of
// packages rooms and sse. Errors of these calls become problem documents (RFC 9457).
// Its only state is the memory of answers to POSTs with a key, which may be repeated.
//
//	POST /events  ─▶ token ─▶ body ─▶ typed event, validated ─▶ rooms ─▶ 202
//	GET  /events  ─▶ position ─▶ sse.Hub.ServeStream
//	GET  /events/poll ─▶ position, wait ─▶ sse.Hub.ServePoll
//
// A handler returns its error. The method fail answers with the problem that the table
// in problems.go has for this error. Only routes.go imports package httprouter.
package httpapi
