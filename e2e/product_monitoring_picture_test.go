package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
	"github.com/stretchr/testify/require"

	"signaling-server/static"
)

// drawnPanel is a panel or a row of the dashboard as grafana/board.html draws it.
type drawnPanel struct {
	Type      string            `json:"type"`
	Title     string            `json:"title"`
	Place     dashboard.GridPos `json:"place"`
	Unit      string            `json:"unit"`
	Max       float64           `json:"max"` // of the scale; 0: that of the values
	Stack     bool              `json:"stack"`
	IsStepped bool              `json:"isStepped"`
	Steps     []float64         `json:"steps"` // from which on the color of a number changes
	Series    []promSeries      `json:"series"`
}

func newDrawnPanel(p *dashboard.Panel) drawnPanel {
	defaults := p.FieldConfig.Defaults
	d := drawnPanel{Type: p.Type, Title: *p.Title, Place: *p.GridPos, Steps: []float64{}}
	if defaults.Unit != nil {
		d.Unit = *defaults.Unit
	}
	if defaults.Max != nil && p.Type == "timeseries" {
		d.Max = *defaults.Max
	}
	if defaults.Thresholds != nil {
		for _, step := range defaults.Thresholds.Steps {
			if step.Value != nil {
				d.Steps = append(d.Steps, *step.Value)
			}
		}
	}
	if custom, ok := defaults.Custom.(*timeseries.FieldConfig); ok {
		d.Stack = custom.Stacking != nil && *custom.Stacking.Mode == "normal"
		d.IsStepped = *custom.LineInterpolation == "stepAfter"
	}
	return d
}

// drawBoard draws the panels in light and dark: docs/images has these pictures.
func drawBoard(t *testing.T, panels []drawnPanel, folder string) {
	t.Helper()
	first, last := panels[0].Series[0].Values[0][0], 0.0
	step := panels[0].Series[0].Values[1][0] - first
	for _, p := range panels {
		for _, s := range p.Series {
			last = max(last, s.Values[len(s.Values)-1][0])
		}
	}
	files := http.NewServeMux()
	files.Handle("/static/", http.StripPrefix("/static/", http.FileServerFS(static.Files)))
	files.Handle("/", http.FileServer(http.Dir("grafana")))
	files.HandleFunc("/board.json", func(w http.ResponseWriter, _ *http.Request) {
		require.NoError(t, json.NewEncoder(w).Encode(map[string]any{"range": []float64{first, last, step}, "panels": panels}))
	})
	server := httptest.NewServer(files)
	t.Cleanup(server.Close)
	for _, scheme := range []string{"light", "dark"} {
		p := newBlankTab(t, scheme)
		l := look{name: scheme, width: 1440, height: 900, scheme: scheme}
		p.wear(l)
		p.visit(server.URL + "/board.html")
		p.until("drawn", fmt.Sprintf(`document.body.dataset.drawn === "%d"`, len(panels)))
		l.height = evaluate[int64](p, `document.documentElement.scrollHeight`)
		p.wear(l)
		p.untilLaidOut(l)
		p.screenshot(filepath.Join(folder, "grafana-"+scheme+".png"))
	}
}
