# `make run` and `make test` need Python >= 3.11 and nothing else: they build .venv themselves.
PYTHON ?= python3
CONFIG ?= configs/digits_first.py
ARGS ?=
MINUTES ?= 0
BIN := .venv/bin

.PHONY: run test lint format docs results lock clean

run: .venv/installed
	$(BIN)/jax-al run $(CONFIG) $(ARGS)

# Most of the time goes into compiling, so most programs are compiled plainly, which is faster by
# three. Where bits and rounding are the subject they are compiled as for users; plain `pytest`
# compiles all of them so.
PLAINLY := JAX_DISABLE_MOST_OPTIMIZATIONS=1 \
  XLA_FLAGS="--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"

# Whoever has no Chromium tests the rest; with NEEDS_BROWSER, as in CI, all of them run, and fail.
BROWSER = $(NEEDS_BROWSER)$(shell command -v chromedriver >/dev/null && \
  { command -v chromium || command -v chromium-browser; })

test: .venv/installed-test
	@echo "All tests, offline: 16 minutes on two quiet cores, 11 the next time, as compiled" \
	  "programs are kept in build/; more on busy ones."
	@[ -n "$(BROWSER)" ] || echo "No Chromium, so the pages are not tested in one:" \
	  "apt-get install chromium chromium-driver"
	$(PLAINLY) $(BIN)/python -m pytest -m "not as_for_users$(if $(BROWSER),, and not browser)"
	$(BIN)/python -m pytest -m as_for_users

lint: .venv/installed-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: .venv/installed-test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# build/docs/index.html; a link that leads nowhere, or a page that would fetch something, is an error
# (not with --quiet, which hears no warning).
docs: .venv/installed-docs
	PATH="$(CURDIR)/$(BIN):$$PATH" NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Without MINUTES: what is claimed, the command that shows it, and how long that takes.
results: .venv/installed-test
	$(BIN)/python benchmarks/claims.py --minutes "$(MINUTES)"

# The versions that CI installs; taken anew when somebody asks for it, not when a package comes out.
lock: .venv/installed
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra test --extra docs --python-version 3.11 --upgrade \
	  --quiet --no-annotate --custom-compile-command "make lock" --output-file .ci/lock.txt

clean:
	rm -rf .venv build *.egg-info

# The stamps are made last, so an install that was cut off is done again. Quiet twice: only what fails
# is told, and not that every editable install could be shadowed.
.venv/installed: pyproject.toml
	@echo "Installing jax_al and what it needs into .venv, once: about a minute."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "jax_al needs Python 3.11 or newer; say which with make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --quiet --editable .
	touch $@

.venv/installed-test: .venv/installed
	$(BIN)/python -m pip install --quiet --quiet --editable '.[test]'
	touch $@

.venv/installed-docs: .venv/installed
	$(BIN)/python -m pip install --quiet --quiet --editable '.[docs]'
	touch $@
