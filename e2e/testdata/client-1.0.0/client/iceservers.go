package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// ICEServers asks for the STUN and TURN servers through which peers reach each
// other, with fresh credentials: those that came with the [ConnectedEvent] run
// out. The error is a [*Problem] where the server refused to tell.
func (c *Client) ICEServers(ctx context.Context) ([]ICEServer, error) {
	_, token := c.identity.get()
	r, err := c.request(ctx, http.MethodGet, "ice-servers", token, nil, nil)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, errorOf(response)
	}
	var servers []ICEServer
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(&servers); err != nil {
		return nil, fmt.Errorf("reading the ICE servers: %w", err)
	}
	return servers, nil
}
