"""``xnn train``, ``predict`` and ``evaluate``, as someone with a file of data calls them."""

import csv
import gzip
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import xnn
from xnn import cli
from xnn.cli import learning, options
from xnn.cli.model import precision

QUICK = ("--epochs", "3", "--hidden", "8", "--quiet", "--no-picture")


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run a command in an empty folder: (status, what it printed, what it complained of)."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        status = cli.main([str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return call


def write(path, names, *columns):
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([names, *zip(*columns, strict=True)])


def plants(path, n=120):
    """Two kinds that length and place tell apart."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 2, n)
    write(
        path,
        ["länge", "place", "kind"],
        (kind * 2 + rng.normal(size=n) * 0.3).round(3),
        np.where(kind, "wood", np.where(rng.random(n) < 0.5, "field", "shore")),
        np.where(kind, "fern", "moss"),
    )


def line(path, n=200):
    """y = 1000 + 50 a, nearly."""
    a = np.random.default_rng(1).normal(size=n).round(4)
    write(path, ["a", "y"], a, (1000 + 50 * a).round(2))


def test_classification_from_the_file_to_predictions(run, tmp_path):
    plants("plants.csv")
    status, out, err = run("train", "plants.csv", "--target", "kind", "--epochs", 30, "--hidden", "10,5", "--lr", 0.01)
    assert (status, err) == (0, "")
    assert "plants.csv: 120 rows, 4 inputs; 'kind' has 2 classes: classification" in out
    assert "4 → 10 → 5 → 2 (relu, 117 parameters, float32) on numpy; 86 rows to train, 10 for validation" in out
    assert re.search(r"epoch +1/30  cost", out)
    assert "\x1b" not in out
    assert float(re.search(r"accuracy  (\S+)   \(", out)[1]) > 0.95
    assert "fern  moss" in out.split("confusion matrix")[1]
    assert (tmp_path / "model.png").read_bytes().startswith(b"\x89PNG")

    network = xnn.load("model.safetensors")
    write("new.csv", ["place", "more", "länge"], ["wood", "shore"], ["x", "y"], [2.1, 0.05])
    status, out, err = run("predict", "model.safetensors", "new.csv", "--probabilities", "--keep", "place")
    assert (status, err) == (0, "")
    rows = list(csv.reader(out.splitlines()))
    assert rows[0] == ["place", "kind", "kind=fern", "kind=moss"]
    assert [row[:2] for row in rows[1:]] == [["wood", "fern"], ["shore", "moss"]]
    a = network.predict(np.asarray([[2.1, 0, 0, 1], [0.05, 0, 1, 0]]))  # länge, field, shore, wood
    shares = np.exp(a) / np.exp(a).sum(axis=1, keepdims=True)
    np.testing.assert_allclose([[float(p) for p in row[2:]] for row in rows[1:]], shares, rtol=1e-5)

    status, out, err = run("evaluate", "model.safetensors", "plants.csv", "--picture", "again.png")
    assert (status, err) == (0, "")
    assert out.startswith("model.safetensors on the 120 rows of plants.csv:\n  accuracy  ")
    assert (tmp_path / "again.png").exists()


def test_regression_is_learned_and_told_in_the_unit_of_the_target(run):
    line("line.csv")
    status, out, _ = run(
        "train", "line.csv", "--target", "y", "--hidden", "0", "--lr", 0.1, "--optimizer", "lbfgs",
        "--epochs", 3, "--quiet", "--output", "line.safetensors",
    )  # fmt: skip
    assert status == 0
    assert "'y' is a number: regression" in out
    assert float(re.search(r"R2 +(\S+)", out)[1]) > 0.999
    assert float(re.search(r"root mean squared error +(\S+)", out)[1]) < 0.1
    assert 30 < float(re.search(r"always the mean would be (\S+)\)", out)[1]) < 80
    np.testing.assert_allclose(xnn.load("line.safetensors").predict([[0.0], [1.0]]), [[1000], [1050]], rtol=1e-4)
    write("new.csv", ["a"], [-1, 2])
    status, out, _ = run("predict", "line.safetensors", "new.csv", "--output", "p.csv")
    assert (status, out) == (0, "saved 2 predictions as p.csv\n")
    with open("p.csv", encoding="utf-8") as file:
        head, *values = file.read().split()
    assert head == "y"
    np.testing.assert_allclose([float(value) for value in values], [950, 1100], rtol=1e-4)


def test_the_seed_repeats_a_training(run, tmp_path):
    plants("plants.csv")
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        assert run("train", "plants.csv", "--target", "kind", *QUICK, "--seed", seed, "--output", name)[0] == 0
    a, b, c = (xnn.load(tmp_path / name).flat for name in "abc")
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


def test_missing_values_are_filled_with_the_mean_of_training_alone(run):
    rng = np.random.default_rng(0)
    a = rng.normal(size=50)
    write(
        "gaps.csv", ["a", "b", "y"], ["" if i % 5 == 0 else v for i, v in enumerate(a)], a + rng.normal(size=50), 2 * a
    )
    status, _, err = run("train", "gaps.csv", "--target", "y", *QUICK)
    assert status == 2
    assert "gaps.csv, line 2, column 'a': the value is missing, as it is in 10 of 50 rows" in err
    status, out, _ = run("train", "gaps.csv", "--target", "y", *QUICK, "--missing", "drop")
    assert status == 0
    assert "10 of 50 rows lack a value, and are left out" in out
    assert run("predict", "model.safetensors", "gaps.csv")[0] == 2, "a row must not lose its prediction"
    assert "on the 40 rows of gaps.csv (10 more lack a value)" in run("evaluate", "model.safetensors", "gaps.csv")[1]
    assert run("train", "gaps.csv", "--target", "y", *QUICK, "--missing", "mean")[0] == 0
    status, out, _ = run("predict", "model.safetensors", "gaps.csv")
    assert (status, len(out.split())) == (0, 51)


def fails(run, words, *arguments):
    status, _, err = run(*arguments)
    assert (status, err.count("\n")) == (2, 1)
    assert re.match(f"xnn: .*{words}", err), err


def test_what_cannot_be_trained_is_told_in_one_line(run, tmp_path):
    plants("p.csv")
    write("few.csv", ["a", "y"], [1, 2, 3], [1, 2, 4])
    write("vast.csv", ["a", "y"], [f"{i}e300" for i in range(50)], range(50))
    (tmp_path / "folder").mkdir()
    for words, *arguments in (
        (r"name the column to predict, --target NAME; p.csv has: länge, place, kind", "p.csv"),
        ("p.csv has no column 'kin'; did you mean 'kind'", "p.csv", "--target", "kin"),
        ("p.csv has no column 'x'", "p.csv", "--target", "kind", "--ignore", "x"),
        ("none.csv does not exist", "none.csv", "--target", "y"),
        ("few.csv has 3 rows, too few .* --test 0", "few.csv", "--target", "y"),
        ("column 'a' has values as large as 4.8e\\+301", "vast.csv", "--target", "y"),
        ("--loss huber is for a regression", "p.csv", "--target", "kind", "--loss", "huber"),
        ("unknown backend 'abacus'", "p.csv", "--target", "kind", "--backend", "abacus"),
        ("p.csv is the file p.csv that is read", "p.csv", "--target", "kind", "--output", "p.csv"),
        ("no/m: the folder .*no does not exist", "p.csv", "--target", "kind", "--output", "no/m"),
        ("folder is a folder", "p.csv", "--target", "kind", "--output", "folder"),
        ("m.gz: a network is saved as safetensors", "p.csv", "--target", "kind", "--output", "m.gz"),
        ("--dropout comes after each hidden layer", "p.csv", "--target", "kind", "--dropout", "0.5", "--hidden", "0"),
        (
            "no network was saved, the training has diverged",
            "p.csv",
            "--target",
            "kind",
            "--lr",
            "1e30",
            "--optimizer",
            "sgd",
        ),
    ):
        fails(run, words, "train", *arguments[:1], *QUICK[:5], *arguments[1:], "--no-picture")
    assert not (tmp_path / "model.safetensors").exists()


def test_what_cannot_be_predicted_is_told_in_one_line(run):
    plants("p.csv")
    assert run("train", "p.csv", "--target", "kind", *QUICK)[0] == 0
    write("lacks.csv", ["lange", "place"], [1], ["wood"])
    write("text.csv", ["länge", "place"], [1, "x"], ["wood", "wood"])
    write("strange.csv", ["länge", "place", "kind"], [1], ["sea"], ["alga"])
    xnn.Network([xnn.Dense(1)], inputs=1).save("plain")
    model = "model.safetensors"
    fails(run, "lacks.csv lacks the column 'länge'; did you mean 'lange'", "predict", model, "lacks.csv")
    fails(run, "text.csv, line 3, column 'länge': 'x' is no number", "predict", model, "text.csv")
    fails(run, "line 2, column 'place': 'sea' is no category", "predict", model, "strange.csv")
    assert run("predict", model, "strange.csv", "--unseen", "zeros")[0] == 0
    write("gap.csv", ["länge", "place", "kind"], [""], ["wood"], ["moss"])
    for command in ("predict", "evaluate"):  # neither has an option for it
        fails(run, "1 of 1 rows there; fill it in, or train the network with --missing mean", command, model, "gap.csv")
    fails(run, "plain holds a network, but not what the columns", "predict", "plain", "p.csv")
    fails(run, "p.csv cannot be read as a safetensors file", "predict", "p.csv", "p.csv")
    fails(run, "nothing does not exist", "evaluate", "nothing", "p.csv")
    fails(run, "p.csv has no column 'x'", "predict", model, "p.csv", "--keep", "x")
    fails(run, "no/p.csv", "predict", model, "p.csv", "--output", "no/p.csv")
    fails(run, "p.parquet: predictions are CSV", "predict", model, "p.csv", "--output", "p.parquet")


def test_the_target_can_stand_beside_its_prediction(run, tmp_path):
    plants("p.csv")
    assert run("train", "p.csv", "--target", "kind", *QUICK)[0] == 0
    assert run("predict", "model.safetensors", "p.csv", "--keep", "place,kind,place", "--output", "out.csv")[0] == 0
    names, first, *_ = csv.reader((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines())
    assert names == ["place", "kind", "predicted kind"]
    assert len(first) == 3
    write("again.csv", ["länge", *names], ["2.1"], *([cell] for cell in first))  # the predictions as data
    out = run("predict", "model.safetensors", "again.csv", "--keep", "kind,predicted kind")[1]
    assert out.startswith("kind,predicted kind,predicted predicted kind\n")


def test_predictions_are_compressed_by_the_name_of_their_file(run, tmp_path):
    line("l.csv")
    out = run("train", "l.csv", "--target", "y", *QUICK)[1]
    assert "l.csv: 200 rows, 1 input; " in out
    printed = run("predict", "model.safetensors", "l.csv")[1]
    assert run("predict", "model.safetensors", "l.csv", "--output", "p.CSV.GZ")[0] == 0
    assert gzip.decompress((tmp_path / "p.CSV.GZ").read_bytes()).decode() == printed


def test_columns_that_need_float64():
    i = np.arange(50.0)
    assert precision(np.stack([i, i * 1e6], axis=1), "ab") == "float32"
    assert precision(np.stack([i, 1.6e9 + i], axis=1), "ab") == "float64"  # seconds since 1970
    assert precision(np.stack([i, i * 1e18], axis=1), "ab") == "float64"
    assert precision(np.stack([i, 0 * i + 1e9], axis=1), "ab") == "float32"


def test_without_matplotlib_it_is_said(run, monkeypatch):
    plants("p.csv")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    status, out, _ = run("train", "p.csv", "--target", "kind", *QUICK[:5])
    assert status == 0
    assert "no picture: matplotlib is not installed" in out


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_interrupted_it_saves_what_it_has_and_says_so(tmp_path):
    line(tmp_path / "line.csv")
    process = subprocess.Popen(
        [sys.executable, "-m", "xnn", "train", "line.csv", "--target", "y", "--epochs", "1000000", "--patience", "0"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    for said in process.stdout:
        if said.startswith("epoch"):
            break
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 130
    assert "saved the network as model.safetensors" in out
    assert re.fullmatch(r"xnn: interrupted in epoch \d+; the network is saved as it was then\n", err)
    assert xnn.load(tmp_path / "model.safetensors").notes["table"]["target"] == "y"


def test_interrupted_before_there_is_anything(run, monkeypatch):
    line("line.csv")

    def press(*arguments, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(learning, "Network", press)
    status, _, err = run("train", "line.csv", "--target", "y")
    assert (status, err) == (130, "xnn: interrupted; no network was saved\n")


@pytest.mark.skipif(os.name != "posix", reason="pipes of a shell")
def test_a_reader_that_has_seen_enough(run, tmp_path):
    line("line.csv", 20_000)
    assert run("train", "line.csv", "--target", "y", "--epochs", 1, *QUICK[2:])[0] == 0
    done = subprocess.run(
        f"{sys.executable} -m xnn predict model.safetensors line.csv | head -2",
        shell=True, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (len(done.stdout.split()), done.stderr) == (2, "")


def test_names_that_are_numbers(run):
    write("years.csv", ["2020", "2021"], *np.random.default_rng(0).normal(size=(2, 30)).tolist())
    fails(run, "there are: 'column1', 'column2'; if the first row", "train", "years.csv", "--target", "2021", *QUICK)
    status, out, _ = run("train", "years.csv", "--target", "2021", "--header", *QUICK)
    assert status == 0
    assert "years.csv: 30 rows" in out
    assert "years.csv: 31 rows" in run("train", "years.csv", "--target", "column2", "--no-header", *QUICK)[1]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no /dev/stdin")
def test_rows_from_a_pipe(run, tmp_path):
    line("line.csv", 60)
    assert run("train", "line.csv", "--target", "y", *QUICK)[0] == 0
    command = [sys.executable, "-m", "xnn", "predict", "model.safetensors"]
    piped = subprocess.run([*command, "-"], input=(tmp_path / "line.csv").read_bytes(), capture_output=True, check=True)
    assert piped.stdout.decode().splitlines() == run("predict", "model.safetensors", "line.csv")[1].splitlines()


def test_on_every_backend(run, backend, monkeypatch):
    plants("p.csv", 60)
    monkeypatch.setattr(options, "get_backend", lambda name: backend)
    assert run("train", "p.csv", "--target", "kind", *QUICK, "--backend", backend.name)[0] == 0
    status, out, err = run("evaluate", "model.safetensors", "p.csv", "--backend", backend.name)
    assert (status, err) == (0, "")
    assert "accuracy" in out


def test_a_picture_that_cannot_be_drawn_is_refused_before_the_training(run, tmp_path):
    pytest.importorskip("matplotlib", reason="knows the endings")
    plants("p.csv")
    fails(
        run, "x.doc: no picture has the ending .doc; .*png", "train", "p.csv", "--target", "kind", "--picture", "x.doc"
    )
    assert not (tmp_path / "model.safetensors").exists()
    assert run("train", "p.csv", "--target", "kind", *QUICK)[0] == 0
    fails(run, "ending .doc", "evaluate", "model.safetensors", "p.csv", "--picture", "x.doc")


def test_predictions_are_written_whole_or_not_at_all(run, tmp_path, monkeypatch):
    plants("p.csv")
    assert run("train", "p.csv", "--target", "kind", *QUICK)[0] == 0
    (tmp_path / "out.csv").write_text("of old")
    before = sorted(tmp_path.iterdir())
    for path, words in (
        ("p.csv", "p.csv is the file p.csv that is read"),
        ("model.safetensors", "model.safetensors is the file model.safetensors that is read"),
        ("no/out.csv", "no/out.csv: the folder .*no does not exist"),
        ("p.csv/out.csv", "p.csv is no folder"),
    ):
        fails(run, words, "predict", "model.safetensors", "p.csv", "--output", path)
        fails(run, words, "evaluate", "model.safetensors", "p.csv", "--picture", path)

    def full(file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    fails(run, "No space left on device", "predict", "model.safetensors", "p.csv", "--output", "out.csv")
    assert (tmp_path / "out.csv").read_text() == "of old"
    assert sorted(tmp_path.iterdir()) == before


def test_bench_shows_a_line_for_each_backend_and_pytorch(run, monkeypatch):
    from xnn.cli import bench

    monkeypatch.setattr(bench, "_SIZES", (bench.Size("tiny", (4, 5, 3), 2),))
    status, out, err = run("bench", "--seconds", "0.001", "--backend", "numpy")
    assert (status, err) == (0, "")
    rows = out.split("\n\n")[1].splitlines()
    assert rows[0].split() == ["tiny,", "steps/s", "device"]
    assert rows[1].split()[0] == "numpy"
    assert float(rows[1].split()[1].replace(",", "")) > 0
    assert len(rows) in (2, 3)


def test_bench_lets_a_slow_one_have_one_turn(run, monkeypatch):
    from xnn.cli import bench

    turns = []

    def slow(backend, size):
        return lambda: turns.append(time.sleep(0.02)) or bench._BATCHES

    monkeypatch.setattr(bench, "_ours", slow)
    monkeypatch.setattr(bench, "_pytorch", list)
    assert run("bench", "--seconds", "0.001", "--backend", "numpy")[0] == 0
    assert len(turns) == len(bench._SIZES)
