"""Whole Jacobians and Hessians, a pass for each row or column."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from array_api_compat import device

from xnn import trees
from xnn.arrays import namespace, on_their_device
from xnn.autodiff.modes import grad, jvp
from xnn.autodiff.recording import recording
from xnn.autodiff.rule import is_complex
from xnn.autodiff.tape import Tape, zeros
from xnn.autodiff.tracing import raw
from xnn.contract import Array

__all__ = ["hessian", "hvp", "jacobian"]


def jacobian(
    f: Callable[..., Any],
    argnums: int | tuple[int, ...] = 0,
    mode: str | None = None,
    *,
    holomorphic: bool = False,
) -> Callable[..., Any]:
    """The function that gives J = ∂f/∂x, of shape (*y.shape, *x.shape), for each array of x.

    f is evaluated once. ``mode`` is "forward" (a pass for each entry of x), "reverse" (one for each entry of y), or
    None: the one with fewer passes. Where f gives a structure, so does this, with that of x inside.

    By complex numbers, a function need not have one Jacobian with J v its derivative along every v; ``holomorphic``
    says that this one has. Others are to be taken by their real and imaginary parts, as two arguments.
    """
    if mode not in (None, "forward", "reverse"):
        raise ValueError(f"mode must be 'forward', 'reverse' or None; got {mode!r}")
    numbers = tuple(argnums) if isinstance(argnums, Iterable) else (argnums,)

    @on_their_device
    def function(*args: Any, **options: Any) -> Any:
        tape = Tape(f, args, numbers, options)
        if any(map(is_complex, tape.x)) and not holomorphic:
            raise TypeError("a Jacobian by complex numbers needs jacobian(..., holomorphic=True), if the function is; "
                            "else take real and imaginary parts as two arguments")  # fmt: skip
        n, m = (sum(math.prod(a.shape) for a in arrays) for arrays in (tape.x, tape.y))
        rows = _reverse_rows(tape) if mode == "reverse" or (mode is None and m < n) else _forward_rows(tape)
        blocks = []
        for own in rows:
            whole = tape.structured(own)
            blocks.append(tuple(whole) if isinstance(argnums, Iterable) else whole[0])
        return trees.rebuild(tape.result, blocks)

    return function


def _basis(arrays: Sequence[Array]) -> Any:
    """(which array, a unit vector of its shape) for every entry."""
    for which, like in enumerate(arrays):
        a = raw(like)
        xp, size = namespace(a), math.prod(a.shape)
        for k in range(size):
            one = xp.arange(size, device=device(a)) == k
            yield which, xp.reshape(xp.astype(one, a.dtype), a.shape)


def _reverse_rows(tape: Tape) -> list[list[Array]]:
    rows: list[list[list[Array]]] = [[[] for _ in tape.x] for _ in tape.y]
    for which, e in _basis(tape.y):
        own = [e if i == which else zeros(y) for i, y in enumerate(tape.y)]
        for column, x, g in zip(rows[which], tape.x, tape.pull(own), strict=True):
            column.append(g if not is_complex(x) else recording(namespace(raw(g))).conj(g))
        if is_complex(e) and not all(map(is_complex, tape.x)):  # the imaginary part of the row, by real arguments
            turned = tape.pull([1j * a if is_complex(a) else a for a in own])
            for column, x, g in zip(rows[which], tape.x, turned, strict=True):
                column[-1] = column[-1] if is_complex(x) else column[-1] + 1j * g
    return [
        [_joined(found, (*y.shape, *x.shape), 0, x) for x, found in zip(tape.x, row, strict=True)]
        for y, row in zip(tape.y, rows, strict=True)
    ]


def _forward_rows(tape: Tape) -> list[list[Array]]:
    columns: list[list[list[Array]]] = [[[] for _ in tape.x] for _ in tape.y]
    for which, e in _basis(tape.x):
        tangents = [e if i == which else zeros(x) for i, x in enumerate(tape.x)]
        for row, t in zip(columns, tape.push(tangents), strict=True):
            row[which].append(t)
    return [
        [_joined(found, (*y.shape, *x.shape), -1, y) for x, found in zip(tape.x, row, strict=True)]
        for y, row in zip(tape.y, columns, strict=True)
    ]


def _joined(found: list[Array], shape: tuple[int, ...], axis: int, like: Array) -> Array:
    xp = recording(namespace(raw(like)))
    if not found:
        return xp.zeros(shape, dtype=like.dtype, device=device(raw(like)))
    return xp.reshape(xp.stack(found, axis=axis), shape)


def hessian(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """The function that gives ∂²f/∂x∂x of a number f: the Jacobian, by forward mode, of the gradient.

    For one array its shape is (*x.shape, *x.shape); for a dictionary {a, b} it is {a: {a, b}, b: {a, b}}.
    """
    return jacobian(grad(f, argnums), argnums, "forward")


def hvp(f: Callable[[Any], Any], x: Any, v: Any) -> Any:
    """∂²f/∂x∂x · v without the matrix: the derivative of the gradient along v (forward mode over reverse)."""
    return jvp(grad(f), x, v)[1]
