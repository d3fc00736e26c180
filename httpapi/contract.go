package httpapi

import (
	"fmt"
	"net/http"

	"github.com/goccy/go-yaml"
)

// contract is the OpenAPI document in its two notations.
type contract struct{ yaml, json []byte }

func newContract(document []byte) (contract, error) {
	asJSON, err := yaml.YAMLToJSON(document)
	if err != nil {
		return contract{}, fmt.Errorf("reading openapi.yaml: %w", err)
	}
	return contract{document, asJSON}, nil
}

func (a *API) getOpenAPIYAML(w http.ResponseWriter, _ *http.Request, _ params) error {
	write(w, "application/yaml", a.openAPI.yaml) // RFC 9512
	return nil
}

func (a *API) getOpenAPIJSON(w http.ResponseWriter, _ *http.Request, _ params) error {
	write(w, "application/json", a.openAPI.json)
	return nil
}
