// Package e2e tests the built server from the outside, with what its users
// connect to it: WebRTC peers, browsers, and SSE clients of other authors. It is
// a module of its own, so that none of that enters the server's dependencies.
//
//	go test ./...
//
// builds the server once and starts a process of it for each test; with -race
// that process looks for races too. Everything happens on the loopback
// interface.
//
//	REQUIRE_BROWSER=1   fail, rather than skip, where no Chromium is installed
//	SHOTS_DIR=folder    take screenshots of the pages into that folder
package e2e
