"""What the engine knows of one function: how to evaluate it, and how its derivative goes forward and back.

With y = f(x₁, …, xₘ) and the Jacobians Jᵢ = ∂y/∂xᵢ, a rule has two directions:

    push:  ẏ = Σᵢ Jᵢ ẋᵢ        tangents go with the computation (forward mode)
    pull:  x̄ᵢ = Jᵢᵀ ȳ           adjoints go against it (reverse mode)

Both are written in functions of the namespace ``xp`` from their arguments alone; where the arguments
themselves are traced by an outer derivative, ``xp`` records, and so second and higher orders follow.

A complex number counts as two real ones, its real and its imaginary part, and the transpose is that for the inner
product ⟨a, b⟩ = Re Σ ā b (the bar conjugates here): of the multiplication by a number c, that by its conjugate; of a
matrix, the conjugate transpose. Real numbers are never conjugated, and the adjoint of a real argument is real.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from array_api_compat import device

from xnn.contract import Array

__all__ = ["Elementwise", "Linear", "Rule", "Shape", "Shapes", "cast", "conj", "fit", "is_complex", "reduce_to"]

Tangents: TypeAlias = tuple[Array | None, ...]  # one for each argument; None is zero
Partial: TypeAlias = Callable[..., Array]  # (xp, g, y, *x) -> g ∂y/∂xᵢ


class Rule:
    """A function of arrays with a derivative.

    ``linear`` names the arguments in which it is linear, jointly; with ``bilinear`` it is linear in each
    of two arguments alone, as a product is. Both only save work in higher orders of forward mode. A ``joint``
    rule pulls to all arguments at once. ``reads`` says what the derivative is computed from: "x" the arguments, "y"
    the result; of the rest the tape keeps nothing but the shape.
    """

    joint: bool = False
    reads: str = "xy"

    linear: frozenset[int] = frozenset()
    bilinear: bool = False

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<rule of {self.name}>"

    def evaluate(self, xp: Any, *args: Any, **options: Any) -> Array:
        """Y = f(x), in a namespace that does not record."""
        return getattr(xp, self.name)(*args, **options)

    def push(self, xp: Any, tangents: Tangents, y: Array, args: tuple[Any, ...], options: dict[str, Any]) -> Array:
        """ẏ = Σᵢ Jᵢ ẋᵢ over the tangents that are not None (at least one is)."""
        raise NotImplementedError

    def pull(self, xp: Any, i: int, g: Array, y: Array, args: tuple[Any, ...], options: dict[str, Any]) -> Array:
        """x̄ᵢ = Jᵢᵀ g, of the shape of args[i]."""
        raise NotImplementedError

    def pulls(
        self, xp: Any, marks: tuple[Any, ...], g: Array, y: Array, args: tuple[Any, ...], options: dict[str, Any]
    ) -> Sequence[Array | None]:
        """x̄ᵢ for every argument whose mark is not None, of a joint rule."""
        raise NotImplementedError


class Elementwise(Rule):
    """y = f(x₁, …) entry by entry, with broadcasting: each Jᵢ is a diagonal, its own transpose.

    One function a argument, ``(xp, g, y, *x) -> g ∂y/∂xᵢ``, therefore serves both directions. It is linear in g; so
    where y is complex (and f holomorphic), what it makes of conj(g), conjugated, is g conj(∂y/∂xᵢ).
    """

    def __init__(
        self, name: str, *partials: Partial, reads: str = "xy", linear: tuple[int, ...] = (), bilinear: bool = False
    ) -> None:
        super().__init__(name)
        self.partials, self.reads, self.linear, self.bilinear = partials, reads, frozenset(linear), bilinear

    def push(self, xp: Any, tangents: Tangents, y: Array, args: tuple[Any, ...], options: dict[str, Any]) -> Array:
        """Σᵢ ẋᵢ ∂y/∂xᵢ."""
        total = None
        for partial, t in zip(self.partials, tangents, strict=False):
            if t is not None:
                term = partial(xp, t, y, *args)
                total = term if total is None else total + term
        return total

    def pull(self, xp: Any, i: int, g: Array, y: Array, args: tuple[Any, ...], options: dict[str, Any]) -> Array:
        """G ∂y/∂xᵢ, summed over the axes along which xᵢ was broadcast."""
        if is_complex(g):
            return reduce_to(xp, xp.conj(self.partials[i](xp, xp.conj(g), y, *args)), args[i])
        x, term = args[i], self.partials[i](xp, g, y, *args)
        return term if term.shape == x.shape and term.dtype == x.dtype else reduce_to(xp, term, x)


class Linear(Rule):
    """y = L x, linear in all of its array arguments together; ``transpose(xp, i, g, args, options) = Lᵢᵀ g``."""

    reads = ""

    def __init__(
        self,
        name: str,
        transpose: Callable[..., Array],
        evaluate: Callable[..., Array] | None = None,
        arguments: tuple[int, ...] | None = (0,),
    ) -> None:
        super().__init__(name)
        self.transpose, self.arguments, self.function = transpose, arguments, evaluate
        self.linear = frozenset(range(1 << 10) if arguments is None else arguments)

    def evaluate(self, xp: Any, *args: Any, **options: Any) -> Array:
        """L x."""
        if self.function:
            return self.function(xp, *args, **options)
        return getattr(xp, self.name)(*args, **options)

    def push(self, xp: Any, tangents: Tangents, y: Array, args: tuple[Any, ...], options: dict[str, Any]) -> Array:
        """L ẋ: the same function of the tangents."""
        other = next(t for t in tangents if t is not None)
        replaced = []
        for i, (t, x) in enumerate(zip(tangents, args, strict=True)):
            if t is None and i in self.linear:
                t = xp.zeros(x.shape, dtype=x.dtype, device=device(other)) if hasattr(x, "shape") else 0.0
            replaced.append(x if t is None else t)
        if self.function and hasattr(xp, "base_namespace"):  # a namespace that records: tangents may be traced
            return xp.apply(self, tuple(replaced), options)
        return self.evaluate(xp, *replaced, **options)

    def pull(self, xp: Any, i: int, g: Array, y: Array, args: tuple[Any, ...], options: dict[str, Any]) -> Array:
        """Lᵢᵀ g."""
        return self.transpose(xp, i, g, args, options)


class Shape:
    """What the tape keeps of an array whose numbers are not needed."""

    __slots__ = ("dtype", "ndim", "shape")

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.shape, self.dtype, self.ndim = shape, dtype, len(shape)


class Shapes(dict[tuple[tuple[int, ...], Any], Shape]):
    """The ``Shape`` by shape and data type, each one once: a tape of thousands of operations has a few of them."""

    def __missing__(self, key: tuple[tuple[int, ...], Any]) -> Shape:
        self[key] = made = Shape(*key)
        return made


def reduce_to(xp: Any, g: Array, x: Array) -> Array:
    """The transpose of broadcasting x to the shape of g: sums over the new axes and over those of length 1."""
    if g.shape != x.shape:
        axes = _broadcast(x.shape, g.shape)
        if axes is None:
            g = xp.broadcast_to(g, x.shape)  # g ∂y/∂x is itself smaller, where a scalar made it
        else:
            new, longer = axes
            g = xp.sum(g, axis=new) if new else g
            g = xp.sum(g, axis=longer, keepdims=True) if longer else g
    return cast(xp, g, x)


@lru_cache(1 << 10)
def _broadcast(small: tuple[int, ...], large: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """The axes that broadcasting from one shape to the other put in front, and the longer ones among the rest.

    None where it does not lead there.
    """
    new = len(large) - len(small)
    if new < 0 or any(n not in (1, m) for n, m in zip(small, large[new:], strict=True)):
        return None
    return tuple(range(new)), tuple(i for i, n in enumerate(small) if n != large[new + i])


def fit(xp: Any, t: Array, y: Array) -> Array:
    """The tangent t in the shape and the type of y."""
    if t.shape != y.shape:
        t = xp.broadcast_to(t, y.shape)
    return cast(xp, t, y)


def cast(xp: Any, g: Array, x: Array) -> Array:
    """G in the type of x: the transpose of taking x in the type of g, which is the real part where x is real."""
    if g.dtype == x.dtype:
        return g
    if is_complex(g) and not is_complex(x):
        g = xp.real(g)
    return g if g.dtype == x.dtype else xp.astype(g, x.dtype)


_COMPLEX: dict[Any, bool] = {}  # by data type, and its class, since those of two libraries are not to be compared


def is_complex(x: Array) -> bool:
    """Whether x is made of complex numbers."""
    dtype = x.dtype
    key = (dtype.__class__, dtype)
    try:
        return _COMPLEX[key]
    except KeyError:
        return _COMPLEX.setdefault(key, "complex" in str(dtype))


def conj(xp: Any, x: Array) -> Array:
    """The conjugate of x, which is x itself where it is real."""
    return xp.conj(x) if is_complex(x) else x
