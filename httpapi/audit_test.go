package httpapi_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/httpapi/operators"
	"signaling-server/machine"
	"signaling-server/sse"
)

// audited starts a server with an operator “billing”, who may only close and lock rooms.
func audited(t *testing.T, others ...func(*setup)) (s *server, log *logbook, token string) {
	log = new(logbook)
	token, line, err := operators.Issue("billing", []string{"rooms"})
	require.NoError(t, err)
	others = append(others, unheard, withAdminToken, withOperators(t, line))
	return newServer(t, sse.Options{Logger: slog.New(slog.NewJSONHandler(log, nil))}, 100, others...), log, token
}

// lines returns the lines of the log about operators.
func (l *logbook) audit() (lines []string) {
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, `"msg":"operator `) {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestTheAuditLogNamesTheOperatorAndWhatItDidToWhat(t *testing.T) {
	s, log, token := audited(t)
	s.join(t, "standup", "Ada")
	require.Equal(t, http.StatusNoContent, s.tryToken(t, operation{http.MethodPost, "/rooms/standup/lock", operators.Rooms}, token))
	s.operate(t, http.StatusNoContent, http.MethodPut, "/revocations/users/-?id=Ada%0AINFO%20operator%20forged", "")
	lines := log.audit()
	require.Len(t, lines, 2)
	require.Contains(t, lines[0], `"msg":"operator locked a room","operator":"billing","ip":"127.0.0.1","roomId":"standup"`)
	require.Contains(t, lines[1], `"operator":"admin","ip":"127.0.0.1","subject":"users","id":"Ada\nINFO operator forged"`)
	require.NotContains(t, log.String(), token)
	require.NotContains(t, log.String(), adminToken)
}

func TestTheAuditLogNamesWhatAnOperatorMayNotDo(t *testing.T) {
	s, log, token := audited(t)
	require.Equal(t, http.StatusForbidden, s.tryToken(t, operation{http.MethodGet, "/rooms/standup", operators.Read}, token))
	require.Equal(t, http.StatusForbidden, s.tryToken(t, operation{http.MethodDelete, "/connections/" + string(sse.NewToken().Secret()), operators.Sockets}, token))
	lines := log.audit()
	require.Len(t, lines, 2)
	require.Contains(t, lines[0], `"level":"WARN","msg":"operator was refused what needs another scope","operator":"billing","ip":"127.0.0.1","scope":"read","method":"GET","path":"/rooms/standup"`)
	require.Contains(t, lines[1], `"scope":"sockets","method":"DELETE","path":"/connections/[hidden]"`, "it may be a token by mistake")
}

// This node may lose sight of a command that others carry out.
func TestTheAuditLogNamesWhatMayHaveBeenDone(t *testing.T) {
	state := new(failing)
	s, log, _ := audited(t, clustered(state))
	for status, err := range map[int]error{http.StatusServiceUnavailable: machine.ErrNotReady, http.StatusGatewayTimeout: machine.ErrUnknown} {
		state.err.Store(&err)
		answer := s.operate(t, status, http.MethodPost, "/rooms/standup/events", `{"type":"announcement","data":1}`)
		if err == machine.ErrUnknown {
			require.Contains(t, answer["detail"], "an announcement could arrive twice", "operators' commands have no Idempotency-Key")
		}
	}
	lines := log.audit()
	require.Len(t, lines, 1, "nothing was done by a node that was not ready")
	require.Contains(t, lines[0], `"msg":"operator announced something to a room","operator":"admin","ip":"127.0.0.1","roomId":"standup","outcome":"unknown"`)
}
