package docs_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	signalingserver "signaling-server"
)

// The tables of the protocol and the contract name the same members with the same types.
// The same members are optional.
func TestTheProtocolAndTheContractNameTheSameMembers(t *testing.T) {
	contract, page := readContract(t), readPage(t, "protocol.md")
	for _, direction := range []struct{ section, column, union string }{
		{"Client events", "type", "ClientEvent"},
		{"Server events", "event", "ServerEvent"},
	} {
		documented := make(map[string][]string)
		for _, row := range page.table(t, direction.section, direction.column) {
			for _, kind := range codeSpans(row[0]) {
				documented[kind] = append([]string{"type string"}, membersIn(row[1])...)
			}
		}
		types := contract.Components.Schemas[direction.union].Discriminator.Mapping
		require.NotEmpty(t, types)
		assert.ElementsMatch(t, slices.Collect(maps.Keys(types)), slices.Collect(maps.Keys(documented)), "the types of %s", direction.section)
		for kind, reference := range types {
			assert.ElementsMatch(t, contract.members(t, reference), documented[kind], "the members of %s, among the %s", kind, direction.section)
		}
	}
}

// The same is true for all other objects, which the protocol calls by their names in the
// contract.
func TestTheProtocolAndTheContractNameTheSameObjects(t *testing.T) {
	contract, page := readContract(t), readPage(t, "protocol.md")
	rows := page.table(t, "", "object")
	require.Greater(t, len(rows), 15)
	for _, row := range rows {
		name := codeSpans(row[0])[0]
		assert.ElementsMatch(t, contract.members(t, name), membersIn(row[1]), "the members of %s", name)
	}
}

// Each reason that the contract lists for an event is in the protocol's table, for
// that event; and the other way round.
func TestTheProtocolAndTheContractNameTheSameReasons(t *testing.T) {
	contract, page := readContract(t), readPage(t, "protocol.md")
	documented := make(map[string][]string)
	for _, row := range page.table(t, "When something ends", "reason") {
		for _, event := range codeSpans(row[1]) {
			documented[event] = append(documented[event], codeSpans(row[0])...)
		}
	}
	listed := make(map[string][]string)
	for event, reference := range contract.Components.Schemas["ServerEvent"].Discriminator.Mapping {
		if reasons := contract.schema(t, reference).Properties["reason"].Enum; reasons != nil {
			listed[event] = reasons
		}
	}
	require.Len(t, documented, len(listed))
	for event, reasons := range listed {
		slices.Sort(documented[event]) // a reason has a row for each thing that it means
		assert.ElementsMatch(t, reasons, slices.Compact(documented[event]), "the reasons of %s", event)
	}
}

// Each problem of the contract is in the protocol's table, with the status that the
// contract's examples have; and the other way round.
func TestTheProtocolAndTheContractNameTheSameProblems(t *testing.T) {
	contract, page := readContract(t), readPage(t, "protocol.md")
	documented := make(map[string]int)
	for _, row := range page.table(t, "Problems", "status") {
		status, err := strconv.Atoi(strings.TrimSpace(row[0]))
		require.NoError(t, err)
		documented[codeSpans(row[1])[0]] = status
	}
	var listed []string
	for _, match := range regexp.MustCompile("`/problems/([a-z-]+)`").FindAllStringSubmatch(contract.Components.Schemas["Problem"].Properties["type"].Description, -1) {
		listed = append(listed, match[1])
	}
	assert.ElementsMatch(t, listed, slices.Collect(maps.Keys(documented)))

	exemplified := regexp.MustCompile(`type: /problems/([a-z-]+)\n *title: .*\n *status: (\d+)`).FindAllStringSubmatch(string(signalingserver.OpenAPI), -1)
	for _, match := range exemplified {
		assert.Equal(t, match[2], strconv.Itoa(documented[match[1]]), "the status of %s", match[1])
	}
	require.Greater(t, len(exemplified), 30)
}

// contract is what is read of openapi.yaml.
type contract struct {
	Components struct{ Schemas map[string]schema }
}

type schema struct {
	Description   string
	Reference     string `yaml:"$ref"`
	Type          any    // a name, or a list of names
	Required      []string
	Properties    map[string]schema
	Items         *schema
	OneOf         []schema `yaml:"oneOf"`
	Enum          []string
	Discriminator struct{ Mapping map[string]string }
}

func readContract(t *testing.T) (c contract) {
	require.NoError(t, yaml.Unmarshal(signalingserver.OpenAPI, &c))
	return c
}

// schema returns a schema by its name or a reference to it.
func (c contract) schema(t *testing.T, reference string) schema {
	name := lastPart(reference)
	require.Contains(t, c.Components.Schemas, name)
	return c.Components.Schemas[name]
}

func lastPart(reference string) string { return reference[strings.LastIndex(reference, "/")+1:] }

// members returns the members of a schema with their types, as the protocol writes them:
// those that are optional with a “?”.
func (c contract) members(t *testing.T, reference string) (members []string) {
	s := c.schema(t, reference)
	for name, member := range s.Properties {
		if !slices.Contains(s.Required, name) {
			name += "?"
		}
		members = append(members, name+" "+member.typeName())
	}
	return members
}

// typeName is what the protocol calls the type.
func (s schema) typeName() string {
	var either []string
	for _, one := range s.OneOf {
		either = append(either, one.typeName())
	}
	names, _ := s.Type.([]any)
	for _, name := range names {
		either = append(either, name.(string))
	}
	switch {
	case s.Reference != "":
		return lastPart(s.Reference)
	case either != nil:
		return strings.Join(either, " or ")
	case s.Type == nil:
		return "any JSON"
	case s.Type == "array":
		return "list of " + s.Items.typeName()
	}
	return s.Type.(string)
}

// membersIn returns the members with their types that a cell of a table lists.
func membersIn(cell string) (members []string) {
	for member := range strings.SplitSeq(cell, ",") {
		if member = strings.TrimSpace(strings.ReplaceAll(member, "`", "")); member != "" {
			members = append(members, member)
		}
	}
	return members
}

// page is a page of Markdown, by its sections of the second level.
type page map[string]string

func readPage(t *testing.T, path string) page {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	sections := make(page)
	for section := range strings.SplitSeq(string(text), "\n## ") {
		heading, body, _ := strings.Cut(section, "\n")
		sections[heading] = body
	}
	return sections
}

// table returns the rows of all tables whose first column has this name, in one
// section or (empty) in all.
func (p page) table(t *testing.T, section, column string) (rows [][]string) {
	for heading, body := range p {
		if section != "" && heading != section {
			continue
		}
		isIn := false
		for line := range strings.Lines(body) {
			switch {
			case !strings.HasPrefix(line, "| "):
				isIn = false
			case strings.HasPrefix(line, "| "+column+" |"):
				isIn = true
			case isIn && !strings.HasPrefix(line, "| ---"):
				rows = append(rows, strings.Split(strings.Trim(line, "|\n"), "|"))
			}
		}
	}
	require.NotEmpty(t, rows, "a table whose first column is %q, in section %q", column, section)
	return rows
}

var codeSpan = regexp.MustCompile("`([^`]+)`")

func codeSpans(text string) (spans []string) {
	for _, match := range codeSpan.FindAllStringSubmatch(text, -1) {
		spans = append(spans, match[1])
	}
	return spans
}
