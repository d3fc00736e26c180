package main

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// LICENSES.md lists the modules that are compiled into the binary, and no others.
func TestTheLicencesOfAllDependenciesAreListed(t *testing.T) {
	output, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", ".").Output()
	require.NoError(t, err)
	modules := strings.Fields(string(output))
	slices.Sort(modules)
	text, err := os.ReadFile("../../LICENSES.md")
	require.NoError(t, err)
	var listed []string
	for _, match := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| [A-Z]").FindAllStringSubmatch(string(text), -1) {
		listed = append(listed, match[1])
	}
	require.Equal(t, slices.Compact(modules), listed)
}
