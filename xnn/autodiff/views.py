"""Which array objects are views of one another, so that ``x[i] = v`` reaches all of them.

An array object that carries a derivative is changed by giving it a new value (``changes``); the memory behind it stays,
for a tape may still read it. What NumPy's views get from sharing memory is therefore done here: the objects that would
share it are a family, and each member knows by which keys it was read from the first one.
"""

from __future__ import annotations

from typing import Any
from weakref import ref

from xnn.host import numpy

__all__ = ["ArrayObject", "Kin", "is_mutable", "plain", "relate", "relatives"]


class ArrayObject:
    """What an array object consists of, with and without a derivative: the same, so that one can become the other.

    ``value`` is the array inside, ``level`` what it answers to, ``mark`` its place there, and ``kin`` its family.
    """

    __slots__ = ("__weakref__", "kin", "level", "mark", "value")
    value: Any
    level: Any
    mark: Any
    kin: Any  # a Kin, or None


class Kin:
    """The place of an array in its family.

    ``path`` holds the keys that lead from ``root`` to it, () for the root itself; None where they are not known, as
    after a reshape, which gives a view or a copy. ``family`` holds weak references to all members.
    """

    __slots__ = ("family", "path", "root")

    def __init__(self, family: list[Any], root: Any, path: tuple[Any, ...] | None) -> None:
        self.family, self.root, self.path = family, root, path


def relate(y: Any, x: Any, key: Any = None, known: bool = False) -> None:
    """Note that y was read from x, as x[key] where that is ``known``; the key may be a rule of one array, x.T."""
    kin = x.kin
    if kin is None or (kin.path is None and not relatives(x)):  # nobody holds what x may be a view of
        x.kin = kin = Kin([ref(x)], None, ())
    family = kin.family
    if len(family) & (len(family) - 1) == 0:  # now and then: at the powers of two
        family[:] = [member for member in family if member() is not None]
    family.append(ref(y))
    exact = known and kin.path is not None
    y.kin = Kin(family, (x if kin.root is None else kin.root) if exact else None, (*kin.path, key) if exact else None)


def relatives(x: Any) -> list[Any]:
    """The other arrays of its family that somebody still holds."""
    members = [] if x.kin is None else [member() for member in x.kin.family]
    return [member for member in members if member is not None and member is not x]


def plain(x: Any) -> Any:
    """The array of the library inside."""
    while hasattr(type(x), "__wrapped_array__"):
        x = x.__wrapped_array__
    return x


def is_mutable(x: Any) -> bool:
    """Whether the array of the library changes in place: JAX's do not, and neither does a single number of NumPy's."""
    a = plain(x)
    kind = type(a)
    if kind not in _MUTABLE:
        _MUTABLE[kind] = not hasattr(a, "at") and not isinstance(a, numpy.generic)
    return _MUTABLE[kind]


_MUTABLE: dict[type, bool] = {}
