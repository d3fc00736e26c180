package httpapi

import (
	"bytes"
	"html/template"
	"net/http"

	"signaling-server/httpapi/problem"
)

var problemPage = template.Must(template.New("problem").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{.Title}} · Signaling Server</title>
<link rel="icon" href="../assets/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="../assets/site.css">
</head>
<body>
<header class="bar">
<a class="brand" href="../">
<svg class="mark" viewBox="0 0 24 24" aria-hidden="true"><path class="mark-down" d="M8 3v18"/><path class="mark-up" d="M16 3v18"/></svg>
<span>signaling-server</span>
</a>
<nav class="bar-end" aria-label="Main"><a class="button small" href="../docs/">Reference</a></nav>
</header>
<main class="prose">
<p class="status">{{.Status}} {{.Name}}</p>
<h1>{{.Title}}</h1>
<p>{{.Explanation}}</p>
</main>
</body>
</html>
`))

// getProblem explains a type of problem to a person.
func (a *API) getProblem(w http.ResponseWriter, r *http.Request, p params) error {
	t, ok := problem.Named(p.ByName("name"))
	if !ok {
		return problem.NotFound.With("There is no problem with this name.")
	}
	a.pages.allow(w, "problems")
	var page bytes.Buffer
	err := problemPage.Execute(&page, struct {
		Name, Title, Explanation string
		Status                   int
	}{t.Name, t.Title, t.Explanation, t.Status})
	if err != nil {
		return err
	}
	write(w, "text/html; charset=utf-8", page.Bytes())
	return nil
}
