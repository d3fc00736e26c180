package docs_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/httpapi/httpapitest"
	"signaling-server/server"
)

var update = flag.Bool("update", false, "record the session in protocol.md again")

// The session that the protocol shows is what a server says today, word for word but
// for tokens, IDs and times.
func TestTheProtocolShowsASessionAsItGoesOverTheWire(t *testing.T) {
	const path, begin, end = "protocol.md", "<!-- session -->\n", "<!-- end of session -->\n"
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(text), begin)
	require.True(t, found)
	shown, after, found := strings.Cut(rest, end)
	require.True(t, found)

	recorded := recordSession(t)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(before+begin+recorded+end+after), 0o644))
		return
	}
	require.Equal(t, withoutChance(recorded), withoutChance(shown), "run go test ./docs -run Session -update")
}

var byChance = regexp.MustCompile(`[A-Za-z0-9_-]{22}|\d{4}-\d\d-\d\dT[0-9:.]+Z`)

// withoutChance replaces what differs from run to run.
func withoutChance(text string) string { return byChance.ReplaceAllString(text, "…") }

func recordSession(t *testing.T) string {
	r := &recorder{t: t, server: httpapitest.Start(t, server.Parts{}).URL}

	r.tell("**Ada opens a stream.** The first event tells her who she is.")
	ada := r.stream("GET /events HTTP/1.1\nAccept: text/event-stream")
	r.events(ada, 2)
	adaToken, adaID := r.last("token"), r.last("socketId")

	r.tell("**She joins a room**, and her stream says who is there.")
	r.post("events", adaToken, `{"type":"join-room","roomId":"lobby","userId":"Ada"}`)
	r.events(ada, 1)

	r.tell("**Bob opens a socket by a poll**, because a proxy holds streams back, and joins as well. The next poll asks for what comes after the sequence in `lastEventId`.")
	r.poll("", "")
	bobToken, bobID := r.last("token"), r.last("socketId")
	r.post("events", bobToken, `{"type":"join-room","roomId":"lobby","userId":"Bob","metadata":{"color":"blue"}}`)
	r.poll(bobToken, "?after=0")

	r.tell("**Ada's stream reports Bob**, and she calls: an offer and a candidate in one batch, with a key under which she may repeat it.")
	r.events(ada, 1)
	adaAt := r.last("id")
	r.post("events/batch", adaToken, fmt.Sprintf(`{"events":[{"type":"offer","target":%q,"offer":{"type":"offer","sdp":"v=0…"}},{"type":"ice-candidate","target":%q,"candidate":null}]}`, bobID, bobID), "Idempotency-Key: 1")
	r.poll(bobToken, "?after=1")

	r.tell("**Ada's stream drops.** Bob answers meanwhile, and gets a 202: the event waits in Ada's outbox.")
	ada.hangUp()
	r.post("events", bobToken, fmt.Sprintf(`{"type":"answer","target":%q,"answer":{"type":"answer","sdp":"v=0…"}}`, adaID))

	r.tell("**She resumes** with the last id that she received. The answer comes after it.")
	ada = r.stream("GET /events HTTP/1.1\nAccept: text/event-stream\nLast-Event-ID: " + adaAt)
	r.events(ada, 3)

	r.tell("**Bob makes a mistake.** The problem names it.")
	r.post("events", bobToken, `{"type":"send-message","mesage":"Hello"}`)

	r.tell("**Ada leaves** without a resume window. Her stream ends, and Bob's next poll brings the news.")
	r.post("events", adaToken, `{"type":"disconnect"}`)
	r.poll(bobToken, "?after=3")
	return "\n" + r.text.String()
}

// recorder makes requests, and writes them down with their answers.
type recorder struct {
	t      *testing.T
	server string
	text   strings.Builder
	recent string // what was received last
}

type openStream struct {
	lines  *bufio.Scanner
	hangUp context.CancelFunc
}

func (r *recorder) tell(sentence string) { fmt.Fprintf(&r.text, "%s\n\n", sentence) }

func (r *recorder) block(parts ...string) {
	fmt.Fprintf(&r.text, "```http\n%s\n```\n\n", strings.TrimRight(strings.Join(parts, "\n\n"), "\n"))
}

// last returns a value from what was received last.
func (r *recorder) last(name string) string {
	match := regexp.MustCompile(`\b`+name+`"?: ?"?([^"\n]+)`).FindAllStringSubmatch(r.recent, -1)
	require.NotEmpty(r.t, match, "%s in %s", name, r.recent)
	return match[len(match)-1][1]
}

// do sends a request as it is written down.
func (r *recorder) do(ctx context.Context, head, body string) *http.Response {
	lines := strings.Split(head, "\n")
	line := strings.Fields(lines[0])
	request, err := http.NewRequestWithContext(ctx, line[0], r.server+line[1], strings.NewReader(body))
	require.NoError(r.t, err)
	for _, header := range lines[1:] {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(r.t, err)
	return response
}

// head is the beginning of an answer.
func head(response *http.Response) string {
	text := response.Proto + " " + response.Status
	for _, name := range []string{"Content-Type", "Cache-Control", "X-Accel-Buffering"} {
		if value := response.Header.Get(name); value != "" {
			text += "\n" + name + ": " + value
		}
	}
	return text
}

func (r *recorder) stream(request string) *openStream {
	ctx, cancel := context.WithCancel(r.t.Context())
	response := r.do(ctx, request, "")
	r.t.Cleanup(func() {
		cancel()
		response.Body.Close()
	})
	r.block(request, head(response))
	return &openStream{bufio.NewScanner(response.Body), cancel}
}

// events writes down the next events of a stream.
func (r *recorder) events(s *openStream, count int) {
	var frames []string
	for range count {
		var frame []string
		for s.lines.Scan() && s.lines.Text() != "" {
			frame = append(frame, s.lines.Text())
		}
		frames = append(frames, strings.Join(frame, "\n"))
	}
	r.recent = strings.Join(frames, "\n\n")
	fmt.Fprintf(&r.text, "```\n%s\n```\n\n", r.recent)
}

func (r *recorder) post(path, token, body string, headers ...string) {
	request := strings.Join(append([]string{"POST /" + path + " HTTP/1.1", "Authorization: Bearer " + token, "Content-Type: application/json"}, headers...), "\n")
	r.exchange(request, body)
}

func (r *recorder) poll(token, query string) {
	request := "GET /events/poll" + query + " HTTP/1.1"
	if token != "" {
		request += "\nAuthorization: Bearer " + token
	}
	r.exchange(request, "")
}

func (r *recorder) exchange(request, body string) {
	response := r.do(r.t.Context(), request, body)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	require.NoError(r.t, err)
	r.recent = string(answer)
	parts := []string{request, body, head(response), r.recent}
	var filled []string
	for _, part := range parts {
		if part != "" {
			filled = append(filled, part)
		}
	}
	r.block(filled...)
}
