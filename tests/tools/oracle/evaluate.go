package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/util"
)

// policy is a set of modules with data, and the queries that were asked of it.
type policy struct {
	compiler *ast.Compiler
	store    storage.Store
	prepared map[string]rego.PreparedEvalQuery
}

var policies = map[string]*policy{}

// load compiles modules once for all questions "on" that name.
func load(r request) (any, error) {
	modules := map[string]*ast.Module{}
	for path, text := range r.Modules {
		module, err := ast.ParseModuleWithOpts(path, text, ast.ParserOptions{RegoVersion: ast.RegoV1})
		if err != nil {
			return nil, err
		}
		modules[path] = module
	}
	compiler := ast.NewCompiler()
	if compiler.Compile(modules); compiler.Failed() {
		return nil, compiler.Errors
	}
	data := map[string]any{}
	if len(r.Data) > 0 {
		if err := util.UnmarshalJSON(r.Data, &data); err != nil {
			return nil, err
		}
	}
	policies[r.Load] = &policy{compiler, inmem.NewFromObject(data), map[string]rego.PreparedEvalQuery{}}
	return struct{}{}, nil
}

// prepare gives the query on loaded modules, compiled once.
func prepare(on, query string) (rego.PreparedEvalQuery, error) {
	p := policies[on]
	if p == nil {
		return rego.PreparedEvalQuery{}, fmt.Errorf("nothing is loaded as %q", on)
	}
	if prepared, ok := p.prepared[query]; ok {
		return prepared, nil
	}
	options := []func(*rego.Rego){rego.Query(query), rego.Compiler(p.compiler), rego.Store(p.store)}
	prepared, err := rego.New(options...).PrepareForEval(context.Background())
	if err == nil {
		p.prepared[query] = prepared
	}
	return prepared, err
}

// evaluate answers the value of one reference as JSON text, sets sorted; {} where it is undefined. Errors of built-in
// functions make undefined, as in a server. "halt" marks an error of the evaluation itself.
func evaluate(r request) answer {
	prepared, err := prepare(r.On, r.Query)
	if err != nil {
		return answer{Error: "oracle: " + err.Error()}
	}
	options := []rego.EvalOption{rego.EvalTime(r.Now), rego.EvalSortSets(true)}
	if r.Input != nil {
		input, err := parse([]byte(*r.Input))
		if err != nil {
			return answer{Error: "oracle: " + err.Error()}
		}
		options = append(options, rego.EvalParsedInput(input))
	}
	results, err := prepared.Eval(context.Background(), options...)
	if err != nil {
		return answer{Error: err.Error(), Halt: true}
	}
	value, err := encode(results)
	if err != nil {
		return answer{Error: "oracle: " + err.Error()}
	}
	if value == nil {
		return answer{}
	}
	text := canonical(value)
	return answer{Value: &text}
}

// parse reads an input as OPA's server does.
func parse(text []byte) (ast.Value, error) {
	var value any
	if err := util.UnmarshalJSON(text, &value); err != nil {
		return nil, err
	}
	return ast.InterfaceToValue(value)
}

// encode writes the one value of a result set; nil where there is none.
func encode(results rego.ResultSet) ([]byte, error) {
	if len(results) == 0 {
		return nil, nil
	}
	if len(results) > 1 || len(results[0].Expressions) != 1 {
		return nil, errors.New("a query has one expression and one result")
	}
	return marshal(results[0].Expressions[0].Value)
}

// marshal writes JSON as it is in files, not in HTML.
func marshal(value any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), err
}

// escape matches one escape sequence of JSON, or what is one for these purposes.
var escape = regexp.MustCompile(`\\(u202[89]|.)`)

// canonical undoes what Go alone escapes: two separators that only JavaScript stumbles over.
func canonical(text []byte) string {
	return string(escape.ReplaceAllFunc(text, func(sequence []byte) []byte {
		switch string(sequence) {
		case `\u2028`:
			return []byte("\u2028")
		case `\u2029`:
			return []byte("\u2029")
		}
		return sequence
	}))
}
