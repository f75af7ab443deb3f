"""Files that are written whole; tests/test_checkpoint.py has them fail, and kills them, in the middle."""

import os

import pytest

from xnn import atomic
from xnn.atomic import replacing


def test_replaced_at_the_end(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    with replacing(tmp_path / "a") as file:
        file.write(b"new")
        file.flush()
        assert (tmp_path / "a").read_bytes() == b"old"
    assert (tmp_path / "a").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a"]


def test_leftovers_are_swept(tmp_path):
    (tmp_path / ".xnn-0123456789abcdef.tmp").write_bytes(b"half a file")
    kept = [".xnn-other.tmp", "a.tmp", ".xnn-0123456789abcdef.tmp2"]
    for name in kept:
        (tmp_path / name).touch()
    with replacing(tmp_path / "a"):
        pass
    assert sorted(os.listdir(tmp_path)) == sorted(["a", *kept])


def test_a_file_that_is_being_written_is_not_swept(tmp_path):
    with atomic._temporary(str(tmp_path)) as file:
        with replacing(tmp_path / "a"):
            pass
        assert sorted(os.listdir(tmp_path)) == sorted(["a", os.path.basename(file.name)])
    assert os.listdir(tmp_path) == ["a"]


def test_an_error_names_the_folder_not_the_temporary_file(tmp_path):
    folder = str(tmp_path)
    if os.name == "posix" and os.getuid() == 0:
        folder = "/sys"  # to which even root may not write
    else:
        tmp_path.chmod(0o555)
    with pytest.raises(OSError, match=f"'{folder}'$"), replacing(os.path.join(folder, "a")):
        pass
    tmp_path.chmod(0o755)
