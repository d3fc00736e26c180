package excerpt

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestAShortenedUserAgentStillNamesTheBrowserAndItsSystem(t *testing.T) {
	for _, agent := range []struct{ text, system, browser string }{
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 19_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.6 Mobile/15E148 Safari/604.1", "iPhone", "Version/19.6 Mobile/15E148 Safari/604.1"},
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0", "Windows", "Edg/156.0.0.0"},
		{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Safari/605.1.15", "Macintosh", "Version/19.0 Safari/605.1.15"},
		{"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Mobile Safari/537.36", "Linux", "Chrome/156.0.0.0 Mobile Safari/537.36"},
		{"Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0", "Linux", "Firefox/150.0"},
	} {
		short := UserAgent(agent.text)
		require.LessOrEqual(t, utf8.RuneCountInString(short), maxLength)
		require.Contains(t, short, agent.system)
		require.Contains(t, short, agent.browser)
	}
	require.Equal(t, "curl/8.5.0", UserAgent("curl/8.5.0"))
	require.Equal(t, maxLength, utf8.RuneCountInString(UserAgent(strings.Repeat("<", 15_500))))
	require.Equal(t, "\uFFFD…\uFFFD", UserAgent(strings.Repeat("\xff", 15_500)))
}
