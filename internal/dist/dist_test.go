package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	signalingserver "signaling-server"
)

const root = "../.."

func readTable(t *testing.T) licences {
	table, err := os.ReadFile(filepath.Join(root, "LICENSES.md"))
	require.NoError(t, err)
	return readLicences(string(table))
}

// platforms are those that a distribution is made for.
func platforms(t *testing.T) []string {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	require.NoError(t, err)
	list := regexp.MustCompile(`(?m)^PLATFORMS +\?= (.*)$`).FindSubmatch(makefile)
	require.NotNil(t, list)
	return strings.Fields(string(list[1]))
}

func TestADistributionIsForThePlatformsThatAreAskedFor(t *testing.T) {
	require.Subset(t, platforms(t), []string{"linux/amd64", "linux/arm64", "darwin/arm64", "windows/amd64"})
}

// LICENSES.md lists the modules that are linked into a binary of any platform, and no
// others.
func TestTheLicencesOfAllLinkedModulesAreListed(t *testing.T) {
	linked := make(map[string]bool)
	for _, platform := range platforms(t) {
		for _, module := range list(t, platform, "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", "-deps", "./cmd/signaling-server") {
			linked[module] = true
		}
	}
	listed := make(map[string]bool)
	for module := range readTable(t).modules {
		listed[module] = true
	}
	require.Equal(t, linked, listed)
}

// list runs go list for a platform, and returns the words that it prints.
func list(t *testing.T, platform, format string, args ...string) []string {
	system, architecture, _ := strings.Cut(platform, "/")
	command := exec.Command("go", append([]string{"list", "-f", format}, args...)...)
	command.Dir, command.Stderr = root, os.Stderr
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOARCH="+architecture)
	output, err := command.Output()
	require.NoError(t, err)
	return strings.Fields(string(output))
}

// sentences are what each licence says, and no other licence of the table.
var sentences = map[string]string{
	"Apache-2.0":   "Apache License Version 2.0, January 2004",
	"BSD-3-Clause": "may be used to endorse or promote products derived from this software",
	"MIT":          "Permission is hereby granted, free of charge, to any person obtaining a copy",
	"MPL-2.0":      "the terms of the Mozilla Public License, v. 2.0.",
}

// A module may change its licence with a new version.
func TestEachModuleHasTheLicenceThatIsListed(t *testing.T) {
	table := readTable(t)
	for module, licence := range table.modules {
		folder := list(t, "linux/amd64", "{{.Dir}}", "-m", module)[0]
		files, err := licenceFiles(folder)
		require.NoError(t, err)
		requireLicence(t, licence, filepath.Join(folder, files[slices.IndexFunc(files, func(name string) bool { return !strings.Contains(name, "/") && !strings.HasPrefix(name, "NOTICE") })]))
	}
	for _, e := range table.embedded {
		requireLicence(t, e.licence, filepath.Join(root, e.file+".license.txt"))
	}
}

func requireLicence(t *testing.T, licence, file string) {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, sentences, licence)
	require.True(t, strings.Contains(strings.Join(strings.Fields(string(text)), " "), sentences[licence]), "%s is not %s", file, licence)
}

// Whatever is embedded has its licence beside it.
func TestTheEmbeddedPackagesAreListed(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "static/*/*.license.txt"))
	require.NoError(t, err)
	var listed []string
	for _, e := range readTable(t).embedded {
		listed = append(listed, filepath.Join(root, e.file+".license.txt"))
	}
	require.Equal(t, files, listed)
}

// Tools read a bill by the schema of its format. The package of the format's authors has it.
func TestTheBillIsCycloneDX(t *testing.T) {
	folder := t.TempDir()
	binary := filepath.Join(folder, "signaling-server-of-a-test")
	require.NoError(t, os.WriteFile(binary, []byte("program"), 0o755))
	const sum = "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	build := &debug.BuildInfo{
		GoVersion: "go1.26.8",
		Deps:      []*debug.Module{{Path: "github.com/r3labs/sse/v2", Version: "v2.10.0", Sum: sum}},
		Settings:  []debug.BuildSetting{{Key: "GOOS", Value: "linux"}},
	}
	require.NoError(t, writeBill(binary, build, readTable(t)))
	text, err := os.ReadFile(billOf(binary))
	require.NoError(t, err)
	bill, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	require.NoError(t, err)
	require.NoError(t, schema(t).Validate(bill))

	type part struct {
		Type, Name, Version, Purl string
		Hashes                    []struct{ Alg, Content string }
		Licenses                  []struct{ License struct{ ID string } }
	}
	var read struct {
		Metadata   struct{ Component part }
		Components []part
	}
	require.NoError(t, json.Unmarshal(text, &read))
	require.Equal(t, signalingserver.Version, read.Metadata.Component.Version)
	require.Equal(t, fmt.Sprintf("%x", sha256.Sum256([]byte("program"))), read.Metadata.Component.Hashes[0].Content)
	require.Len(t, read.Components, 4)
	require.Equal(t, []string{"std", "github.com/r3labs/sse/v2", "uplot", "@scalar/api-reference"}, []string{read.Components[0].Name, read.Components[1].Name, read.Components[2].Name, read.Components[3].Name})
	module := read.Components[1]
	require.Equal(t, "pkg:golang/github.com/r3labs/sse/v2@v2.10.0?type=module", module.Purl)
	require.Equal(t, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", module.Hashes[0].Content)
	require.Equal(t, "MPL-2.0", module.Licenses[0].License.ID)
	require.Equal(t, "pkg:npm/%40scalar/api-reference@1.72.1", read.Components[3].Purl)
}

// schema returns the schema of CycloneDX 1.6.
func schema(t *testing.T) *jsonschema.Schema {
	folder := filepath.Join(list(t, "linux/amd64", "{{.Dir}}", "-m", "github.com/CycloneDX/cyclonedx-go")[0], "schema")
	const address = "http://cyclonedx.org/schema/"
	compiler := jsonschema.NewCompiler()
	for name, file := range map[string]string{"bom-1.6.schema.json": "bom-1.6.schema.json", "spdx.schema.json": "spdx.schema.json", "jsf-0.82.schema.json": "jsf-0.82.schemax.json"} {
		text, err := os.Open(filepath.Join(folder, file))
		require.NoError(t, err)
		defer text.Close()
		document, err := jsonschema.UnmarshalJSON(text)
		require.NoError(t, err)
		require.NoError(t, compiler.AddResource(address+name, document))
	}
	compiled, err := compiler.Compile(address + "bom-1.6.schema.json")
	require.NoError(t, err)
	return compiled
}

func TestABinaryThatOthersCannotBuildIsRefused(t *testing.T) {
	build := &debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "-trimpath", Value: "true"}, {Key: "GOARCH", Value: "arm64"}}}
	require.NoError(t, checkSettings(build))
	build.Settings = append(build.Settings, debug.BuildSetting{Key: "GOEXPERIMENT", Value: "jsonv2"})
	require.ErrorContains(t, checkSettings(build), "it is built with GOEXPERIMENT=jsonv2")
}

// A bill that leaves something out is worse than none.
func TestAModuleWithoutLicenceOrHashIsRefused(t *testing.T) {
	_, err := moduleComponent(&debug.Module{Path: "example.com/new", Version: "v1.0.0", Sum: "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}, "")
	require.ErrorContains(t, err, "LICENSES.md does not have the licence of example.com/new")
	_, err = moduleComponent(&debug.Module{Path: "example.com/local", Version: "v1.0.0"}, "MIT")
	require.ErrorContains(t, err, "example.com/local is replaced, or has no hash")
}
