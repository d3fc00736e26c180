package httpapi

import (
	"net/http"
	"sync"

	"github.com/goccy/go-yaml"

	"signaling-server/httpapi/openapi32"
)

// contract is the OpenAPI document: in YAML as it was written, in JSON, and as OpenAPI
// 3.2. The last two are made for the first request: to make them at the start would
// take longer than the rest of the start.
type contract struct {
	yaml         []byte
	json, yaml32 func() ([]byte, error)
}

func newContract(document []byte) contract {
	return contract{
		yaml:   document,
		json:   sync.OnceValues(func() ([]byte, error) { return yaml.YAMLToJSON(document) }),
		yaml32: sync.OnceValues(func() ([]byte, error) { return openapi32.From31(document) }),
	}
}

func (a *API) getOpenAPIYAML(w http.ResponseWriter, _ *http.Request, _ params) error {
	write(w, "application/yaml", a.openAPI.yaml) // RFC 9512
	return nil
}

func (a *API) getOpenAPI32YAML(w http.ResponseWriter, _ *http.Request, _ params) error {
	document, err := a.openAPI.yaml32()
	if err != nil {
		return err
	}
	write(w, "application/yaml", document)
	return nil
}

func (a *API) getOpenAPIJSON(w http.ResponseWriter, _ *http.Request, _ params) error {
	document, err := a.openAPI.json()
	if err != nil {
		return err
	}
	write(w, "application/json", document)
	return nil
}
