// Package httpapi translates between HTTP and the server. Requests become commands of
// package machine, and calls of package sse. Their errors become problem documents
// (RFC 9457).
//
//	POST /events  ─▶ token ─▶ body ─▶ typed event, validated ─▶ machine.Post ─▶ 202
//	GET  /events  ─▶ position ─▶ sse.Hub.ServeStream
//	GET  /events/poll ─▶ position, wait ─▶ sse.Hub.ServePoll
//
// A handler returns its error. The method fail answers with the problem that the table
// in problems.go has for this error. Only routes.go imports package httprouter.
package httpapi
