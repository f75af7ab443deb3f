"""Fashion-MNIST: 70,000 real pictures of clothes, from a folder, a package of the system, or the network."""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path

from xnn.datasets.dataset import Dataset
from xnn.datasets.idx import read_idx
from xnn.errors import FileError
from xnn.host import ndarray

__all__ = ["load_fashion_mnist"]

CLASSES = (
    "T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip

#: The files, and the SHA-256 of the array in each: the same however it is compressed.
FILES = {
    "train-images-idx3-ubyte": "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
    "train-labels-idx1-ubyte": "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
    "t10k-images-idx3-ubyte": "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
    "t10k-labels-idx1-ubyte": "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
}
PACKAGE = Path("/usr/share/datasets/fashion-mnist")  # of dataset-fashion-mnist, in Debian and Ubuntu
SOURCE = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"
_SECONDS = 30  # without an answer


def load_fashion_mnist(path: str | os.PathLike[str] | None = None, *, download: bool = True) -> Dataset:
    """Fashion-MNIST: 60,000 pictures to train with and 10,000 for the test, of ten kinds of clothes.

    x is of shape (60000, 784) and type uint8, 0 … 255: rows of 28×28 gray pixels, ``x[0].reshape(28, 28)``
    is a picture. The four files are looked for in ``path``, if it is given; else in the folder
    ``fashion-mnist`` of ``$XNN_DATA`` (by default the user's cache, ``~/.cache/xnn``), then where the Debian
    package ``dataset-fashion-mnist`` puts them; else they are downloaded to the first of the two (31 MB).
    Wherever they come from, their content is held against its SHA-256.

    Args:
        path: the folder with the files (``train-images-idx3-ubyte.gz`` …, or unpacked), or the one above it.
        download: whether the network may be used.

    Raises:
        FileError: where the files are not found, or damaged, or of another data set.

    Source: Xiao, Rasul & Vollgraf (2017), "Fashion-MNIST", arXiv:1708.07747.
    """
    home = data_home() / "fashion-mnist"
    folders = [home, PACKAGE] if path is None else [Path(path), Path(path) / "fashion-mnist"]
    found = next((places for folder in folders if (places := _files(folder))), None)
    if found is None and path is not None:
        raise FileError(
            f"{path} has not all the files of Fashion-MNIST; expected {', '.join(FILES)}, each with .gz or without"
        )
    if found is None:
        found = _download(home, download)
    x, y, x_test, y_test = (_checked(place, FILES[name]) for name, place in found.items())
    return Dataset(
        x.reshape(-1, 784),
        y.astype("int64"),
        name="Fashion-MNIST",
        classes=CLASSES,
        x_test=x_test.reshape(-1, 784),
        y_test=y_test.astype("int64"),
    )


def data_home() -> Path:
    """The folder for data sets: ``$XNN_DATA``, else ``xnn`` in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("XNN_DATA") or Path(cache) / "xnn")


def _files(folder: Path) -> dict[str, Path] | None:
    """The file of each name, where the folder has all of them."""
    places = {name: folder / f"{name}.gz" for name in FILES}
    places = {name: place if place.is_file() else folder / name for name, place in places.items()}
    return places if all(place.is_file() for place in places.values()) else None


def _checked(place: Path, digest: str) -> ndarray:
    array = read_idx(place)
    if hashlib.sha256(array.data).hexdigest() != digest:
        raise FileError(
            f"{place} is not the file of Fashion-MNIST: its content, of shape {array.shape}, has another checksum; "
            "it is damaged or of another data set (MNIST has files of the same names): remove it, or give another path"
        )
    return array


def _download(home: Path, download: bool) -> dict[str, Path]:
    """Each file into the folder, whole and checked or not at all."""
    reason = "download=False"
    if download:
        try:
            home.mkdir(parents=True, exist_ok=True)
            for name, digest in FILES.items():
                _fetch(f"{SOURCE}{name}.gz", home / f"{name}.gz", digest)
            return {name: home / f"{name}.gz" for name in FILES}
        except OSError as error:  # of the network (urllib's) and of the folder
            reason = str(error)
    raise FileError(
        "Fashion-MNIST is not here. Three ways to get it: install the package of Debian and Ubuntu (apt install "
        "dataset-fashion-mnist); or put its four files into a folder and give it, load_fashion_mnist(folder), or as "
        f"fashion-mnist in the folder that XNN_DATA names; or have it downloaded, which has failed: {reason}"
    )


def _fetch(address: str, place: Path, digest: str) -> None:
    from urllib.request import urlopen

    temporary = place.with_name(f".xnn-{secrets.token_hex(8)}.tmp")
    try:
        with urlopen(address, timeout=_SECONDS) as answer, open(temporary, "xb") as file:
            while piece := answer.read(1 << 20):
                file.write(piece)
        try:
            _checked(temporary, digest)
        except FileError as error:
            raise OSError(f"what came from {address} is not the file: {error}") from error
        os.replace(temporary, place)
    finally:
        with suppress(OSError):
            temporary.unlink()
