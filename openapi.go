// Package signalingserver holds the contract of the server and its version.
package signalingserver

import _ "embed"

// Version is the version of the server and of its contract.
const Version = "2.0.0"

// OpenAPI is the contract: an OpenAPI 3.1 document in YAML. It must not be changed.
//
//go:embed openapi.yaml
var OpenAPI []byte
