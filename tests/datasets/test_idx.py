"""The idx files of MNIST and its kin: what is right is read, and what is wrong is told."""

import gzip
import struct

import numpy as np
import pytest

from xnn.datasets import read_idx
from xnn.errors import FileError

CODES = {"uint8": 0x08, "int8": 0x09, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D, "float64": 0x0E}


def idx(array):
    head = struct.pack(f">HBB{array.ndim}I", 0, CODES[array.dtype.name], array.ndim, *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("dtype", CODES)
def test_every_type_packed_or_not(tmp_path, pack, dtype):
    array = np.arange(-12, 12).reshape(2, 3, 4).astype(dtype)
    (tmp_path / "a").write_bytes(pack(idx(array)))
    found = read_idx(tmp_path / "a")
    assert found.dtype == np.dtype(dtype)  # in the order of this machine
    assert found.flags.writeable
    np.testing.assert_array_equal(found, array)


def test_no_examples(tmp_path):
    (tmp_path / "a").write_bytes(idx(np.empty((0, 28, 28), "uint8")))
    assert read_idx(tmp_path / "a").shape == (0, 28, 28)


GOOD = idx(np.arange(100, dtype="uint8"))
PACKED = gzip.compress(np.random.default_rng(0).bytes(1000))
WRONG = {
    "empty": (b"", r"no idx file: it begins with the bytes \(none\); expected 00 00"),
    "short": (b"\0\0\x08", "no idx file"),
    "text": (b"x,y\n1,2\n", "begins with the bytes 78 2c 79 0a"),
    "type": (b"\0\0\x0a\x01" + GOOD[4:], "no idx file"),
    "no axes": (b"\0\0\x08\0", "no idx file"),
    "no lengths": (GOOD[:6], "damaged or cut short"),
    "cut": (GOOD[:-1], r"its header announces shape \(100,\) of uint8, 100 bytes; found 99"),
    "too long": (GOOD + b"x", "100 bytes; found more"),
    "promises too much": (b"\0\0\x0e\x03" + b"\xff" * 12 + b"\0" * 50, "found 50"),
    "gzip cut": (gzip.compress(GOOD)[:-20], "cannot be read: .*; expected an idx file"),
    "gzip sum": (gzip.compress(GOOD)[:-8] + b"\0" * 8, "cannot be read: .*CRC"),
    "gzip damaged": (PACKED[:50] + bytes(b ^ 255 for b in PACKED[50:60]) + PACKED[60:], "file"),
    "gzip of something else": (gzip.compress(b"hello"), "no idx file"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_told_from_a_right_one(tmp_path, case):
    content, words = WRONG[case]
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(FileError, match=words) as caught:
        read_idx(tmp_path / "file")
    assert str(tmp_path / "file") in str(caught.value)


def test_no_file(tmp_path):
    with pytest.raises(FileError, match="No such file"):
        read_idx(tmp_path / "none")
    with pytest.raises(FileError, match="directory"):
        read_idx(tmp_path)
