"""``numpy.einsum``: a sum of products, by products of matrices where two operands meet."""

from __future__ import annotations

import math
from functools import lru_cache
from string import ascii_lowercase, ascii_uppercase
from typing import Any

from xnn.autodiff.numpy_arrays import arrays_of
from xnn.contract import Array

__all__ = ["einsum"]

_LETTERS = ascii_uppercase + ascii_lowercase  # in NumPy's order


def einsum(xp: Any, operands: Any, optimize: Any = False) -> Array:
    """Σ over the letters that the result lacks of the product of all operands; every letter becomes an axis."""
    subscripts, *arrays = operands if isinstance(operands[0], str) else _written(operands)
    arrays = arrays_of(xp, arrays)
    terms, output = _read(subscripts, tuple(a.ndim for a in arrays))
    size = _sizes(terms, arrays)
    for i, (t, a) in enumerate(zip(terms, arrays, strict=True)):
        if (wanted := tuple(map(size.__getitem__, t))) != tuple(a.shape):
            arrays[i] = xp.broadcast_to(a, wanted)
    if len(terms) == 2 and all(len(set(t)) == len(t) for t in terms):
        return _pair(xp, list(terms), arrays, output, size)
    order = [*output, *sorted(set("".join(terms)) - set(output))]
    total = None
    for term, a in zip(terms, arrays, strict=True):
        term, a = _without_repeats(xp, term, a)
        kept = [letter for letter in order if letter in term]
        a = xp.permute_dims(a, tuple(term.index(letter) for letter in kept))
        sizes = iter(a.shape)
        a = xp.reshape(a, tuple(next(sizes) if letter in term else 1 for letter in order))
        total = a if total is None else total * a
    summed = tuple(range(len(output), len(order)))
    return xp.sum(total, axis=summed) if summed else total


def _written(operands: Any) -> tuple[Any, ...]:
    """The subscripts, and the arrays behind them, of arrays with a list of numbers behind each, and one at the end."""
    pairs = operands[: len(operands) // 2 * 2]
    end = "->" + _letters(operands[-1]) if len(operands) % 2 else ""
    return ",".join(map(_letters, pairs[1::2])) + end, *pairs[::2]


def _letters(numbers: Any) -> str:
    return "".join("..." if k is Ellipsis else _LETTERS[k] for k in numbers)


@lru_cache(1 << 10)
def _read(subscripts: str, axes: tuple[int, ...]) -> tuple[tuple[str, ...], str]:
    """The letters of the operands, which have so many axes, and those of the result.

    The axes that an ellipsis stands for get letters of their own, from the right.
    """
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(axes):
        raise ValueError(f"einsum has {len(terms)} terms for {len(axes)} operands: {subscripts!r}")
    more = [n - len(t.replace("...", "")) if "..." in t else 0 for t, n in zip(terms, axes, strict=True)]
    names = "".join([c for c in _LETTERS if c not in subscripts][: max(more)])
    terms = [t.replace("...", names[len(names) - n :]) for t, n in zip(terms, more, strict=True)]
    every = "".join(terms)
    if [len(t) for t in terms] != list(axes):
        raise ValueError(f"einsum has not as many letters as its operands have axes: {subscripts!r}, {axes}")
    if not arrow:
        output = names + "".join(c for c in sorted(set(every) - set(names)) if every.count(c) == 1)
    elif set(output) - set(every) - {"."} or len(set(output) - {"."}) < len(output.replace("...", "")):
        raise ValueError(f"einsum has a letter in the result that no operand has, or one twice: {subscripts!r}")
    elif names and "..." not in output:
        raise ValueError(f"einsum has axes for '...' which the result lacks: {subscripts!r}")
    return tuple(terms), output.replace("...", names)


def _sizes(terms: tuple[str, ...], arrays: list[Array]) -> dict[str, int]:
    """The length of the axes with each letter; those of length 1 are broadcast."""
    size: dict[str, int] = {}
    for t, a in zip(terms, arrays, strict=True):
        for letter, n in zip(t, a.shape, strict=True):
            if size.get(letter, 1) == 1:
                size[letter] = n
    return size


def _pair(xp: Any, terms: list[str], arrays: list[Array], output: str, size: dict[str, int]) -> Array:
    """Two operands by one product of matrices: letters in both and in the result, in one, in both but summed."""
    a, b = terms
    for i, (mine, other) in enumerate(((a, b), (b, a))):  # what only one operand has and nobody wants
        alone = [k for k, letter in enumerate(mine) if letter not in other and letter not in output]
        if alone:
            arrays[i] = xp.sum(arrays[i], axis=tuple(alone))
            terms[i] = "".join(letter for k, letter in enumerate(mine) if k not in alone)
    a, b = terms
    both = [letter for letter in a if letter in b and letter in output]
    summed = [letter for letter in a if letter in b and letter not in output]
    rows, columns = [c for c in a if c not in b], [c for c in b if c not in a]

    def matrix(which: int, *groups: list[str]) -> Array:
        order = [terms[which].index(letter) for group in groups for letter in group]
        shape = (*(size[letter] for letter in groups[0]), *(math.prod(size[c] for c in g) for g in groups[1:]))
        return xp.reshape(xp.permute_dims(arrays[which], tuple(order)), shape)

    y = matrix(0, both, rows, summed) @ matrix(1, both, summed, columns)
    found = [*both, *rows, *columns]
    y = xp.reshape(y, tuple(size[letter] for letter in found))
    return xp.permute_dims(y, tuple(found.index(letter) for letter in output)) if found else y


def _without_repeats(xp: Any, term: str, a: Array) -> tuple[str, Array]:
    """The diagonal where a letter comes twice."""
    for letter in set(term):
        while term.count(letter) > 1:
            i, j = term.index(letter), term.rindex(letter)
            a = xp.linalg.diagonal(xp.moveaxis(a, (i, j), (-2, -1)))
            term = "".join(c for k, c in enumerate(term) if k not in (i, j)) + letter
    return term, a
