package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// member is one person in a room: what it says through its client, and all that it
// hears. The verdict compares both.
type member struct {
	// set once
	t      *testing.T
	room   string
	name   string
	others int           // in the room
	rests  time.Duration // between two requests, on average
	client *steadyClient
	dice   *rand.Rand // draws what it says; known to the goroutine of talk

	// known to the goroutine of talk, until that is over
	numbered int
	said     []saying    // accepted events, in the order of the answers
	refused  map[int]int // how many events were refused, by status

	mu       sync.Mutex       // guards what follows
	told     map[string]int   // how often user-connected named a socket
	found    map[string]int   // how often room-joined named a socket
	gone     int              // how often user-disconnected came
	heard    map[string][]int // the numbers that came, by their sender's socket
	chat     []string         // the ids of the room's messages
	took     latencies
	complete chan struct{} // closed when all the others are known
	pong     chan struct{} // closed when the ping was answered
}

// saying is one accepted event. If the target is empty, it is for the whole room.
type saying struct {
	number int
	target string
}

// words are the content of every event that a member sends.
type words struct {
	Number int
	Sent   time.Time
	Filler string
}

func newMember(t *testing.T, url, room string, number int, plan faultPlan, figures *clientFigures) *member {
	draw := func(purpose uint64) *rand.Rand { return rand.New(rand.NewPCG(plan.seed, uint64(number)<<32+purpose)) }
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	m := &member{
		t:        t,
		room:     room,
		name:     fmt.Sprintf("Member %d", number),
		rests:    plan.rests,
		dice:     draw(1),
		refused:  make(map[int]int),
		told:     make(map[string]int),
		found:    make(map[string]int),
		heard:    make(map[string][]int),
		complete: make(chan struct{}),
		pong:     make(chan struct{}),
	}
	m.client = &steadyClient{
		url:       url,
		http:      &http.Client{Transport: transport},
		join:      fields{"type": "join-room", "roomId": room, "userId": m.name},
		habit:     restless(draw(2)),
		hear:      m.hear,
		broken:    func(what string) { t.Error(m.name + ": " + what) },
		answers:   3 * time.Second,
		figures:   figures,
		readDice:  draw(3),
		postDice:  draw(4),
		opened:    make(chan struct{}),
		heartbeat: 2 * time.Second,
	}
	return m
}

// restless returns a function that draws how to read next, and for how long.
func restless(dice *rand.Rand) func() habit {
	return func() habit {
		return habit{
			polls:  dice.IntN(3) == 0,
			wait:   dice.IntN(4),
			change: time.Second + time.Duration(dice.ExpFloat64()*float64(5*time.Second)),
			leave:  dice.IntN(2) == 0,
		}
	}
}

// enter joins the room, and waits until the member knows all others.
func (m *member) enter(ctx context.Context) {
	if _, err := m.client.post(ctx, fields{"type": "typing-start"}); err != nil {
		m.t.Errorf("%s did not join: %v", m.name, err)
	}
	select {
	case <-m.complete:
	case <-ctx.Done():
		m.t.Errorf("%s does not know all members of its room", m.name)
	}
}

// talk keeps speaking until talking is done, and waits for the last answer.
func (m *member) talk(ctx, talking context.Context) {
	peers := m.peers()
	for rest(talking, m.pause()); talking.Err() == nil; rest(talking, m.pause()) {
		m.say(ctx, peers)
	}
}

func (m *member) pause() time.Duration {
	return time.Duration(m.dice.ExpFloat64() * float64(m.rests))
}

// say posts one event, or several at once, to one peer or to all.
func (m *member) say(ctx context.Context, peers []string) {
	events := make([]fields, 1)
	if m.dice.IntN(3) == 0 {
		events = make([]fields, 2+m.dice.IntN(7))
	}
	sayings := make([]saying, len(events))
	for i := range events {
		events[i], sayings[i] = m.something(peers)
	}
	statuses, err := m.client.post(ctx, events...)
	if err != nil {
		m.t.Errorf("%s: %v", m.name, err)
		return
	}
	for i, s := range sayings {
		if status := statuses[min(i, len(statuses)-1)]; status == http.StatusAccepted {
			m.said = append(m.said, s)
			m.client.figures.accepted.Add(1)
		} else {
			m.refused[status]++
		}
	}
}

// something draws what to say, and to whom.
func (m *member) something(peers []string) (fields, saying) {
	m.numbered++
	content := words{m.numbered, time.Now(), strings.Repeat("x", int(m.dice.ExpFloat64()*300))}
	switch one := m.dice.IntN(10); {
	case one < 6:
		target := peers[m.dice.IntN(len(peers))]
		return fields{"type": "signal", "target": target, "data": content}, saying{m.numbered, target}
	case one < 8:
		return fields{"type": "signal", "data": content}, saying{m.numbered, ""}
	default:
		text, _ := json.Marshal(content) // numbers, texts and times always marshal
		return fields{"type": "send-message", "message": string(text)}, saying{m.numbered, ""}
	}
}

// hearOut waits until the member has heard everything that was accepted for it. The answer
// to a ping comes after all that was accepted before it.
func (m *member) hearOut(ctx context.Context) {
	if _, err := m.client.post(ctx, fields{"type": "ping"}); err != nil {
		m.t.Errorf("%s: %v", m.name, err)
	}
	select {
	case <-m.pong:
	case <-ctx.Done():
		m.t.Errorf("%s did not hear all that the server owes it", m.name)
	}
}

// hear keeps what the client reads.
func (m *member) hear(e event) {
	var is struct {
		From, SocketID, ID, Message string
		Data                        words
		Users                       []struct{ UserID, SocketID string }
	}
	if err := json.Unmarshal([]byte(e.Data), &is); err != nil {
		m.t.Errorf("%s cannot read %s: %v", m.name, e.Data, err)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch e.Type {
	case "room-joined":
		for _, user := range is.Users {
			if user.UserID != m.name {
				m.found[user.SocketID]++
			}
		}
		m.noteComplete()
	case "user-connected":
		m.told[is.SocketID]++
		m.noteComplete()
	case "user-disconnected":
		m.gone++
	case "user-away":
		m.client.figures.away.Add(1)
	case "signal":
		m.keep(is.From, is.Data)
	case "new-message":
		var content words
		if err := json.Unmarshal([]byte(is.Message), &content); err != nil {
			m.t.Errorf("%s cannot read the message %s: %v", m.name, is.Message, err)
		}
		m.chat = append(m.chat, is.ID)
		m.keep(is.SocketID, content)
	case "pong":
		close(m.pong)
	}
}

func (m *member) keep(from string, content words) {
	m.heard[from] = append(m.heard[from], content.Number)
	m.took = append(m.took, time.Since(content.Sent))
	m.client.figures.heard.Add(1)
}

func (m *member) noteComplete() {
	select {
	case <-m.complete:
	default:
		if len(m.told)+len(m.found) >= m.others {
			close(m.complete)
		}
	}
}

// peers returns the socket IDs of the others.
func (m *member) peers() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var ids []string
	for id := range m.told {
		ids = append(ids, id)
	}
	for id := range m.found {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// latencies are how long each of several events took.
type latencies []time.Duration

// quantile returns the time within which the given part of them came.
func (l latencies) quantile(part float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	slices.Sort(l)
	return l[min(int(part*float64(len(l))), len(l)-1)].Round(100 * time.Microsecond)
}
