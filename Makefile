.DEFAULT_GOAL := help
.PHONY: help setup demo cluster-demo unit test check fix generate verify bench gpu lock

UV_VERSION := 0.13.9
UV := $(or $(shell command -v uv),.tools/bin/uv)
PYTHON := .venv/bin/python
EXTRAS := operator,cli,runtime,triton,lm-eval
# Each with a lock of its own, for their pins conflict.
HARNESSES := bfcl simple-evals bigcode garak safety-harness container
COMPILE = $(UV) pip compile pyproject.toml --universal --generate-hashes --no-emit-index-url \
  --custom-compile-command 'make lock' --quiet
comma := ,
PURE_TESTS := tests/unit tests/contract/crds tests/contract/operator
PURE := $(shell tr '\n' ' ' < tests/pure_modules.txt)

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.complete ## Make the virtual environment .venv

.tools/bin/uv:
	python3 -m venv .tools && .tools/bin/pip install --quiet uv==$(UV_VERSION)

.venv/.complete: pyproject.toml requirements.lock | $(filter .tools/bin/uv,$(UV))
	$(UV) venv --quiet --clear --python '>=3.11,<3.13' .venv
	VIRTUAL_ENV=.venv $(UV) pip install --quiet -c requirements.lock -e '.[$(EXTRAS)]' --group dev
	@touch $@

demo: setup ## Serve and evaluate the demo model on this machine: scores and status
	$(PYTHON) -m proctor_cli.app run examples/arithmetic/*.yaml --volume arithmetic=demo/arithmetic

cluster-demo: setup ## The same on a real Kubernetes node, by kubectl apply
	$(PYTHON) -m demo.cluster

unit: setup ## Run the tests of pure modules, and hold those to their coverage
	$(PYTHON) -m pytest -q $(PURE_TESTS) \
	  $(PURE:%=--cov=%) --cov-fail-under=95 --cov-report=term:skip-covered

test: unit ## Run every test; cluster tiers that this machine cannot run are skipped with a reason
	$(PYTHON) -m pytest $(PURE_TESTS:%=--ignore=%)

check: setup ## Lint, types and layers
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	.venv/bin/lint-imports

fix: setup ## Format, and mend what the linter can
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

generate: setup ## Write the CRDs and docs/reasons.md from the API's types
	$(PYTHON) -m proctor_crds crds charts/proctor/files/crds

verify: generate ## Fail where a generated file is not what generating makes
	git diff --exit-code -- crds charts docs/reasons.md

bench: setup ## Measure, into bench/results.json and bench/history.csv
	$(PYTHON) -m bench

gpu: setup ## Correctness and benchmarks on a CUDA device
	PROCTOR_REQUIRE_GPU=1 $(PYTHON) -m pytest -m gpu --override-ini addopts='--import-mode=importlib --strict-markers -ra'

lock: ## Choose versions anew, into requirements.lock
	$(COMPILE) $(subst $(comma), --extra ,--extra $(EXTRAS)) --group pyproject.toml:dev \
	  -o requirements.lock
	for harness in $(HARNESSES); do \
	  $(COMPILE) --extra $$harness -o images/harness-$$harness/requirements.lock || exit 1; done
