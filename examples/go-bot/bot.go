package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"

	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"

	"signaling-server/client"
)

// bot is a member of a room. Only the goroutine of listen uses its calls; the other
// fields are set once.
type bot struct {
	ctx    context.Context // ends the bot
	client *client.Client
	join   client.JoinRoomMessage
	webrtc *webrtc.API
	calls  map[string]*call // by the caller's socket ID
}

func newBot(ctx context.Context, c *client.Client, server string, join client.JoinRoomMessage) (*bot, error) {
	api, err := newWebRTC(server)
	if err != nil {
		return nil, err
	}
	return &bot{ctx, c, join, api, make(map[string]*call)}, nil
}

// newWebRTC returns the API that makes the peer connections. It knows one codec of each
// kind, which all browsers have. So the bot can send media back unchanged.
func newWebRTC(server string) (*webrtc.API, error) {
	var media webrtc.MediaEngine
	for kind, codec := range codecs {
		if err := media.RegisterCodec(codec, kind); err != nil {
			return nil, err
		}
	}
	var interceptors interceptor.Registry
	if err := webrtc.RegisterDefaultInterceptors(&media, &interceptors); err != nil {
		return nil, err
	}
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(isHere(server)) // then callers may be here too
	return webrtc.NewAPI(webrtc.WithMediaEngine(&media), webrtc.WithInterceptorRegistry(&interceptors), webrtc.WithSettingEngine(settings)), nil
}

// isHere reports whether the server runs on this machine.
func isHere(server string) bool {
	address, err := url.Parse(server)
	if err != nil {
		return false
	}
	host := address.Hostname()
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// hasEnded reports whether a message failed because its socket had ended: the network was
// gone for too long. The client opens a new socket and gets a ConnectedEvent again.
func hasEnded(err error) bool {
	var problem *client.Problem
	return errors.As(err, &problem) && problem.Name() == "unknown-session"
}

// listen handles one event after the other. It returns nil when the client is closed, or
// an error that says why the bot can no longer be in the room.
func (b *bot) listen() error {
	var last client.DisconnectedEvent // if the events end, it says why
	for event, err := range b.client.Events() {
		if err != nil {
			slog.Warn("no events for now", "error", err)
			continue
		}
		switch e := event.(type) {
		case client.ConnectedEvent:
			b.endCalls() // the callers know only the old socket
			if err := b.client.Send(b.ctx, b.join); err != nil && b.ctx.Err() == nil && !hasEnded(err) {
				return fmt.Errorf("joining %s: %w", b.join.RoomID, err)
			}
		case client.RoomJoinedEvent:
			slog.Info("in the room", "room", e.RoomID, "members", len(e.Users))
		case client.UserDisconnectedEvent:
			b.end(e.SocketID)
		case client.OfferEvent:
			b.report(e.From, b.answer(e))
		case client.ICECandidateEvent:
			if c := b.calls[e.From]; c != nil && e.Candidate != nil {
				b.report(e.From, c.connection.AddICECandidate(webrtc.ICECandidateInit(*e.Candidate)))
			}
		case client.DisconnectedEvent:
			last = e
			slog.Warn("disconnected by the server", "reason", e.Reason)
		case client.RoomLeftEvent:
			return fmt.Errorf("out of the room: %s", e.Reason)
		}
	}
	if b.ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("out of the room: %s %s", last.Reason, last.Detail)
}

// answer answers an offer, which begins a call or changes it.
func (b *bot) answer(e client.OfferEvent) error {
	offer := webrtc.SessionDescription{Type: webrtc.NewSDPType(e.Offer.Type), SDP: e.Offer.SDP}
	session, err := sessionOf(offer)
	if err != nil {
		return err
	}
	c := b.calls[e.From]
	if c == nil || c.session != session {
		b.end(e.From)
		if c, err = b.begin(e.From, session); err != nil {
			return err
		}
		b.calls[e.From] = c
		slog.Info("called", "by", e.From)
	}
	return c.answer(offer)
}

// begin makes this end of a call, with fresh credentials for TURN servers.
func (b *bot) begin(caller string, session uint64) (*call, error) {
	servers, err := b.client.ICEServers(b.ctx)
	if err != nil {
		return nil, fmt.Errorf("asking for ICE servers: %w", err)
	}
	var configuration webrtc.Configuration
	for _, s := range servers {
		configuration.ICEServers = append(configuration.ICEServers, webrtc.ICEServer{URLs: s.URLs, Username: s.Username, Credential: s.Credential})
	}
	connection, err := b.webrtc.NewPeerConnection(configuration)
	if err != nil {
		return nil, err
	}
	send := func(m client.Message) error { return b.client.Send(b.ctx, m) }
	c := &call{connection: connection, caller: caller, session: session, send: send}
	if err := c.reflect(); err != nil {
		return nil, errors.Join(err, c.end())
	}
	return c, nil
}

// end ends the call of a caller, if there is one.
func (b *bot) end(caller string) {
	if c := b.calls[caller]; c != nil {
		delete(b.calls, caller)
		b.report(caller, c.end())
	}
}

func (b *bot) endCalls() {
	for caller := range b.calls {
		b.end(caller)
	}
}

// report logs what went wrong with a call. The other calls go on.
func (b *bot) report(caller string, err error) {
	if err != nil && b.ctx.Err() == nil {
		slog.Warn("a call is in trouble", "with", caller, "error", err)
	}
}
