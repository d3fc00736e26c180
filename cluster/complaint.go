package cluster

import (
	"log/slog"
	"slices"
	"time"
)

// maxSaid is how many errors of one failure are logged.
const maxSaid = 3

// bearable is for how long a failure at the start is not worth a word: all parts of a cluster may
// start at the same time.
const bearable = 5 * time.Second

// complaint logs a failure that may last: each error once, however often it comes. When the
// failure is over, another complaint begins.
type complaint struct {
	from time.Time // nothing is said before
	said []string
}

const cannotUse = "the engine of the cluster (NATS) cannot be used yet"

// atStart returns a complaint about what a node waits for at its start.
func atStart() complaint { return complaint{from: time.Now().Add(bearable)} }

func (c *complaint) say(logger *slog.Logger, what string, err error) {
	text := err.Error()
	if time.Now().Before(c.from) || len(c.said) == maxSaid || slices.Contains(c.said, text) {
		return
	}
	c.said = append(c.said, text)
	logger.Warn(what, "error", text)
}
