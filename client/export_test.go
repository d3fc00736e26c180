package client

// Waiting returns how many messages wait for their request.
func (c *Client) Waiting() int { return len(c.outgoing) }
