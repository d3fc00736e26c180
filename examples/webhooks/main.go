// Command signaling-server-webhooks receives the webhooks of a signaling server, and prints who
// is in which room. Its secret is in the variable WEBHOOK_SECRET.
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// tolerance is how old a webhook may be. It bounds for how long somebody can repeat what they
// have seen.
const tolerance = 5 * time.Minute

func main() {
	address := flag.String("listen", "127.0.0.1:4000", "address to listen on")
	flag.Parse()
	secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(os.Getenv("WEBHOOK_SECRET"), "whsec_"))
	if err != nil || len(secret) == 0 {
		log.Fatal("WEBHOOK_SECRET must be whsec_ and base64")
	}
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", listener.Addr())
	server := &http.Server{Handler: &receiver{secret: secret, seen: make(map[string]bool)}, ReadTimeout: 10 * time.Second}
	log.Fatal(server.Serve(listener))
}

// webhook is the body of a webhook.
type webhook struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      struct {
		RoomID   string `json:"roomId"`
		UserID   string `json:"userId"`
		SocketID string `json:"socketId"`
		Reason   string `json:"reason"`
	} `json:"data"`
}

type receiver struct {
	secret []byte

	mu   sync.Mutex      // guards what follows
	seen map[string]bool // IDs; a real back end has them in its database
}

// ServeHTTP implements [http.Handler].
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, 64<<10))
	if err != nil {
		http.Error(w, "the body cannot be read", http.StatusBadRequest)
		return
	}
	if err := verify(r.secret, request.Header, body, time.Now()); err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	var hook webhook
	if err := json.Unmarshal(body, &hook); err != nil {
		http.Error(w, "the body is not JSON", http.StatusBadRequest)
		return
	}
	r.accept(request.Header.Get("webhook-id"), hook)
	w.WriteHeader(http.StatusNoContent)
}

// accept prints a webhook, unless it came before.
func (r *receiver) accept(id string, hook webhook) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen[id] {
		fmt.Println("repeated", id)
		return
	}
	r.seen[id] = true
	fmt.Println(strings.Join(strings.Fields(strings.Join([]string{hook.Type, hook.Data.RoomID, hook.Data.UserID, hook.Data.Reason}, " ")), " "))
}

// verify returns an error unless a webhook is signed by the secret, and new.
func verify(secret []byte, header http.Header, body []byte, now time.Time) error {
	id, timestamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > tolerance {
		return errors.New("the timestamp is too old, or missing")
	}
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "%s.%s.%s", id, timestamp, body)
	want := mac.Sum(nil)
	for _, signature := range strings.Fields(header.Get("webhook-signature")) {
		text, isKnown := strings.CutPrefix(signature, "v1,")
		got, err := base64.StdEncoding.DecodeString(text)
		if isKnown && err == nil && hmac.Equal(got, want) {
			return nil
		}
	}
	return errors.New("no signature is right")
}
