package httpapi

import (
	"net/http"
	"time"

	"signaling-server/httpapi/problem"
	"signaling-server/machine"
	"signaling-server/webhooks"
)

// webhooksView is what became of the webhooks.
type webhooksView struct {
	Enabled        bool                `json:"enabled"`
	Sending        bool                `json:"sending"` // by this node
	Failing        bool                `json:"failing"`
	Waiting        int                 `json:"waiting"`
	Oldest         string              `json:"oldest,omitempty"`
	Delivered      uint64              `json:"delivered"`
	Dropped        uint64              `json:"dropped"`
	FailedAttempts uint64              `json:"failedAttempts"`
	LastFailure    *webhookFailureView `json:"lastFailure,omitempty"`
}

type webhookFailureView struct {
	At        string `json:"at"`
	WebhookID string `json:"webhookId"`
	Status    int    `json:"status,omitempty"`
	Error     string `json:"error,omitempty"`
}

// getWebhooks describes what became of the webhooks (GET /webhooks).
func (a *API) getWebhooks(w http.ResponseWriter, _ *http.Request, _ params) error {
	if a.webhooks == nil {
		return writeJSON(w, webhooksView{})
	}
	return writeJSON(w, viewOf(a.webhooks.Status()))
}

func viewOf(s webhooks.Status) webhooksView {
	view := webhooksView{
		Enabled: true, Sending: s.IsSender, Failing: s.IsFailing,
		Waiting: s.Waiting, Delivered: s.Delivered, Dropped: s.Dropped, FailedAttempts: s.FailedAttempts,
	}
	if !s.Oldest.IsZero() {
		view.Oldest = timestamp(s.Oldest)
	}
	if f := s.LastFailure; !f.At.IsZero() {
		view.LastFailure = &webhookFailureView{timestamp(f.At), f.ID, f.Status, f.Text}
	}
	return view
}

// replayWebhooks lets all webhooks that are kept since a time be sent again (POST
// /webhooks/replay).
func (a *API) replayWebhooks(w http.ResponseWriter, r *http.Request, _ params) error {
	query, err := queryOf(r, "since")
	if err != nil {
		return err
	}
	since, err := time.Parse(time.RFC3339, query.Get("since"))
	if err != nil {
		return problem.Invalid(problem.Field("since", "timestamp", "must be a time such as 2026-03-01T12:00:00Z"))
	}
	if a.webhooks == nil {
		return problem.NotFound.With("This server sends no webhooks: set WEBHOOK_URL.")
	}
	return a.carryOut(w, r, machine.Operation{Kind: machine.Replay, Since: since.UTC()}, writeNoContent, "let webhooks be sent again", "since", since)
}
