# Every target makes what it needs: a fresh machine with Python 3.11 or newer, make and a package index is enough.
PYTHON ?= python3
VENV ?= .venv
TESTS ?=
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test test-all lint check format bench docs build clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

demo: $(VENV)/.demo ## class models, figures and a scored recording, from speech made on the spot
	$(BIN)/speechgmm demo --out runs/demo

test: $(VENV)/.dev ## the tests but the slow ones
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 -m "not slow" $(TESTS)

test-all: $(VENV)/.dev ## every test: before a change lands
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 $(TESTS)

lint: $(VENV)/.dev ## lint, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test-all ## lint, types, import contracts, every test

format: $(VENV)/.dev ## put the code into its standard form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev ## ratios to scikit-learn, librosa and others, side by side
	$(BIN)/python benchmarks/run.py --save

docs: $(VENV)/.docs ## the site, in build/site; a warning or a broken link is an error
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --nitpicky -q docs build/site
	$(BIN)/python docs/_ext/built_links.py build/site

build: $(VENV)/.dev ## a wheel and a source archive, in dist/
	$(BIN)/python -m build

clean: ## remove the virtual environment and what was built (results in runs/ stay)
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# Installed once; again only when pyproject.toml changes.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else f"speechgmm needs Python 3.11 or newer; this is {sys.version.split()[0]}: make PYTHON=python3.12 ...")'
	@echo "making a virtual environment in $(VENV)"
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.made pyproject.toml
	@echo "installing speechgmm and what the demo needs into $(VENV), once"
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -e '.[demo]'
	@touch $@

$(VENV)/.dev: $(VENV)/.made pyproject.toml
	@echo "installing speechgmm with every extra into $(VENV), once"
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -e '.[demo,report,dev]'
	@touch $@

$(VENV)/.docs: $(VENV)/.made pyproject.toml
	@echo "installing speechgmm and what its site needs into $(VENV), once"
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -e '.[docs]'
	@touch $@
