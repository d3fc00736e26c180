package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// poller is a client that polls.
type poller struct {
	t      *testing.T
	client *http.Client
	url    string
	token  string
	after  int // the position
}

// polled is the answer to a poll.
type polled struct {
	Events []struct {
		Type, Token, SocketID, From string
		Data                        json.RawMessage
	}
	LastEventID string
}

// poll asks for what comes after the position, and does not move the position.
func (p *poller) poll(wait int) polled {
	p.t.Helper()
	got, err := p.tryPoll(bounded(p.t), wait)
	require.NoError(p.t, err)
	return got
}

func (p *poller) tryPoll(ctx context.Context, wait int) (got polled, err error) {
	url := fmt.Sprintf("%s/events/poll?wait=%d&after=%d", p.url, wait, p.after)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return got, err
	}
	if p.token != "" {
		request.Header.Set("Authorization", "Bearer "+p.token)
	}
	response, err := p.client.Do(request)
	if err != nil {
		return got, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return got, fmt.Errorf("the poll was answered with %s", response.Status)
	}
	return got, json.NewDecoder(response.Body).Decode(&got)
}

func (p *poller) post(message fields) {
	p.t.Helper()
	require.NoError(p.t, post(bounded(p.t), p.client, p.url, p.token, message))
}
