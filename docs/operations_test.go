package docs_test

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/httpapi/conns"
	"signaling-server/server"
)

// The page for operators lists each metric of the server and each of its limits, and
// no others.
func TestTheOperatorsPageListsAllMetricsAndLimits(t *testing.T) {
	signaling, err := server.New(server.Options{})
	require.NoError(t, err)
	signaling.Guard(conns.Options{}) // it has metrics as well
	response := httptest.NewRecorder()
	request := httptest.NewRequest("GET", "http://localhost/metrics", nil)
	signaling.Handler().ServeHTTP(response, request)
	metrics := response.Body.String()

	page := readPage(t, "operations.md")
	var names, limits []string
	for _, row := range page.table(t, "Metrics", "metric") {
		name, _, _ := strings.Cut(codeSpans(row[0])[0], "{")
		names = append(names, name)
	}
	for _, row := range page.table(t, "Limits", "limit") {
		limits = append(limits, codeSpans(row[0])...)
	}
	require.ElementsMatch(t, submatches(metrics, `(?m)^# TYPE (signaling_\w+)`), names)
	require.ElementsMatch(t, submatches(metrics, `(?m)^signaling_limit_reached_total\{limit="([^"]+)"\}`), limits)
}

func submatches(text, pattern string) (found []string) {
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	return found
}
