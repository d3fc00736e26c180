// Package sdk is an example: two programs with clients that are generated from the
// server's OpenAPI document. "go generate" generates both clients.
package sdk

//go:generate go tool oapi-codegen -generate types,client -package generated -o oapicodegen/generated/client.go ../../openapi.yaml
//go:generate go tool ogen --clean --config ogen.yaml --target ogen/generated --package generated ../../openapi.yaml
