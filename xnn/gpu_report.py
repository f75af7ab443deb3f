"""``python -m xnn gpu-report``: try everything on a GPU through CuPy, and write what happened into one file.

The file is Markdown: the machine and the versions, a training run held against NumPy, the test suite and the
examples on CuPy and the speed beside PyTorch (these three from a checkout), and a verdict. On a device that is
emulated the report says so, everywhere a reader might look.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import distributions, version
from importlib.util import find_spec
from pathlib import Path

from xnn.arrays import get_backend
from xnn.contract import Backend
from xnn.host import generator, numpy
from xnn.layers import Dense, Dropout, LayerNorm, ReLU, Tanh
from xnn.losses import CrossEntropy
from xnn.memory import memory_in_words
from xnn.network import Network
from xnn.optimizers import Adam

__all__ = ["Section", "gpu_report", "sections", "text"]

CHECKOUT = Path(__file__).resolve().parent.parent  # where tests, examples and benchmarks stand, if it is one
TOLERANCES = {"float32": 1e-5, "float64": 1e-12}  # of the final weights, relative to the largest of each array
_LIMIT = 3600.0  # seconds for a command


@dataclass(frozen=True)
class Section:
    """A part of the report: what was tried, whether it passed (None: not tried, or nothing to pass), the figures."""

    title: str
    passed: bool | None
    body: str


def gpu_report(path: Path, say: Callable[[str], None] = print) -> bool:
    """Try everything on the current CuPy device, write the report, and return whether all of it passed.

    ``say`` is told what is being tried.

    Raises:
        BackendError: where CuPy cannot be used here; nothing is written then.
        OSError: where the file cannot be written; this is found out first.
    """
    current = get_backend()
    backend = current if current.name == "cupy" else get_backend("cupy")
    path.touch()
    done: list[Section] = []
    for section in sections(backend, say):
        done.append(section)
        path.write_text(text(backend, done), encoding="utf-8")  # whatever comes, the report is there so far
    return all(section.passed is not False for section in done)


def sections(backend: Backend, say: Callable[[str], None]) -> Iterator[Section]:
    """The parts of the report, one after another as they are done."""
    yield machine(backend)
    for dtype in TOLERANCES:
        say(f"a training run in {dtype}, held against NumPy")
        yield training(backend, dtype)
    if not (CHECKOUT / "tests" / "conftest.py").is_file():
        missing = "Not tried: xnn is not installed from a checkout (`git clone`, then `pip install -e '.[test]'`)."
        yield Section("Test suite, examples and benchmark", None, missing)
        return
    say("the test suite (minutes)")
    yield suite()
    for example in sorted((CHECKOUT / "examples").glob("[a-z]*.py")):
        say(f"the example {example.name}")
        yield run_example(example)
    say("the benchmark")
    yield benchmark()


def text(backend: Backend, done: list[Section]) -> str:
    """The report in Markdown."""
    failed = [section.title for section in done if section.passed is False]
    tried = sum(section.passed is not None for section in done)
    where = "an EMULATED device, not a GPU" if is_emulated(backend) else "a GPU"
    verdict = f"{tried - len(failed)} of {tried} checks passed on {where}: {backend.info()['device']}."
    if failed:
        verdict += "\n\nFailed:\n\n" + "\n".join(f"- {title}" for title in failed)
    if is_emulated(backend):
        verdict += (
            "\n\nThis shows that the code runs and computes the right numbers on CuPy's own kernels, compiled for "
        )
        verdict += "the CPU. It says nothing about a GPU's speed, nor about NVIDIA's own libraries."
    head = f"# xnn on {'an emulated device' if is_emulated(backend) else 'a GPU'}\n\n"
    head += (
        f"Written by `python -m xnn gpu-report` on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC.\n\n## Verdict\n\n{verdict}\n"
    )
    marks = {True: " — passed", False: " — FAILED", None: ""}
    return head + "".join(f"\n## {s.title}{marks[s.passed]}\n\n{s.body}\n" for s in done)


def is_emulated(backend: Backend) -> bool:
    """Whether the backend says that its device is emulated."""
    return "emulated" in backend.info()["device"]


def machine(backend: Backend) -> Section:
    """The machine, its GPU, and the versions of all that takes part."""
    info = backend.info()
    rows = {
        "device": info["device"],
        "CuPy": info["version"],
        "xnn": version("xnn-arrays"),
        "Python": f"{platform.python_version()} on {platform.platform()}",
        "NumPy": numpy.__version__,
    }
    wanted = ("array-api-compat", "torch", "cuda-", "nvidia-", "cupy-")
    found = {d.name: d.version for d in distributions() if d.name.lower().startswith(wanted)}
    rows["packages"] = ", ".join(f"{name} {found[name]}" for name in sorted(found, key=str.lower))
    if shutil.which("nvidia-smi"):
        query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total,power.limit", "--format=csv,noheader"]
        rows["nvidia-smi"] = "; ".join(_run(query).output.splitlines())
    return Section("Machine", None, _table(["", ""], [[name, value] for name, value in rows.items()]))


def training(backend: Backend, dtype: str) -> Section:
    """200 steps of Adam with dropout from the same seed, on CuPy and on NumPy: the final weights."""
    draws = generator(3)
    x = draws.normal(size=(320, 16)).astype(dtype)
    y = numpy.argmax(x[:, :4] + 0.1 * draws.normal(size=(320, 4)), axis=1)
    layers = [Dense(32), ReLU(), Dropout(0.2), Dense(32), LayerNorm(), Tanh(), Dense(4)]

    def train(b: Backend) -> tuple[dict[str, numpy.ndarray], list[float], float]:
        network = Network(layers, inputs=16, backend=b, dtype=dtype, seed=1)
        start = time.perf_counter()
        history = network.fit(x, y, loss=CrossEntropy(), optimizer=Adam(lr=5e-3), epochs=20, batch_size=32)
        seconds = time.perf_counter() - start
        return {name: b.to_numpy(a) for name, a in network.parameters.items()}, history["loss"], seconds

    try:
        ours, costs, seconds = train(backend)
    except Exception as error:  # a GPU may fail in any way; the report goes on
        return Section(f"Training in {dtype} against NumPy", False, _code(f"{type(error).__name__}: {error}"))
    reference, expected, _ = train(get_backend("numpy"))
    # A weight that is all zeros on NumPy would divide by zero: its own size counts then.
    errors = {n: float(abs(ours[n] - a).max() / (abs(a).max() or 1.0)) for n, a in reference.items()}
    name = max(errors, key=lambda n: numpy.nan_to_num(errors[n], nan=numpy.inf))
    body = (
        f"200 steps: the cost went from {costs[0]:.4f} to {costs[-1]:.6f} (on NumPy {expected[-1]:.6f}) "
        f"in {seconds:.2f} s, compilation included. The weights differ by {errors[name]:.1e} at most ({name}), "
        f"relative to the largest of each array; {TOLERANCES[dtype]:g} is allowed."
    )
    memory = memory_in_words(backend)
    body += f" CuPy's pool holds {memory}." if memory else ""
    return Section(f"Training in {dtype} against NumPy", errors[name] <= TOLERANCES[dtype], body)


def suite() -> Section:
    """The tests of the library on CuPy."""
    if find_spec("pytest") is None:
        return Section("Test suite", None, "Not tried: `pip install -e '.[test]'` installs what it needs.")
    done = _run([sys.executable, "-m", "pytest", "-q", "--backend", "cupy", "-p", "no:cacheprovider"], folder=CHECKOUT)
    lines = done.output.splitlines()
    kept = [line for line in lines if line.startswith(("FAILED", "ERROR"))][:50] + lines[-1:]
    return Section("Test suite", done.status == 0, _code("\n".join(kept)))


def run_example(path: Path) -> Section:
    """An example with small settings; where it fails, the end of what it said."""
    with tempfile.TemporaryDirectory() as folder:
        done = _run([sys.executable, str(path), "--quick", "--backend", "cupy", "--output", folder])
    if done.status == 0:
        return Section(f"Example {path.name}", True, f"{done.seconds:.1f} s.")
    return Section(f"Example {path.name}", False, _code("\n".join(done.output.splitlines()[-20:])))


def benchmark() -> Section:
    """Times of a training step beside PyTorch on the same GPU, where that is installed."""
    path = CHECKOUT / "benchmarks" / "gpu.py"
    if not path.is_file():
        return Section("Speed", None, "Not tried: there is no benchmarks/gpu.py.")
    done = _run([sys.executable, str(path)])
    body = done.output if done.status == 0 else _code("\n".join(done.output.splitlines()[-20:]))
    return Section("Speed", None if done.status == 0 else False, body.strip())


@dataclass(frozen=True)
class _Done:
    """A command that has ended."""

    status: int
    output: str
    seconds: float


def _run(command: list[str], folder: Path | None = None) -> _Done:
    """Run a command; one that hangs is ended and has failed."""
    start = time.perf_counter()
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=_LIMIT,
            check=False,
        )
        status, output = done.returncode, done.stdout
    except subprocess.TimeoutExpired:
        status, output = 124, f"ended after {_LIMIT:.0f} s"
    return _Done(status, output.strip(), time.perf_counter() - start)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in lines)


def _code(words: str) -> str:
    return f"```\n{words}\n```"
