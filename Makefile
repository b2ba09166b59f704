# Two targets matter: `make run` sets up and starts everything, `make test` sets up and proves it.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
ARGS   ?=
PYTEST := $(BIN)/python -m pytest

.PHONY: run compiled test check setup setup-test clean format lock

run: setup $(if $(filter-out 0,$(COMPILED)),build/compiled/.made)
	@$(if $(filter-out 0,$(COMPILED)),PYTHONPATH=$(CURDIR)/build/compiled) $(BIN)/realtime-router serve $(ARGS)

# The hot path in C (`make run COMPILED=1` uses it): needs a C compiler and Python's headers.
compiled: setup build/compiled/.made

build/compiled/.made: deploy/compile.py deploy/compile.lock $(shell find policies router realtime -name '*.py')
	@echo "compiling the hot path (two to three minutes)"
	@$(BIN)/python -m pip install --disable-pip-version-check --no-input -qq --require-hashes -r deploy/compile.lock
	@mkdir -p build
	@$(BIN)/python deploy/compile.py build/compiled >build/compile.log || { cat build/compile.log; exit 1; }
	@touch $@

test: setup-test check
	@# Thousands of tests share two cores with real servers and browsers: what failed gets one more try, alone.
	$(PYTEST) -n 2 --dist loadfile --cov --cov-report=term:skip-covered --cov-report= $(ARGS) || \
	$(PYTEST) --last-failed --last-failed-no-failures none --cov --cov-append --cov-report=
	$(BIN)/python tests/coverage_floor.py

check:
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

setup: $(VENV)/.installed
setup-test: $(VENV)/.installed-test

$(VENV)/.installed: pyproject.toml deploy/run.lock deploy/setup.sh
	@sh deploy/setup.sh "$(PYTHON)" "$(VENV)" run
	@touch $@

$(VENV)/.installed-test: pyproject.toml requirements.lock deploy/setup.sh
	@sh deploy/setup.sh "$(PYTHON)" "$(VENV)" test
	@touch $@ $(VENV)/.installed

format:
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Needs uv. The lock of `make run` is a part of the lock of `make test`: the same versions, fewer packages.
LOCK = uv pip compile pyproject.toml - --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
       --no-header --no-annotate --quiet
lock:
	echo 'setuptools>=77' | $(LOCK) --extra voice --extra redis --extra postgres --extra otel --extra test -o requirements.lock
	echo 'setuptools>=77' | $(LOCK) --extra voice --extra otel -c requirements.lock -o deploy/run.lock
	printf 'mypy\nsetuptools>=77\n' | $(subst pyproject.toml,,$(LOCK)) -c requirements.lock -o deploy/compile.lock

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
