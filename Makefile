# Two commands matter: `make demo` shows the catalog at work, `make test` runs the tests.
# Both make what they need, below this folder only.
SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON ?= python3
export PYTHON
BIN := .venv/bin
# The tests wait for servers more than they work.
TEST_PROCESSES ?= 3
AIRFLOW_VENV := .venvs/airflow-3.3.2

.venv/ready: requirements/constraints.txt pyproject.toml tools/make-venv
	tools/make-venv .venv -c requirements/constraints.txt -e '.[server,cli,test,dev,deploy-test]'
	touch $@

$(AIRFLOW_VENV)/ready: requirements/airflow.txt pyproject.toml tools/make-venv
	tools/make-venv $(AIRFLOW_VENV) -c requirements/airflow.txt -r requirements/airflow.in -e '.[cli,airflow]'
	touch $@

.venvs/py313/ready: requirements/constraints.txt pyproject.toml tools/make-venv
	PYTHON=$$(tools/find-python 3.13) tools/make-venv .venvs/py313 -c requirements/constraints.txt -e '.[server,cli,test,deploy-test]'
	touch $@

.PHONY: help setup setup-airflow demo test check format lint types imports reference proto release-contract drift bench bench-summary \
	check-deploy test-airflow test-faults test-py313 test-matrix constraints clean

help: ## Show this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: .venv/ready ## Make the development environment in .venv

setup-airflow: $(AIRFLOW_VENV)/ready ## Make the environment of Airflow 3.3.2

demo: .venv/ready $(AIRFLOW_VENV)/ready ## Serve Airflow's example DAGs from a catalog, and look at them
	$(BIN)/python tools/demo.py --airflow-python $(AIRFLOW_VENV)/bin/python

test: check ## Check the house, then run the default tests (under 8 minutes on 2 cores)
	$(BIN)/python -m pytest -n $(TEST_PROCESSES)

check: .venv/ready lint types imports drift ## Format, lint, types, arrows, contract, generated code

format: .venv/ready ## Write the format that `make lint` asks for
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/buf format -w

lint: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/buf format --diff --exit-code
	$(BIN)/buf lint
	$(BIN)/buf breaking --against proto/released.binpb

types: .venv/ready
	$(BIN)/mypy

imports: .venv/ready
	$(BIN)/lint-imports

reference: .venv/ready ## Write docs/reference out of commands, docstrings and the contract
	$(BIN)/python -m tools.reference

proto: ## Generate the protobuf stubs again
	tools/generate-stubs proto

release-contract: .venv/ready ## Make what was added to the contract part of the released one
	test ! -e proto/released.binpb || $(BIN)/buf breaking --against proto/released.binpb
	$(BIN)/buf build --exclude-source-info -o proto/released.binpb

# Each is `make bench-NAME` too, as bench-get; those next to etcd need Debian's etcd-server and
# libnghttp2-dev.
BENCHMARKS := canonical_json group_commit get blob_read put watch slow_watcher lists cold_start memory storage pruning \
	informer_get informer_watch informer_cold_start

bench: $(BENCHMARKS:%=bench-%) ## Every benchmark, one after the other (an hour)

bench-summary: .venv/ready ## Write what was measured into docs/reference/performance.md
	$(BIN)/python -m benchmarks.summary

bench-%: .venv/bench
	$(BIN)/python -m benchmarks.$*

.venv/bench: .venv/ready
	$(BIN)/uv pip install --system-certs --quiet -c requirements/constraints.txt -e '.[bench]' \
	  || $(BIN)/python -m pip install --quiet -c requirements/constraints.txt -e '.[bench]'
	touch $@

drift: .venv/ready ## Show that the committed stubs and reference pages are what `make` makes
	rm -rf build/stubs
	tools/generate-stubs "$(CURDIR)/build/stubs"
	for file in build/stubs/dagcatalog/v1/*; do cmp "$$file" "proto/dagcatalog/v1/$${file##*/}" || exit 1; done
	$(BIN)/python -m tools.reference --check

check-deploy: .venv/ready ## The manifests of deploy/ alone: rendered, validated, held against the server
	$(BIN)/python -m pytest tests/deploy

test-airflow: .venv/ready $(AIRFLOW_VENV)/ready ## Airflow's own DAGs through the catalog (its own environment)
	$(BIN)/python -m pytest tests/airflow tests/e2e/test_demo.py -m airflow

test-faults: .venv/ready ## Kills and floods, in full: some minutes
	$(BIN)/python -m pytest tests/faults -m faults

test-py313: .venvs/py313/ready ## The default tests on Python 3.13
	.venvs/py313/bin/python -m pytest -n $(TEST_PROCESSES)

test-matrix: .venv/ready ## The client under each protobuf and grpcio it promises
	$(BIN)/python -m pytest tests/packaging -m matrix

constraints: .venv/ready ## Resolve every dependency anew
	$(BIN)/uv pip compile --upgrade --system-certs --universal --python-version 3.11 --no-annotate --no-header -q \
	  --extra server --extra cli --extra test --extra dev --extra bench --extra deploy-test pyproject.toml -o requirements/constraints.txt
	$(BIN)/uv pip compile --upgrade --system-certs --universal --python-version 3.11 --no-annotate --no-header -q \
	  --extra cli --extra airflow pyproject.toml requirements/airflow.in -o requirements/airflow.txt

clean: ## Remove every environment and everything made
	rm -rf .venv .venvs .demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
