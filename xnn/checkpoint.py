"""Named arrays and their description, to and from a safetensors file; what they mean is not known here.

The metadata of the file hold ``format`` ("xnn"), ``format_version`` ("1"), ``architecture`` (JSON) and
``checksum``: the SHA-256 of the architecture and of the names, dtypes, shapes and bytes of all arrays.
There is nothing in such a file to be executed. PyTorch reads the arrays with
``safetensors.torch.load_file``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from xnn.atomic import has_access, replacing
from xnn.errors import FileError
from xnn.host import ndarray, numpy

__all__ = ["read", "write"]

_VERSION = 1
_DTYPES = {"bool": "BOOL", "float16": "F16", "float32": "F32", "float64": "F64"}
_DTYPES |= {f"{u}int{bits}": f"{u or 'i'}{bits}".upper() for u in ("", "u") for bits in (8, 16, 32, 64)}


def write(path: str | os.PathLike[str], architecture: Mapping[str, Any], arrays: Mapping[str, ndarray]) -> None:
    """Write the file, whole or not at all: a file that was there before stays as it was until then (``xnn.atomic``).

    Args:
        path: the file; its folder must be there.
        architecture: a dictionary of plain JSON (tuples become lists).
        arrays: NumPy arrays of booleans, integers or float16, float32, float64, by name.

    Raises:
        TypeError, ValueError: for what cannot be stored; no file has been touched then.
        OSError: where the file cannot be written (FileNotFoundError where its folder is missing).
    """
    text = _json(architecture)
    stored = {name: _storable(name, array) for name, array in arrays.items()}
    metadata = {
        "format": "xnn",
        "format_version": str(_VERSION),
        "architecture": text,
        "checksum": _checksum(text, stored),
    }
    header, parts = _layout(stored, metadata)
    with replacing(path) as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for part in parts:
            file.write(_bytes(part))


def _layout(stored: Mapping[str, ndarray], metadata: Mapping[str, str]) -> tuple[bytes, list[ndarray]]:
    """The header of a safetensors file, and the arrays in the order of their bytes, the widest types first.

    It is written here, not by safetensors, which has a temporary file of its own that a killed process leaves.
    """
    names = sorted(stored, key=lambda name: (-stored[name].itemsize, name))
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    for name in names:
        array = stored[name]
        start, end = end, end + array.nbytes
        header[name] = {"dtype": _DTYPES[array.dtype.name], "shape": array.shape, "data_offsets": [start, end]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    return text + b" " * (-len(text) % 8), [stored[name] for name in names]


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, ndarray]]:
    """(architecture, arrays) of a file that ``write`` made; the arrays are new, sorted by name.

    Raises:
        FileError: for a file that is missing, damaged, foreign, or from a newer version.
    """
    place = os.fsdecode(path)
    if not os.path.isfile(place):
        what = "is a folder" if os.path.isdir(place) else "is no file" if os.path.exists(place) else "does not exist"
        raise FileError(f"{path} {what}; expected a file that was saved by xnn")
    if not has_access(place, os.R_OK):
        raise FileError(f"{path} cannot be read: no permission")
    try:
        text, stated, arrays = _open(place)
    except (MemoryError, FileError):
        raise
    except Exception as error:  # of many kinds: it depends on which byte is wrong
        empty = "it is empty" if _size(place) == 0 else str(error)[:300]
        raise FileError(
            f"{path} cannot be read as a safetensors file: {empty}; it is damaged, cut short, or of another kind. "
            "Restore it from a copy, or save the network again"
        ) from error
    found = _checksum(text, arrays)
    if found != stated:
        raise FileError(
            f"{path} is damaged: its content has the checksum {found}, and {str(stated)[:64]!r} was stored with it; "
            "restore it from a copy, or save the network again"
        )
    try:
        architecture = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise FileError(
            f"{path}: the architecture is no JSON that xnn could have written: {str(error)[:300]}"
        ) from error
    if not isinstance(architecture, dict):
        raise FileError(f"{path}: the architecture must be a JSON object; found {type(architecture).__name__}")
    return architecture, arrays


def _open(place: str) -> tuple[str, str | None, dict[str, ndarray]]:
    """The architecture, the checksum and the arrays, after a look at what kind of file it is."""
    from safetensors import safe_open

    with safe_open(place, framework="numpy") as file:
        metadata = file.metadata() or {}
        if metadata.get("format") != "xnn" or "architecture" not in metadata:
            raise FileError(
                f"{place} is a safetensors file, but none that xnn saved: its metadata name the format "
                f"{metadata.get('format')!r:.60}, expected 'xnn'. For arrays alone: "
                "network.set_parameters(safetensors.numpy.load_file(path))"
            )
        version = metadata.get("format_version", "")
        if version != str(_VERSION):
            newer = version.isdecimal() and int(version[:9]) > _VERSION
            raise FileError(
                f"{place} has version {version[:20]!r} of the file format; this xnn reads version {_VERSION}"
                + ("; install a newer xnn" if newer else ": the file is damaged")
            )
        return metadata["architecture"], metadata.get("checksum"), {k: file.get_tensor(k) for k in sorted(file.keys())}


def _checksum(text: str, arrays: Mapping[str, ndarray]) -> str:
    """SHA-256 in hexadecimal; JSON tells where each part ends, so different contents have different texts."""
    import hashlib  # on use: it loads OpenSSL

    names = sorted(arrays)
    table = [[name, arrays[name].dtype.name, list(arrays[name].shape)] for name in names]
    hashed = hashlib.sha256(json.dumps([text, table]).encode("ascii"))
    for name in names:
        hashed.update(_bytes(arrays[name]))
    return hashed.hexdigest()


def _bytes(array: ndarray) -> memoryview:
    """The bytes of an array in one piece, the low ones first."""
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)  # no copy on nearly all machines
    return little.reshape(-1).view(numpy.uint8).data


def _json(architecture: Mapping[str, Any]) -> str:
    if not isinstance(architecture, dict):
        raise TypeError(f"the architecture must be a dictionary of plain JSON; got {type(architecture).__name__}")
    try:
        text = json.dumps(architecture, allow_nan=False)
        _check_keys(architecture)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(
            f"the architecture, and network.notes in it, must be plain JSON (no NaN or infinity): {error}"
        ) from error
    return text


def _check_keys(value: Any) -> None:
    """json.dumps turns other keys into text silently, and they would not come back."""
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"keys must be text; got {key!r}")
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ():
        _check_keys(item)


def _storable(name: str, array: Any) -> ndarray:
    """The array in native byte order and one piece, copied only where it is not."""
    if not isinstance(name, str) or name == "__metadata__":
        raise ValueError(f"an array cannot be stored under the name {name!r}")
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"an array cannot be stored under the name {name!r}: {error}") from error
    if not isinstance(array, (ndarray, numpy.generic)) or array.dtype.name not in _DTYPES:
        found = getattr(array, "dtype", type(array).__name__)
        raise TypeError(f"array {name!r}: expected a NumPy array of numbers that safetensors knows; got {found}")
    return numpy.asarray(array, dtype=array.dtype.newbyteorder("="), order="C")


def _size(place: str) -> int:
    try:
        return os.path.getsize(place)
    except OSError:
        return -1


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")
