#!/bin/sh
# Records OPA's answers to the calls of calls.json into cases.json, and builds bundle.tar.gz:
#   OPA=/path/to/opa-1.22.0 bundles/testdata/builtins/record.sh
# An answer is OPA's text of the value (`%v` tells sets from arrays and keeps the digits), or null
# where OPA says undefined. Arguments that are JSON go through json.unmarshal, others through an
# object of mixed types, so that OPA's compiler does not refuse wrong types before the function does.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
opa=${OPA:-${INTERLOCK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/interlock}/tools/opa-1.22.0/opa}
"$opa" version | grep -q '^Version: 1\.22\.' || { echo "need OPA 1.22, found: $("$opa" version | head -1)" >&2; exit 1; }
python3 - "$opa" "$here" <<'PY'
import json, subprocess, sys, tempfile
opa, here = sys.argv[1:]
calls = json.load(open(f"{here}/calls.json"))
def argument(text):
    try:
        json.loads(text)
    except ValueError:
        return f'{{true: {text}, false: json.unmarshal("0")}}[json.unmarshal("true")]'
    return f"json.unmarshal({json.dumps(text)})"
def expression(call):
    return f'{call[0]}({", ".join(map(argument, call[1:]))})'
query_file = f"{tempfile.mkdtemp()}/query.rego"
def ask(calls):
    rules = [f'answers[{i}] := sprintf("%v", [v]) if v := {expression(call)}\n' for i, call in enumerate(calls)]
    with open(query_file, "w") as file:
        file.write("package q\n" + "".join(rules))
    try:
        out = subprocess.run([opa, "eval", "--format", "json", "-d", query_file, "data.q.answers"], capture_output=True, text=True, timeout=10)
    except subprocess.TimeoutExpired:
        sys.exit(f"OPA takes too long for one of {calls}")
    document = json.loads(out.stdout)
    if "errors" in document:
        sys.exit(json.dumps(document["errors"], indent=1))
    found = document["result"][0]["expressions"][0]["value"]
    return [found.get(str(i)) for i in range(len(calls))]
# OPA's compiler takes far more than linear time for many rules.
answers = [answer for at in range(0, len(calls), 10) for answer in ask(calls[at:at + 10])]
with open(f"{here}/cases.json", "w") as file:
    rows = [json.dumps({"call": call, "answer": answer}, ensure_ascii=False) for call, answer in zip(calls, answers)]
    file.write("[\n" + ",\n".join(rows) + "\n]\n")
print(f"{len(answers)} answers recorded")
PY
cd "$here"
"$opa" build -t wasm -e calls/answer -r 1.0.0 -o bundle.tar.gz calls.rego
