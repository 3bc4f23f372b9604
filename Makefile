# make demo    the main job on real recorded runs, in under a minute
# make test    every test, also beside the other two lines of classic AutoGen
# make lint    formatting, linter and types
#
# Nothing is needed but Python 3.10+ and pip: each target makes the virtual environment that it uses, the first time and
# whenever pyproject.toml has changed. Another Python: make test PYTHON=python3.12

PYTHON ?= python3
PYTEST_ARGS ?=
JOBS ?= 2

export PYTHON
# A program that is tested must not see the settings of whoever tests it.
unexport SEASONED_ENABLED SEASONED_HOME SEASONED_DB SEASONED_NAMESPACE PYTHONPATH

ENV := .ci/venv
# Two distributions that give the same `autogen` overwrite each other silently: one environment for each.
OLD := autogen-agentchat==0.2.40
AG2 := ag2[openai]==0.14.0
# Since 0.1.12 the instrumentor knows these distributions; it refuses others with a log line and records nothing.
PEERS := openinference-instrumentation-ag2==0.1.12 openinference-instrumentation-autogen-agentchat \
	openinference-instrumentation-langchain opentelemetry-sdk>=1.30
ROOMS := adapters growth instrumentation plugin skills_lib

.PHONY: demo test test-main test-old test-ag2 lint format bench clean help

help:
	@sed -n '/^# make/s/^# //p' Makefile
	@echo "make bench   the benchmarks, each beside its baseline"
	@echo "make format  puts the code into the linter's format"
	@echo "make clean   removes environments and whatever else was made here"

demo:
	@$(ENV) .venv demo -e '.[autogen]'
	@.venv/bin/seasoned demo

test: test-main test-old test-ag2
	@echo "==> all tests passed"

test-main: .dev
	@echo "==> tests (Python $$(.venv/bin/python -V | cut -d' ' -f2), autogen 0.14)"
	@.venv/bin/pytest -n $(JOBS) --dist loadfile $(PYTEST_ARGS)

# 0.2.40 needs numpy 1, which has no wheels for Python 3.13 and later.
test-old:
	@if $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 13))'; then \
		echo "==> left out: $(OLD) does not install on Python 3.13 and later; PYTHON=python3.12 tests it"; \
	else \
		$(ENV) .venv-old test -e '.[test]' '$(OLD)' && \
		echo "==> the adapter's tests beside $(OLD)" && \
		.venv-old/bin/pytest tests/adapters $(PYTEST_ARGS); \
	fi

test-ag2:
	@$(ENV) .venv-ag2 test -e '.[test]' '$(AG2)'
	@echo "==> the adapter's tests beside $(AG2)"
	@.venv-ag2/bin/pytest tests/adapters $(PYTEST_ARGS)

lint: .dev
	@echo "==> ruff format --check"
	@.venv/bin/ruff format --check .
	@echo "==> ruff check"
	@.venv/bin/ruff check .
	@echo "==> basedpyright"
	@.venv/bin/basedpyright --project pyproject.toml

format: .dev
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

bench:
	@$(ENV) .venv-bench bench -e '.[agentchat,langchain]' '$(AG2)' $(foreach peer,$(PEERS),'$(peer)')
	@.venv-bench/bin/python tests/bench/run_all.py

# The symlink lets the type checker resolve `import seasoned`: the root is the package of that name.
.PHONY: .dev
.dev:
	@$(ENV) .venv dev -e '.[dev]'
	@[ -L seasoned ] || ln -s . seasoned

clean:
	rm -rf .venv .venv-old .venv-ag2 .venv-bench build dist seasoned.egg-info .pytest_cache .ruff_cache .hypothesis
	rm -f seasoned
	find $(ROOMS) tests __pycache__ -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
