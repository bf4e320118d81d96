.DEFAULT_GOAL := help
PYTHON ?= $(or $(shell command -v python3.11),python3)
TEXT ?= spoon
SPARKS ?= 3.5 4.0
BIN := .venv/bin

help: ## Show this help
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.venv/.stamp: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null || \
		{ echo "needs Python 3.11 or newer, $(PYTHON) is not: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@command -v java > /dev/null || { echo "needs Java 17: install it, java is not in PATH" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

sample: .venv/.stamp ## Draw a cooking video, find the spoon in it on Spark, show the result
	$(BIN)/python -m spark_keyframes demo --text "$(TEXT)"

# Two processes, of which one has Spark's JVM: most tests wait, and two sessions would fill the memory.
# 1: tests of the first process, with its output at the end; 2: of the second.
define two_processes
	@$(BIN)/pytest $(1) -p no:cacheprovider > .first-tests.log 2>&1 & first=$$!; \
		trap "kill $$first 2> /dev/null; rm -f .first-tests.log" EXIT; \
		$(BIN)/pytest $(2); second=$$?; \
		wait $$first; status=$$?; cat .first-tests.log; exit $$((second | status))
endef

test: .venv/.stamp ## Run the essential tests: a few minutes
	$(call two_processes,-m "not slow and spark",-m "not slow and not spark")

# tests/jobs last: its rows of a day fill a heap of 6 GB, and the other process has ended by then.
WITH_SPARK := tests/matrix tests/shipping tests/spark tests/test_readme.py tests/jobs
test-slow: .venv/.stamp ## Run the tests that `make test` leaves out
	$(call two_processes,-m slow $(WITH_SPARK),-m slow $(WITH_SPARK:%=--ignore=%))

test-all: .venv/.stamp ## Run all tests
	$(BIN)/pytest

# An environment with the pins of constraints.txt, but for those of a file that has others.
# 1: that file; 2: what to install.
define environment
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	{ grep -viE "^($$(cut -d= -f1 $(1) | paste -sd'|'))==" constraints.txt; cat $(1); } \
		> $(@D)/constraints.txt
	$(@D)/bin/pip install --quiet --disable-pip-version-check -c $(@D)/constraints.txt $(2)
	@touch $@
endef

.venv-spark-%/.stamp: pyproject.toml constraints.txt tests/matrix/spark-%.txt
	$(call environment,tests/matrix/spark-$*.txt,-e '.[test]')

# On one older version of Spark: make test-spark-3.5.
$(SPARKS:%=test-spark-%): test-spark-%: .venv-spark-%/.stamp
	SPARK_MATRIX=1 .venv-spark-$*/bin/pytest tests/matrix -rs -p no:cacheprovider

# The lower bounds of pyproject.toml. TORCH=2.6.0 tries an older torch, in a new environment.
.venv-oldest/.stamp: pyproject.toml constraints.txt tests/matrix/oldest.txt
	{ cat tests/matrix/oldest.txt; $(if $(TORCH),echo torch==$(TORCH);) } > .oldest.txt
	$(call environment,.oldest.txt,-e '.[fsspec$(comma)s3]' flask flask-cors hypothesis moto[s3] pytest)
	@rm .oldest.txt
comma := ,

# The suite of tests/matrix on Spark 3.5.0, and the quick tests of the rooms that use these packages.
OLDEST_ROOMS := arrow clip demo engine html images index matcher selection storage video
test-oldest: .venv-oldest/.stamp ## Test the oldest versions of all packages that are allowed
	SPARK_MATRIX=1 .venv-oldest/bin/pytest tests/matrix -k classic -rs -p no:cacheprovider
	.venv-oldest/bin/pytest $(OLDEST_ROOMS:%=tests/%) -m "not slow" -rs -p no:cacheprovider

# All environments come first: a client of Spark 3.5 needs the Connect server of 4.0.
test-matrix: .venv/.stamp $(SPARKS:%=.venv-spark-%/.stamp) $(SPARKS:%=test-spark-%) test-oldest ## Run a small suite on each version of Spark, classic and Connect, and with the oldest packages
	SPARK_MATRIX=1 $(BIN)/pytest tests/matrix -rs -p no:cacheprovider

lint: .venv/.stamp ## Check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache

picture: .venv/.stamp ## Print how many imports each room has from each other room
	@$(BIN)/python -m tests.import_picture

.venv-bench/.stamp: benchmarks/requirements.txt
	test -x .venv-bench/bin/python || $(PYTHON) -m venv .venv-bench
	.venv-bench/bin/pip install --quiet --disable-pip-version-check -r $< || { \
		echo "not everything could be installed at once: one by one; what fails is left out" >&2; \
		grep -o '^[^# ]*' $< | xargs -n 1 .venv-bench/bin/pip install --quiet; true; }
	@touch $@

# Takes three hours. After a break it goes on: BENCH="--within 90" ends it after 90 minutes.
bench: .venv/.stamp .venv-bench/.stamp ## Measure decoding, scoring and the whole beside what people use today
	$(BIN)/python -m benchmarks $(BENCH)

# Of the card's machine, which needs no more than benchmarks/gpu.py says. GPU="--part scoring" runs one.
GPU_PYTHON ?= python3
gpu-check: ## Check and measure everything on a GPU, in minutes, without Spark and this environment
	$(GPU_PYTHON) -m benchmarks.gpu $(GPU)

# Without the variable, the theme advertises its successor on every run. With --quiet, mkdocs would
# not notice warnings either, and they are errors here.
docs docs-serve: export NO_MKDOCS_2_WARNING = 1
docs: .venv/.stamp ## Make a site of all pages in site/, and of the docstrings
	$(BIN)/mkdocs build --strict
	@echo "open site/index.html"

docs-serve: .venv/.stamp ## Show the site at http://127.0.0.1:8000, and each change of a page
	$(BIN)/mkdocs serve

texts: .venv/.stamp ## Write the texts of parameters into docstrings and pages
	$(BIN)/python docs/texts.py

pictures: .venv/.stamp ## Draw the pictures of the pages that explain
	$(BIN)/python -m docs.pictures

notebook: .venv/.stamp ## Execute the notebook, and write its output
	$(BIN)/python -m notebooks.execute

clean: ## Remove the virtual environment and all outputs
	rm -rf .venv .venv-* out site build dist *.egg-info

.PHONY: help sample test test-slow test-all test-matrix $(SPARKS:%=test-spark-%) test-oldest lint picture bench gpu-check docs docs-serve texts pictures notebook clean
