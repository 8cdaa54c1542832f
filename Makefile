# `make demo` runs the main job on this machine; `make test` shows that all of it works. Both build what they need.
# On a machine with Rust, Go, make (and but for the demo Python): tools and cargo-deny are built once, into the cache that
# `tests/tools/build` names.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CACHE ?= $(or $(INTERLOCK_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/interlock)
CARGO_DENY_VERSION := 0.20.2
CARGO_DENY := $(CACHE)/tools/cargo-deny-$(CARGO_DENY_VERSION)/bin/cargo-deny
CARGO_FUZZ_VERSION := 0.13.2
CARGO_FUZZ := $(CACHE)/tools/cargo-fuzz-$(CARGO_FUZZ_VERSION)/bin/cargo-fuzz
export OPA = $(shell tests/tools/build --path opa)

# $(call step,what it does): says so, with the time.
step = printf '\n==> %s  %s\n' "$$(date +%H:%M:%S)" $(1)

.PHONY: help
help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: stage ## Run the main job: a signed bundle judges workloads; stays up until Ctrl-C
	@exec target/debug/demo

.PHONY: demo-once
demo-once: stage ## The same, and leave: 0 only if all went as told
	@target/debug/demo --once

# The tools are built beside all that does not need them.
.PHONY: test
test: ## All checks and all tests
	@$(call step,"tools beside workspace and lints (30 min on two cores with an empty cache)")
	@tests/tools/build all & tools=$$!; trap 'kill $$tools 2>/dev/null || true' EXIT; \
	$(MAKE) --no-print-directory build lint; wait $$tools
	@$(MAKE) --no-print-directory policies
	@$(call step,"tests of all crates and the end-to-end stories (13 min on two cores)")
	@cargo test --workspace --no-fail-fast
	@$(call step,"all passed")

.PHONY: upgrade
upgrade: ready ## Upgrade from the first public commit, with that commit's own operator (10 min; slow)
	@tests/upgrade

.PHONY: bench
bench: ready ## Measure beside peers in one run: decisions, signatures, questions, writes, memory; writes docs/performance.md
	@tests/tools/build oracle opa-wasm
	@$(call step,"the engine beside OPA (15 min on two cores to compile the first time and then 5 min)")
	@ORACLE=$$(tests/tools/build --path oracle) OPA_WASM=$$(tests/tools/build --path opa-wasm) \
		cargo bench --package interlock-bundles --features measure --bench engine
	@$(call step,"signatures and models beside cosign and model_signing (3 min on two cores)")
	@COSIGN=$$(tests/tools/build --path cosign) MODEL_SIGNING=$$(tests/tools/build --path model-signing) \
		cargo bench --package interlock-bundles --features measure --bench trust
	@$(call step,"the operator (5 min on two cores)")
	@target/debug/bench

# Hostile modules a thousand times each, and then the fuzz targets, which are built apart and with other flags.
.PHONY: fuzz
fuzz: build $(CARGO_FUZZ) ## Feed what nobody would write to all that reads bundles, modules, inputs, signatures, layers and lists (40 min)
	@tests/tools/build oracle
	@$(call step,"hostile modules")
	@INTERLOCK_HOSTILE_ROUNDS=1000 cargo test --workspace --quiet --test hostile
	@$(call step,"fuzz targets: 15 min to build on two cores the first time and then $${FUZZ_SECONDS:-60} s each")
	@CARGO_FUZZ=$(CARGO_FUZZ) bundles/fuzz/run

$(CARGO_FUZZ):
	@$(call step,"installing cargo-fuzz $(CARGO_FUZZ_VERSION) (2 min on two cores; once)")
	@cargo install --locked --quiet --root $(CACHE)/tools/cargo-fuzz-$(CARGO_FUZZ_VERSION) \
		--version $(CARGO_FUZZ_VERSION) cargo-fuzz

.PHONY: conformance
conformance: build ## Run OPA's own cases through the engine (8 min on two cores); writes docs/conformance.md
	@tests/tools/build oracle
	@$(call step,"OPA's own cases (8 min on two cores)")
	@target/debug/conformance

.PHONY: tools
tools: ## Build the pinned tools that tests and the demo run (17 min on two cores; once)
	@tests/tools/build all

# The whole workspace at once: with fewer packages cargo would choose other features for what they share, and compile
# it again. So every target starts from this one.
.PHONY: build
build: ## Compile everything (8 min on two cores; then only what changed)
	@$(call step,"compiling the workspace (8 min on two cores the first time)")
	@cargo build --workspace --all-targets

# Both at once: Go and Rust each have phases that leave a core idle.
.PHONY: ready stage
ready: TOOLS := all
stage: TOOLS := etcd kube-apiserver kube-controller-manager kubectl registry manifests cosign helm prometheus
ready stage:
	@$(call step,"tools and workspace (22 min on two cores with an empty cache)")
	@tests/tools/build $(TOOLS) & tools=$$!; trap 'kill $$tools 2>/dev/null || true' EXIT; \
	cargo build --workspace --all-targets; wait $$tools

.PHONY: lint
lint: fmt clippy doc deny ## Formatting, lints, documentation, dependencies

.PHONY: fmt
fmt:
	@$(call step,"formatting")
	@cargo fmt --all --check

.PHONY: clippy
clippy:
	@$(call step,"clippy (3 min on two cores the first time)")
	@cargo clippy --workspace --all-targets --quiet -- -D warnings

.PHONY: doc
doc:
	@$(call step,"documentation")
	@RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet

# Advisories come from a Git repository. Where it cannot be reached and no copy is there, the other three checks still
# run, and the gap is said aloud.
.PHONY: deny
deny: $(CARGO_DENY) ## Licences, advisories, sources and duplicates of all dependencies
	@$(call step,"cargo deny")
	@if $(CARGO_DENY) --log-level error fetch db; then checks="advisories bans licenses sources"; else \
		checks="bans licenses sources"; \
		echo "make deny: the advisory database cannot be fetched, so ADVISORIES ARE NOT CHECKED" >&2; \
	fi; $(CARGO_DENY) --log-level error check --hide-inclusion-graph $$checks

$(CARGO_DENY):
	@$(call step,"installing cargo-deny $(CARGO_DENY_VERSION) (5 min on two cores; once)")
	@cargo install --locked --quiet --root $(CACHE)/tools/cargo-deny-$(CARGO_DENY_VERSION) \
		--version $(CARGO_DENY_VERSION) cargo-deny

.PHONY: policies
policies: ## opa fmt, opa check --strict and opa test of every bundle
	@tests/tools/build opa
	@$(call step,"policies")
	@policies/test

# What is committed and made from the code: crds/generated, the chart's copy of it, the pages about API and conditions,
# docs/capabilities.json.
.PHONY: generated
generated: ## Write anew what is made from the code
	@UPDATE=1 cargo test --workspace --quiet --test generated --test docs
	@UPDATE=1 cargo test --workspace --quiet --test e2e the_chart_carries
	@UPDATE=1 cargo test --workspace --quiet --test policies the_capabilities_are

.PHONY: bundles
bundles: ## Build bundles/dist from policies/
	@tests/tools/build opa
	@policies/build

# A static binary needs other flags for every crate, so it has a target folder of its own. HOST is named because
# without it these flags would go to procedural macros too, which cannot be static.
HOST = $(shell rustc -vV | sed -n 's/^host: //p')
.PHONY: image
image: ## Build the operator's image into target/image (30 min on two cores the first time); PUSH=HOST/PATH:TAG pushes it
	@tests/tools/build crane
	@$(call step,"compiling a static release binary")
	@RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked --bin interlock \
		--target $(HOST) --target-dir target/static
	@$(call step,"the image; its digest")
	@charts/image target/static/$(HOST)/release/interlock target/image
	@if [ -n "$(PUSH)" ]; then $$(tests/tools/build --path crane) push target/image $(PUSH); \
		else echo "not pushed: make image PUSH=HOST/PATH:TAG"; fi

.PHONY: clean
clean: ## Remove what was compiled here; the cache stays
	@cargo clean
