// Package check checks the files in deploy by the readers of their own formats: the types
// of Kubernetes, kustomize, Helm, compose-go and systemd-analyze. It starts the server with
// the settings that the files give it.
package check
