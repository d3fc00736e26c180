// Command floor is what signaling by event streams and POSTs costs at least over
// net/http: the server that make bench compares with. It has no sessions, checks,
// limits or resuming, reads no JSON, and trusts its clients. The client chooses its ID,
// and the query says everything but the event:
//
//	GET  /events?id=ID                      opens a stream
//	POST /events?join=ROOM&from=ID&user=USER joins a room; the members hear of it
//	POST /events?to=ID&ev=TYPE              writes its body to the stream of ID
//	GET  /metrics                           what it has allocated
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"runtime"
	"sync"
	"time"
)

func main() {
	address := flag.String("addr", "127.0.0.1:8099", "`address` to listen on")
	heartbeat := flag.Duration("heartbeat", 25*time.Second, "`time` between two heartbeats of a stream")
	certificate := flag.String("cert", "", "`file` with a certificate: speak TLS and HTTP/2")
	key := flag.String("key", "", "`file` with the certificate's key")
	flag.Parse()
	routes := newHub(*heartbeat).routes()
	if *certificate != "" {
		log.Fatal(http.ListenAndServeTLS(*address, *certificate, *key, routes))
	}
	log.Fatal(http.ListenAndServe(*address, routes))
}

// hub holds all clients.
type hub struct {
	heartbeat time.Duration
	mu        sync.RWMutex
	clients   map[string]*client
	rooms     map[string]map[string]*client
}

type client struct {
	id, room, user string
	events         chan []byte // frames for its stream
}

// send reports whether there was room for a frame.
func (c *client) send(frame []byte) bool {
	select {
	case c.events <- frame:
		return true
	default:
		return false
	}
}

func newHub(heartbeat time.Duration) *hub {
	return &hub{heartbeat: heartbeat, clients: make(map[string]*client), rooms: make(map[string]map[string]*client)}
}

func (h *hub) routes() http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /events", h.stream)
	routes.HandleFunc("POST /events", h.post)
	routes.HandleFunc("GET /metrics", metrics)
	return routes
}

func (h *hub) stream(w http.ResponseWriter, r *http.Request) {
	c := &client{id: r.URL.Query().Get("id"), events: make(chan []byte, 64)}
	h.mu.Lock()
	h.clients[c.id] = c
	h.mu.Unlock()
	defer h.drop(c)

	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = io.WriteString(w, "event: connected\ndata: {\"socketId\":\""+c.id+"\"}\n\n")
	flusher := http.NewResponseController(w)
	beat := time.NewTicker(h.heartbeat)
	defer beat.Stop()
	for flusher.Flush() == nil {
		select {
		case frame := <-c.events:
			_, _ = w.Write(frame)
			for range len(c.events) { // one flush for all that wait
				_, _ = w.Write(<-c.events)
			}
		case <-beat.C:
			_, _ = io.WriteString(w, ":\n\n")
		case <-r.Context().Done():
			return
		}
	}
}

func (h *hub) drop(c *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.clients, c.id)
	delete(h.rooms[c.room], c.id)
	if len(h.rooms[c.room]) == 0 {
		delete(h.rooms, c.room)
	}
}

func (h *hub) post(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if room := query.Get("join"); room != "" {
		h.join(query.Get("from"), room, query.Get("user"))
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if r.ContentLength < 0 || r.ContentLength > 1<<20 {
		http.Error(w, "the length is unknown or above 1 MiB", http.StatusBadRequest)
		return
	}
	head := "event: " + query.Get("ev") + "\ndata: "
	frame := make([]byte, len(head)+int(r.ContentLength)+len("\n\n"))
	end := len(frame) - len("\n\n")
	copy(frame, head)
	copy(frame[end:], "\n\n")
	if _, err := io.ReadFull(r.Body, frame[len(head):end]); err != nil {
		http.Error(w, "the body is too short", http.StatusBadRequest)
		return
	}
	h.mu.RLock()
	target := h.clients[query.Get("to")]
	h.mu.RUnlock()
	switch {
	case target == nil:
		http.Error(w, "there is no such client", http.StatusNotFound)
	case !target.send(frame):
		http.Error(w, "the client reads too slowly", http.StatusServiceUnavailable)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func (h *hub) join(id, room, user string) {
	notice := fmt.Appendf(nil, "event: user-connected\ndata: {\"userId\":%q,\"socketId\":%q}\n\n", user, id)
	list := fmt.Appendf(nil, "event: room-joined\ndata: {\"roomId\":%q,\"users\":[", room)
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.clients[id]
	if c == nil {
		return
	}
	c.room, c.user = room, user
	if h.rooms[room] == nil {
		h.rooms[room] = make(map[string]*client)
	}
	for _, member := range h.rooms[room] {
		member.send(notice)
		list = append(append(append(append(append(list, `{"userId":"`...), member.user...), `","socketId":"`...), member.id...), `"},`...)
	}
	h.rooms[room][id] = c
	c.send(fmt.Appendf(list, "{\"userId\":%q}]}\n\n", user))
}

// metrics has the names that Prometheus's client has for a Go process.
func metrics(w http.ResponseWriter, _ *http.Request) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Fprintf(w, "# TYPE go_memstats_mallocs_total counter\ngo_memstats_mallocs_total %d\n", m.Mallocs)
	fmt.Fprintf(w, "# TYPE go_memstats_alloc_bytes_total counter\ngo_memstats_alloc_bytes_total %d\n", m.TotalAlloc)
}
