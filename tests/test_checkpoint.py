"""Files: what is written comes back, and what does not come back whole is refused."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from xnn import checkpoint
from xnn.checkpoint import read, write
from xnn.errors import FileError

ARCHITECTURE = {
    "layers": [{"type": "Dense", "units": 3, "bias": True}, {"type": "Dropout", "p": 0.25}],
    "inputs": [4],
    "note": "δ – “ok”",
    "nothing": None,
}


def arrays():
    rng = np.random.default_rng(0)
    return {
        "0.weight": rng.normal(size=(3, 4)).astype("float32"),
        "0.bias": np.zeros(3),
        "1.steps": np.array(7),
        "2.empty": np.zeros((0, 2), "float32"),
        "σ": np.array([[True, False]]),
        "2.special": np.array([np.nan, np.inf, -0.0, 5e-324]),
    } | {name: np.array([0, 1, 100], name) for name in ("int8", "int16", "int32", "int64", "uint8", "float16")}


def small(path):
    """A small file, its content, and its bytes."""
    architecture, stored = {"layers": [1, "a"], "seed": 3}, {"w": np.array([1.5, -2.0], "float32"), "n": np.array(2)}
    write(path, architecture, stored)
    return (architecture, stored), path.read_bytes()


def same(one, other):
    """Whether two results of ``read`` are equal to the last bit, in types, too."""
    return (
        json.dumps(one[0]) == json.dumps(other[0])
        and sorted(one[1]) == sorted(other[1])
        and all(
            one[1][k].dtype == other[1][k].dtype
            and one[1][k].shape == other[1][k].shape
            and one[1][k].tobytes() == other[1][k].tobytes()
            for k in one[1]
        )
    )


# -- What is written comes back ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [str, Path])
def test_round_trip(tmp_path, kind):
    path = kind(tmp_path / "a.safetensors")
    stored = arrays()
    write(path, ARCHITECTURE, stored)
    result = read(path)
    assert same(result, (ARCHITECTURE, stored))
    assert list(result[1]) == sorted(stored)
    assert all(a.flags.writeable for a in result[1].values())
    assert os.listdir(tmp_path) == ["a.safetensors"]


def test_the_order_of_the_arrays_does_not_matter(tmp_path):
    stored = arrays()
    write(tmp_path / "a", ARCHITECTURE, stored)
    write(tmp_path / "b", ARCHITECTURE, dict(reversed(stored.items())))
    assert same(read(tmp_path / "a"), read(tmp_path / "b"))


def test_arrays_in_other_memory_layouts(tmp_path):
    a = np.arange(12.0).reshape(3, 4)
    given = {
        "transposed": a.T,
        "strided": a[::2, ::-1],
        "swapped": a.astype(">f8"),
        "read-only": np.broadcast_to(a[:1], (5, 4)),
        "scalar": np.float32(2.5),
    }
    write(tmp_path / "a", {}, given)
    _, found = read(tmp_path / "a")
    for name, array in given.items():
        assert (found[name] == array).all()
        assert found[name].shape == array.shape
        assert found[name].dtype == array.dtype.newbyteorder("=")


def test_tuples_become_lists_and_nothing_is_a_file_too(tmp_path):
    write(tmp_path / "a", {"shape": (2, 3)}, {})
    assert read(tmp_path / "a") == ({"shape": [2, 3]}, {})


def test_torch_reads_the_file(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    stored = {k: a for k, a in arrays().items()}
    write(tmp_path / "a", ARCHITECTURE, stored)
    loaded = load_file(tmp_path / "a")
    assert sorted(loaded) == sorted(stored)
    for name, array in stored.items():
        assert torch.equal(loaded[name].nan_to_num(3.0), torch.from_numpy(array.copy()).nan_to_num(3.0)), name


def test_no_array_is_copied_to_be_written(tmp_path):
    import tracemalloc

    stored = {"w": np.zeros(4_000_000, "float32")}
    write(tmp_path / "a", {}, stored)  # what is imported on the way does not count
    tracemalloc.start()
    write(tmp_path / "a", {}, stored)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < stored["w"].nbytes / 4


# -- What cannot be stored is refused before any file is touched ---------------------------------------------------


@pytest.mark.parametrize(
    "architecture",
    [
        {"f": np.sin},
        {"f": np.float32(1)},
        {"f": np.zeros(2)},
        {"f": {1, 2}},
        {"f": b"bytes"},
        {"f": float("nan")},
        {"f": float("inf")},
        {1: "key"},
        {"f": [{"g": ({None: 1},)}]},
        ["no", "dictionary"],
        None,
    ],
)
def test_an_architecture_that_is_no_json(tmp_path, architecture):
    with pytest.raises(TypeError, match="plain JSON"):
        write(tmp_path / "a", architecture, arrays())
    assert os.listdir(tmp_path) == []


def test_an_architecture_that_holds_itself(tmp_path):
    architecture = {}
    architecture["self"] = architecture
    with pytest.raises(TypeError, match="plain JSON"):
        write(tmp_path / "a", architecture, {})


@pytest.mark.parametrize(
    ("stored", "error"),
    [
        ({"w": [1.0]}, TypeError),
        ({"w": np.array(["a"])}, TypeError),
        ({"w": np.array([None])}, TypeError),
        ({"w": np.zeros(2, "complex128")}, TypeError),
        ({"__metadata__": np.zeros(2)}, ValueError),
        ({3: np.zeros(2)}, ValueError),
        ({"\ud800": np.zeros(2)}, ValueError),
    ],
)
def test_arrays_that_cannot_be_stored(tmp_path, stored, error):
    before, _ = small(tmp_path / "a")
    with pytest.raises(error, match="array"):
        write(tmp_path / "a", {}, stored)
    assert same(read(tmp_path / "a"), before)
    assert os.listdir(tmp_path) == ["a"]


def test_places_where_no_file_can_be(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"folder .*missing does not exist; create it first"):
        write(tmp_path / "missing" / "a", {}, {})
    with pytest.raises(IsADirectoryError, match="is a folder"):
        write(tmp_path, {}, {})
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="is no folder"):
        write(tmp_path / "file" / "a", {}, {})
    assert os.listdir(tmp_path) == ["file"]


def test_the_folder_of_a_bare_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("a", {"k": 1}, {})
    assert read("a")[0] == {"k": 1}


def test_a_link_stays_a_link(tmp_path):
    small(tmp_path / "a")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    write(tmp_path / "link", {"k": 1}, {})
    assert (tmp_path / "link").is_symlink()
    assert read(tmp_path / "a")[0] == {"k": 1}


# -- A file is there whole, or as it was ---------------------------------------------------------------------------


@pytest.mark.parametrize("function", ["os.replace", "os.fsync", "xnn.checkpoint._bytes"])
@pytest.mark.parametrize("error", [OSError("no space"), KeyboardInterrupt()])
def test_failing_in_the_middle_leaves_the_old_file(tmp_path, monkeypatch, function, error):
    before, data = small(tmp_path / "a")

    def fail(*arguments, **settings):
        raise error

    monkeypatch.setattr(function, fail)
    with pytest.raises(type(error)):
        write(tmp_path / "a", {"other": 1}, arrays())
    monkeypatch.undo()
    assert (tmp_path / "a").read_bytes() == data
    assert same(read(tmp_path / "a"), before)
    assert os.listdir(tmp_path) == ["a"]


def test_everything_is_on_disk_before_the_name_changes(tmp_path, monkeypatch):
    events = []
    fsync, replace = os.fsync, os.replace

    def note_fsync(handle):
        events.append(os.readlink(f"/proc/self/fd/{handle}"))
        fsync(handle)

    def note_replace(source, target):
        events.append("replace")
        assert os.path.dirname(source) == os.path.dirname(target)
        replace(source, target)

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("this system does not tell the names of open files")
    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "replace", note_replace)
    write(tmp_path / "a", {}, arrays())
    assert len(events) == 3
    assert events[0].endswith(".tmp")
    assert events[1:] == ["replace", str(tmp_path.resolve())]


def test_a_full_disk(tmp_path):
    """A limit on the size of files stands for a disk that is full."""
    pytest.importorskip("resource")
    before, _ = small(tmp_path / "a")
    script = """
import resource, sys
import numpy as np
from xnn.checkpoint import write
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
try:
    write(sys.argv[1], {}, {"w": np.zeros(1 << 20)})
except OSError as error:
    print("refused:", error)
"""
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "a"], capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("refused:"), done.stdout + done.stderr
    assert same(read(tmp_path / "a"), before)
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_process_killed_while_it_saves(tmp_path):
    """Whenever it dies, the file is there, whole, and one of those that were saved."""
    path = tmp_path / "a"
    script = """
import sys
import numpy as np
from xnn.checkpoint import write
i = 0
while True:
    i += 1
    write(sys.argv[1], {"i": i}, {"w": np.full(50_000, float(i)), "n": np.array(i)})
"""
    pauses = random.Random(0)
    for _ in range(3):
        path.unlink(missing_ok=True)
        process = subprocess.Popen([sys.executable, "-c", script, path])
        try:
            deadline = time.monotonic() + 60
            while not path.exists() and time.monotonic() < deadline:
                time.sleep(0.001)
            time.sleep(pauses.uniform(0.0, 0.05))
        finally:
            process.kill()
            process.wait()
        architecture, stored = read(path)
        i = architecture["i"]
        assert (stored["w"] == i).all()
        assert stored["n"] == i


# -- What does not come back whole is refused ----------------------------------------------------------------------


def outcome(path, data):
    """What reading these bytes gives: the content, or None where they are refused with a FileError."""
    path.write_bytes(data)
    try:
        return read(path)
    except FileError as error:
        message = str(error)
    assert str(path) in message
    return None


@pytest.mark.parametrize("bits", [1, pytest.param(8, marks=pytest.mark.slow)])
def test_a_flipped_bit_in_every_byte(tmp_path, bits):
    before, data = small(tmp_path / "a")
    for i in range(len(data)):
        for bit in range(i, i + bits):
            changed = bytearray(data)
            changed[i] ^= 1 << bit % 8
            found = outcome(tmp_path / "b", changed)
            assert found is None or same(found, before), (i, bit % 8, bytes(changed))


def test_every_byte_of_the_arrays_and_of_the_architecture_counts(tmp_path):
    _, data = small(tmp_path / "a")
    header = 8 + int.from_bytes(data[:8], "little")
    start = data.index(b"layers")
    for i in [*range(start, start + 10), *range(header, len(data))]:
        changed = bytearray(data)
        changed[i] ^= 1
        assert outcome(tmp_path / "b", changed) is None


def test_every_truncation(tmp_path):
    _, data = small(tmp_path / "a")
    for length in range(len(data)):
        assert outcome(tmp_path / "b", data[:length]) is None


def test_appended_bytes(tmp_path):
    _, data = small(tmp_path / "a")
    for tail in (b"\0", b" ", b"\n", data, bytes(1000)):
        assert outcome(tmp_path / "b", data + tail) is None


def crafted(path, text='{"layers": []}', checksum=None, **metadata):
    """A file as ``write`` makes it, with any text for the architecture and any metadata."""
    from safetensors.numpy import save_file

    stored = {"w": np.ones(2)}
    checksum = checkpoint._checksum(text, stored) if checksum is None else checksum
    fields = {"format": "xnn", "format_version": "1", "architecture": text, "checksum": checksum} | metadata
    save_file(stored, path, {k: v for k, v in fields.items() if v is not None})
    return path


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"format_version": "2"}, "version '2' of the file format; this xnn reads version 1; install a newer xnn"),
        ({"format_version": "99999999999999999999999"}, "install a newer xnn"),
        ({"format_version": "0"}, "version '0'.*damaged"),
        ({"format_version": "one"}, "version 'one'.*damaged"),
        ({"format_version": None}, "version ''.*damaged"),
        ({"format": None}, "none that xnn saved: its metadata name the format None, expected 'xnn'"),
        ({"format": "pt"}, "none that xnn saved: its metadata name the format 'pt'"),
        ({"architecture": None}, "none that xnn saved"),
        ({"checksum": ""}, "is damaged: its content has the checksum"),
        ({"checksum": "0" * 64}, "is damaged: its content has the checksum"),
        ({"text": "{"}, "no JSON that xnn could have written"),
        ({"text": ""}, "no JSON"),
        ({"text": "[1, 2]"}, "must be a JSON object; found list"),
        ({"text": "null"}, "must be a JSON object; found NoneType"),
        ({"text": '{"a": NaN}'}, "NaN is no JSON"),
        ({"text": '{"a": -Infinity}'}, "-Infinity is no JSON"),
        ({"text": '{"a": ' + "9" * 5000 + "}"}, "no JSON"),
        ({"text": '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}"}, "no JSON"),
    ],
)
def test_other_metadata(tmp_path, settings, words):
    path = crafted(tmp_path / "a", **settings)
    with pytest.raises(FileError, match=words) as error:
        read(path)
    assert str(path) in str(error.value)
    assert len(str(error.value)) < 700


def test_the_crafted_file_is_right_otherwise(tmp_path):
    assert read(crafted(tmp_path / "a"))[0] == {"layers": []}


def test_foreign_files(tmp_path):
    from safetensors.numpy import save_file

    save_file({"w": np.ones(2)}, tmp_path / "a")
    with pytest.raises(FileError, match="a safetensors file, but none that xnn saved"):
        read(tmp_path / "a")
    np.save(tmp_path / "b.npy", np.ones(2))
    (tmp_path / "text").write_text("no network\n" * 100)
    (tmp_path / "json").write_text(json.dumps(ARCHITECTURE))
    (tmp_path / "zip").write_bytes(b"PK\x03\x04" + bytes(100))
    for name in ("b.npy", "text", "json", "zip"):
        with pytest.raises(FileError, match=f"{name} cannot be read as a safetensors file"):
            read(tmp_path / name)


def test_dtypes_that_numpy_does_not_have(tmp_path):
    header = json.dumps(
        {
            "__metadata__": {"format": "xnn", "format_version": "1", "architecture": "{}", "checksum": ""},
            "w": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]},
        }
    ).encode()
    assert outcome(tmp_path / "a", len(header).to_bytes(8, "little") + header + b"\0\0") is None


def test_no_file(tmp_path):
    with pytest.raises(FileError, match="missing does not exist; expected a file that was saved by xnn"):
        read(tmp_path / "missing")
    with pytest.raises(FileError, match="does not exist"):
        read(str(tmp_path / "missing" / "a"))
    with pytest.raises(FileError, match="is a folder"):
        read(tmp_path)
    (tmp_path / "empty").touch()
    with pytest.raises(FileError, match="it is empty"):
        read(tmp_path / "empty")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")  # to open it would wait for ever
        with pytest.raises(FileError, match="is no file"):
            read(tmp_path / "pipe")


def test_a_path_that_is_none():
    for function in (lambda: read(None), lambda: write(3, {}, {})):
        with pytest.raises(TypeError):
            function()


def test_the_file_has_the_rights_of_any_new_file(tmp_path):
    (tmp_path / "other").touch()
    checkpoint.write(tmp_path / "net", {}, {"a": np.ones(2)})
    assert os.stat(tmp_path / "net").st_mode == os.stat(tmp_path / "other").st_mode
