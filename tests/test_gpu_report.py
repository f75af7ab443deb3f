"""The report for someone with a GPU; NumPy stands in for CuPy where the device does not matter."""

from __future__ import annotations

import sys

import pytest
from xnn.backends.numpy_backend import NumpyBackend

import xnn
from xnn import cli, gpu_report
from xnn.gpu_report import Section


class Fake(NumpyBackend):
    """Calls itself CuPy, on a device of this name."""

    name = "cupy"

    def __init__(self, device="Some GPU, 8 GiB"):
        super().__init__()
        self.words = device

    def info(self):
        return {"version": "14.2.0", "device": self.words}


class Wrong(Fake):
    """Its updates are a little off."""

    def update(self, equation, state, gradient, scalars):
        return super().update(equation, state, gradient + 0.001, scalars)


class Failing(Fake):
    def update(self, equation, state, gradient, scalars):
        raise MemoryError("no room")


def test_the_verdict_says_what_failed_and_on_what():
    done = [Section("One", True, "fine"), Section("Two", False, "broken"), Section("Three", None, "a figure")]
    report = gpu_report.text(Fake(), done)
    assert report.startswith("# xnn on a GPU\n")
    assert "1 of 2 checks passed on a GPU: Some GPU, 8 GiB." in report
    assert "Failed:\n\n- Two\n" in report
    assert "## One — passed\n\nfine\n" in report
    assert "## Two — FAILED\n\nbroken\n" in report
    assert "## Three\n\na figure\n" in report
    assert "emulated" not in report.lower()


def test_an_emulated_device_is_called_one():
    report = gpu_report.text(Fake("emulated on the CPU: Some GPU"), [Section("One", True, "fine")])
    assert report.startswith("# xnn on an emulated device\n")
    assert "1 of 1 checks passed on an EMULATED device, not a GPU" in report
    assert "Failed" not in report


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_training_run(backend, dtype):
    section = gpu_report.training(backend, dtype)
    assert section.passed, section.body
    assert "200 steps" in section.body


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("device", [Wrong, Failing])
def test_a_training_run_that_is_wrong_is_found(device, dtype):
    section = gpu_report.training(device(), dtype)
    assert section.passed is False
    assert ("OutOfMemoryError: backend 'cupy' is out of memory: no room" in section.body) == (device is Failing)


def test_the_machine():
    body = gpu_report.machine(Fake()).body
    assert "| device | Some GPU, 8 GiB |" in body
    assert "| CuPy | 14.2.0 |" in body
    assert "array-api-compat" in body


def test_commands(tmp_path):
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text("import sys; assert sys.argv[1:4] == ['--quick', '--backend', 'cupy']")
    bad.write_text("print('so far'); raise SystemExit('and no further')")
    assert gpu_report.run_example(good).passed
    section = gpu_report.run_example(bad)
    assert (section.passed, section.title) == (False, "Example bad.py")
    assert "so far" in section.body
    assert "and no further" in section.body


def test_a_command_that_hangs(monkeypatch):
    monkeypatch.setattr(gpu_report, "_LIMIT", 0.5)
    done = gpu_report._run([sys.executable, "-c", "import time; time.sleep(60)"])
    assert done.status == 124
    assert "ended after" in done.output


def test_a_suite_that_fails(monkeypatch, tmp_path):
    (tmp_path / "test_one.py").write_text("def test_this():\n    assert 1 == 2\n")
    (tmp_path / "conftest.py").write_text("def pytest_addoption(parser):\n    parser.addoption('--backend')\n")
    monkeypatch.setattr(gpu_report, "CHECKOUT", tmp_path)
    section = gpu_report.suite()
    assert section.passed is False
    assert "FAILED test_one.py::test_this" in section.body
    assert "1 failed" in section.body


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """An xnn that is installed from a wheel, on a CuPy that works."""
    monkeypatch.setattr(gpu_report, "CHECKOUT", tmp_path)
    monkeypatch.setattr(gpu_report, "get_backend", lambda name=None: Fake() if name in (None, "cupy") else xnn_numpy())
    return tmp_path


def xnn_numpy():
    return xnn.get_backend("numpy")


def test_the_command(alone, capsys):
    path = alone / "report.md"
    assert cli.main(["gpu-report", "--output", str(path)]) == 0
    out = capsys.readouterr().out
    assert "trying a training run in float32, held against NumPy" in out
    assert out.endswith(f"everything that was tried passed; the report is {path}\n")
    report = path.read_text(encoding="utf-8")
    assert "2 of 2 checks passed" in report
    assert "from a checkout" in report


def test_a_failure_is_the_status(alone, monkeypatch, capsys):
    monkeypatch.setattr(gpu_report, "training", lambda backend, dtype: Section(dtype, False, "wrong"))
    assert cli.main(["gpu-report", "--output", str(alone / "report.md")]) == 1
    assert "something FAILED" in capsys.readouterr().out


def test_no_file_can_be_written(alone, capsys):
    assert cli.main(["gpu-report", "--output", str(alone / "nowhere" / "report.md")]) == 1
    said = capsys.readouterr()
    assert "no report" in said.err
    assert "trying" not in said.out


def test_no_cupy(monkeypatch, tmp_path, capsys):
    def missing(name=None):
        raise xnn.BackendError("no CuPy here")

    monkeypatch.setattr(gpu_report, "get_backend", missing)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["gpu-report"]) == 1
    assert capsys.readouterr().err == "xnn: no report: no CuPy here\n"
    assert list(tmp_path.iterdir()) == []
