"""Derivatives of functions of arrays: the modes of use.

With f: ℝⁿ → ℝᵐ and its Jacobian J = ∂f/∂x, forward mode gives J v for the cost of about two evaluations of f
(``jvp``), reverse mode Jᵀ g for about four (``vjp``). So the gradient of a number by n arguments takes one
reverse pass, or n forward ones. Everything here is made of these two, and of their nesting.

Arguments may be arrays of any library, numbers, or lists, tuples and dictionaries of them, nested; derivatives
have the same structure. The functions are written with operators, with ``x.__array_namespace__()``, or with
NumPy's functions.

Complex numbers are pairs of real ones here, as in PyTorch. Forward mode pushes J v. In reverse mode the gradient
of a real number L by z is

    z̄ = ∂L/∂Re z + i ∂L/∂Im z,

the direction in which L grows fastest, so that z − α z̄ descends; JAX gives its conjugate. For a function f that is
holomorphic, J v = f′ v and pull(g) = conj(f′) g. The adjoint of a real argument is real. A function of a complex
result has no ``grad``: that of its real part, or of |f|, is to be taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from xnn import trees
from xnn.arrays import on_their_device, their_device
from xnn.autodiff.levels import Forward
from xnn.autodiff.lifting import answering
from xnn.autodiff.recording import recording
from xnn.autodiff.rule import is_complex
from xnn.autodiff.tape import Tape, floats, like, ones, results, zeros
from xnn.autodiff.tracing import Traced
from xnn.autodiff.watching import forward_level
from xnn.contract import Array

__all__ = ["derivative", "derivatives", "grad", "jvp", "linearize", "value_and_grad", "vjp"]


def _scalar(tape: Tape) -> Array:
    """The result of a function whose gradient is wanted: one number."""
    if trees.is_structure(tape.result):
        what = type(tape.result).__name__
        raise TypeError(f"a gradient is that of one number; the function gave a {what}: take vjp or jacobian")
    y = tape.y[0]
    if is_complex(y):
        raise TypeError(
            "a gradient is that of a real number; the function gave a complex one: take its real part or abs, or vjp"
        )
    if y.ndim != 0:
        raise ValueError(
            f"a gradient is that of one number; the function gave an array of shape {tuple(y.shape)}: "
            "sum it, or take vjp or jacobian"
        )
    return y


def value_and_grad(
    f: Callable[..., Any], argnums: int | tuple[int, ...] = 0, *, has_aux: bool = False
) -> Callable[..., tuple[Any, Any]]:
    """The function that gives (f(x), ∂f/∂x), by one reverse pass.

    ``argnums`` says by which arguments; for several the derivatives come as a tuple. f gives one number; with
    ``has_aux`` it gives (number, aux), where aux is anything else that is wanted from the same evaluation, and the
    result is ((f(x), aux), ∂f/∂x).
    """
    numbers = tuple(argnums) if isinstance(argnums, Iterable) else (argnums,)

    @on_their_device
    def function(*args: Any, **options: Any) -> tuple[Any, Any]:
        tape = Tape(f, args, numbers, options, has_aux=has_aux)
        y = _scalar(tape)
        gradients = tape.structured(tape.pull([ones(y)]))
        slopes = tuple(gradients) if isinstance(argnums, Iterable) else gradients[0]
        return ((y, tape.aux) if has_aux else y), slopes

    return function


def grad(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0, *, has_aux: bool = False) -> Callable[..., Any]:
    """The function that gives ∂f/∂x, of the structure of x.

    With ``has_aux`` f gives (number, aux), and the result is (∂f/∂x, aux).
    """
    both = value_and_grad(f, argnums, has_aux=has_aux)

    def gradient(*args: Any, **options: Any) -> Any:
        y, slopes = both(*args, **options)
        return (slopes, y[1]) if has_aux else slopes

    return gradient


@on_their_device
def vjp(f: Callable[..., Any], *x: Any) -> tuple[Any, Callable[[Any], Any]]:
    """(f(x), pull): pull(g) = Jᵀ g, as often as wanted; with several arguments a tuple."""
    tape = Tape(f, x, range(len(x)))

    def pull(g: Any) -> Any:
        with their_device(*tape.x):
            found = tape.structured(tape.pull(like(g, tape.result, tape.y, "g", "the result")))
        return found[0] if len(x) == 1 else tuple(found)

    return tape.value(), pull


@on_their_device
def linearize(f: Callable[[Any], Any], x: Any) -> tuple[Any, Callable[[Any], Any]]:
    """(f(x), push): push(v) = J v, as often as wanted; f is evaluated once."""
    tape = Tape(f, (x,), (0,))

    def push(v: Any) -> Any:
        with their_device(*tape.x):
            return trees.rebuild(tape.result, tape.push(like(v, x, tape.x, "v", "x")))

    return tape.value(), push


@on_their_device
def jvp(f: Callable[[Any], Any], x: Any, v: Any) -> tuple[Any, Any]:
    """(f(x), J v), by forward mode: the derivative of f at x along v, d/dt f(x + t v) at t = 0.

    f has one argument, which may be a list or a dictionary; v has its structure.
    """
    arrays = floats(x, 0)
    directions = like(v, x, arrays, "v", "x")
    result, outputs, level = _forward(f, x, arrays, [(t,) for t in directions])
    values, tangents = zip(*(_parts(y, level, 1) for y in outputs), strict=True) if outputs else ((), ())
    slopes = [zeros(y) if t[0] is None else t[0] for y, t in zip(values, tangents, strict=True)]
    return trees.rebuild(result, values), trees.rebuild(result, slopes)


def _forward(f: Any, x: Any, arrays: Sequence[Array], marks: Sequence[Any]) -> tuple[Any, list[Any], Forward]:
    level = forward_level()(arrays[0], recording)
    try:
        result = f(trees.rebuild(x, [level.argument(a, m) for a, m in zip(arrays, marks, strict=True)]))
    finally:
        level.open = False
    return result, results(result, arrays[0]), level


def _parts(y: Any, level: Forward, order: int) -> tuple[Any, tuple[Array | None, ...]]:
    return (y.value, y.mark) if isinstance(y, Traced) and y.level is level else (y, (None,) * order)


def derivatives(f: Callable[..., Array], n: int, argnum: int = 0) -> Callable[..., tuple[Array, ...]]:
    """The function that gives (y, y′, y″, …, y⁽ⁿ⁾) of a function that acts on each example alone.

    y⁽ᵏ⁾ = dᵏ/dtᵏ f(x + t) at t = 0, with every entry of x moved: where yᵢ depends on the entry (or the row) xᵢ
    alone, as in a batch of numbers, that is the derivative of yᵢ by xᵢ. It takes one pass in forward mode, with
    truncated Taylor series.
    """
    if not hasattr(n, "__index__") or n < 0:
        raise ValueError(f"the order of a derivative is a whole number from 0; got {n!r}")

    @on_their_device
    def function(*args: Any, **options: Any) -> tuple[Array, ...]:
        arrays = floats(args[argnum], argnum, args)
        if n == 0:
            return (answering(f)(*args, **options),)
        marks = [(ones(a),) + (None,) * (n - 1) for a in arrays]

        def of_one(x: Any) -> Array:
            return f(*args[:argnum], x, *args[argnum + 1 :], **options)

        result, outputs, level = _forward(of_one, args[argnum], arrays, marks)
        if trees.is_structure(result):
            raise TypeError(f"derivatives are those of one array; the function gave a {type(result).__name__}")
        y, rest = _parts(outputs[0], level, n)
        return (y, *(zeros(y) if d is None else d for d in rest))

    return function


def derivative(f: Callable[..., Array], n: int = 1, argnum: int = 0) -> Callable[..., Array]:
    """The function that gives y⁽ⁿ⁾ of a function that acts on each example alone (``derivatives`` gives all orders)."""
    every = derivatives(f, n, argnum)

    def function(*args: Any, **options: Any) -> Array:
        return every(*args, **options)[n]

    return function
