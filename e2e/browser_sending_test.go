package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The page hears of what a channel does not take. Neither the other peers nor the channel are
// harmed.
func TestWhatAChannelDoesNotTakeIsTold(t *testing.T) {
	takesTurns(t)
	url := servePage(t, startServer(t, noLimits...), callsPage)
	ada, bob, cleo := openCalls(t, url, "Ada"), openCalls(t, url, "Bob"), openCalls(t, url, "Cleo")
	for _, p := range []*tab{ada, bob, cleo} {
		evaluate[int](p, `enter("`+p.name+`")`)
	}
	for _, p := range []*tab{ada, bob, cleo} {
		p.until("connected with two", connected(2))
	}
	hear := func(p *tab, what string) {
		p.untilIn(soon, "hearing "+what, `log.some(([type, name, data]) => type === "data" && name === "Ada" && data === `+what+`)`)
	}
	errors := func() []string {
		return evaluate[[]string](ada, `log.splice(0).filter(([type]) => type === "error").map(([, message, name]) => name + ": " + message).sort()`)
	}

	for _, c := range []struct{ data, heard string }{
		{`new ArrayBuffer(200_000)`, `200000`},
		{`new Uint8Array(new ArrayBuffer(900_000), 100, 300)`, `300`}, // what counts is the view
		{`new DataView(new ArrayBuffer(8), 4)`, `4`},
		{`""`, `""`},
		{`new ArrayBuffer(0)`, `0`},
		{`7`, `"7"`},
		{`"ä".repeat(100_000)`, `"ä".repeat(100_000)`},
	} {
		require.Equal(t, 2, evaluate[int](ada, `room.send(`+c.data+`)`), c.data)
		hear(bob, c.heard)
		hear(cleo, c.heard)
	}
	require.Empty(t, errors())

	for data, message := range map[string]string{
		`new ArrayBuffer(300_000)`: "The data has 300000 bytes, and this connection takes 262144 at most: send it in parts.",
		`"ä".repeat(150_000)`:      "The data has 300000 bytes, and this connection takes 262144 at most: send it in parts.",
		`({ hello: "world" })`:     "A data channel takes text or binary data: send JSON.stringify(data).",
		`null`:                     "A data channel takes text or binary data: send JSON.stringify(data).",
	} {
		require.Zero(t, evaluate[int](ada, `room.send(`+data+`)`), data)
		require.Equal(t, []string{"Bob: " + message, "Cleo: " + message}, errors(), data)
	}

	// Bob's channel is full.
	evaluate[any](ada, `(window.toBob = [...room.peers.values()].find(({ userId }) => userId === "Bob"), null)`)
	evaluate[any](ada, `(window.drained = 0, room.on("drain", (peer) => drained += peer === toBob), null)`)
	sent := evaluate[[]int](ada, `(() => {
		let sent = 0;
		while (toBob.send(new ArrayBuffer(200_000))) sent++;
		return [sent, room.send(new ArrayBuffer(200_001))];
	})()`)
	require.Greater(t, sent[0], 50)
	require.Equal(t, 1, sent[1], "to Cleo alone")
	hear(cleo, "200001")
	full := errors()
	require.Len(t, full, 2)
	for _, message := range full {
		require.Regexp(t, `^Bob: \d+ bytes wait for a slow receiver: send more after "drain"\.$`, message)
	}
	ada.untilIn(soon, "told that the channel is empty", `drained === 1`)
	require.Equal(t, 2, evaluate[int](ada, `room.send("to both")`))
	hear(bob, `"to both"`)
	hear(cleo, `"to both"`)
	require.Equal(t, sent[0], evaluate[int](bob, `log.filter(([, , data]) => data === 200_000).length`)-1)

	// A closed channel causes no error. The count shows it.
	evaluate[any](ada, `toBob.channel.close(), null`)
	ada.until("closed", `toBob.channel.readyState === "closed"`)
	require.Equal(t, 1, evaluate[int](ada, `room.send("to Cleo")`))
	hear(cleo, `"to Cleo"`)
	require.Empty(t, errors())
}
