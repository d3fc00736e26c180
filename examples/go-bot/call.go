package main

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"signaling-server/client"
)

// codecs are the codecs of the bot. With VP8, a receiver that lost a picture asks for a
// whole new one.
var codecs = map[webrtc.RTPCodecType]webrtc.RTPCodecParameters{
	webrtc.RTPCodecTypeAudio: {
		RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2},
		PayloadType:        111,
	},
	webrtc.RTPCodecTypeVideo: {
		RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000, RTCPFeedback: []webrtc.RTCPFeedback{
			{Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "ccm", Parameter: "fir"},
		}},
		PayloadType: 96,
	},
}

// call is this end of a call. Its goroutines end with it. The fields are set once.
type call struct {
	connection *webrtc.PeerConnection
	caller     string // the socket ID
	session    uint64 // the caller's session ID (RFC 8866, 5.2): another ID means another call
	send       func(client.Message) error
	running    sync.WaitGroup // the goroutines of mirror.watch
}

// sessionOf returns the session ID of a description. All descriptions of one connection
// have the same.
func sessionOf(d webrtc.SessionDescription) (uint64, error) {
	parsed, err := d.Unmarshal()
	if err != nil {
		return 0, err
	}
	return parsed.Origin.SessionID, nil
}

// reflect prepares the call to send back what it receives: sound, pictures, and the
// messages of data channels.
func (c *call) reflect() error {
	mirrors := make(map[webrtc.RTPCodecType]*mirror)
	for kind, codec := range codecs {
		track, err := webrtc.NewTrackLocalStaticRTP(codec.RTPCodecCapability, kind.String(), "echo")
		if err != nil {
			return err
		}
		sender, err := c.connection.AddTrack(track)
		if err != nil {
			return err
		}
		m := &mirror{connection: c.connection, track: track}
		mirrors[kind] = m
		c.running.Go(func() { m.watch(sender) })
	}
	c.connection.OnTrack(func(remote *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { mirrors[remote.Kind()].reflect(remote) })
	c.connection.OnICECandidate(func(candidate *webrtc.ICECandidate) { c.pass(candidate) })

	// The peers of the browser client open the same channel, so neither side has to wait
	// for it.
	agreed, id := true, uint16(0)
	channel, err := c.connection.CreateDataChannel("peer", &webrtc.DataChannelInit{Negotiated: &agreed, ID: &id})
	if err != nil {
		return err
	}
	echo(channel)
	c.connection.OnDataChannel(echo)
	return nil
}

// answer answers an offer. It sends the answer before it applies it: applying starts the
// search for candidates, and they must arrive after the answer.
func (c *call) answer(offer webrtc.SessionDescription) error {
	if err := c.connection.SetRemoteDescription(offer); err != nil {
		return err
	}
	answer, err := c.connection.CreateAnswer(nil)
	if err != nil {
		return err
	}
	err = c.send(client.AnswerMessage{Target: c.caller, Answer: client.SessionDescription{Type: answer.Type.String(), SDP: answer.SDP}})
	if err != nil {
		return err
	}
	return c.connection.SetLocalDescription(answer)
}

// pass sends a candidate to the caller. A nil candidate means that no more follow.
func (c *call) pass(candidate *webrtc.ICECandidate) {
	var passed *client.ICECandidate
	if candidate != nil {
		found := client.ICECandidate(candidate.ToJSON())
		passed = &found
	}
	if err := c.send(client.ICECandidateMessage{Target: c.caller, Candidate: passed}); err != nil {
		slog.Debug("a candidate was not passed on", "error", err) // the caller is gone, or the bot is stopping
	}
}

// end hangs up, and waits for everything that belongs to the call.
func (c *call) end() error {
	err := c.connection.GracefulClose()
	c.running.Wait()
	return err
}

// mirror sends one kind of media back.
type mirror struct {
	// Set once.
	connection *webrtc.PeerConnection
	track      *webrtc.TrackLocalStaticRTP

	source atomic.Uint32 // the SSRC of the caller's media; 0 before it arrives
}

// reflect sends a track back until it ends. A connection that closes waits for that.
func (m *mirror) reflect(remote *webrtc.TrackRemote) {
	m.source.Store(uint32(remote.SSRC()))
	for {
		packet, _, err := remote.ReadRTP()
		if err != nil {
			return // the track has ended
		}
		packet.Extension, packet.Extensions = false, nil // the numbers of extensions have a meaning only in the caller's connection
		if err := m.track.WriteRTP(packet); err != nil && !errors.Is(err, io.ErrClosedPipe) {
			slog.Debug("a packet was not sent back", "error", err)
		}
	}
}

// watch reads the caller's reports on the media that was sent back. If the caller misses
// a picture, watch asks the caller for a whole new one, because the caller makes the
// pictures.
func (m *mirror) watch(sender *webrtc.RTPSender) {
	for {
		packets, _, err := sender.ReadRTCP()
		if err != nil {
			return // the connection has ended
		}
		for _, p := range packets {
			switch p.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				m.wantPicture()
			}
		}
	}
}

// wantPicture asks the caller for a whole picture.
func (m *mirror) wantPicture() {
	source := m.source.Load()
	if source == 0 {
		return
	}
	if err := m.connection.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: source}}); err != nil {
		slog.Debug("no whole picture was asked for", "error", err)
	}
}

// echo sends back the messages of a data channel. It answers the pings of the demo as the
// demo does.
func echo(channel *webrtc.DataChannel) {
	channel.OnMessage(func(m webrtc.DataChannelMessage) {
		var ping struct {
			Type string  `json:"type"`
			At   float64 `json:"at"`
		}
		data := m.Data
		if json.Unmarshal(data, &ping) == nil && ping.Type == "ping" {
			ping.Type = "pong"
			data, _ = json.Marshal(ping) // it cannot fail for these fields
		}
		var err error
		if m.IsString {
			err = channel.SendText(string(data))
		} else {
			err = channel.Send(data)
		}
		if err != nil {
			slog.Debug("a message was not sent back", "error", err)
		}
	})
}
