# setup: .venv with all that the commands and the tests need. demo: the main job. test: everything that needs only Python.
SHELL := /bin/bash
unexport PYTHONDONTWRITEBYTECODE
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
  command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
comma := ,
TRACES := $(or $(HEADWAY_DATA),../shared/data)/scheduling/swf
FILES := src tests benchmarks examples

# What pip does, as a line that grows; if it fails, the end of what it said.
define install
set -o pipefail; PYTHONUNBUFFERED=1 $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off \
  -c constraints.txt -e '.[$(1)]' 2>&1 | tee .venv/install.log | { while read -r word rest; do case "$$word" in \
  Collecting) printf .;; Installing) [[ "$$rest" == collected* ]] && printf ' installing';; esac; done; echo; } \
  || { tail -12 .venv/install.log; exit 1; }
endef

.PHONY: setup setup-real demo test test-real lint format bench bench-traces docs clean

setup: .venv/.ready

.venv/.ready: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Headway needs Python 3.11 or newer: install python3 and python3-venv, or say make PYTHON=/path/to/python3"; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Headway needs Python 3.11 or newer, and $(PYTHON) is older: say make PYTHON=/path/to/python3"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make a virtual environment: install the package python3-venv (Debian, Ubuntu: apt install python3-venv)"; exit 2; }
	@echo "Installing into .venv, once; a dot is a package"
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear .venv
	@$(call install,test)
	@$(BIN)/python -m compileall -q src
	@touch $@

setup-real: .venv/.ready-real

.venv/.ready-models: .venv/.ready
	@echo "Installing the libraries of all models, once"
	@$(call install,test$(comma)models)
	@touch $@

.venv/.ready-real: .venv/.ready-models
	@echo "Installing what the tests against real servers need, once"
	@$(call install,test$(comma)models$(comma)real)
	@touch $@

.venv/.ready-docs: .venv/.ready
	@echo "Installing what the documentation needs, once"
	@$(call install,test$(comma)docs)
	@touch $@

demo: setup
	@$(BIN)/headway demo

test: .venv/.ready-models lint
	$(BIN)/python -m pytest -n 2 tests src

test-real: setup-real
	HEADWAY_REQUIRE_DATA=1 $(BIN)/python -m pytest --override-ini addopts= --import-mode=importlib -q tests/real

lint: setup
	$(BIN)/ruff check $(FILES)
	$(BIN)/ruff format --check $(FILES)
	$(BIN)/mypy

format: setup
	$(BIN)/ruff format $(FILES)
	$(BIN)/ruff check --fix $(FILES)

bench: setup
	$(BIN)/python benchmarks/import_speed.py
	$(BIN)/python benchmarks/store_speed.py
	$(BIN)/python benchmarks/prediction_speed.py
	@test -d "$(TRACES)" || echo "no traces in $(TRACES): set HEADWAY_DATA for the other benchmarks"
	@test ! -d "$(TRACES)" || $(MAKE) --no-print-directory bench-traces

bench-traces: setup
	$(BIN)/python benchmarks/simulator_speed.py
	@for name in HPC2N CTC-SP2; do (set -x; $(BIN)/python benchmarks/runtime_intervals.py $(TRACES)/$$name-*.swf.gz) || exit 1; done
	$(BIN)/python benchmarks/learned_runtimes.py $(TRACES)/HPC2N-*.swf.gz $(TRACES)/CTC-SP2-*.swf.gz
	$(BIN)/python benchmarks/optimize_histories.py $(TRACES)/*.swf.gz

docs: .venv/.ready-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet && echo "site/index.html"

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis site
