package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A call and its chat go on in two browsers, whichever node is killed in the middle of it.
func TestACallGoesOnWhenNodesAreKilled(t *testing.T) {
	takesTurns(t)
	f := startFleet(t, nil)
	ada := openFailingDemo(t, f.URL, "cluster", "Ada")
	bob := openFailingDemo(t, f.URL, "cluster", "Bob")
	ada.sees(bob)
	ada.click("#call")
	bob.click("#call")
	ada.plays(bob)
	bob.plays(ada)
	ids := []string{ada.socketID, bob.socketID}
	for _, node := range f.Nodes {
		node.Kill()
		for _, pair := range [][]*demo{{ada, bob}, {bob, ada}} {
			words := pair[0].name + " goes on without " + node.Name
			pair[0].say(words)
			pair[1].until("showing: "+words, fmt.Sprintf(`document.querySelector("#chat-log").innerText.includes(%q)`, words))
		}
		require.NoError(t, node.Start())
		awaitFleet(t, f)
	}
	bob.plays(ada)
	if folder := os.Getenv("SHOTS_DIR"); folder != "" {
		ada.screenshot(filepath.Join(folder, "cluster-call.png"))
	}
	for i, d := range []*demo{ada, bob} {
		other := []*demo{bob, ada}[i]
		require.Equal(t, ids[i], evaluate[string](d.tab, memberOf(d.name)+`.dataset.socketId`), "%s has another socket", d.name)
		require.Equal(t, ids[1-i], evaluate[string](d.tab, memberOf(other.name)+`.dataset.socketId`), "%s knows another socket", d.name)
		require.NotContains(t, evaluate[string](d.tab, `document.body.innerText`), "left", "%s heard that somebody left", d.name)
	}
}

// openFailingDemo is openDemo for a page whose requests may fail.
func openFailingDemo(t *testing.T, url, room, name string) *demo {
	t.Helper()
	return joinDemo(openFailingTab(t, name, url+"/demo/"), room, name)
}
