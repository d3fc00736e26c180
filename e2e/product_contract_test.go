package e2e

import (
	"os"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oasdiff/oasdiff/checker"
	"github.com/oasdiff/oasdiff/diff"
	"github.com/oasdiff/oasdiff/load"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/semver"
)

// released is a copy of the contract of the last release. Each release makes a new copy
// (make freeze-contract).
const released = "testdata/released.yaml"

func readContract(t *testing.T, path string) *openapi3.T {
	t.Helper()
	document, err := openapi3.NewLoader().LoadFromFile(path)
	require.NoError(t, err)
	for _, schema := range document.Components.Schemas {
		spellOutConstants(schema.Value)
	}
	return document
}

// spellOutConstants adds an enum of one to each constant that has none. It means the same,
// and oasdiff compares enums only.
func spellOutConstants(schema *openapi3.Schema) {
	for _, property := range schema.Properties {
		if value := property.Value; value.Const != nil && value.Enum == nil {
			value.Enum = []any{value.Const}
		}
	}
}

// files are the paths that the contract of 1.0.0 had although no client calls them: pages,
// scripts, the contract itself, and the metrics. Each was a method of every generated client, so the
// contract does not have them any more. The server answers them as before, as the tests of
// httpapi show. So no client breaks.
var files = []string{
	"/metrics",
	"/openapi.yaml", "/openapi.json", "/openapi-3.2.yaml",
	"/docs", "/docs/{file}",
	"/problems/{name}",
	"/demo", "/demo/{file}",
	"/doctor", "/doctor/{file}",
	"/dashboard", "/dashboard/{file}",
	"/assets/{file}",
	"/client.js", "/client.d.ts", "/io.js",
	"/peers.js", "/peers.d.ts",
}

// withoutFiles takes the files out of the contract of 1.0.0.
func withoutFiles(t *testing.T, document *openapi3.T) {
	for _, path := range files {
		require.NotNil(t, document.Paths.Value(path), "the last release did not have it either: remove it from the list")
		document.Paths.Delete(path)
	}
	landing := document.Paths.Value("/").Get.Responses
	require.NotNil(t, landing.Value("304"), "the last release did not have the landing page either: remove these lines")
	delete(landing.Value("200").Value.Content, "text/html")
	landing.Delete("304")
}

// changes are the differences between two contracts that a client may notice, in words.
type changes struct{ breaking, harmless []string }

func changesFrom(t *testing.T, before, after *openapi3.T) (c changes) {
	t.Helper()
	difference, sources, err := diff.GetWithOperationsSourcesMap(diff.NewConfig(), &load.SpecInfo{Url: "before", Spec: before}, &load.SpecInfo{Url: "after", Spec: after})
	require.NoError(t, err)
	checks := checker.NewConfig(checker.GetAllChecks())
	words := checker.NewDefaultLocalizer()
	for _, change := range checker.CheckBackwardCompatibilityUntilLevel(checks, difference, sources, checker.INFO) {
		text := change.GetOperationId() + ": " + change.GetUncolorizedText(words)
		switch {
		case change.GetId() == "api-version-not-bumped": // this test judges the version
		case change.GetLevel() == checker.INFO:
			c.harmless = append(c.harmless, text)
		default:
			c.breaking = append(c.breaking, text)
		}
	}
	return c
}

// isTold reports whether a version announces these changes as it must (Semantic
// Versioning 2.0.0, 7 and 8).
func (c changes) isTold(before, after string) bool {
	switch before, after = "v"+before, "v"+after; {
	case !semver.IsValid(after):
		return false
	case len(c.breaking) > 0:
		return semver.Compare(semver.Major(before), semver.Major(after)) < 0
	case len(c.harmless) > 0:
		return semver.Compare(semver.MajorMinor(before), semver.MajorMinor(after)) < 0
	}
	return semver.Compare(before, after) <= 0
}

func TestClientsOfTheLastReleaseSurviveOrTheVersionSaysSo(t *testing.T) {
	takesTurnsBuilding(t)
	before, after := readContract(t, released), readContract(t, "../openapi.yaml")
	withoutFiles(t, before)
	c := changesFrom(t, before, after)
	require.True(t, c.isTold(before.Info.Version, after.Info.Version),
		"%s after %s does not tell what has changed: set info.version of openapi.yaml higher, the major number for what breaks clients, the minor for all else.\nWhat breaks them: %q\nAll else: %q",
		after.Info.Version, before.Info.Version, c.breaking, c.harmless)

	changelog, err := os.ReadFile("../CHANGELOG.md")
	require.NoError(t, err)
	_, section, isTold := strings.Cut(string(changelog), "\n## "+after.Info.Version+" (")
	require.True(t, isTold, "the changelog tells of this version")
	section, _, _ = strings.Cut(section, "\n## ")
	if strings.Contains(section, "Clients of "+before.Info.Version+" keep working") {
		require.Empty(t, c.breaking, "the changelog promises that nothing breaks clients, whatever the number of the version allows")
	}
}

// The check that finds breaking changes must itself be right.
func TestChangesThatBreakClientsAreDistinguishedFromOthers(t *testing.T) {
	takesTurnsBuilding(t)
	schema := func(d *openapi3.T, name string) *openapi3.Schema { return d.Components.Schemas[name].Value }
	const breaks, adds, nothing = "2.0.0", "1.1.0", "1.0.0"
	for name, step := range map[string]struct {
		version string // the lowest sufficient version after 1.0.0
		change  func(d *openapi3.T)
	}{
		"none":                {nothing, func(*openapi3.T) {}},
		"another description": {nothing, func(d *openapi3.T) { d.Paths.Value("/events").Get.Description = "Streams." }},
		"another operation":   {adds, func(d *openapi3.T) { d.Paths.Set("/other", &openapi3.PathItem{Get: d.Paths.Value("/livez").Get}) }},
		"another member":      {adds, func(d *openapi3.T) { schema(d, "PongEvent").Properties["more"] = openapi3.NewStringSchema().NewRef() }},
		"an operation less":   {breaks, func(d *openapi3.T) { d.Paths.Delete("/ice-servers") }},
		"a member less":       {breaks, func(d *openapi3.T) { delete(schema(d, "RoomJoinedEvent").Properties, "users") }},
		"a member of another type": {breaks, func(d *openapi3.T) {
			schema(d, "PongEvent").Properties["timestamp"] = openapi3.NewStringSchema().NewRef()
		}},
		"more to ask for": {breaks, func(d *openapi3.T) {
			s := schema(d, "ChatMessage")
			s.Properties["subject"] = openapi3.NewStringSchema().NewRef()
			s.Required = append(s.Required, "subject")
		}},
		"an event that clients do not know": {breaks, func(d *openapi3.T) {
			d.Components.Schemas["OtherEvent"] = openapi3.NewObjectSchema().NewRef()
			schema(d, "ServerEvent").OneOf = append(schema(d, "ServerEvent").OneOf, openapi3.NewSchemaRef("#/components/schemas/OtherEvent", openapi3.NewObjectSchema()))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := readContract(t, released), readContract(t, released)
			step.change(after)
			c := changesFrom(t, before, after)
			for _, version := range []string{nothing, adds, breaks} {
				require.Equal(t, semver.Compare("v"+version, "v"+step.version) >= 0, c.isTold("1.0.0", version), "%s: %+v", version, c)
			}
		})
	}
	require.False(t, changes{}.isTold("1.0.0", "next"))
}
