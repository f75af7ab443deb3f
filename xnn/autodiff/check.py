"""Whether a derivative is right: both modes against differences, to second order, by random projections."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from array_api_compat import device

from xnn import trees
from xnn.arrays import namespace, on_their_device, to_numpy
from xnn.autodiff.lifting import answering
from xnn.autodiff.modes import jvp, vjp
from xnn.autodiff.rule import is_complex
from xnn.autodiff.tape import floats, results
from xnn.autodiff.tracing import raw
from xnn.contract import Array
from xnn.host import generator, numpy

__all__ = ["check_gradients"]


@on_their_device
def check_gradients(
    f: Callable[..., Any], *x: Any, order: int = 2, step: float = 1e-3, tolerance: float = 1e-6, seed: int = 0
) -> None:
    """Hold the derivatives of f at x against differences; raises AssertionError where they differ.

    Along a random direction v, and for a random projection g of the result, with the step h and the five-point
    rule D = (f(x−2h) − 8f(x−h) + 8f(x+h) − f(x+2h))/12h, it checks

        forward   J v = D f along v,    reverse   g·(J v) = (Jᵀ g)·v,

    and for ``order=2`` the same of the gradient Jᵀ g. Arguments that are no floats (labels, settings) are left as
    they are. The error is taken relative to the largest entry; ``tolerance`` suits float64. On failure it says
    which argument is off, in which entry, and by how much.
    """
    numbers = [n for n, a in enumerate(x) if _is_float(a)]
    if not numbers:
        raise TypeError("check_gradients needs at least one argument of real floating-point numbers")
    draw = generator(seed)

    def of(chosen: list[Any]) -> list[Array]:
        args = list(x)
        for n, a in zip(numbers, chosen, strict=True):
            args[n] = a
        return results(answering(f)(*args), trees.leaves(chosen)[0])

    names = [place for n in numbers for place in trees.places(x[n], f"argument {n}")]
    arrays = [a for n in numbers for a in floats(x[n], n)]
    structure = [x[n] for n in numbers]

    def flat(values: list[Array]) -> list[Array]:
        every = iter(values)
        return of([trees.rebuild(tree, every) for tree in structure])

    _check(flat, arrays, names, draw, step, tolerance, "first derivative")
    if order > 1:
        weights = [_random(draw, y) for y in flat(arrays)]

        def gradient(values: list[Array]) -> list[Array]:
            return list(vjp(flat, values)[1](weights))

        _check(gradient, arrays, names, draw, step, tolerance * 10, "second derivative")


def _is_float(a: Any) -> bool:
    if trees.is_structure(a):
        return all(_is_float(leaf) for leaf in trees.leaves(a))
    if hasattr(a, "dtype"):
        return bool(namespace(raw(a)).isdtype(a.dtype, ("real floating", "complex floating")))
    return isinstance(a, (float, complex, list)) and to_numpy(a).dtype.kind in "fc"


def _random(draw: Any, like: Array) -> Array:
    a = raw(like)
    values = draw.normal(size=tuple(a.shape))
    if is_complex(a):
        values = values + 1j * draw.normal(size=tuple(a.shape))
    return namespace(a).asarray(values, dtype=a.dtype, device=device(a))


def _differences(f: Any, x: list[Array], v: list[Array], h: float) -> list[Any]:
    total: list[Any] | None = None
    for k, c in ((-2, 1.0), (-1, -8.0), (1, 8.0), (2, -1.0)):
        y = [c / (12.0 * h) * to_numpy(raw(a)) for a in f([a + (k * h) * t for a, t in zip(x, v, strict=True)])]
        total = y if total is None else [a + b for a, b in zip(total, y, strict=True)]
    return total or []


def _check(f: Any, x: list[Array], names: list[str], draw: Any, h: float, tolerance: float, what: str) -> None:
    """Both modes of the function f of a list of arrays."""
    v = [_random(draw, a) for a in x]
    _, forward = jvp(f, x, v)
    measured = _differences(f, x, v, h)
    for own, right in zip(forward, measured, strict=True):
        if _error(to_numpy(raw(own)), right) > tolerance:
            _blame(f, x, names, h, tolerance, f"{what}, forward mode", lambda t: jvp(f, x, t)[1])
            raise AssertionError(
                f"{what}, forward mode: J v differs from differences by {_error(to_numpy(raw(own)), right):.1e}"
            )
    y, pull = vjp(f, x)
    g = [_random(draw, a) for a in y]
    adjoints = pull(g)
    left, right = _inner(g, forward), _inner(adjoints, v)
    if not abs(left - right) <= tolerance * max(abs(left), abs(right), 1.0):
        _blame_reverse(f, x, names, adjoints, g, tolerance, what)
        raise AssertionError(f"{what}: g·(J v) = {left!r} in forward mode, but (Jᵀ g)·v = {right!r} in reverse mode")


def _error(a: Any, b: Any) -> float:
    """max|a − b| / max|b|, infinite for NaN."""
    if a.size == 0:
        return 0.0
    e = float(numpy.max(numpy.abs(a - b))) / max(float(numpy.max(numpy.abs(b))), 1.0)
    return e if e == e else math.inf


def _inner(a: list[Array], b: list[Array]) -> float:
    """⟨a, b⟩ = Re Σ ā b."""
    pairs = zip(a, b, strict=True)
    return sum(float(numpy.sum(numpy.real(numpy.conj(to_numpy(raw(c))) * to_numpy(raw(d))))) for c, d in pairs)


def _unit(x: list[Array], which: int, entry: Any) -> list[Array]:
    units = []
    for i, a in enumerate(x):
        e = numpy.zeros(tuple(a.shape))
        if i == which:
            e[entry] = 1.0
        units.append(namespace(raw(a)).asarray(e, dtype=a.dtype, device=device(raw(a))))
    return units


def _blame(f: Any, x: list[Array], names: list[str], h: float, tolerance: float, what: str, push: Any) -> None:
    """Raise with the argument and the entry whose derivative is off the most."""
    worst: tuple[float, str] = (tolerance, "")
    for which, (a, name) in enumerate(zip(x, names, strict=True)):
        for entry in numpy.ndindex(tuple(a.shape)):
            e = _unit(x, which, entry)
            for own, right in zip(push(e), _differences(f, x, e, h), strict=True):
                error = _error(to_numpy(raw(own)), right)
                if error > worst[0]:
                    worst = (error, f"{name}{list(entry) if entry else ''}")
    if worst[1]:
        raise AssertionError(f"{what}: the derivative by {worst[1]} differs from differences by {worst[0]:.1e}")


def _blame_reverse(
    f: Any, x: list[Array], names: list[str], adjoints: list[Array], g: list[Array], tolerance: float, what: str
) -> None:
    """Raise with the argument and the entry of Jᵀ g that is off the most, against forward mode."""
    worst: tuple[float, str] = (tolerance, "")
    for which, (a, name) in enumerate(zip(x, names, strict=True)):
        own = to_numpy(raw(adjoints[which]))
        for entry in numpy.ndindex(tuple(a.shape)):
            pushed = jvp(f, x, _unit(x, which, entry))[1]
            right, found = _inner(g, pushed), float(own[entry].real)
            error = abs(found - right) / max(abs(right), 1.0)
            if not error <= worst[0]:
                worst = (error, f"{name}{list(entry) if entry else ''}: {found!r} instead of {right!r}")
    if worst[1]:
        raise AssertionError(f"{what}, reverse mode: the derivative by {worst[1]}")
