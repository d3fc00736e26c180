package httpapi

import (
	"context"
	"net/http"
	"strings"

	"signaling-server/httpapi/problem"
	"signaling-server/sse"
)

// sessionEnded is the problem of a token that was once valid.
var sessionEnded = problem.UnknownSession.With("The socket of this token has ended. Open a new stream, and join again.")

// authenticate returns the socket whose token a request bears.
func (a *API) authenticate(r *http.Request) (sse.Ref, error) {
	token, ok := bearer(r)
	if !ok {
		return sse.Ref{}, problem.UnknownSession.With("Send the header “Authorization: Bearer <token>”, with the token of the event “connected”.")
	}
	return a.socketOf(r.Context(), token)
}

// socketOf returns the living socket that a token belongs to. Another node may have opened it
// just now.
func (a *API) socketOf(ctx context.Context, token sse.Token) (sse.Ref, error) {
	socket, ok := a.hub.Authenticate(token)
	if ok {
		return socket, nil
	}
	knowsMore, err := a.state.CatchUp(ctx)
	if err != nil {
		return sse.Ref{}, err
	}
	if knowsMore {
		socket, ok = a.hub.Authenticate(token)
	}
	if !ok {
		return sse.Ref{}, sessionEnded
	}
	return socket, nil
}

// meet waits until this node knows the socket of a position, if there is one at all.
func (a *API) meet(ctx context.Context, position *sse.EventID) error {
	if err := a.state.Ready(); err != nil {
		return err
	}
	if position == nil {
		return nil
	}
	if _, lives := a.hub.Ref(position.Token.SocketID()); lives {
		return nil
	}
	_, err := a.state.CatchUp(ctx)
	return err
}

// bearer reads a session token from the header Authorization (RFC 6750, 2.1).
func bearer(r *http.Request) (sse.Token, bool) {
	return sse.ParseToken(bearerText(r))
}

// bearerText is the token as it was written, or "" if there is none.
func bearerText(r *http.Request) string {
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(text)
}
