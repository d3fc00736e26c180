// Package manifests reads manifests of Kubernetes as strictly as possible: a field that
// the API does not know is an error, and so is a field that is written twice.
package manifests

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// kinds makes an empty object for each kind that deploy has.
var kinds = map[string]func() meta.Object{
	"v1 ConfigMap":                            func() meta.Object { return new(core.ConfigMap) },
	"v1 Service":                              func() meta.Object { return new(core.Service) },
	"apps/v1 Deployment":                      func() meta.Object { return new(apps.Deployment) },
	"apps/v1 StatefulSet":                     func() meta.Object { return new(apps.StatefulSet) },
	"autoscaling/v2 HorizontalPodAutoscaler":  func() meta.Object { return new(autoscaling.HorizontalPodAutoscaler) },
	"gateway.networking.k8s.io/v1 Gateway":    func() meta.Object { return new(gateway.Gateway) },
	"gateway.networking.k8s.io/v1 HTTPRoute":  func() meta.Object { return new(gateway.HTTPRoute) },
	"monitoring.coreos.com/v1 PrometheusRule": func() meta.Object { return new(monitoring.PrometheusRule) },
	"monitoring.coreos.com/v1 ServiceMonitor": func() meta.Object { return new(monitoring.ServiceMonitor) },
	"networking.k8s.io/v1 Ingress":            func() meta.Object { return new(networking.Ingress) },
	"networking.k8s.io/v1 NetworkPolicy":      func() meta.Object { return new(networking.NetworkPolicy) },
	"policy/v1 PodDisruptionBudget":           func() meta.Object { return new(policy.PodDisruptionBudget) },
}

// Objects are decoded manifests, by "Kind name".
type Objects map[string]meta.Object

// Decode adds the manifest, which is one document in YAML, to the objects. A document of
// comments alone adds nothing.
func (o Objects) Decode(manifest []byte) error {
	var head struct {
		meta.TypeMeta `json:",inline"`
		Metadata      struct{ Name string }
	}
	if err := yaml.Unmarshal(manifest, &head); err != nil {
		return err
	}
	if head.Kind == "" {
		if text := strings.TrimSpace(string(manifest)); text != "" {
			return fmt.Errorf("a manifest without a kind: %s", text)
		}
		return nil
	}
	name := head.Kind + " " + head.Metadata.Name
	make, isKnown := kinds[head.APIVersion+" "+head.Kind]
	if !isKnown {
		return fmt.Errorf("%s: no type is known for %s %s", name, head.APIVersion, head.Kind)
	}
	if _, isThere := o[name]; isThere {
		return fmt.Errorf("%s is there twice", name)
	}
	object := make()
	if err := yaml.UnmarshalStrict(manifest, object); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	o[name] = object
	return nil
}

// Kustomize builds a kustomization of the folder deploy/kubernetes, with components of it.
func Kustomize(folder, name string, components ...string) (Objects, error) {
	text := "resources: [../" + name + "]\n"
	if len(components) > 0 {
		text += "components: [../" + strings.Join(components, ", ../") + "]\n"
	}
	return Kustomization(folder, "", text)
}

// Kustomization builds the kustomization of an operator. It is in a folder of its own, and
// the content of deploy/kubernetes is below the path at, seen from the parent.
func Kustomization(folder, at, text string) (Objects, error) {
	files := filesys.MakeFsInMemory()
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		inside, outside := filepath.Rel(folder, path)
		return errors.Join(err, outside, files.WriteFile(at+"/"+filepath.ToSlash(inside), content))
	})
	if err != nil {
		return nil, err
	}
	if err := files.WriteFile("/operators/kustomization.yaml", []byte(text)); err != nil {
		return nil, err
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, "/operators")
	if err != nil {
		return nil, err
	}
	objects := Objects{}
	for _, resource := range built.Resources() {
		manifest, err := resource.AsYAML()
		if err := errors.Join(err, objects.Decode(manifest)); err != nil {
			return nil, err
		}
	}
	return objects, nil
}
