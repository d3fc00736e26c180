package main

import (
	"errors"
	"fmt"
	"log/slog"

	"signaling-server/webhooks"
)

// webhookSettings say whom the server tells who is in which room.
type webhookSettings struct {
	URL     string   `env:"WEBHOOK_URL" secret:"true" validate:"omitempty,http_url" allowed:"an address of http or https" help:"Address to which the server posts who joins and leaves which room. Empty: no webhooks are sent."`
	Secrets []string `env:"WEBHOOK_SECRET" secret:"true" validate:"required_with=URL,dive,whsec" allowed:"whsec_ with the base64 of 24 to 64 random bytes, together with WEBHOOK_URL, or a comma-separated list of such secrets" help:"Secret that webhooks are signed with. While you replace a secret, set the old and the new one: each signs."`
	Folder  string   `env:"WEBHOOK_DIR" validate:"excluded_without=URL" allowed:"the path of a folder, together with WEBHOOK_URL and without CLUSTER_URL" help:"Folder that keeps the webhooks on disk, so that they outlive the process. It must be writable, and of this server alone. Empty: they are in memory, or in the log of the cluster."`
	Backlog int      `env:"WEBHOOK_BACKLOG" envDefault:"10000" validate:"min=100,max=100000" allowed:"a whole number from 100 to 100000" help:"How many webhooks are kept, delivered or not. If the receiver is away for longer, the oldest are dropped."`
}

func isWebhookSecret(text string) bool {
	_, err := webhooks.ParseSecret(text)
	return err == nil
}

// newWebhooks returns how webhooks are sent. The caller closes the journal, if there is one. It is
// nil if there are no webhooks. The error is a sentence for the operator.
func (c config) newWebhooks(logger *slog.Logger) (*webhooks.Options, error) {
	s := c.Webhooks
	if s.URL == "" {
		return nil, nil
	}
	o := &webhooks.Options{URL: s.URL, Changes: s.Backlog, Logger: logger}
	for _, text := range s.Secrets {
		secret, err := webhooks.ParseSecret(text)
		if err != nil {
			return nil, fmt.Errorf("WEBHOOK_SECRET cannot be used: %w", err)
		}
		o.Secrets = append(o.Secrets, secret)
	}
	if s.Folder == "" {
		return o, nil
	}
	if len(c.Cluster.URLs) > 0 {
		return nil, errors.New("WEBHOOK_DIR must not be set together with CLUSTER_URL, since the log of the cluster keeps the webhooks")
	}
	var err error
	if o.Journal, err = webhooks.OpenJournal(s.Folder); err != nil {
		return nil, fmt.Errorf("WEBHOOK_DIR cannot be used: %w", withUser(err))
	}
	return o, nil
}
