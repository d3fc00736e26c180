package limits

import "net/netip"

// An event to a whole room costs the server something for each receiver.
const (
	TellingsPerAddress Name = "receivers per address"
	TellingsPerSocket  Name = "receivers per socket"
)

// Tell asks whether a socket of a network may send an event to this many receivers. A
// caller counts a large event as several receivers.
func (l *Limits) Tell(network netip.Prefix, socketID string, receivers int) error {
	if err := l.ofSocket(socketID).tellings.take(receivers, TellingsPerSocket); err != nil {
		return err
	}
	return l.ofNetwork(network).tellings.take(receivers, TellingsPerAddress)
}
