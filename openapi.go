// Package signalingserver holds what the whole server is about: its contract,
// and the version that goes with it.
package signalingserver

import _ "embed"

// Version is the server's version, and the contract's.
const Version = "1.1.0"

// OpenAPI is the contract, as OpenAPI 3.1 in YAML.
//
//go:embed openapi.yaml
var OpenAPI []byte
