# Every target makes what it needs: a fresh machine with Python 3.11 or newer, make and a package index is enough.
PYTHON ?= python3
VENV ?= .venv
TESTS ?=
# Versions that were tested together; empty: the newest that pyproject.toml allows.
CONSTRAINTS ?= constraints.txt
# A folder of wheels to install from; empty: the package index.
WHEELS ?=
BIN := $(VENV)/bin
PIP = $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off \
	$(if $(CONSTRAINTS),--constraint $(CONSTRAINTS)) $(if $(WHEELS),--no-index --find-links $(WHEELS))
COMMA := ,
NOT_INSTALLED = { echo "make: not installed; the lines above say why. Without a network: on a machine that has one, with the same \
	system and Python, run  python3 -m pip download --dest wheels --constraint constraints.txt '.[$(1)]' hatchling editables , \
	copy the folder wheels to here, and run make with WHEELS=wheels" >&2; exit 1; }

.DEFAULT_GOAL := help
.PHONY: help demo test test-all lint check format bench docs build release resolution constraints licences clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

demo: $(VENV)/.demo ## class models, metrics and a scored recording, from speech made on the spot
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

release: $(VENV)/.release ## build and check what is published: archives, their size, an empty environment, the demo
	PYTHON=$(PYTHON) BIN=$(abspath $(BIN)) .ci/release

resolution: $(VENV)/.release ## the demo and some tests with the oldest and the newest versions that pyproject.toml allows
	BIN=$(abspath $(BIN)) .ci/resolution

constraints: $(VENV)/.release ## constraints.txt anew, with the newest versions
	$(BIN)/python .ci/constraints.py

licences: $(VENV)/.dev ## docs/project/licences.md anew
	$(BIN)/python .ci/licences.py

clean: ## remove the virtual environment and what was built (results in runs/ stay)
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# Installed once; again only when pyproject.toml, the version or the constraints change.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else f"speechgmm needs Python 3.11 or newer; this is {sys.version.split()[0]}: make PYTHON=python3.12 ...")'
	@echo "making a virtual environment in $(VENV)"
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.made pyproject.toml speechgmm/__init__.py $(CONSTRAINTS)
	@echo "installing speechgmm and what the demo needs into $(VENV), once"
	@$(PIP) -e '.[demo]' || $(call NOT_INSTALLED,demo)
	@touch $@

$(VENV)/.dev: $(VENV)/.made pyproject.toml speechgmm/__init__.py $(CONSTRAINTS)
	@echo "installing speechgmm with every extra into $(VENV), once"
	@$(PIP) -e '.[demo,report,dev]' || $(call NOT_INSTALLED,demo$(COMMA)report$(COMMA)dev)
	@touch $@

$(VENV)/.docs: $(VENV)/.made pyproject.toml speechgmm/__init__.py $(CONSTRAINTS)
	@echo "installing speechgmm and what its site needs into $(VENV), once"
	@$(PIP) -e '.[docs]' || $(call NOT_INSTALLED,docs)
	@touch $@

$(VENV)/.release: $(VENV)/.made pyproject.toml $(CONSTRAINTS)
	@echo "installing what a release needs into $(VENV), once"
	@$(PIP) build twine uv packaging || $(call NOT_INSTALLED,release)
	@touch $@
