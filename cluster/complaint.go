package cluster

import (
	"log/slog"
	"slices"
)

// maxSaid is how many errors of one failure are logged.
const maxSaid = 3

// complaint logs a failure that may last: each error once, however often it comes. When the
// failure is over, another complaint begins.
type complaint struct{ said []string }

func (c *complaint) say(logger *slog.Logger, what string, err error) {
	text := err.Error()
	if len(c.said) == maxSaid || slices.Contains(c.said, text) {
		return
	}
	c.said = append(c.said, text)
	logger.Warn(what, "error", text)
}
