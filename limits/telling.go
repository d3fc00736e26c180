package limits

import "net/netip"

// What is told to a whole room costs the server something for each receiver.
const (
	TellingsPerAddress Name = "receivers per address"
	TellingsPerSocket  Name = "receivers per socket"
)

// Tell asks whether a socket of a network may tell something to so many receivers.
// What is large counts as several.
func (l *Limits) Tell(network netip.Prefix, socketID string, receivers int) error {
	if err := l.ofSocket(socketID).tellings.take(receivers, TellingsPerSocket); err != nil {
		return err
	}
	return l.ofNetwork(network).tellings.take(receivers, TellingsPerAddress)
}
