// Package check checks the files in deploy by the readers of their own formats: the types
// of Kubernetes, kustomize, compose-go and systemd-analyze. It starts the server with the
// settings that the files give it.
//
// Package helm does so for the chart. It is apart, because Helm takes as long to compile
// as all the others: make chart runs it.
package check
