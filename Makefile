# make demo       train a network on real digits        make demo BACKEND=cupy
# make test       the tests, on every usable backend
# make test-all   the same with PyTorch, JAX and the other optional libraries installed first
# make test-slow  the tests that take minutes, and make test-dpnp
# make test-dpnp  the tests on dpnp, Intel's library for devices, on the CPU (Linux x86-64; installs 2 GB)
# make check      format, lint, types
# make examples   every example with small settings     make examples BACKEND=torch
# make docs       the documentation, into build/docs; runs the examples
# make bench      side by side with PyTorch, JAX, scikit-learn, Keras and autograd; writes docs/benchmarks.md and .png
# make bench-autodiff  derivatives side by side with autograd, PyTorch and JAX; writes docs/benchmarks_autodiff.md
#
# CuPy, on the GPU or, where there is none, on an emulated device that is built first (tests/cudacpu/README.md):
# make test-cupy         the tests on CuPy; on the emulated device the kernels are written to output/kernels
# make test-cupy-orders  those of operations and a training run in other thread orders, with poisoned memory, two devices
# make test-cupy-wheel   what needs CuPy's wheel and no GPU: every function used is there; errors without a driver
# make compile-kernels   the kernels of make test-cupy, by NVIDIA's compiler, for real architectures
#
# Everything is installed into .venv (and .venv-cupy, .venv-dpnp), which `make clean` removes.

PYTHON  ?= python3
BACKEND ?= numpy
VENV    := .venv
PY      := $(VENV)/bin/python
# One release, so that everyone tests the same one, and on the CPU: the default build for Linux brings
# gigabytes of CUDA along.
TORCH   ?= torch==2.13.0
# The release of CuPy that is emulated, and the compiler that goes with it.
CUPY    ?= cupy-cuda13x==14.2.0 nvidia-cuda-nvrtc nvidia-cuda-runtime
KERNELS ?= output/kernels
ARCHITECTURES ?= 75 80 90 100 120
WHEEL   := .venv-cupy
DPNP    := .venv-dpnp
ON_CUPY := tests/cudacpu/on-cupy
# The tests that compute on a backend, or are about CuPy; the others have nothing to do with it.
THERE   := -k "cupy or launches or devices or gpu"
# The tests of operations and one training run.
PARTS   := tests/layers tests/test_losses.py tests/test_optimizers.py tests/test_same_numbers.py

.PHONY: demo test test-all test-slow test-dpnp test-cupy test-cupy-orders test-cupy-wheel compile-kernels check examples docs bench clean

$(PY):
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "xnn needs Python 3.11 or newer; this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-%: pyproject.toml | $(PY)
	$(PY) -m pip install --quiet --disable-pip-version-check -e '.[$*]'
	@touch $@

$(VENV)/.installed-all: pyproject.toml | $(PY)
	$(PY) -m pip install --quiet --disable-pip-version-check '$(TORCH)' jax -e '.[dev,exchange]'
	@touch $@ $(VENV)/.installed-test $(VENV)/.installed-dev $(VENV)/.installed-examples

demo: $(VENV)/.installed-examples
	@$(PY) examples/digits.py --backend $(BACKEND)

test: $(VENV)/.installed-test
	$(PY) -m pytest -n auto

test-all: $(VENV)/.installed-all
	$(PY) -m pytest -n auto

test-slow: $(VENV)/.installed-all
	$(PY) -m pytest -m slow
	$(MAKE) test-dpnp

$(DPNP)/.installed: pyproject.toml
	$(PYTHON) -m venv $(DPNP)
	$(DPNP)/bin/python -m pip install --quiet --disable-pip-version-check 'dpnp>=0.20' -e '.[test]'
	@touch $@

# The variable is where SYCL looks for the driver that makes a device of the CPU.
test-dpnp: $(DPNP)/.installed
	OCL_ICD_FILENAMES=$(abspath $(DPNP))/lib/libintelocl.so $(DPNP)/bin/python -m pytest -n 2 --backend dpnp

test-cupy: $(VENV)/.installed-test
	@rm -rf $(KERNELS)
	CUDACPU_DUMP=$(abspath $(KERNELS)) $(ON_CUPY) $(PY) -m pytest -n 2 --backend cupy $(THERE)

# The emulation itself against NumPy, then xnn on it.
test-cupy-orders: $(VENV)/.installed-test
	for order in 0 1 2; do \
		CUDACPU_ORDER=$$order $(ON_CUPY) --emulated $(PY) tests/cudacpu/check_fidelity.py || exit 1; \
	done
	for order in 1 2; do \
		CUDACPU_ORDER=$$order $(ON_CUPY) --emulated $(PY) -m pytest -q -n 2 --backend cupy $(PARTS) || exit 1; \
	done
	CUDACPU_NOPOOL=1 $(ON_CUPY) --emulated $(PY) -m pytest -q -n 2 --backend cupy $(PARTS)
	CUDACPU_DEVICES=2 $(ON_CUPY) --emulated $(PY) -m pytest -q -n 2 --backend cupy $(PARTS) tests/test_devices.py

$(WHEEL)/.installed: pyproject.toml
	$(PYTHON) -m venv $(WHEEL)
	$(WHEEL)/bin/python -m pip install --quiet --disable-pip-version-check $(CUPY) -e '.[test]'
	@touch $@

test-cupy-wheel: $(WHEEL)/.installed
	$(WHEEL)/bin/python -m pytest tests/test_cupy_names.py tests/test_cupy_errors.py

compile-kernels: $(WHEEL)/.installed
	$(WHEEL)/bin/python tests/cudacpu/compile_kernels.py $(KERNELS) $(ARCHITECTURES)

check: $(VENV)/.installed-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

examples: $(VENV)/.installed-examples
	@for example in examples/[a-z]*.py; do \
		echo "== $$example"; $(PY) $$example --backend $(BACKEND) --quick || exit 1; \
	done

docs: $(VENV)/.installed-docs
	$(PY) -m sphinx -q -W --keep-going -b html -d build/doctrees docs build/docs
	@echo "read build/docs/index.html"

bench: $(VENV)/.installed-all
	$(PY) -m pip install --quiet --disable-pip-version-check autograd keras
	$(PY) benchmarks/run.py --output docs/benchmarks.md

bench-autodiff: $(VENV)/.installed-all
	$(PY) -m pip install --quiet --disable-pip-version-check autograd
	$(PY) benchmarks/autodiff.py --output docs/benchmarks_autodiff.md

clean:
	rm -rf $(VENV) $(WHEEL) $(DPNP) build dist output *.egg-info
