package e2e

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The report of signaling-load is one page. It draws all plots without another file, and is
// accessible in light and dark, on a phone and on a desktop.
func TestTheReportOfALoadIsOnePage(t *testing.T) {
	takesTurns(t)
	path, err := builtLoad.build()
	require.NoError(t, err)
	folder := t.TempDir()
	url := startServer(t, noLimits...)
	output, err := exec.Command(path, "-url", url, "-metrics", "-clients=20", "-rate=200", "-churn=10",
		"-settle=0s", "-warmup=0s", "-duration=4s", "-report", filepath.Join(folder, "load.html")).CombinedOutput()
	require.NoError(t, err, string(output))

	files := httptest.NewServer(http.FileServer(http.Dir(folder)))
	t.Cleanup(files.Close)
	p := openTab(t, "report", files.URL+"/load.html")
	p.until("drawn", `document.querySelectorAll(".plot:not([hidden]) canvas").length === 6`)
	p.isAccessible("report of a load")
	p.shoot("", "report of a load")
}
