package access

import (
	"errors"
	"time"

	"github.com/go-json-experiment/json"
)

// Grant is what a token allows its user in its room.
type Grant struct {
	// ExpiresAt is when the token expires. Verify returns no grant that has expired.
	ExpiresAt time.Time
	// MaxMembers is how many members the room may have, or 0 if the token does not say
	// it.
	MaxMembers int
	// Can is what the user may do.
	Can Capabilities
	// ID is the token's own ID (“jti”; RFC 7519, 4.1.7), or "" if it has none of 256 bytes at
	// most.
	ID string
}

// Capabilities is a set of things that a member of a room may do. Every member may be
// in the room and receive its events.
type Capabilities uint8

// The capabilities. Each is the set that contains only itself. A token without “can”
// allows Signal and Chat.
const (
	Signal  Capabilities = 1 << iota // may send offers, answers, candidates and signals
	Chat                             // may send chat messages
	Observe                          // allows nothing more; a token with Observe alone allows neither Signal nor Chat
)

// Has reports whether all of the wanted capabilities are in the set.
func (c Capabilities) Has(wanted Capabilities) bool { return c&wanted == wanted }

var capabilities = map[string]Capabilities{"signal": Signal, "chat": Chat, "observe": Observe}

// UnmarshalJSON reads a list of the words “signal”, “chat” and “observe”. An empty list
// is an error: a token for a user that may only receive must say “observe”.
func (c *Capabilities) UnmarshalJSON(text []byte) error {
	var words []string
	if err := json.Unmarshal(text, &words); err != nil {
		return err
	}
	if len(words) == 0 {
		return errors.New("a list of capabilities has one or more")
	}
	*c = 0
	for _, word := range words {
		capability, known := capabilities[word]
		if !known {
			return errors.New("unknown capability")
		}
		*c |= capability
	}
	return nil
}
