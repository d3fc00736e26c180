// Package httpapi translates between HTTP and the server: requests become calls
// of packages rooms and sse, their errors become problem documents (RFC 9457).
// Its only state is the memory of answers to keyed POSTs, which may be repeated.
//
//	POST /events  ─▶ token ─▶ body ─▶ typed event, validated ─▶ rooms ─▶ 202
//	GET  /events  ─▶ position ─▶ sse.Hub.ServeStream
//	GET  /events/poll ─▶ position, wait ─▶ sse.Hub.ServePoll
//
// A handler returns an error instead of writing one; [problemFor] is the one
// table that turns it into an answer. Package httprouter is imported in
// routes.go alone.
package httpapi
