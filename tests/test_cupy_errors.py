"""Why CuPy cannot be used, in one clear error that says how to mend it: each reason, as it really comes or staged.

``make test-cupy-wheel`` runs this with CuPy's wheel, which can be imported without a driver; on the
emulated device the missing libraries are staged, with the words of the wheel.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from importlib.util import find_spec

import pytest

import xnn

SAY = """
import sys, xnn
try:
    xnn.get_backend({name!r})
except xnn.BackendError as error:
    print(error)
else:
    print("usable")
"""


def said(name="cupy", before="", **environment):
    """What the selector says in a fresh process; ``before`` stages the machine."""
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", textwrap.dedent(before) + SAY.format(name=name)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == 1, "one line is enough"
    return lines[0]


def is_usable(name="cupy"):
    return not xnn.available_backends()[name]


@pytest.fixture
def usable():
    if not is_usable():
        pytest.skip("CuPy cannot be used here: make test-cupy")


@pytest.fixture
def installed():
    if find_spec("cupy") is None:
        pytest.skip("CuPy is not installed: make test-cupy-wheel")


def test_no_package():
    text = said(before="import sys; sys.modules['cupy'] = None")
    assert text.startswith("backend 'cupy' cannot be used here: ")
    assert 'pip install "cupy-cuda13x[ctk]"' in text
    assert "cupy-cuda12x" in text


def test_no_driver(installed):
    """CuPy's wheel on a machine without an NVIDIA driver."""
    if is_usable():
        pytest.skip("there is a driver, or an emulated one")
    text = said()
    assert text.startswith("backend 'cupy' ")
    assert "driver" in text
    assert "nvidia-smi" in text
    assert said("cupy:1") == text


def test_no_driver_in_the_table_of_backends(installed):
    if is_usable():
        pytest.skip("there is a driver, or an emulated one")
    done = subprocess.run([sys.executable, "-m", "xnn", "info"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = (line for line in done.stdout.splitlines() if line.split()[:1] == ["cupy"])
    assert line.split()[1] == "no"
    assert line.split()[2] != "-", "the version of the CuPy that was imported"


# The words of CuPy 14.2's wheel where the NVIDIA wheels with the compiler and with cuBLAS are not installed.
NO_COMPILER = """
from cupy.cuda import compiler
def missing(*_, **__):
    raise RuntimeError('Failure finding "libnvrtc.so.13 or libnvrtc.so.12": No such file: libnvrtc.so.13\\nmore')
compiler._compile_using_nvrtc_no_warning = missing
"""
NO_CUBLAS = """
import cupy
def missing(*_, **__):
    raise ImportError("libcublas.so.13: cannot open shared object file: No such file or directory")
cupy.matmul = cupy.ndarray.__matmul__ = missing
"""


@pytest.mark.parametrize(
    ("before", "library"), [(NO_COMPILER, "libnvrtc.so.13"), (NO_CUBLAS, "libcublas.so.13")], ids=["nvrtc", "cublas"]
)
def test_missing_libraries(usable, before, library):
    text = said(before=before)
    assert text.startswith("backend 'cupy' found a GPU but cannot run on it: ")
    assert library in text
    assert 'pip install "cupy-cuda13x[ctk]"' in text


def test_no_device(usable):
    before = """
    import cupy
    runtime = cupy.cuda.runtime
    def none():
        raise runtime.CUDARuntimeError(100)  # cudaErrorNoDevice
    runtime.getDeviceCount = none
    """
    text = said(before=before)
    assert text.startswith("backend 'cupy' ")
    assert "nvidia-smi" in text


def test_device_out_of_range(usable):
    text = said("cupy:7", CUDACPU_DEVICES="2")
    assert "no device 7" in text
    assert "GPU" in text


@pytest.mark.parametrize("name", ["cupy:x", "cupy:-1", "cupy:1.5", "cupy:gpu:0"])
def test_devices_that_are_no_numbers(installed, name):
    text = said(name)
    assert repr(name) in text
    assert "'cupy:0'" in text


def test_info_tells_the_gpu(usable):
    info = xnn.get_backend("cupy").info()
    import cupy
    import cupy_backends

    runtime = cupy.cuda.runtime
    properties = runtime.getDeviceProperties(0)
    assert info["version"] == cupy.__version__
    assert properties["name"].decode() in info["device"]
    assert f"{properties['totalGlobalMem'] / 2**30:.0f} GiB" in info["device"]
    assert "CUDA 1" in info["device"]
    assert "driver 1" in info["device"]
    assert ("emulated" in info["device"]) == hasattr(cupy_backends, "_CUDACPU")
