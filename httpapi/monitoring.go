package httpapi

import (
	"fmt"
	"net/http"
	"runtime/metrics"
	"strconv"
	"time"
)

type health struct {
	Service     string      `json:"service"`
	Status      string      `json:"status"`
	Timestamp   string      `json:"timestamp"`
	Uptime      float64     `json:"uptime"` // seconds
	Version     string      `json:"version"`
	Environment string      `json:"environment"`
	Port        string      `json:"port"`
	Memory      memory      `json:"memory"`
	Connections activeTotal `json:"connections"`
	Rooms       activeTotal `json:"rooms"`
}

type memory struct {
	Used  string `json:"used"`
	Total string `json:"total"`
}

// activeTotal counts what there is now, and what there ever was.
type activeTotal struct {
	Active int    `json:"active"`
	Total  uint64 `json:"total"`
}

func (a *API) getHealth(w http.ResponseWriter, _ *http.Request, _ params) error {
	status := "healthy"
	if a.hub.Draining() {
		status = "draining"
	}
	sockets, _, socketsEver := a.hub.Counts()
	rooms, _, roomsEver := a.rooms.Counts()
	return writeJSON(w, health{
		Service:     serviceName,
		Status:      status,
		Timestamp:   timestamp(time.Now()),
		Uptime:      time.Since(a.started).Round(time.Millisecond).Seconds(),
		Version:     a.version,
		Environment: a.environment,
		Port:        strconv.Itoa(a.port),
		Memory:      readMemory(),
		Connections: activeTotal{sockets, socketsEver},
		Rooms:       activeTotal{rooms, roomsEver},
	})
}

// readMemory returns how much memory live objects take, and how much the process got
// from the operating system. Unlike runtime.ReadMemStats, it does not stop the world.
func readMemory() memory {
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/total:bytes"}}
	metrics.Read(samples)
	inMB := func(s metrics.Sample) string { return fmt.Sprintf("%d MB", (s.Value.Uint64()+1<<19)>>20) }
	return memory{inMB(samples[0]), inMB(samples[1])}
}

type stats struct {
	TotalConnections    uint64  `json:"totalConnections"`
	ActiveConnections   int     `json:"activeConnections"`
	TotalRooms          uint64  `json:"totalRooms"`
	ActiveRooms         int     `json:"activeRooms"`
	StartTime           int64   `json:"startTime"` // milliseconds since the epoch
	Uptime              int64   `json:"uptime"`    // milliseconds
	UptimeFormatted     string  `json:"uptimeFormatted"`
	AverageUsersPerRoom float64 `json:"averageUsersPerRoom"`
}

func (a *API) getStats(w http.ResponseWriter, _ *http.Request, _ params) error {
	started := a.started
	if began := a.state.Status().Began; !began.IsZero() {
		started = began // with what is counted below, for all nodes
	}
	uptime := time.Since(started)
	sockets, _, socketsEver := a.hub.Counts()
	rooms, members, roomsEver := a.rooms.Counts()
	average := 0.0
	if rooms > 0 {
		average = float64(members) / float64(rooms)
	}
	return writeJSON(w, stats{
		TotalConnections:    socketsEver,
		ActiveConnections:   sockets,
		TotalRooms:          roomsEver,
		ActiveRooms:         rooms,
		StartTime:           started.UnixMilli(),
		Uptime:              uptime.Milliseconds(),
		UptimeFormatted:     formatUptime(uptime),
		AverageUsersPerRoom: average,
	})
}

// formatUptime writes a duration as hours, minutes and seconds: "26h 0m 9s".
func formatUptime(d time.Duration) string {
	seconds := int(d.Seconds())
	return fmt.Sprintf("%dh %dm %ds", seconds/3600, seconds/60%60, seconds%60)
}

type probe struct {
	Status string `json:"status"`
}

// getLiveness reports that the process answers.
func (a *API) getLiveness(w http.ResponseWriter, _ *http.Request, _ params) error {
	return writeJSON(w, probe{"ok"})
}
