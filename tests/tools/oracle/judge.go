package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/test/cases"
)

// verdict has a fault where a host did not answer a case as OPA's own tests of WebAssembly hosts want it.
type verdict struct {
	Fault string `json:"fault,omitempty"`
}

// judge compares what a host made of a case, a result set as JSON text or an error, with what the case wants.
func judge(r request) (any, error) {
	c, err := find(*r.Judge)
	if err != nil {
		return nil, err
	}
	if (r.Result == nil) == (r.Error == "") {
		return nil, errors.New("a host has a result or an error")
	}
	if r.Result == nil {
		return verdict{faultOfError(c, r.Error)}, nil
	}
	got, err := bindings(c, *r.Result)
	if err != nil {
		return verdict{err.Error()}, nil
	}
	want, wanted, err := wants(c)
	if err != nil {
		return nil, err
	}
	switch {
	case !wanted && c.WantDefined != nil:
		if *c.WantDefined != (got.Len() > 0) {
			return verdict{fmt.Sprintf("got %v, want defined: %v", got, *c.WantDefined)}, nil
		}
	case !wanted:
		return verdict{fmt.Sprintf("got %v, want an error: %s", got, message(c))}, nil
	case want.Compare(got) != 0:
		return verdict{fmt.Sprintf("got %v, want %v", got, want)}, nil
	}
	return verdict{}, nil
}

// wants is the set of bindings that a case wants, if it wants one. What is an error only where errors of built-in
// functions are strict is undefined here.
func wants(c *cases.TestCase) (ast.Set, bool, error) {
	set := ast.NewSet()
	if c.WantResult == nil {
		return set, c.WantDefined == nil && c.StrictError, nil
	}
	for _, binding := range *c.WantResult {
		value, err := ast.InterfaceToValue(binding)
		if err != nil {
			return nil, false, err
		}
		set.Add(ast.NewTerm(value))
	}
	return set, true, nil
}

// conflicts are the words of a module that has two values for one thing.
var conflicts = []string{"var assignment conflict", "object insert conflict"}

func faultOfError(c *cases.TestCase, got string) string {
	if c.WantResult != nil || c.WantDefined != nil || c.StrictError {
		return "got an error: " + got
	}
	for _, conflict := range conflicts {
		if strings.Contains(got, conflict) && message(c) == "eval_conflict_error" {
			return ""
		}
	}
	return fmt.Sprintf("got an error: %s, want another: %s", got, message(c))
}

func message(c *cases.TestCase) string {
	switch {
	case c.WantErrorCode != nil:
		return *c.WantErrorCode
	case c.WantError != nil:
		return *c.WantError
	}
	return "any"
}

// bindings reads a result set. An entry point calls the query's variable "result".
func bindings(c *cases.TestCase, text string) (ast.Set, error) {
	value, err := parse([]byte(text))
	if err != nil {
		return nil, err
	}
	array, ok := value.(*ast.Array)
	if !ok {
		return nil, fmt.Errorf("got no array: %s", text)
	}
	name := "result"
	if _, variable, ok := entrypoint(c.Query); ok {
		name = variable
	}
	set := ast.NewSet()
	err = array.Iter(func(element *ast.Term) error {
		binding, ok := element.Value.(ast.Object)
		if !ok {
			return fmt.Errorf("got no array of bindings: %s", text)
		}
		renamed := ast.NewObject()
		binding.Foreach(func(key, value *ast.Term) {
			if key.Equal(ast.StringTerm("result")) {
				key = ast.StringTerm(name)
			}
			if items, ok := value.Value.(*ast.Array); ok && c.SortBindings {
				value = ast.NewTerm(items.Sorted())
			}
			renamed.Insert(key, value)
		})
		set.Add(ast.NewTerm(renamed))
		return nil
	})
	return set, err
}
