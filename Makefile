# make demo       train a network on real digits        make demo BACKEND=cupy
# make test       the tests, on every usable backend
# make test-all   the same with PyTorch, JAX and the other optional libraries installed first
# make test-cupy  the same on CuPy: on a GPU, or on the emulated device where that is at hand
# make check      format, lint, types
# make examples   every example with small settings     make examples BACKEND=torch
# Everything is installed into .venv, which `make clean` removes.

PYTHON  ?= python3
BACKEND ?= numpy
VENV    := .venv
PY      := $(VENV)/bin/python
# One release, so that everyone tests the same one, and on the CPU: the default build for Linux brings
# gigabytes of CUDA along.
TORCH   ?= torch==2.13.0

.PHONY: demo test test-all test-cupy check examples clean

$(PY):
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "xnn needs Python 3.11 or newer; this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-%: pyproject.toml | $(PY)
	$(PY) -m pip install --quiet --disable-pip-version-check -e '.[$*]'
	@touch $@

$(VENV)/.installed-all: pyproject.toml | $(PY)
	$(PY) -m pip install --quiet --disable-pip-version-check '$(TORCH)' jax -e '.[dev]'
	@touch $@ $(VENV)/.installed-test $(VENV)/.installed-dev $(VENV)/.installed-examples

demo: $(VENV)/.installed-examples
	@$(PY) examples/digits.py --backend $(BACKEND)

test: $(VENV)/.installed-test
	$(PY) -m pytest -n auto

test-all: $(VENV)/.installed-all
	$(PY) -m pytest -n auto

test-cupy: $(VENV)/.installed-test
	$(PY) -m pytest --backend cupy

check: $(VENV)/.installed-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

examples: $(VENV)/.installed-examples
	@for example in examples/[a-z]*.py; do \
		echo "== $$example"; $(PY) $$example --backend $(BACKEND) --quick || exit 1; \
	done

clean:
	rm -rf $(VENV) build dist output *.egg-info
