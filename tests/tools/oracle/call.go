package main

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/builtins"
	"github.com/open-policy-agent/opa/v1/topdown/cache"
)

// answer is a value, undefined ({}), or why there is none.
type answer struct {
	Value *string `json:"value,omitempty"`
	Error string  `json:"error,omitempty"`
	Halt  bool    `json:"halt,omitempty"`
}

// call evaluates one function. Arguments and value are ground Rego terms as text, which tells sets from arrays and
// keeps the digits of numbers. "error" says why OPA has no value, and "halt" that the whole query would end.
func call(r request) (a answer) {
	defer func() {
		if p := recover(); p != nil {
			a = answer{Error: "oracle: panic", Halt: true}
		}
	}()
	if len(r.Call) == 0 {
		return answer{Error: "oracle: no function"}
	}
	function := topdown.GetBuiltin(r.Call[0])
	if function == nil {
		return answer{Error: "oracle: no function " + r.Call[0]}
	}
	operands := make([]*ast.Term, 0, len(r.Call)-1)
	for _, text := range r.Call[1:] {
		term, err := ast.ParseTerm(text)
		if err != nil {
			return answer{Error: "oracle: " + strings.TrimSpace(err.Error())}
		}
		operands = append(operands, term)
	}
	bctx := topdown.BuiltinContext{
		Context:                context.Background(),
		Metrics:                metrics.New(),
		Cancel:                 topdown.NewCancel(),
		Time:                   ast.NumberTerm(json.Number(big(r.Now))),
		Cache:                  builtins.Cache{},
		NDBuiltinCache:         builtins.NDBCache{},
		InterQueryBuiltinCache: cache.NewInterQueryCache(nil),
		Seed:                   strings.NewReader(strings.Repeat("\x00", 1<<16)),
		Capabilities:           ast.CapabilitiesForThisVersion(),
	}
	err := function(bctx, operands, func(t *ast.Term) error {
		text := t.Value.String()
		a.Value = &text
		return nil
	})
	if err != nil {
		_, halt := err.(topdown.Halt)
		return answer{Error: err.Error(), Halt: halt}
	}
	return a
}

func big(t time.Time) string {
	text, _ := json.Marshal(t.UnixNano())
	return string(text)
}
