// Command health says how GitOps tools see objects, by what these tools really run: Argo CD's health checks are Lua, run
// by gopher-lua; Flux's are kstatus, and CEL expressions run by its own package. It also says whether Argo CD would
// show a difference between what a user wrote and what the API server holds.
//
//	health --argo-cd argocd-cm.yaml KUSTOMIZATION... < objects.json
//
// reads a JSON array of {"live": object, "written": object?} and prints one of verdicts, in the same order.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling/engine"
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	fluxv1 "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	luajson "layeh.com/gopher-json"
	"sigs.k8s.io/yaml"
)

// Question is an object as the API server holds it and, if the difference is asked for, as the user wrote it.
type question struct {
	Live    map[string]any `json:"live"`
	Written map[string]any `json:"written,omitempty"`
}

// Answer is how the tools see it.
type answer struct {
	Argo     string `json:"argo"`            // Healthy, Progressing, Degraded, Suspended, Unknown; None without a check
	Message  string `json:"message"`         // what Argo CD shows beside it
	Kstatus  string `json:"kstatus"`         // Current, InProgress, Failed, Terminating
	Flux     string `json:"flux"`            // the same, by the Kustomization's expressions; None without
	Patch    string `json:"patch,omitempty"` // what Argo CD would still change, as a JSON merge patch
	InChecks bool   `json:"inChecks"`        // whether spec.healthChecks names its kind
}

func main() {
	argo := flag.String("argo-cd", "", "the ConfigMap argocd-cm with resource.customizations.health.*")
	flag.Parse()
	if err := run(*argo, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "health:", err)
		os.Exit(1)
	}
}

func run(argo string, flux []string) error {
	var config struct {
		Data map[string]string `json:"data"`
	}
	if err := read(argo, &config, yaml.Unmarshal); err != nil {
		return err
	}
	kustomizations := make([]fluxv1.Kustomization, len(flux))
	strict := func(text []byte, into any, _ ...yaml.JSONOpt) error { return yaml.UnmarshalStrict(text, into) }
	for at, file := range flux {
		if err := read(file, &kustomizations[at], strict); err != nil {
			return err
		}
	}
	reader, err := expressions(kustomizations)
	if err != nil {
		return err
	}
	var questions []question
	if err := json.NewDecoder(os.Stdin).Decode(&questions); err != nil {
		return fmt.Errorf("standard input: %w", err)
	}
	answers := []answer{}
	for _, asked := range questions {
		// The round trip makes whole numbers int64, as clients of the API server have them.
		text, err := json.Marshal(asked.Live)
		if err != nil {
			return err
		}
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(text); err != nil {
			return err
		}
		said, err := ask(object, config.Data, reader)
		if err != nil {
			return err
		}
		for _, kustomization := range kustomizations {
			for _, check := range kustomization.Spec.HealthChecks {
				kind := schema.FromAPIVersionAndKind(check.APIVersion, check.Kind)
				said.InChecks = said.InChecks || kind.GroupKind() == object.GroupVersionKind().GroupKind()
			}
		}
		if asked.Written != nil {
			if said.Patch, err = difference(asked.Written, asked.Live); err != nil {
				return err
			}
		}
		answers = append(answers, said)
	}
	return json.NewEncoder(os.Stdout).Encode(answers)
}

func read(file string, into any, decode func([]byte, any, ...yaml.JSONOpt) error) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := decode(text, into); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// expressions makes the reader that kustomize-controller asks for the health of kinds with expressions.
func expressions(kustomizations []fluxv1.Kustomization) (engine.StatusReader, error) {
	var all []kustomize.CustomHealthCheck
	for _, kustomization := range kustomizations {
		all = append(all, kustomization.Spec.HealthCheckExprs...)
	}
	reader, err := cel.NewStatusReader(all)
	if err != nil {
		return nil, err
	}
	return reader(nil), nil // it maps kinds only to fetch objects, and these are here
}

func ask(object *unstructured.Unstructured, scripts map[string]string, reader engine.StatusReader) (answer, error) {
	said := answer{Argo: "None", Flux: "None"}
	kind := object.GroupVersionKind()
	// The key as Argo CD's GetConfigMapKey forms it.
	if script, found := scripts[fmt.Sprintf("resource.customizations.health.%s_%s", kind.Group, kind.Kind)]; found {
		var err error
		if said.Argo, said.Message, err = argoHealth(object, script); err != nil {
			return said, fmt.Errorf("%s: %w", kind.Kind, err)
		}
	}
	result, err := status.Compute(object)
	if err != nil {
		return said, err
	}
	said.Kstatus = result.Status.String()
	if reader.Supports(kind.GroupKind()) {
		result, err := reader.ReadStatusForObject(context.Background(), nil, object)
		if err != nil {
			return said, fmt.Errorf("%s: %w", kind.Kind, err)
		}
		said.Flux = result.Status.String()
	}
	return said, nil
}

// argoHealth runs a health script with what Argo CD gives it: the base, package and table libraries, the object as
// obj, and a second. An object that is being deleted is not asked about.
func argoHealth(object *unstructured.Unstructured, script string) (string, string, error) {
	if object.GetDeletionTimestamp() != nil {
		return "Progressing", "Pending deletion", nil
	}
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage, lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable,
	} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			return "", "", err
		}
	}
	limited, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state.SetContext(limited)
	// Through JSON, as numbers must become Lua's.
	text, err := json.Marshal(object.Object)
	if err != nil {
		return "", "", err
	}
	value, err := luajson.Decode(state, text)
	if err != nil {
		return "", "", err
	}
	state.SetGlobal("obj", value)
	if err := state.DoString(script); err != nil {
		return "", "", err
	}
	returned, isTable := state.Get(-1).(*lua.LTable)
	if !isTable {
		return "", "", fmt.Errorf("the script returned %s, not a table", state.Get(-1).Type())
	}
	word, message := returned.RawGetString("status").String(), returned.RawGetString("message")
	switch word {
	case "Healthy", "Progressing", "Degraded", "Suspended", "Unknown":
	default:
		return "", "", fmt.Errorf("%q is no health", word)
	}
	if message == lua.LNil {
		return word, "", nil
	}
	return word, message.String(), nil
}

// difference is the patch that would still be applied, as Argo CD finds it for kinds it has no types of: a three-way
// JSON merge of what was last applied (here, the same as what is written), what is written and what is live.
func difference(written, live map[string]any) (string, error) {
	bare := map[string]any{}
	for field, value := range live {
		if field != "status" {
			bare[field] = value
		}
	}
	texts := [2][]byte{}
	for at, object := range []map[string]any{written, bare} {
		text, err := json.Marshal(object)
		if err != nil {
			return "", err
		}
		texts[at] = text
	}
	patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch(texts[0], texts[0], texts[1])
	if err != nil || string(patch) == "{}" {
		return "", err
	}
	return string(patch), nil
}
