package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTwoPionPeersMeetThroughTheServer(t *testing.T) {
	url := startServer(t)
	ada := newPeer(t, url, "pions", "Ada", (*peer).echo)
	bob := newPeer(t, url, "pions", "Bob", (*peer).echo)

	ada.isEchoed("hello from Ada")
	bob.isEchoed("hello from Bob")
	await(t, ada.complete, "end of Bob's candidates")
	await(t, bob.complete, "end of Ada's candidates")
}

// The caller drops its stream before it calls, so it misses the answer and the
// candidates. The callee drops its stream before it answers, so it misses the caller's
// candidates. Each comes back when everything has been sent.
func TestPeersMeetAlthoughTheirStreamsAreCutDuringTheNegotiation(t *testing.T) {
	url := startServer(t)
	cutBefore := func(kind string) func(*peer) {
		return func(p *peer) {
			p.before = func(sending string) {
				if sending == kind {
					p.signaling.pause()
				}
			}
		}
	}
	ada := newPeer(t, url, "pions", "Ada", (*peer).echo, cutBefore("offer"))
	bob := newPeer(t, url, "pions", "Bob", (*peer).echo, cutBefore("answer"))

	await(t, ada.gathered, "end of Ada's candidates")
	await(t, bob.gathered, "end of Bob's candidates")
	ada.signaling.resume()
	bob.signaling.resume()

	ada.isEchoed("hello from Ada")
	bob.isEchoed("hello from Bob")
	await(t, ada.complete, "end of Bob's candidates")
	await(t, bob.complete, "end of Ada's candidates")
	for _, p := range []*peer{ada, bob} {
		require.Equal(t, 2, p.signaling.streamsOpened())
		require.Empty(t, p.gone, "nobody left the room")
	}
}
