package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/CycloneDX/cyclonedx-go"

	signalingserver "signaling-server"
	"signaling-server/internal/version"
)

// billOf returns the name of the file that says what a binary contains.
func billOf(binary string) string { return binary + ".cdx.json" }

// writeBill writes a software bill of materials for a binary, in the format CycloneDX 1.6.
func writeBill(binary string, build *debug.BuildInfo, l licences) error {
	content, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	bill, err := newBill(filepath.Base(binary), sha256.Sum256(content), build, l)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := cyclonedx.NewBOMEncoder(&text, cyclonedx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false).EncodeVersion(bill, cyclonedx.SpecVersion1_6); err != nil {
		return err
	}
	return os.WriteFile(billOf(binary), text.Bytes(), 0o644)
}

// newBill lists what Go says that it has linked, and what is embedded. The bill has neither a
// serial number nor a time: both would differ each time.
func newBill(file string, hash [sha256.Size]byte, build *debug.BuildInfo, l licences) (*cyclonedx.BOM, error) {
	program := component("signaling-server", signalingserver.Version, "pkg:generic/signaling-server@"+signalingserver.Version, "")
	program.Type = cyclonedx.ComponentTypeApplication
	program.Hashes = hashes(hash[:])
	properties := []cyclonedx.Property{{Name: "file", Value: file}, {Name: "commit", Value: version.Commit()}}
	for _, s := range build.Settings {
		properties = append(properties, cyclonedx.Property{Name: "go build " + s.Key, Value: s.Value})
	}
	program.Properties = &properties

	goVersion := strings.TrimPrefix(build.GoVersion, "go")
	parts := []cyclonedx.Component{component("std", goVersion, "pkg:golang/std@"+goVersion, "BSD-3-Clause")}
	for _, module := range build.Deps {
		part, err := moduleComponent(module, l.modules[module.Path])
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	for _, e := range l.embedded {
		parts = append(parts, component(e.name, e.version, "pkg:npm/"+strings.ReplaceAll(e.name, "@", "%40")+"@"+e.version, e.licence))
	}

	var references []string
	for _, part := range parts {
		references = append(references, part.BOMRef)
	}
	bill := cyclonedx.NewBOM()
	bill.Metadata = &cyclonedx.Metadata{Component: &program}
	bill.Components = &parts
	bill.Dependencies = &[]cyclonedx.Dependency{{Ref: program.BOMRef, Dependencies: &references}}
	return bill, nil
}

// moduleComponent describes a module. Its hash is the hash of the whole module, as go.sum has
// it.
func moduleComponent(module *debug.Module, licence string) (cyclonedx.Component, error) {
	hash, isHash := strings.CutPrefix(module.Sum, "h1:")
	sum, err := base64.StdEncoding.DecodeString(hash)
	switch {
	case licence == "":
		return cyclonedx.Component{}, fmt.Errorf("LICENSES.md does not have the licence of %s", module.Path)
	case module.Replace != nil || !isHash || err != nil:
		return cyclonedx.Component{}, fmt.Errorf("%s is replaced, or has no hash: nobody could fetch it", module.Path)
	}
	c := component(module.Path, module.Version, "pkg:golang/"+module.Path+"@"+url.PathEscape(module.Version)+"?type=module", licence)
	c.Hashes = hashes(sum)
	return c, nil
}

func component(name, version, address, licence string) cyclonedx.Component {
	c := cyclonedx.Component{BOMRef: address, Type: cyclonedx.ComponentTypeLibrary, Name: name, Version: version, PackageURL: address}
	if licence != "" {
		c.Licenses = &cyclonedx.Licenses{{License: &cyclonedx.License{ID: licence}}}
	}
	return c
}

func hashes(sum []byte) *[]cyclonedx.Hash {
	return &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: fmt.Sprintf("%x", sum)}}
}
