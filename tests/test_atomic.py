"""Files that are written whole; tests/test_checkpoint.py has them fail, and kills them, in the middle."""

import os
import shutil
import tempfile

import numpy as np
import pytest

import xnn
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


def test_a_full_disk_names_the_file(tmp_path):
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(OSError, match=f"'{tmp_path}/a'$"), replacing(tmp_path / "a") as file:
            file.write(b"x" * 10_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert os.listdir(tmp_path) == []


def test_an_error_in_words_alone_keeps_them(tmp_path):
    with pytest.raises(OSError, match=r"^1000 requested and 480 written$"), replacing(tmp_path / "a"):
        raise OSError("1000 requested and 480 written")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_what_is_no_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    os.symlink(tmp_path / "pipe", tmp_path / "link")
    for name in ("pipe", "link"):
        with pytest.raises(OSError, match="is a device or a pipe"):
            xnn.Network([xnn.Dense(1)], inputs=1).save(tmp_path / name)
    assert (tmp_path / "pipe").is_fifo()


@pytest.fixture
def closed_folder():
    """A folder that may be read but not written, with a file in it that may not be read, also for root."""
    if os.name != "posix":
        pytest.skip("permissions are POSIX's here")
    folder, user = tempfile.mkdtemp(), os.geteuid()
    xnn.Network([xnn.Dense(1)], inputs=1).save(f"{folder}/net")
    os.chmod(f"{folder}/net", 0)
    os.chmod(folder, 0o555)
    if user == 0:
        os.seteuid(65534)  # nobody
    yield folder
    os.seteuid(user)
    os.chmod(folder, 0o755)
    shutil.rmtree(folder)


def test_missing_permissions_are_told_before_the_training(closed_folder):
    network, x = xnn.Network([xnn.Dense(1)], inputs=1), np.ones((3, 1))
    for callback in (
        xnn.Checkpoint(f"{closed_folder}/{{epoch}}.safetensors", every=50),
        xnn.BackupAndRestore(f"{closed_folder}/run.safetensors"),
    ):
        with pytest.raises(PermissionError, match=closed_folder):
            network.fit(x, x, loss=xnn.MeanSquaredError(), callbacks=[callback])
    assert network.step == 0
    with pytest.raises(PermissionError, match=closed_folder):
        network.save(f"{closed_folder}/other")
    with pytest.raises(xnn.FileError, match="cannot be read: no permission"):
        xnn.load(f"{closed_folder}/net")
