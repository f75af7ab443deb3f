"""The command line, as a user calls it."""

import os
import re
import subprocess
import sys

import pytest

import xnn
from xnn import cli
from xnn.cli import info
from xnn.contract import Backend


def xnn_command(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "xnn", *arguments],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
        check=False,
    )


def test_info():
    """Every backend has its line, and the current one is marked."""
    done = xnn_command("info", XNN_BACKEND="array_api_strict:device1")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert re.match(r"xnn \S+, Python 3\.\d+\.\d+", lines[0])
    assert lines[2].split() == ["backend", "usable", "version", "device,", "or", "why", "it", "cannot", "be", "used"]
    reasons = xnn.available_backends()
    for name, reason in reasons.items():
        (line,) = (line for line in lines if re.match(rf"[* ] +{name} ", line))
        words = line.lstrip("* ").split(maxsplit=3)
        assert words[1] == ("no" if reason else "yes")
        assert line.startswith("*") == (name == "array_api_strict")
        if not reason and name != "array_api_strict":
            info = xnn.get_backend(name).info()
            assert words[2] == info["version"]
            assert info["device"].startswith(words[3])  # a long one goes on in the next line
    assert any(line.startswith("*") and "device1" in line for line in lines)
    assert max(map(len, lines)) <= 100
    assert "\x1b" not in done.stdout
    assert done.stdout.isascii()
    assert lines[-1].startswith("* the current backend")


@pytest.fixture
def backends(monkeypatch):
    """Backends of all kinds, none of them real."""

    class Fine(Backend):
        name, device = "fine", "gpu 0"

        def __init__(self):
            pass

        def info(self):
            return {"version": "1.2", "device": "a GPU [8 GiB]"}

    class Odd(Fine):
        name = "odd"

        def info(self):
            raise RuntimeError("no idea")

    reason = "backend 'gone' cannot be used here: " + "very " * 40 + 'long; pip install "gone[all]"'
    found = {"fine": Fine(), "odd": Odd()}
    monkeypatch.setattr(info, "available_backends", lambda: {"fine": "", "gone": reason, "odd": ""})
    monkeypatch.setattr(info, "get_backend", lambda name=None: found[name or "fine"])
    return reason


def test_info_says_why_not_in_full_words(capsys, backends):
    assert cli.main(["info"]) == 0
    text = capsys.readouterr().out
    lines = text.splitlines()
    start = lines[2].index("device,")
    said = " ".join(line[start:].strip() for line in lines if line[start - 1 : start + 1].strip())
    assert backends in said
    assert "a GPU [8 GiB]" in said
    assert "gpu 0 (RuntimeError when asked for more: no idea)" in said
    assert max(map(len, lines)) <= 100
    assert [line.split()[:3] for line in lines[3:4]] == [["*", "fine", "yes"]]
    assert all(line == line.rstrip() for line in lines)


@pytest.mark.parametrize("columns", [50, 80, 300])
def test_info_in_a_terminal(monkeypatch, capsys, backends, columns):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    cli.main(["info"])
    lines = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out).splitlines()
    assert max(map(len, lines)) <= min(columns, 100)
    assert "[all]" in "".join(line.split()[-1] for line in lines if line.strip())


def test_info_where_the_current_backend_cannot_be_used():
    done = xnn_command("info", XNN_BACKEND="cupi")
    assert done.returncode == 1
    words = " ".join(done.stdout.split())
    assert "The current backend, XNN_BACKEND=cupi, cannot be used: unknown backend 'cupi'; known are: numpy," in words
    assert "numpy yes" in words
    assert "\n*" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_version():
    done = xnn_command("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"xnn (\d+\.\d+\S*|\(not installed\))\n", done.stdout)


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_help(arguments):
    done = xnn_command(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    for taught in ("xnn train houses.csv --target price", "XNN_BACKEND=cupy", "xnn.set_backend", "xnn.use_backend"):
        assert taught in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


@pytest.mark.parametrize("command", ["train", "predict", "evaluate", "bench", "info", "gpu-report"])
def test_each_command_has_a_help_with_examples(capsys, command):
    with pytest.raises(SystemExit) as stopped:
        cli.main([command, "--help"])
    text = capsys.readouterr().out
    assert stopped.value.code == 0
    assert text.startswith(f"usage: xnn {command} ")
    assert f"examples:\n  xnn {command}" in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["inof"], "xnn: unknown command 'inof'; did you mean info?; try: xnn --help\n"),
        (
            ["x"],
            "xnn: unknown command 'x'; known are: train, predict, evaluate, bench, info, gpu-report; try: xnn --help\n",
        ),
        (["--inof"], "xnn: xnn has no option --inof; try: xnn --help\n"),
        (["info", "--output", "x"], "xnn: info has no option --output; try: xnn info --help\n"),
        (["info", "more"], "xnn: 'more' is one argument too many; try: xnn info --help\n"),
        (["train"], "xnn: the following arguments are required: data; try: xnn train --help\n"),
        (
            ["train", "a", "--hiden", "3"],
            "xnn: train has no option --hiden; did you mean --hidden?; try: xnn train --help\n",
        ),
        (
            ["train", "a", "--lr", "x"],
            "xnn: argument --lr: expected a number in (0, inf); got 'x'; try: xnn train --help\n",
        ),
        (
            ["train", "a", "--hidden", "9,x"],
            "xnn: argument --hidden: expected a whole number from 1 on; got 'x'; try: xnn train --help\n",
        ),
        (
            ["train", "a", "--optimizer", "adm"],
            "xnn: argument --optimizer: unknown 'adm'; did you mean adam or radam?; try: xnn train --help\n",
        ),
    ],
)
def test_wrong_arguments(capsys, arguments, message):
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 2
    assert capsys.readouterr() == ("", message)


def test_any_other_error_is_one_line_too(monkeypatch, capsys):
    def fail():
        raise RuntimeError("two\nlines")

    monkeypatch.setattr(info, "available_backends", fail)
    assert cli.main(["info"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("xnn: an error in xnn itself, please report it: RuntimeError: two lines (XNN_TRACEBACK=1")
    assert said.count("\n") == 1
    monkeypatch.setenv("XNN_TRACEBACK", "1")
    with pytest.raises(RuntimeError):
        cli.main(["info"])


def test_the_module_hands_the_status_on():
    done = xnn_command("inof")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
