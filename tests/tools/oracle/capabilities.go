package main

import (
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/version"
)

// compiledAway never reach a module: syntax, and metadata of rules.
var compiledAway = []string{ast.Equality.Name, ast.Assign.Name, ast.RegoMetadataChain.Name, ast.RegoMetadataRule.Name}

// capabilities answers OPA's own and a bundle that calls every function there is, so that a host can say which of them
// it has none of: those that are inside a module it need not have.
func capabilities() (any, error) {
	own, err := ast.LoadCapabilitiesVersion("v" + version.Version)
	if err != nil {
		return nil, err
	}
	var body ast.Body
	for at, builtin := range own.Builtins {
		if slices.Contains(compiledAway, builtin.Name) {
			continue
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
