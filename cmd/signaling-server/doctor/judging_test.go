package doctor

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The cases are those of the page (e2e/browser_doctor_test.go).
func TestLumpsAreDistinguishedFromEventsThatLeftTogether(t *testing.T) {
	for _, c := range []struct {
		at, left []int // ms
		isLumpy  bool
	}{
		{[]int{5, 255, 505, 755, 1005}, []int{0, 250, 500, 750, 1000}, false},
		{[]int{1005, 1006, 1007, 1008, 1009}, []int{0, 250, 500, 750, 1000}, true},
		{[]int{505, 506, 507, 1005, 1006}, []int{0, 250, 500, 750, 1000}, true},
		{[]int{1005, 1006, 1007, 1008, 1009}, []int{1000, 1001, 1002, 1003, 1004}, false}, // the requests were held up on their way to the server
		{[]int{1005, 1006, 1007, 1008, 1009}, []int{0, 5, 500, 505, 510}, true},           // the requests were held up, and so were the events
		{[]int{5, 65, 125, 185, 245, 305, 365, 425}, []int{0, 60, 120, 180, 240, 300, 360, 420}, false},
		{[]int{5, 755, 756, 757, 1005, 1255, 1505, 1755}, []int{0, 250, 500, 750, 1000, 1250, 1500, 1750}, false}, // a lost packet
		{[]int{305, 306, 505, 755, 1005}, []int{0, 250, 500, 750, 1000}, false},                                   // a single lump may be chance
		{nil, nil, false},
	} {
		var arrivals []arrival
		for i := range c.at {
			arrivals = append(arrivals, arrival{time.Duration(c.at[i]) * time.Millisecond, time.Duration(c.left[i]) * time.Millisecond})
		}
		require.Equal(t, c.isLumpy, judgeSpacing(arrivals).isLumpy(len(arrivals)), "%v", c.at)
	}
}

func TestTheAdviceOnIdleStreams(t *testing.T) {
	stream := func(length int, state string, after int) *silence {
		return &silence{time.Duration(length) * time.Second, state, time.Duration(after) * time.Second}
	}
	for name, c := range map[string]struct {
		streams []*silence
		level   Level
		words   []string
	}{
		"all last":          {[]*silence{stream(30, "lasted", 0), stream(120, "lasted", 0)}, Good, []string{"idle for 120 s was not cut", "every 10 s"}},
		"the test is short": {[]*silence{stream(5, "lasted", 0)}, Info, []string{"longer than the 10 s"}},
		"cut early":         {[]*silence{stream(30, "cut", 5), stream(60, "cut", 6)}, Bad, []string{"cut after 5 s", "HEARTBEAT_INTERVAL well below 5 s"}},
		"cut later":         {[]*silence{stream(15, "lasted", 0), stream(30, "cut", 20)}, Warn, []string{"“wait” to less than 20 s"}},
		"cut late enough":   {[]*silence{stream(30, "lasted", 0), stream(120, "cut", 60)}, Good, []string{"late enough", "waits for 25 s"}},
		"dead, not closed":  {[]*silence{stream(30, "mute", 0), stream(60, "mute", 0)}, Bad, []string{"dead after 30 s, although nothing closed it"}},
		"dead later":        {[]*silence{stream(15, "lasted", 0), stream(30, "mute", 0)}, Warn, []string{"dead after 30 s", "less than 15 s"}},
		"dead and cut":      {[]*silence{stream(15, "mute", 0), stream(30, "cut", 20)}, Bad, []string{"cut after 20 s"}},
		"held":              {[]*silence{stream(30, "held", 0), stream(60, "lasted", 0)}, Info, []string{"Mend the live streams first"}},
		"blocked":           {[]*silence{stream(30, "blocked", 0)}, Info, []string{"Mend the live streams first"}},
		"refused":           {[]*silence{stream(30, "refused", 0)}, Info, []string{"only a few"}},
	} {
		t.Run(name, func(t *testing.T) {
			e := newExaminer(optionsFor(t, "https://signaling.example.com"))
			requireFinding(t, []Finding{e.adviseOnSilence(c.streams)}, "silence", c.level, c.words...)
		})
	}
}

func TestHeadersAreCompared(t *testing.T) {
	left := http.Header{"Authorization": {"Bearer doctor"}, "Accept": {"application/json"}, "X-Long": {"abcdefghij"}, "Via": {"1.1 a"}}
	arrived := http.Header{"Authorization": {"[hidden]"}, "X-Long": {"abc…hij"}, "Via": {"1.1 a", "1.1 b"}, "User-Agent": {"Go"}, "X-Forwarded-For": {"192.0.2.1"}}
	c := compare(left, arrived, ownFields)
	require.Equal(t, changes{added: []string{"X-Forwarded-For"}, removed: []string{"Accept"}, changed: []string{"Via"}}, c)
	require.Equal(t, "Accept was taken out; Via was changed; X-Forwarded-For was added", c.text())
	for _, cut := range []string{"abc…abc", "…", "ab…bc"} {
		require.Equal(t, cut == "…", isSame(cut, "abc"), cut)
	}
}

func TestFiguresAreWrittenAsOnThePage(t *testing.T) {
	for d, text := range map[time.Duration]string{
		0: "0 ms", 12345 * time.Microsecond: "12 ms", 1500 * time.Millisecond: "1.5 s", 42 * time.Second: "42 s",
		90 * time.Minute: "90 minutes", 30 * time.Hour: "30 hours", 72 * time.Hour: "3 days",
	} {
		require.Equal(t, text, duration(d))
	}
	require.Equal(t, "2.5 s", seconds(2540*time.Millisecond))
	require.Equal(t, "60 s", seconds(time.Minute))
	require.Equal(t, "1 request and 2 requests", list([]string{plural(1, "request"), plural(2, "request")}))
	require.Equal(t, "a, b and c", list([]string{"a", "b", "c"}))
}

func TestFramesAreReadAsABrowserDoes(t *testing.T) {
	for text, want := range map[string][]string{
		"data: a\n\n":                         {"a"},
		"id: 1\r\nevent: x\r\ndata:a\r\n\r\n": {"a"},
		": a comment\n\ndata: a\ndata: b\n\n": {"a\nb"},
		"data: a\n\nid: 2\n\ndata: b":         {"a"},
		"":                                    nil,
		"data: " + strings.Repeat("x", maxLine+10): nil,
	} {
		var got []string
		for frame, err := range frames(strings.NewReader(text)) {
			if err != nil {
				break
			}
			got = append(got, string(frame.data))
		}
		require.Equal(t, want, got)
	}
}

// No stream, however strange, makes the reader fail, or hang.
func FuzzFrames(f *testing.F) {
	f.Add("id: 1\nevent: connected\ndata: {\"type\":\"connected\"}\nretry: 2000\n\n")
	f.Add("data\n:\n\r\n\ndata:\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		read := 0
		var last error
		for frame, err := range frames(strings.NewReader(text)) {
			last = err
			read += len(frame.data)
			var got event
			_ = isJSON(frame.data, &got)
		}
		require.Error(t, last)
		require.LessOrEqual(t, read, len(text))
	})
}

// A report reads from top to bottom, and no text in it commands a terminal.
func TestTheReportOfATerminal(t *testing.T) {
	r := Report{Server: "https://s.example", Version: "1.1.0\x1b[2J", MeasuredAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Results: []Result{
		{checkWay, 3, []Finding{{"clock", Warn, "The clocks differ", "By \x1b[31mmuch.", checkOwnClock, nil}}},
		{checkRungs, 3, []Finding{
			{"eventSource", Bad, "Live stream (GET) is held back", "None came.", say(keepCacheControl, "address", "https://s.example"), lines[faultBuffering][:2]},
			{"fetchStream", Bad, "Live stream (POST) is held back", "None came.", say(keepCacheControl, "address", "https://s.example"), lines[faultBuffering][:2]},
			{"poll", Good, "Long polling works", "It does.", nothing, nil},
		}},
	}}
	var text bytes.Buffer
	r.Write(&text, false)
	require.Equal(t, `
https://s.example, signaling-server 1.1.0?[2J, 2026-03-01 12:00:00 UTC

WHAT TO CHANGE

PROBLEM  Live stream (GET) is held back
PROBLEM  Live stream (POST) is held back
         None came.
         Leave the header Cache-Control in answers of https://s.example unchanged. It keeps streams
         out of caches and buffers.
         nginx, in location:                proxy_buffering off;
         HAProxy, in backend:               option http-no-delay

WARNING  The clocks differ
         By ?[31mmuch.
         Set this device's clock by the network.

RESULTS

Headers, protocol, clocks  WARNING  The clocks differ
Ways down and up           PROBLEM  Live stream (GET) is held back
                           PROBLEM  Live stream (POST) is held back
                           ok       Long polling works

3 things are wrong: see what to change.
`, text.String())
	text.Reset()
	r.Write(&text, true)
	require.Contains(t, text.String(), "\x1b[31;1mPROBLEM\x1b[0m")
	require.NotContains(t, text.String(), "\x1b[2J")

	text.Reset()
	Report{Results: []Result{{checkNames, 1, []Finding{{"names", Good, "It is right", "", nothing, nil}}}}}.Write(&text, false)
	require.Contains(t, text.String(), "Nothing is wrong.")
}

func TestProgressNamesWhatRunsOnATerminalOnly(t *testing.T) {
	var text bytes.Buffer
	for _, isTerminal := range []bool{false, true} {
		text.Reset()
		p := NewProgress(&text, isTerminal, isTerminal)
		p.Began(checkNames)
		p.Began(checkTURN)
		p.Ended(Result{checkNames, 1, []Finding{{"names", Good, "It is right", "", nothing, nil}}})
		if isTerminal {
			require.Equal(t, clearLine+"…  Names and addresses"+clearLine+"…  Names and addresses, STUN and TURN"+
				clearLine+"\x1b[32mok     \x1b[0m  Names and addresses: It is right\n"+clearLine+"…  STUN and TURN", text.String())
		} else {
			require.Equal(t, "ok       Names and addresses: It is right\n", text.String())
		}
	}
}
