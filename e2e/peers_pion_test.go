package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/stretchr/testify/require"
)

// peer is a WebRTC peer. It calls every member that comes into its room after it, and
// answers every call. At first it knows only the server's address.
type peer struct {
	t          *testing.T
	signaling  *signaling
	connection *webrtc.PeerConnection
	channel    *webrtc.DataChannel

	// before is called before a description is sent. A test may break something in it.
	before func(kind string)

	remote    string // the other's socket ID, known only to the event loop
	opened    chan struct{}
	gathered  chan struct{} // closed when the end of candidates was sent
	complete  chan struct{} // closed when the other's end of candidates has come
	messages  chan string
	tracks    chan *webrtc.TrackRemote
	gone      chan string // the reasons that user-disconnected gave
	completed sync.Once
}

// newPeer takes a peer into a room. The options run before the peer handles its first
// event.
func newPeer(t *testing.T, url, room, name string, options ...func(*peer)) *peer {
	t.Helper()
	return newPeerOver(t, newConnection(t), url, room, name, options...)
}

// newPeerOver is newPeer with a connection of the test's own.
func newPeerOver(t *testing.T, connection *webrtc.PeerConnection, url, room, name string, options ...func(*peer)) *peer {
	t.Helper()
	p := &peer{
		t:          t,
		connection: connection,
		signaling:  connect(t, url),
		before:     func(string) {},
		opened:     make(chan struct{}),
		gathered:   make(chan struct{}),
		complete:   make(chan struct{}),
		messages:   make(chan string, 64),
		tracks:     make(chan *webrtc.TrackRemote, 4),
		gone:       make(chan string, 4),
	}
	// The channel is negotiated, as in the demo, so neither peer waits for the other's.
	negotiated, id := true, uint16(0)
	channel, err := p.connection.CreateDataChannel("peer", &webrtc.DataChannelInit{Negotiated: &negotiated, ID: &id})
	require.NoError(t, err)
	p.channel = channel
	channel.OnOpen(func() { close(p.opened) })
	channel.OnMessage(func(m webrtc.DataChannelMessage) { p.messages <- string(m.Data) })
	p.connection.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { p.tracks <- track })
	for _, option := range options {
		option(p)
	}
	p.signaling.join(room, name)

	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { // ends with ctx; the cleanup waits for it
		defer close(done)
		p.run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		require.NoError(t, p.connection.GracefulClose())
	})
	return p
}

// newConnection makes a connection that needs no network but the loopback interface.
func newConnection(t *testing.T, options ...func(*webrtc.SettingEngine)) *webrtc.PeerConnection {
	var media webrtc.MediaEngine
	require.NoError(t, media.RegisterDefaultCodecs())
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	for _, option := range options {
		option(&settings)
	}
	api := webrtc.NewAPI(webrtc.WithMediaEngine(&media), webrtc.WithSettingEngine(settings))
	connection, err := api.NewPeerConnection(webrtc.Configuration{})
	require.NoError(t, err)
	return connection
}

// run handles events one after the other, so candidates are applied after their
// description.
func (p *peer) run(ctx context.Context) {
	for {
		select {
		case e := <-p.signaling.events:
			if err := p.handle(ctx, e); err != nil && ctx.Err() == nil {
				p.t.Errorf("handling %s: %v", e.Type, err)
			}
		case <-ctx.Done():
			return
		}
	}
}

func (p *peer) handle(ctx context.Context, e event) error {
	var m struct {
		SocketID  string
		From      string
		Reason    string
		Offer     *webrtc.SessionDescription
		Answer    *webrtc.SessionDescription
		Candidate *webrtc.ICECandidateInit
	}
	if err := json.Unmarshal([]byte(e.Data), &m); err != nil {
		return err
	}
	switch e.Type {
	case "user-connected":
		p.remote = m.SocketID
		return p.describe(ctx, "offer", func() (webrtc.SessionDescription, error) { return p.connection.CreateOffer(nil) })
	case "user-disconnected":
		p.gone <- m.Reason
		return nil
	case "offer":
		p.remote = m.From
		if err := p.connection.SetRemoteDescription(*m.Offer); err != nil {
			return err
		}
		return p.describe(ctx, "answer", func() (webrtc.SessionDescription, error) { return p.connection.CreateAnswer(nil) })
	case "answer":
		return p.connection.SetRemoteDescription(*m.Answer)
	case "ice-candidate":
		if m.Candidate == nil {
			p.completed.Do(func() { close(p.complete) })
			return nil
		}
		return p.connection.AddICECandidate(*m.Candidate)
	}
	return nil
}

// describe sends an offer or an answer, and then applies it. Applying starts the search
// for candidates, and these must be sent later than the description.
func (p *peer) describe(ctx context.Context, kind string, create func() (webrtc.SessionDescription, error)) error {
	description, err := create()
	if err != nil {
		return err
	}
	p.before(kind)
	message := fields{"type": kind, "target": p.remote, kind: description}
	if err := p.signaling.send(ctx, message); err != nil {
		return err
	}
	p.trickle(ctx, p.remote)
	return p.connection.SetLocalDescription(description)
}

// trickle sends each candidate when it is found, and null after the last.
func (p *peer) trickle(ctx context.Context, target string) {
	p.connection.OnICECandidate(func(candidate *webrtc.ICECandidate) {
		message := fields{"type": "ice-candidate", "target": target, "candidate": nil}
		if candidate != nil {
			message["candidate"] = candidate.ToJSON()
		}
		if err := p.signaling.send(ctx, message); err != nil && ctx.Err() == nil {
			p.t.Error(err)
		}
		if candidate == nil {
			close(p.gathered)
		}
	})
}

// echo answers every message, except echoes, until the test ends.
func (p *peer) echo() {
	p.channel.OnMessage(func(m webrtc.DataChannelMessage) {
		text := string(m.Data)
		if strings.HasPrefix(text, "echo of ") {
			p.messages <- text
		} else if err := p.channel.SendText("echo of " + text); err != nil {
			p.t.Error(err)
		}
	})
}

// pong answers the pings of the demo.
func (p *peer) pong() {
	p.channel.OnMessage(func(m webrtc.DataChannelMessage) {
		var ping fields
		if json.Unmarshal(m.Data, &ping) != nil || ping["type"] != "ping" {
			return
		}
		answer, err := json.Marshal(fields{"type": "pong", "at": ping["at"]})
		if err == nil {
			err = p.channel.SendText(string(answer))
		}
		if err != nil {
			p.t.Error(err)
		}
	})
}

// isEchoed repeats a message until the other echoes it. A message that is sent before
// the other's channel is open is lost.
func (p *peer) isEchoed(text string) {
	p.t.Helper()
	await(p.t, p.opened, "an open data channel")
	timeout := time.After(within)
	for {
		require.NoError(p.t, p.channel.SendText(text))
		select {
		case answer := <-p.messages:
			require.Equal(p.t, "echo of "+text, answer)
			return
		case <-time.After(100 * time.Millisecond): // the message was lost
		case <-timeout:
			require.FailNow(p.t, fmt.Sprintf("%q was not echoed", text))
		}
	}
}

// await waits for something to happen.
func await[T any](t *testing.T, happened <-chan T, what string) T {
	t.Helper()
	select {
	case value := <-happened:
		return value
	case <-time.After(within):
		require.FailNow(t, "there was no "+what)
		panic("unreachable")
	}
}
