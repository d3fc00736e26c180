package client

import "time"

// Waiting returns how many messages wait for their request.
func (c *Client) Waiting() int { return len(c.outgoing) }

// PollPatience is how long a poll may take.
const PollPatience = pollWait + pollMargin

// PausesAfter returns how long a client waits after each of so many sources that failed before
// they brought anything.
func PausesAfter(err error, failures int) (all []time.Duration) {
	r := &reader{resumeWindow: 10 * time.Second}
	for range failures {
		all = append(all, r.pauseAfter(err))
	}
	return all
}
