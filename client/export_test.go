package client

// Waiting is how many messages wait for a request of theirs.
func (c *Client) Waiting() int { return len(c.outgoing) }
