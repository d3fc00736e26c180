package main

import (
	"fmt"
	"net/http"
	"strings"
)

var problemRules = []rule{
	{problems, "problems-explain-themselves", "The address in type explains the problem to people.", func(t *trial) {
		a := t.ask(http.MethodGet, "/problems/target-not-found", map[string]string{"Accept": "text/html"}, "")
		t.expect("the status", http.StatusOK, a.status)
		if !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
			t.fail("GET /problems/target-not-found\nexpected: a page\nseen:     %s", a.header.Get("Content-Type"))
		}
	}},
	{problems, "validation-failed-names-each-field", "A validation-failed problem names each wrong field in errors, with the rule that it breaks and what it must be.", func(t *trial) {
		p := t.connect()
		for body, field := range map[string]string{
			`{"type":"join-room","userId":"u"}`:                                             "roomId",
			`{"type":"join-room","roomId":"","userId":"u"}`:                                 "roomId",
			`{"type":"join-room","roomId":"r","userId":7}`:                                  "userId",
			`{"type":"join-room","roomId":"r","userId":"a\u202eb"}`:                         "userId",
			`{"type":"join-room","roomId":"a\u2067b","userId":"u"}`:                         "roomId",
			`{"type":"join-room","roomId":"r","userId":"u","metadata":[]}`:                  "metadata",
			`{"type":"nonsense"}`:                                                           "type",
			`{}`:                                                                            "type",
			`{"type":"offer","target":"x","offer":{"type":"answer","sdp":"v=0"}}`:           "offer.type",
			`{"type":"answer","target":"x","answer":{"type":"answer"}}`:                     "answer.sdp",
			`{"type":"ice-candidate","target":"x","candidate":7}`:                           "candidate",
			`{"type":"send-message","message":"   "}`:                                       "message",
			`{"type":"send-message","message":"` + strings.Repeat("x", 4097) + `"}`:         "message",
			`{"type":"join-room","roomId":"` + strings.Repeat("x", 129) + `","userId":"u"}`: "roomId",
		} {
			a := p.refused(http.StatusUnprocessableEntity, "validation-failed", body)
			errors, _ := a.json["errors"].([]any)
			named := false
			for _, each := range errors {
				members, _ := each.(map[string]any)
				named = named || members["field"] == field && members["rule"] != nil && members["message"] != nil
			}
			if !named {
				t.fail("POST /events %s\nexpected: an error for the field %s\nseen:     %s", shortened(body), field, a.text)
			}
		}
	}},
	{problems, "malformed-json", "The body is not one JSON value in UTF-8.", func(t *trial) {
		p := t.connect()
		for _, body := range []string{``, `{`, `nonsense`, "{\"type\":\"signal\",\"data\":\"\xff\"}", strings.Repeat("[", 5000), `{"type":"ping"} {}`} {
			p.refused(http.StatusBadRequest, "malformed-json", body)
		}
		p.quiet()
	}},
	{problems, "unknown-session", "The request has no session token, a malformed one, or one whose socket has ended.", func(t *trial) {
		for _, header := range []string{"", "Bearer", "Bearer " + unknownSocket, "Basic " + unknownSocket, "Bearer x y"} {
			headers := map[string]string{"Content-Type": "application/json"}
			if header != "" {
				headers["Authorization"] = header
			}
			t.expectProblem(fmt.Sprintf("Authorization: %q", header), http.StatusUnauthorized, "unknown-session", t.ask(http.MethodPost, "/events", headers, `{"type":"ping"}`))
		}
	}},
	{problems, "not-found", "The address does not exist.", func(t *trial) {
		for _, path := range []string{"/nothing", "/events/nothing", "/rooms/" + t.room() + "/x/y"} {
			t.expectProblem("GET "+path, http.StatusNotFound, "not-found", t.ask(http.MethodGet, path, nil, ""))
		}
	}},
	{problems, "method-not-allowed", "The address does not take this method; Allow lists those that it takes.", func(t *trial) {
		for path, method := range map[string]string{"/events": http.MethodPut, "/events/batch": http.MethodGet, "/health": http.MethodDelete} {
			a := t.ask(method, path, nil, "")
			t.expectProblem(method+" "+path, http.StatusMethodNotAllowed, "method-not-allowed", a)
			if a.header.Get("Allow") == "" || strings.Contains(a.header.Get("Allow"), method) {
				t.fail("%s %s\nexpected: Allow, with other methods\nseen:     %q", method, path, a.header.Get("Allow"))
			}
		}
	}},
	{problems, "not-in-room", "The event is for members of a room, and the socket is in none.", func(t *trial) {
		p := t.connect()
		for _, body := range []string{`{"type":"send-message","message":"x"}`, `{"type":"leave-room"}`, `{"type":"signal","data":1}`, `{"type":"typing-start"}`} {
			p.refused(http.StatusConflict, "not-in-room", body)
		}
	}},
	{problems, "payload-too-large", "The body is larger than 64 KiB, or than what the server allows.", func(t *trial) {
		p := t.connect()
		p.refused(http.StatusRequestEntityTooLarge, "payload-too-large", `{"type":"signal","data":"`+strings.Repeat("x", 8<<20)+`"}`)
	}},
	{problems, "unsupported-media-type", "The body is not sent as application/json, or has a Content-Encoding.", func(t *trial) {
		p := t.connect()
		for _, kind := range []string{"application/xml", "application/x-www-form-urlencoded", "multipart/form-data"} {
			t.expectProblem("Content-Type: "+kind, http.StatusUnsupportedMediaType, "unsupported-media-type", p.post(`{"type":"ping"}`, "Content-Type", kind))
		}
	}},
}
