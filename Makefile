# Two commands do everything on a fresh machine with Python 3.11 and make: `make up`, `make test`.
PYTHON ?= python3
BIN := .venv/bin
RUN := $(BIN)/python -m
WORKERS ?= auto

.PHONY: up test check format lock bench bench-detection judge proto clean
.DEFAULT_GOAL := help

help: ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

up: .venv/.server ## set up and run Pynomaly on embedded defaults
	$(BIN)/pynomaly up

test: .venv/.dev ## set up and pass the tests
	$(RUN) pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: .venv/.dev ## lint, types, arrows
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.dev ## put the code in its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/.dev ## measure, beside the peers that are installed
	$(RUN) benchmarks $(ARGS)

bench-detection: .venv/.dev ## measure detection; DATA names checkouts of NAB and TSB-AD
	DATA=$(DATA) $(RUN) benchmarks detection

judge: .venv/.dev ## run the field's own test suites found under DIR
	$(RUN) tests.judge $(DIR)

proto: .venv/.dev ## renew the code made from the .proto files
	PATH=$(BIN):$$PATH $(RUN) grpc_tools.protoc -I src --python_out=src --mypy_out=quiet:src \
	  src/pynomaly/ingest/remote_write/v1.proto src/pynomaly/ingest/remote_write/v2.proto \
	  src/pynomaly/api/prometheus/remote_read/messages.proto

lock: .venv/.dev ## renew the locks of names and hashes
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --no-header --upgrade -q -o requirements-dev.lock
	$(BIN)/uv pip compile pyproject.toml --extra server --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --no-header -c requirements-dev.lock -q -o requirements.lock

clean: ## remove what was set up; the data folder stays
	rm -rf .venv

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Pynomaly needs Python 3.11 or later; $$($(PYTHON) --version) is $(PYTHON). Try: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@echo "Making a virtual environment in .venv"
	@$(PYTHON) -m venv .venv

.venv/.server: requirements.lock pyproject.toml | .venv/bin/python
	@echo "Installing Pynomaly's libraries (about a minute, once)"
	@$(RUN) pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(RUN) pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

.venv/.dev: requirements-dev.lock pyproject.toml | .venv/bin/python
	@echo "Installing Pynomaly's libraries and what its tests need (about a minute, once)"
	@$(RUN) pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(RUN) pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch .venv/.server $@
