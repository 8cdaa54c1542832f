package main

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
)

// capabilities answers OPA's own and a bundle that calls every function there is, so that a host can say which of them
// it has none of: those that are inside a module it need not have.
func capabilities() (any, error) {
	own := ast.CapabilitiesForThisVersion()
	var body ast.Body
	for at, builtin := range own.Builtins {
		if builtin.Name == ast.Equality.Name || builtin.Name == ast.Assign.Name {
			continue // these are syntax
		}
		terms := []*ast.Term{ast.NewTerm(builtin.Ref())}
		for argument := range builtin.Decl.Arity() {
			reference := ast.InputRootRef.Append(ast.StringTerm(fmt.Sprintf("x%d", argument)))
			terms = append(terms, ast.NewTerm(reference))
		}
		if builtin.Decl.Result() != nil {
			terms = append(terms, ast.VarTerm(fmt.Sprintf("y%d", at)))
		}
		body.Append(ast.NewExpr(terms))
	}
	b, err := compileQuery(map[string]any{}, rego.ParsedQuery(body), rego.Capabilities(own))
	if err != nil {
		return nil, err
	}
	archive, err := pack(b)
	return map[string]any{"capabilities": own, "bundle": archive}, err
}
