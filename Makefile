.DEFAULT_GOAL := help
PYTHON ?= $(or $(shell command -v python3.11),python3)
TEXT ?= spoon
BIN := .venv/bin

help: ## Show this help
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.venv/.stamp: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null || \
		{ echo "needs Python 3.11 or newer, $(PYTHON) is not: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@command -v java > /dev/null || { echo "needs Java 17: install it, java is not in PATH" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

sample: .venv/.stamp ## Draw a cooking video, find the spoon in it on Spark, show the result
	$(BIN)/python -m demo.sample --text "$(TEXT)"

test: .venv/.stamp ## Run all tests
	$(BIN)/pytest

lint: .venv/.stamp ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/.stamp ## Measure decoding and scoring side by side with the plain way
	$(BIN)/python -m benchmarks.decode
	$(BIN)/python -m benchmarks.score

clean: ## Remove the virtual environment and all outputs
	rm -rf .venv out build dist *.egg-info

.PHONY: help sample test lint bench clean
