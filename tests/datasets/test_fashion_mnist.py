"""Fashion-MNIST from each of its places; the real files where the system has them."""

import gzip
import hashlib
import re

import numpy as np
import pytest
from test_idx import idx

from xnn.datasets import fashion_mnist, load_fashion_mnist
from xnn.errors import FileError


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Small files in a folder, whose checksums count as the right ones, and no others anywhere."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "source"
    folder.mkdir()
    sums = {}
    for name in fashion_mnist.FILES:
        shape = (30 if "train" in name else 10, *((28, 28) if "images" in name else ()))
        array = rng.integers(0, 10, shape, dtype="uint8")
        sums[name] = hashlib.sha256(array).hexdigest()
        (folder / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
    monkeypatch.setattr(fashion_mnist, "FILES", sums)
    monkeypatch.setattr(fashion_mnist, "PACKAGE", tmp_path / "no-package")
    monkeypatch.setattr(fashion_mnist, "SOURCE", f"{folder.as_uri()}/")
    monkeypatch.setenv("XNN_DATA", str(tmp_path / "data"))
    return folder


def check(data):
    assert (data.x.shape, data.y.shape, data.x_test.shape, data.y_test.shape) == ((30, 784), (30,), (10, 784), (10,))
    assert (data.x.dtype, data.y.dtype) == ("uint8", "int64")
    assert (data.name, data.classes[9], len(data.classes)) == ("Fashion-MNIST", "ankle boot", 10)


def test_from_a_folder(files, tmp_path):
    check(load_fashion_mnist(files, download=False))
    for packed in files.iterdir():
        (tmp_path / "fashion-mnist").mkdir(exist_ok=True)
        (tmp_path / "fashion-mnist" / packed.stem).write_bytes(gzip.decompress(packed.read_bytes()))
    check(load_fashion_mnist(str(tmp_path), download=False))  # the folder above, and unpacked files


def test_from_the_package_or_the_environment(files, tmp_path, monkeypatch):
    monkeypatch.setattr(fashion_mnist, "PACKAGE", files)
    check(load_fashion_mnist(download=False))
    monkeypatch.setattr(fashion_mnist, "PACKAGE", tmp_path / "no-package")
    (tmp_path / "data").mkdir()
    files.rename(tmp_path / "data" / "fashion-mnist")
    check(load_fashion_mnist(download=False))


def test_downloaded_once(files, tmp_path):
    check(load_fashion_mnist())
    for file in files.iterdir():
        file.unlink()
    check(load_fashion_mnist())
    assert len(list((tmp_path / "data" / "fashion-mnist").iterdir())) == 4, "and nothing is left over"


def test_a_wrong_download_is_not_kept(files, tmp_path):
    images = files / "t10k-images-idx3-ubyte.gz"
    images.write_bytes(gzip.compress(idx(np.zeros((10, 28, 28), "uint8"))))
    with pytest.raises(FileError, match=r"which has failed: what came from file:.*t10k-images.* is not the file"):
        load_fashion_mnist()
    assert not [file for file in (tmp_path / "data" / "fashion-mnist").iterdir() if "t10k-images" in file.name]


@pytest.mark.parametrize("download", [False, True])
def test_without_any_of_them_all_three_ways_are_said(files, monkeypatch, download):
    monkeypatch.setattr(fashion_mnist, "SOURCE", files.as_uri() + "/nothing/")
    with pytest.raises(FileError) as caught:
        load_fashion_mnist(download=download)
    for way in ("apt install dataset-fashion-mnist", "load_fashion_mnist(folder)", "XNN_DATA", "downloaded"):
        assert way in str(caught.value)
    assert ("download=False" in str(caught.value)) == (not download)


def test_a_folder_that_lacks_a_file_is_not_left_for_another(files):
    (files / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FileError, match=re.escape(f"{files} has not all the files of Fashion-MNIST")):
        load_fashion_mnist(files)


def test_files_of_another_data_set(files):
    (files / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.zeros(30, "uint8"))))
    with pytest.raises(FileError, match=r"train-labels-idx1-ubyte.gz is not the file of Fashion-MNIST.*shape \(30,\)"):
        load_fashion_mnist(files)


def test_the_real_one():
    if fashion_mnist._files(fashion_mnist.PACKAGE) is None:
        pytest.skip("Fashion-MNIST is not installed (apt install dataset-fashion-mnist)")
    data = load_fashion_mnist(fashion_mnist.PACKAGE)
    assert (data.x.shape, data.x_test.shape) == ((60000, 784), (10000, 784))
    assert np.bincount(data.y).tolist() == [6000] * 10
    assert np.bincount(data.y_test).tolist() == [1000] * 10
    assert data.y[:4].tolist() == [9, 0, 0, 3]
    assert round(float(data.x.mean()), 2) == 72.94
