// Oracle answers as OPA does, from OPA's own library: one JSON request a line in, one JSON answer a line out.
//
//	{"call": ["sprintf", "\"%v\"", "[{1, 2}]"], "now": "2026-11-21T14:00:00Z"}      one built-in function: call.go
//	{"value": "\"{1, 2}\""}
//	{"load": "baseline", "modules": {"a.rego": "package a …"}, "data": {}}           policies to ask: evaluate.go
//	{"query": "data.a.decision", "on": "baseline", "input": "{}", "now": "…"}
//	{"bench": "data.a.decision", "on": "baseline", "input": "{}", "seconds": 2, "threads": 1}      bench.go
//	{"cases": true}                                                                  OPA's own cases: cases.go
//	{"case": 17}
//	{"judge": 17, "result": "[{\"result\": 1}]"}                                     judge.go
//	{"capabilities": true}                                                           capabilities.go
//
// What the oracle itself cannot do is an "error" that starts with "oracle:".
package main

import (
	"bufio"
	"encoding/json"
	"os"
	"time"
)

// request is any of the questions above: the field that is there says which.
type request struct {
	Call         []string `json:"call"`
	Load         string   `json:"load"`
	Query        string   `json:"query"`
	Bench        string   `json:"bench"`
	Cases        bool     `json:"cases"`
	Case         *int     `json:"case"`
	Judge        *int     `json:"judge"`
	Capabilities bool     `json:"capabilities"`

	Now     time.Time         `json:"now"`
	Modules map[string]string `json:"modules"`
	Data    json.RawMessage   `json:"data"`
	On      string            `json:"on"`
	Input   *string           `json:"input"`
	Seconds float64           `json:"seconds"`
	Threads int               `json:"threads"`
	Result  *string           `json:"result"`
	Error   string            `json:"error"`
}

type failure struct {
	Error string `json:"error"`
}

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			_ = encoder.Encode(respond(line))
			_ = out.Flush()
		}
		if err != nil {
			return
		}
	}
}

func respond(line []byte) any {
	var r request
	if err := json.Unmarshal(line, &r); err != nil {
		return failure{"oracle: " + err.Error()}
	}
	var a any
	var err error
	switch {
	case r.Load != "":
		a, err = load(r)
	case r.Query != "":
		a = evaluate(r)
	case r.Bench != "":
		a, err = bench(r)
	case r.Cases:
		a, err = list()
	case r.Case != nil:
		a, err = one(*r.Case)
	case r.Judge != nil:
		a, err = judge(r)
	case r.Capabilities:
		a, err = capabilities()
	default:
		a = call(r)
	}
	if err != nil {
		return failure{"oracle: " + err.Error()}
	}
	return a
}
