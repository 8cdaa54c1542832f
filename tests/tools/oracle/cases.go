package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/compile"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/test/cases"
	"github.com/open-policy-agent/opa/v1/test/cases/testdata"
	"github.com/open-policy-agent/opa/v1/types"
	"github.com/open-policy-agent/opa/v1/util"
	"github.com/open-policy-agent/opa/v1/version"
)

// listed names one case; its index in the list is its number.
type listed struct {
	Note      string `json:"note"`
	Directory string `json:"directory"`
	File      string `json:"file"`
}

// compiled is a case as a host gets it. Input is JSON text, input_term Rego text; undefined input has neither.
type compiled struct {
	Bundle     []byte  `json:"bundle"`
	Entrypoint string  `json:"entrypoint"`
	Input      *string `json:"input,omitempty"`
	InputTerm  *string `json:"input_term,omitempty"`
}

// all holds OPA's cases for Rego v1, as its module embeds them, by file and then in the file's order.
var all = sync.OnceValues(func() ([]cases.TestCase, error) {
	var found []cases.TestCase
	err := fs.WalkDir(testdata.V1, "v1", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := testdata.V1.ReadFile(path)
		if err != nil {
			return err
		}
		var set cases.Set
		if err := util.Unmarshal(text, &set); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for _, c := range set.Cases {
			c.Filename = strings.TrimPrefix(path, "v1/")
			found = append(found, c)
		}
		return nil
	})
	return found, err
})

// list answers all cases and the version of OPA that they are of.
func list() (any, error) {
	found, err := all()
	if err != nil {
		return nil, err
	}
	names := make([]listed, len(found))
	for at, c := range found {
		directory, _, _ := strings.Cut(c.Filename, "/")
		names[at] = listed{c.Note, directory, c.Filename}
	}
	return map[string]any{"version": version.Version, "cases": names}, nil
}

func find(at int) (*cases.TestCase, error) {
	found, err := all()
	if err != nil {
		return nil, err
	}
	if at < 0 || at >= len(found) {
		return nil, fmt.Errorf("there are %d cases", len(found))
	}
	return &found[at], nil
}

// one compiles a case.
func one(at int) (any, error) {
	c, err := find(at)
	if err != nil {
		return nil, err
	}
	answer := compiled{}
	if c.InputTerm != nil {
		term, err := ast.ParseTerm(*c.InputTerm)
		if err != nil {
			return nil, err
		}
		text := term.String()
		answer.InputTerm = &text
	} else if c.Input != nil {
		text, err := marshal(*c.Input)
		if err != nil {
			return nil, err
		}
		input := string(text)
		answer.Input = &input
	}
	b, err := build(c)
	if err != nil {
		return nil, err
	}
	answer.Bundle, err = pack(b)
	if err != nil {
		return nil, err
	}
	answer.Entrypoint = b.Manifest.WasmResolvers[0].Entrypoint
	return answer, nil
}

// plain matches a query that binds the value of an entry point of `opa build` to a variable.
var plain = regexp.MustCompile(`^data\.(\w+(?:\.\w+)*) = (\w+)$`)

// entrypoint reads such a query: the path below data, and the variable.
func entrypoint(query string) (path, variable string, ok bool) {
	found := plain.FindStringSubmatch(query)
	if found == nil || !ast.IsVarCompatibleString(found[2]) || slices.Contains(constants, found[2]) {
		return "", "", false
	}
	return found[1], found[2], true
}

// constants look like variables.
var constants = []string{"input", "data", "true", "false", "null"}

// build compiles the query's reference as `opa build` does; where the query is not one, or refers to data only, the
// query itself, as OPA's tests of its own WebAssembly host do.
func build(c *cases.TestCase) (*bundle.Bundle, error) {
	capabilities := ast.CapabilitiesForThisVersion(ast.CapabilitiesExperimentalKeywords(c.ExperimentalKeywords))
	capabilities.Builtins = append(slices.Clone(capabilities.Builtins), sleep)
	options := ast.ParserOptions{Capabilities: capabilities, RegoVersion: ast.RegoV1, ProcessAnnotation: true}
	modules := make([]bundle.ModuleFile, len(c.Modules))
	for at, text := range c.Modules {
		path := fmt.Sprintf("module-%d.rego", at)
		parsed, err := ast.ParseModuleWithOpts(path, text, options)
		if err != nil {
			return nil, err
		}
		modules[at] = bundle.ModuleFile{URL: path, Path: path, Raw: []byte(text), Parsed: parsed}
	}
	data := map[string]any{}
	if c.Data != nil {
		data = *c.Data
	}
	if path, _, ok := entrypoint(c.Query); ok && defines(modules, "data."+path) {
		b := &bundle.Bundle{Modules: modules, Data: data}
		b.Manifest.Init()
		compiler := compile.New().WithBundle(b).WithTarget(compile.TargetWasm).WithEntrypoints(strings.ReplaceAll(path, ".", "/")).
			WithRegoVersion(ast.RegoV1).WithCapabilities(capabilities).WithPruneUnused(true)
		if err := compiler.Build(context.Background()); err != nil {
			return nil, err
		}
		return compiler.Bundle(), nil
	}
	query := []func(*rego.Rego){rego.Query(c.Query), rego.SetRegoVersion(ast.RegoV1), rego.Capabilities(capabilities)}
	for _, module := range modules {
		query = append(query, rego.ParsedModule(module.Parsed))
	}
	return compileQuery(data, query...)
}

// defines says whether a rule lies at a reference or below it: `opa build` takes nothing else as an entry point.
func defines(modules []bundle.ModuleFile, reference string) bool {
	for _, module := range modules {
		for _, rule := range module.Parsed.Rules {
			of := rule.Ref().GroundPrefix().String()
			if of == reference || strings.HasPrefix(of, reference+".") {
				return true
			}
		}
	}
	return false
}

// compileQuery makes a bundle whose one entry point has the query's variables as bindings.
func compileQuery(data map[string]any, query ...func(*rego.Rego)) (*bundle.Bundle, error) {
	result, err := rego.New(query...).Compile(context.Background())
	if err != nil {
		return nil, err
	}
	b := &bundle.Bundle{Data: data}
	b.Manifest.Init()
	b.Manifest.WasmResolvers = []bundle.WasmResolver{{Entrypoint: "eval", Module: "/" + bundle.WasmFile}}
	b.WasmModules = []bundle.WasmModuleFile{{URL: bundle.WasmFile, Path: bundle.WasmFile, Raw: result.Bytes}}
	return b, nil
}

// pack writes the archive, without the sources.
func pack(b *bundle.Bundle) ([]byte, error) {
	b.Modules = nil
	var archive bytes.Buffer
	err := bundle.NewWriter(&archive).Write(*b)
	return archive.Bytes(), err
}

// sleep is a function that OPA's tests bring along.
var sleep = &ast.Builtin{
	Name: "test.sleep",
	Decl: types.NewFunction(types.Args(types.S), types.NewNull()),
}
