"""Every example runs from the command line, prints no warning, and writes what it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="the examples draw pictures with matplotlib")
pytest.importorskip("sklearn", reason="the examples take data from scikit-learn")

FOLDER = Path(__file__).parents[1] / "examples"
EXAMPLES = sorted(path.stem for path in FOLDER.glob("[a-z]*.py"))
if not EXAMPLES:
    pytest.skip("the tests run outside of the repository", allow_module_level=True)
PNG = b"\x89PNG\r\n\x1a\n"


def run(example, *options, timeout=300):
    """Run an example as a user does, with every warning an error."""
    environment = {**os.environ, "MPLBACKEND": "agg", "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        [sys.executable, "-W", "error", str(FOLDER / f"{example}.py"), *options],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment,
        timeout=timeout,
    )


def test_all_examples_are_found():
    assert {"digits", "linear_neuron", "xor", "franke"} <= set(EXAMPLES)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_runs_and_writes_what_it_says(example, tmp_path):
    folder = tmp_path / "new" / "folder"  # which does not exist yet
    done = run(example, "--backend", "numpy", "--quick", "--output", str(folder))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    if done.stdout.startswith("skipped: "):
        pytest.skip(done.stdout)
    said = re.findall(r"^saved .* as (.+)$", done.stdout, re.MULTILINE)
    assert sorted(map(str, folder.iterdir())) == sorted(said)
    pictures = [Path(name) for name in said if name.endswith(".png")]
    assert pictures == [folder / f"{example}.png"]
    assert pictures[0].read_bytes().startswith(PNG)
    assert not re.search(r"\bnan\b|\binf\b|Warning", done.stdout)


@pytest.mark.parametrize(
    ("example", "figures"),
    [
        ("linear_neuron", ["C = 7.605", "δ = -3.9, ∂C/∂w = -7.8, ∂C/∂b = -3.9", "w = 1.28, b = 0.49", "C = 1.90125"]),
        ("cost_surface", ["J = 0.1518508503   ∂J/∂w = -0.1055390979   ∂J/∂b = 0.0360614536", "-0.3548938347"]),
        ("symmetry", ["J = 0.2500", "W¹ has rank 0", "W¹ has rank 1"]),
        ("xor", ["one neuron: cost 0.6931, accuracy 0.50", "accuracy 1.00"]),
    ],
)
def test_an_example_shows_the_figures_of_the_texts(example, figures, tmp_path):
    done = run(example, "--backend", "numpy", "--quick", "--output", str(tmp_path))
    for figure in figures:
        assert figure in done.stdout


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_unusable_backend_is_told_in_one_line(example, tmp_path):
    done = run(example, "--backend", "abacus", "--output", str(tmp_path / "folder"))
    assert done.returncode != 0
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{example}.py: ")
    assert "abacus" in line
    assert not (tmp_path / "folder").exists()


def test_a_folder_that_cannot_be_made_is_told_in_one_line(tmp_path):
    (tmp_path / "file").touch()
    done = run("xor", "--backend", "numpy", "--output", str(tmp_path / "file"))
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("xor.py: ")
    assert "file" in line


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_short_and_says_what_it_shows(example):
    text = (FOLDER / f"{example}.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 100
    assert text.startswith('"""')
    assert "\n\n" in text.split('"""')[1], "a first line, then the rest"


@pytest.mark.slow
def test_fashion_mnist_is_learned(tmp_path):
    done = run("fashion_mnist", "--backend", "numpy", "--output", str(tmp_path), timeout=3600)
    if "Fashion-MNIST is not here" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    assert float(re.search(r"test accuracy (\S+) after", done.stdout)[1]) >= 0.89
