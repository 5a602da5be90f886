# Works with GNU make 3.81, the one macOS ships. `make` alone lists the targets.

VENV := .venv
BIN := $(VENV)/bin
# Candidates, best first: the first one that is 3.11-3.13 and can make an environment is used.
PYTHON ?= python3.13 python3.12 python3.11 python3
UV ?= uv
# More arguments for the program a target ends in: make test ARGS="-k gate"
ARGS ?=

CORE := ios_runner/core
CORE_BUILD := build/core-tests
CORE_SOURCES := $(shell find $(CORE) -name CMakeLists.txt -o -name '*.cc' -o -name '*.h')
SUPPORTED := import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo example-report screenshots poets emoji test faults lint runner-test ios-check bench lock fixtures poets-fixtures emoji-fixtures \
	clean FORCE

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' Makefile

setup: $(VENV)/.installed ## make .venv with everything in it

demo: setup fixtures ## a real classifier: build its variants, run, measure, judge
	$(BIN)/harness run fixtures/demo.toml $(ARGS)

example-report: setup fixtures ## the demo's report, for reports/examples; ARGS=RUN takes a stored run
	$(BIN)/python -m fixtures.example_report $(ARGS)

screenshots: setup ## pictures of the example report, for docs/images; needs Chromium
	$(BIN)/python -m fixtures.screenshots

poets: poets-fixtures ## TensorFlow for Mobile Poets, from retrained_graph.pb to the report
	$(BIN)/harness run fixtures/poets.toml $(ARGS)

emoji: emoji-fixtures ## a keyboard's emoji: texts, a model trained on them, its variants, run, measured, judged
	$(BIN)/harness run fixtures/emoji.toml $(ARGS)

test: setup fixtures poets-fixtures emoji-fixtures ## the tests, on every core; ARGS go to pytest
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

lint: setup ## formatting, lint and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict harness fixtures benchmarks
	@if command -v clang-format >/dev/null; then \
		clang-format --dry-run -Werror $(filter %.cc %.h,$(CORE_SOURCES)); \
	else \
		echo "clang-format is not installed: the C++ formatting is not checked"; \
	fi

faults: setup ## the whole matrix of phone faults; the tests have a part of it
	HARNESS_WHOLE_FAULT_MATRIX=1 $(BIN)/python -m pytest tests/contract/test_iphone_faults.py $(ARGS)

runner-test: $(VENV)/.requirements ## build the C++ core and run its tests
	$(BIN)/cmake -S $(CORE) -B $(CORE_BUILD) -G Ninja -DCMAKE_MAKE_PROGRAM="$(CURDIR)/$(BIN)/ninja" \
		-DCMAKE_BUILD_TYPE=Release -DHARNESS_RUNNER_TESTS=ON
	$(BIN)/cmake --build $(CORE_BUILD)
	$(BIN)/ctest --test-dir $(CORE_BUILD) --output-on-failure $(ARGS)

ios-check: $(VENV)/.installed ## the runner and its app as far as no Mac is needed: sanitizers, Darwin compiler, Swift, project
	$(BIN)/cmake -S $(CORE) -B build/core-sanitized -G Ninja -DCMAKE_MAKE_PROGRAM="$(CURDIR)/$(BIN)/ninja" \
		-DCMAKE_BUILD_TYPE=Debug -DCMAKE_UNITY_BUILD=ON -DHARNESS_RUNNER_TESTS=ON -DHARNESS_RUNNER_SANITIZE=ON
	$(BIN)/cmake --build build/core-sanitized
	$(BIN)/ctest --test-dir build/core-sanitized --output-on-failure
	$(BIN)/python ios_runner/scripts/cross_compile.py
	$(BIN)/python -m pytest -q tests/unit/ios_runner tests/unit/wire/test_golden.py
	ios_runner/scripts/swift_check.sh

bench: setup fixtures ## the benchmarks; ARGS go to them
	$(BIN)/python -m benchmarks $(ARGS)

# Keeps what the lock already holds; ARGS=--upgrade takes the newest releases the ranges allow.
lock: ## make requirements.lock again from pyproject.toml
	@command -v $(UV) >/dev/null || { echo "error: relocking needs uv: pip install uv, or make lock UV=/path/to/uv" >&2; exit 1; }
	$(UV) pip compile pyproject.toml --group dev --group build --universal --python-version 3.11 \
		--generate-hashes --custom-compile-command "make lock" --quiet --output-file requirements.lock $(ARGS)

fixtures: setup ## fetch and check what the demo and the tests use
	$(BIN)/python -m fixtures.get

poets-fixtures: setup
	$(BIN)/python -m fixtures.get --poets

emoji-fixtures: setup
	$(BIN)/python -m fixtures.get --emoji

clean: ## remove the environment and what was built; downloads and runs stay
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find harness fixtures tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@for candidate in $(PYTHON); do \
		if "$$candidate" -c '$(SUPPORTED)' 2>/dev/null; then \
			echo "$$candidate -m venv $(VENV)  ($$("$$candidate" --version))"; \
			"$$candidate" -m venv --clear $(VENV) || rm -rf $(VENV); \
			exit; \
		fi; \
	done; \
	echo "error: none of these is a Python 3.11, 3.12 or 3.13 with venv and ensurepip: $(PYTHON)" >&2; \
	echo "next:  install one (Debian: apt install python3-venv; macOS: brew install python@3.13)" >&2; \
	echo "       or name yours: make setup PYTHON=/path/to/python3" >&2; \
	exit 1

# The locked pip comes first: the one that Python 3.11 and 3.12 bundle takes twice as long for the rest.
$(VENV)/.requirements: requirements.lock | $(BIN)/python
	sed -n '/^pip==/,/^ *#/p' requirements.lock > $(VENV)/pip.lock
	$(BIN)/python -m pip install -qq --no-deps --require-hashes -r $(VENV)/pip.lock
	@echo "Installing from requirements.lock, hashes checked: about 600 MB, half a minute where downloads are quick"
	$(BIN)/python -m pip install -qq --no-deps --no-compile --require-hashes -r requirements.lock
	@touch $@

# The editable install knows each module's place: one that was added, moved or removed is an install out of date.
$(VENV)/.modules: FORCE | $(BIN)/python
	@find harness -name '*.py' | LC_ALL=C sort > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

FORCE:

$(VENV)/.installed: $(VENV)/.requirements $(VENV)/.modules pyproject.toml harness/__init__.py $(CORE_SOURCES)
	$(BIN)/python -m pip install -qq --no-deps --no-build-isolation --editable .
	@touch $@
