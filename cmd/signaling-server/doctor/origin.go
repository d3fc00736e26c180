package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// askAsPage asks as a browser does for a page of the origin (Fetch standard, CORS protocol):
// first by OPTIONS, and then by POST, which the server answers 401 because its token is wrong.
func (e *examiner) askAsPage(ctx context.Context) outcome {
	const needed = "authorization,content-type,idempotency-key,last-event-id"
	preflight, _, err := e.ask(ctx, http.MethodOptions, "/events", "", nil, "Origin", e.Origin,
		"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", needed)
	if err != nil {
		return found(Finding{"origin", Bad, "Pages get no answer", "The request by OPTIONS, which a browser sends first, got no answer in time.", serverAnswers, nil})
	}
	answer, text, err := e.ask(ctx, http.MethodPost, "/events", "none", ping, "Origin", e.Origin)
	if err != nil {
		return found(Finding{"origin", Bad, "Pages get no answer", "A POST as of a page got no answer in time.", serverAnswers, nil})
	}
	var problem struct{ Type, Detail string }
	_ = json.Unmarshal(text, &problem) // the answer of a proxy is not a problem
	allowed := func(r *http.Response) []string { return r.Header.Values("Access-Control-Allow-Origin") }
	switch {
	case problem.Type == "/problems/origin-not-allowed":
		return found(Finding{"origin", Bad, "Pages of this origin are refused", problem.Detail, say(listOrigin, "origin", e.Origin), nil})
	case len(allowed(preflight)) > 1 || len(allowed(answer)) > 1:
		return found(Finding{"origin", Bad, "Pages of this origin are refused by browsers", "The header Access-Control-Allow-Origin comes twice.", addNothing, lines[faultCORS]})
	case preflight.StatusCode >= 300:
		return found(Finding{"origin", Bad, "Pages of this origin are refused by browsers", answered("The request by OPTIONS, which a browser sends first,", preflight.StatusCode) + ".", serverAnswers, nil})
	case !e.letsIn(allowed(preflight)) && !e.letsIn(allowed(answer)):
		return found(Finding{"origin", Bad, "Pages of this origin are refused by browsers", "No answer has a header Access-Control-Allow-Origin for them.", say(listOrigin, "origin", e.Origin) + " " + serverAnswers, nil})
	case !e.letsIn(allowed(preflight)) || !e.letsIn(allowed(answer)):
		return found(Finding{"origin", Bad, "Pages of this origin are refused by browsers", "Only some answers have a header Access-Control-Allow-Origin for them.", serverAnswers, nil})
	}
	if missing := notAllowed(preflight, strings.Split(needed, ",")); len(missing) > 0 {
		return found(Finding{"origin", Bad, "Pages of this origin may not send all headers", fmt.Sprintf("Browsers do not let them send %s.", list(missing)), serverAnswers, nil})
	}
	return found(Finding{"origin", Good, "Pages of this origin may use the server", fmt.Sprintf("A page of %s may send all that it needs.", e.Origin), nothing, nil})
}

func (e *examiner) letsIn(allowed []string) bool {
	return len(allowed) == 1 && (allowed[0] == "*" || allowed[0] == e.Origin)
}

// notAllowed returns the headers that a page may not send. The value “*” does not include
// Authorization.
func notAllowed(preflight *http.Response, needed []string) []string {
	var allowed []string
	for _, line := range preflight.Header.Values("Access-Control-Allow-Headers") {
		for name := range strings.SplitSeq(strings.ToLower(line), ",") {
			allowed = append(allowed, strings.TrimSpace(name))
		}
	}
	return slices.DeleteFunc(needed, func(name string) bool {
		return slices.Contains(allowed, name) || name != "authorization" && slices.Contains(allowed, "*")
	})
}
