"""One evaluation of a function in reverse mode, and what goes in and out of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from array_api_compat import device

from xnn import trees
from xnn.arrays import get_backend, isdtype, namespace, owner, to_numpy
from xnn.autodiff.recording import recording
from xnn.autodiff.rule import is_complex
from xnn.autodiff.tracing import Traced, raw, still
from xnn.autodiff.watching import reverse_level
from xnn.contract import Array

__all__ = ["Tape", "floats", "like", "ones", "results", "zeros"]


class Tape:
    """f(x) and the tape of it: the level, the structures of argument and result, and where they lie on the tape.

    With ``has_aux`` f gives a pair, whose second part is kept as ``aux``, without the marks of this level.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        args: Sequence[Any],
        numbers: Sequence[int],
        options: Any = None,
        whole: bool = False,
        has_aux: bool = False,
    ) -> None:
        args = list(args)
        self.x: list[Array] = []
        self.structures: list[tuple[Any, int]] = []
        numbers = _places(numbers, len(args))
        for n in numbers:
            own = floats(args[n], n, args)
            self.structures.append((args[n], len(own)))
            self.x += own
        if not self.x:
            raise ValueError("there is no array to differentiate by")
        self.level = level = reverse_level()(self.x[0], recording, whole)
        traced = map(level.argument, self.x)
        for n in numbers:
            args[n] = trees.rebuild(args[n], traced)
        try:
            self.result = f(*args, **(options or {}))
        finally:
            level.open = False
        self.aux: Any = None
        if has_aux:
            self.result, aux = _pair(self.result)
            self.aux = trees.rebuild(aux, [still(a.value) if self._owns(a) else a for a in trees.leaves(aux)])
        self.y: list[Any] = []
        self.places: list[int | None] = []
        for y in results(self.result, self.x[0]):
            mine = self._owns(y)
            self.y.append(y.value if mine else y)
            self.places.append(y.mark if mine else None)

    def _owns(self, y: Any) -> bool:
        return isinstance(y, Traced) and y.level is self.level

    def value(self) -> Any:
        """The result, without the marks of this level."""
        return trees.rebuild(self.result, map(still, self.y))

    def pull(self, adjoints: Sequence[Array]) -> list[Array]:
        """Jᵀ g, an array for each argument; g an array for each result."""
        start: dict[int, Array] = {}
        for place, g in zip(self.places, adjoints, strict=True):
            if place is not None:
                start[place] = g if place not in start else start[place] + g
        found = self.level.pull(start)
        return [found[i] if i in found else zeros(x) for i, x in enumerate(self.x)]

    def push(self, tangents: Sequence[Array]) -> list[Array]:
        """J v, an array for each result; v an array for each argument."""
        found = self.level.push(dict(enumerate(tangents)))
        return [zeros(y) if p not in found else found[p] for p, y in zip(self.places, self.y, strict=True)]

    def structured(self, arrays: Sequence[Array]) -> list[Any]:
        """The arrays in the structures of the arguments."""
        every = iter(arrays)
        return [trees.rebuild(tree, every) for tree, _ in self.structures]


def _pair(result: Any) -> tuple[Any, Any]:
    if not isinstance(result, tuple) or len(result) != 2:
        kind = "an array" if hasattr(result, "shape") else type(result).__name__
        got = f"a tuple of {len(result)}" if isinstance(result, tuple) else kind
        raise TypeError(f"with has_aux=True the function gives (its value, anything else); it gave {got}")
    return result


def _places(numbers: Sequence[int], count: int) -> list[int]:
    """The arguments that argnums names, of ``count`` by position, from 0."""
    for n in numbers:
        if not hasattr(n, "__index__"):
            raise TypeError(f"argnums names arguments by their place, a whole number or several; got {n!r}")
        if not -count <= n < count:
            raise ValueError(
                f"argnums names argument {n} of a call with {count} by position; hand in without its name what a "
                "derivative is taken by"
            )
    places = [n % count for n in numbers]
    if len(set(places)) < len(places):
        raise ValueError(f"argnums names an argument twice: {tuple(numbers)}")
    return places


def floats(tree: Any, n: int, beside: Sequence[Any] = ()) -> list[Array]:
    """The arrays of an argument, which must be floating-point numbers; numbers in Python and in lists become such.

    Where there is no array in it, they become arrays like those ``beside`` it, the other arguments.
    """
    found = trees.leaves(tree)
    owners = set()
    for i, x in enumerate(found):
        kind = owner(x)
        if kind is None and _is_complex_number(x, tree, n, i):
            like = _first(beside)
            found[i] = x = get_backend().asarray(x) if like is None else namespace(like).asarray(x, device=device(like))
            kind = owner(x)
        owners.add(kind)
        if kind is None:
            continue
        if not _is_floating(x):
            place = trees.places(tree, f"argument {n}")[i]
            raise TypeError(f"{place}: a derivative is taken by floating-point numbers; got {x.dtype}")
        if getattr(x, "requires_grad", False):  # its own record of derivatives is not to grow here
            found[i] = x.detach()
    if len(owners) == 1 and None not in owners:
        return found
    like = _first(beside) if owners == {None} else None
    made = trees.arrays(tree, f"argument {n}", like)[1]  # a number stays one that ``+=`` does not change in place
    return [a if a.ndim or owner(x) else a[()] for a, x in zip(made, found, strict=True)]


def _is_complex_number(x: Any, tree: Any, n: int, i: int) -> bool:
    if isinstance(x, (int, float)):
        return False
    return bool(to_numpy(x, trees.places(tree, f"argument {n}")[i]).dtype.kind == "c")


def _first(args: Sequence[Any]) -> Any:
    """An array of real floating-point numbers like the first of the arrays, None where there is none."""
    every = [raw(x) for tree in args for x in trees.leaves(tree) if owner(x) is not None]
    if not every:
        return None
    x = next(filter(_is_floating, every), every[0])
    if is_complex(x):
        return namespace(x).real(x)
    return x if _is_floating(x) else namespace(x).asarray(0.0, device=device(x))


def results(tree: Any, x: Array) -> list[Array]:
    """The arrays that a function gave; numbers in Python become such, of the library of x."""
    found = trees.leaves(tree)
    for i, y in enumerate(found):
        if hasattr(y, "shape"):
            continue
        numbers, a = _numbers(y), raw(x)
        if numbers is not None:
            dtype = None if numbers.dtype.kind == "c" else a.dtype
            found[i] = namespace(a).asarray(numbers, dtype=dtype, device=device(a))
        else:
            raise TypeError(
                "a function with a derivative gives arrays or numbers, or lists, tuples and dictionaries with arrays; "
                f"{trees.places(tree, 'its result')[i]} is a {type(y).__name__}"
            )
    return found


def _numbers(y: Any) -> Any:
    """Numbers in Python, and in lists, as an array on the host; None for what is neither."""
    try:
        return to_numpy(y)
    except TypeError:
        return None


_FLOATING: dict[Any, bool] = {}  # by data type, and its class, since those of two libraries are not to be compared


def _is_floating(x: Array) -> bool:
    key = (x.dtype.__class__, x.dtype)
    try:
        return _FLOATING[key]
    except KeyError:
        return _FLOATING.setdefault(key, isdtype(namespace(raw(x)), x.dtype, ("real floating", "complex floating")))


def zeros(x: Array) -> Array:
    """Zeros like x, whatever it carries."""
    x = raw(x)
    xp = namespace(x)
    return xp.zeros(x.shape, dtype=x.dtype, device=device(x))


def ones(x: Array) -> Array:
    """Ones like x."""
    x = raw(x)
    return namespace(x).ones_like(x)


def like(g: Any, tree: Any, arrays: Sequence[Array], name: str, liked: str) -> list[Array]:
    """The arrays of g, which must have the structure and the shapes of those in ``tree``."""
    if not trees.is_structure(tree) and isinstance(g, Traced) and g.shape == arrays[0].shape:
        return [g]
    base = namespace(raw(arrays[0]))
    return trees.matching(g, base, tree, list(arrays), name, liked)
