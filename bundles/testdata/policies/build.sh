#!/bin/sh
# Builds the bundles of bundles/tests/policies.rs:
#   OPA=/path/to/opa-1.22.0 bundles/testdata/policies/build.sh
set -eu
cd "$(dirname "$0")"
opa=${OPA:-${INTERLOCK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/interlock}/tools/opa-1.22.0/opa}
for name in careful eager wrong; do
	"$opa" build -t wasm -e gates/catalogue -e gates/decision -b "$name" -o "$name.tar.gz"
done
"$opa" build -t wasm -e main/deny -e main/warn -b plain -o plain.tar.gz
