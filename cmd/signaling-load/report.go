package main

import (
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"os"

	"signaling-server/static"
)

//go:embed page
var pageFiles embed.FS

// writeReport writes the result as a page that needs no other file and no network. It
// has the colours and the plots of the dashboard.
func (r *result) writeReport(path string) error {
	var failed error
	read := func(files fs.FS, name string) string {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			failed = err
		}
		return string(text)
	}
	page := template.Must(template.New("report.html").ParseFS(pageFiles, "page/report.html"))
	data := map[string]any{
		"Result":  r,
		"Rows":    r.rows(),
		"Verdict": r.verdict(),
		"Styles": template.CSS(read(static.Files, "assets/site.css") +
			read(static.Files, "dashboard/uplot-1.6.32.min.css") + read(pageFiles, "page/report.css")),
		"Plotting": template.JS(read(static.Files, "dashboard/uplot-1.6.32.iife.min.js")),
		"Script":   template.JS(read(pageFiles, "page/report.js")),
	}
	if failed != nil {
		return failed
	}
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	if err := page.Execute(file, data); err != nil {
		_ = file.Close()
		return fmt.Errorf("writing the report: %w", err)
	}
	return file.Close()
}

// verdict says on one line whether the server kept its promises.
func (r *result) verdict() string {
	c := r.Check
	switch {
	case c.IsBroken():
		return fmt.Sprintf("Of %d accepted events %d were lost, %d came twice, %d came out of order and %d came to another room. %d clients lost their stream, %d times a member did not hear of another, and %d times it heard that another had left, though none had.",
			c.Accepted, c.Lost, c.Doubled, c.Reordered, c.Strays, c.Ended, c.Unknown, c.Parted)
	case r.Sending == nil:
		return "All clients connected and joined, and stayed."
	}
	return fmt.Sprintf("All %d accepted events arrived, once each and in order.", c.Accepted)
}
