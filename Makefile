# `make` lists the targets. Everything runs in .venv, which `make setup` makes.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
STORE ?= out/store

# A fresh machine may call it python3 only.
PYTHON := $(shell command -v $(PYTHON) 2>/dev/null || command -v python3)

.DEFAULT_GOAL := help
.PHONY: help setup demo ui plan check format test test-fast bench-core bench-data bench-world bench-orchestrator bench-zoo results clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv with the apollo command and the development tools

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; say which with: make setup PYTHON=/path/to/python3.11"; exit 1; }
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV) || { echo "On Debian: apt-get install python3-venv"; exit 1; }
	@echo "Installing into $(VENV) (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --upgrade --disable-pip-version-check -c constraints.txt pip
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --group dev -e '.[sweep,cluster]'
	@touch $(STAMP)
	@echo "Done. Next: make demo"

demo: setup ## run sweeps/demo.yaml on a local Ray and write out/demo/report.html
	@$(BIN)/apollo run sweeps/demo.yaml --store $(STORE)
	@$(BIN)/apollo report sweeps/demo.yaml --store $(STORE) --out out/demo
	@echo "Or shorter: make ui"

ui: setup ## open the MLflow UI of the store on http://127.0.0.1:5000
	@$(BIN)/apollo ui --store $(STORE)

plan: setup ## show what the study at paper scale would cost
	@$(BIN)/apollo plan sweeps/apollo84.yaml

check: setup ## lint, format, types, and who may import whom
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright
	$(BIN)/lint-imports

format: setup ## format and mend what ruff can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# A file's tests stay together, since what they share is made once; 8 processes need some 12 GB.
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile

test: setup ## the whole test suite
	$(PYTEST)

test-fast: setup ## the tests that take no more than a few seconds each
	$(PYTEST) -m "not slow"

bench-core: setup ## time a training step beside the loop that most code bases have (about 5 minutes)
	@$(BIN)/python tests/benchmarks/core.py

bench-data: setup ## decoders beside one another: speed, right frames, memory (under 10 minutes); VIDEOS=DIR adds real ones
	@$(BIN)/python tests/benchmarks/decoders.py $(if $(VIDEOS),--videos $(VIDEOS))

bench-world: setup ## what can be told of the microworld's films in principle (1 minute)
	@$(BIN)/python tests/benchmarks/world_probes.py

bench-orchestrator: setup ## makespan, overhead beside plain Ray Tune, sharing, tracking (about 20 minutes)
	@$(BIN)/python tests/benchmarks/orchestrating.py

bench-zoo: setup ## train the microworld's zoo at full size, and probe what it learned (about 30 minutes)
	@$(BIN)/python tests/benchmarks/zoo.py

# Each study's folder holds its score table, its item table and what it ran on.
results: setup ## make the pages of docs/results and docs/findings.md again from their tables
	@ls docs/results/*/scores.csv > /dev/null 2>&1 || { echo "docs/results holds no study yet: apollo report SWEEP --out docs/results/NAME"; exit 1; }
	@for study in docs/results/*/; do \
		$(BIN)/apollo report --scores $${study}scores.csv --items $${study}items.csv.gz --out $$study || exit; done
	@$(BIN)/python -m apollo_core.microworld.by_construction > docs/results/by_construction.json
	@$(BIN)/python -m analysis.paper_findings docs/results docs/findings.md

clean: ## remove what runs and tests left (not .venv)
	rm -rf out .pytest_cache .ruff_cache .hypothesis build *.egg-info
