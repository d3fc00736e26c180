package e2e

import (
	"slices"
	"strings"
	"testing"
)

// All tests in browsers rely on this: what goes wrong in a page fails its test.
func TestEveryBrowserTellsWhatGoesWrongInAPage(t *testing.T) {
	inEachBrowser(t, func(t *testing.T, e engine) {
		p := openTabIn(e, t, "a careless page", startServer(t)+"/")
		for does, problem := range map[string]string{
			`console.error("told as an error")`:                                                    "told as an error",
			`console.warn("told as a warning")`:                                                    "told as a warning",
			`setTimeout(() => { throw new Error("thrown later"); })`:                               "thrown later",
			`void Promise.reject(new Error("not caught"))`:                                         "not caught",
			`fetch("/missing").then(() => {})`:                                                     "/missing",
			`document.body.append(Object.assign(document.createElement("script"), { text: "1" }))`: "inline",
		} {
			evaluate[any](p, does)
			until(t, "telling "+problem, func() bool {
				p.mu.Lock()
				defer p.mu.Unlock()
				return slices.ContainsFunc(p.problems, func(line string) bool { return strings.Contains(line, problem) })
			})
		}
		p.forgive("")
	})
}
