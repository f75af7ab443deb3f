"""One fixture runs the suite over every array library: ``backend``.

Unusable libraries are skipped with their reason; ``--backend NAME`` asks for one (it may be repeated)
and fails where that one cannot be used.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter

os.environ.setdefault("JAX_ENABLE_X64", "1")  # before JAX is imported: it has no float64 otherwise
os.environ.setdefault("MPLBACKEND", "agg")  # no window for a picture

import numpy as np
import pytest
from xnn.backends.numpy_backend import NumpyBackend

import xnn

# A job in the background of a shell ignores Ctrl-C, and so would every process that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)


class ReadOnlyNumpy(NumpyBackend):
    """NumPy, with inputs that refuse to be changed: nobody's array may be written to."""

    def asarray(self, x, dtype=None):
        array = super().asarray(x, dtype).view()
        array.flags.writeable = False
        return array


# The name that the user types, and what runs. The strict library runs where NumPy cannot look in.
BACKENDS = {
    "numpy": "numpy",
    "numpy-readonly": None,
    "array_api_strict": "array_api_strict:device1",
    "torch": "torch",
    "jax": "jax",
    "cupy": "cupy",
    "dpnp": "dpnp",
}
ASKED_FOR = {"dpnp"}  # runs only with --backend: make test-dpnp


def pytest_addoption(parser):
    parser.addoption("--backend", action="append", choices=list(BACKENDS), help="run on this backend only")


def pytest_generate_tests(metafunc):
    if "backend" in metafunc.fixturenames:
        names = metafunc.config.getoption("--backend") or [name for name in BACKENDS if name not in ASKED_FOR]
        metafunc.parametrize("backend", names, indirect=True)


@pytest.fixture
def backend(request):
    """A usable backend; arrays go in by ``backend.asarray`` and out by ``backend.to_numpy``."""
    name = request.param
    if BACKENDS[name] is None:
        return ReadOnlyNumpy()
    try:
        chosen = xnn.get_backend(BACKENDS[name])
    except xnn.BackendError as error:
        if request.config.getoption("--backend"):
            pytest.fail(f"--backend {name}: {error}", pytrace=False)
        pytest.skip(str(error))
    if name == "array_api_strict":
        chosen.xp.set_array_api_strict_flags(boolean_indexing=False, data_dependent_shapes=False)
    return chosen


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def pytest_terminal_summary(terminalreporter):
    """One line for each reason to skip, with the number of tests, instead of one for each test."""
    counts = Counter(report.longrepr[2] for report in terminalreporter.stats.get("skipped", []))
    for reason, count in counts.most_common():
        terminalreporter.write_line(f"{count} skipped: {reason.removeprefix('Skipped: ')}")
