package httpapi

import (
	"net/http"
	"sync"

	"github.com/goccy/go-yaml"

	"signaling-server/httpapi/openapi32"
)

// contract is the OpenAPI document: as it is written, the same in JSON, and as
// OpenAPI 3.2. What is made from the first is made when it is first asked for,
// since that takes longer than all else at a start.
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
