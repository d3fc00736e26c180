package access

import (
	"errors"
	"time"

	"github.com/go-json-experiment/json"
)

// Grant is what a token allows the user it is for, in the room it is for.
type Grant struct {
	// ExpiresAt is when the token ends. Verify returns no grant that has ended.
	ExpiresAt time.Time
	// MaxMembers is how many members the room may have, 0 where the token does
	// not say it.
	MaxMembers int
	// Can is what the user may do.
	Can Capabilities
}

// Capabilities is a set of things that a member of a room may do. Every member
// may be in the room and hear.
type Capabilities uint8

// The capabilities, each the set of itself alone. A token without “can” allows
// Signal and Chat.
const (
	Signal  Capabilities = 1 << iota // may send signals: offers, answers, candidates and the like
	Chat                             // may send chat messages
	Observe                          // adds nothing to the others; alone it means that the user may send neither
)

// Has tells whether all of the wanted capabilities are in the set.
func (c Capabilities) Has(wanted Capabilities) bool { return c&wanted == wanted }

var capabilities = map[string]Capabilities{"signal": Signal, "chat": Chat, "observe": Observe}

// UnmarshalJSON reads a list of the words “signal”, “chat” and “observe”. An
// empty list is an error: whoever may only hear is an observer by name.
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
