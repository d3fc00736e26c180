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
	w.Header().Set("Content-Type", "application/yaml") // RFC 9512
	_, err := w.Write(a.openAPI.yaml)
	return err
}

func (a *API) getOpenAPIJSON(w http.ResponseWriter, _ *http.Request, _ params) error {
	w.Header().Set("Content-Type", "application/json")
	_, err := w.Write(a.openAPI.json)
	return err
}
