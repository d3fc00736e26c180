package main

import (
	"net/http"
	"net/url"
	"strings"
)

var monitoringRules = []rule{
	{monitoring, "root", "GET / names the service, its version and its endpoints.", shape("/", "service", "version", "message", "port", "environment", "features", "endpoints")},
	{monitoring, "health", "GET /health shows memory, connections and rooms.",
		shape("/health", "service", "status", "timestamp", "uptime", "version", "environment", "port", "memory.used", "memory.total", "connections.active", "connections.total", "rooms.active", "rooms.total")},
	{monitoring, "rooms", "GET /rooms lists the rooms.", shape("/rooms", "totalRooms", "rooms")},
	{monitoring, "a-room-is-found-in-two-ways", "GET /rooms/{roomId} shows a room, and so does GET /rooms/-?id= with the room's ID in the query.", func(t *trial) {
		roomID := "../" + t.room()
		t.connect().join(roomID, "Ada")
		for _, path := range []string{"/rooms/" + url.PathEscape(roomID), "/rooms/-?id=" + url.QueryEscape(roomID)} {
			shape(path, "roomId", "userList")(t)
		}
	}},
	{monitoring, "connections", "GET /connections lists the sockets.", shape("/connections", "totalConnections", "connections")},
	{monitoring, "stats", "GET /stats shows the sums since the start.",
		shape("/stats", "totalConnections", "activeConnections", "totalRooms", "activeRooms", "startTime", "uptime", "uptimeFormatted", "averageUsersPerRoom")},
	{monitoring, "cluster", "GET /cluster lists the nodes that are one server, or none if a server is alone.", shape("/cluster", "nodes")},
	{monitoring, "livez-and-readyz", "GET /livez is answered 200 while the server lives, and GET /readyz while it takes new clients.", func(t *trial) {
		shape("/livez")(t)
		shape("/readyz")(t)
	}},
	{monitoring, "openapi", "GET /openapi.yaml and GET /openapi.json are this contract.", func(t *trial) {
		shape("/openapi.json", "openapi", "info.version", "paths", "components.schemas.ServerEvent")(t)
		shape("/openapi.yaml")(t)
	}},
	{monitoring, "monitoring-shows-no-token", "Monitoring shows no session token.", func(t *trial) {
		a, b := t.pair()
		for _, path := range []string{"/", "/health", "/rooms", "/connections", "/stats", "/cluster", "/metrics"} {
			headers := map[string]string{}
			if t.settings.adminToken != "" {
				headers["Authorization"] = "Bearer " + t.settings.adminToken
			}
			answer := t.ask(http.MethodGet, path, headers, "")
			for _, p := range []*peer{a, b} {
				if strings.Contains(answer.text, p.token) {
					t.fail("GET %s\nexpected: no session token\nseen:     one", path)
				}
			}
		}
	}},
}

// shape returns a trial of a monitoring path: the answer must have these members.
func shape(path string, members ...string) func(*trial) {
	return func(t *trial) {
		headers := map[string]string{}
		if t.settings.adminToken != "" {
			headers["Authorization"] = "Bearer " + t.settings.adminToken
		}
		a := t.ask(http.MethodGet, path, headers, "")
		if a.status == http.StatusUnauthorized || a.status == http.StatusForbidden {
			t.skip("monitoring needs the operators' token: set -admin-token")
		}
		t.expect("the status of GET "+path, http.StatusOK, a.status)
		for _, member := range members {
			var value any = a.json
			for name := range strings.SplitSeq(member, ".") {
				object, _ := value.(map[string]any)
				value = object[name]
			}
			if value == nil {
				t.fail("GET %s\nexpected: the member %s\nseen:     %s", path, member, shortened(a.text))
			}
		}
	}
}
