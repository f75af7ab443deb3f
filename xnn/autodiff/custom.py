"""What a user says about a derivative: that there is none, that it is given, or that it is to be recomputed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xnn import trees
from xnn.autodiff.lifting import answering
from xnn.autodiff.modes import jvp as forward
from xnn.autodiff.modes import vjp as reverse
from xnn.autodiff.rule import Rule, Tangents
from xnn.autodiff.tape import zeros
from xnn.autodiff.tracing import Derivative, Traced, apply, raw
from xnn.contract import Array

__all__ = ["checkpoint", "custom", "stop_gradient"]


def stop_gradient(x: Any) -> Any:
    """x without its derivative, as a constant: a plain array, or the structure x of plain arrays."""
    if not trees.is_structure(x):
        return raw(x)
    return trees.rebuild(x, [raw(a) for a in trees.leaves(x)])


def custom(
    f: Callable[..., Array],
    *,
    vjp: Callable[..., Any] | None = None,
    jvp: Callable[..., Array] | None = None,
) -> Callable[..., Array]:
    """The function f with a derivative of its own, as one operation.

    ``f(*x)`` takes arrays and gives one; its inside is not looked at. ``vjp(g, y, *x)`` gives the adjoints of
    all arguments as a tuple (of the only one without), Jᵢᵀ g; ``jvp(v, y, *x)`` gives Σᵢ Jᵢ vᵢ, with v the tuple
    of tangents (or the only one). What is computed there is differentiated for higher orders; so write it with
    operators and with the functions of the arrays' namespace. A mode that was not given raises ``Derivative``.
    What is given by keyword is a setting, without a derivative, and handed on to f, vjp and jvp.

    Raises:
        TypeError: for lists or dictionaries of arrays, which are to be handed in one by one; for an array that carries
            a derivative and is given by keyword; where f gives no array.
        ValueError: for adjoints of another number or of other shapes than the arguments.
    """
    rule = _Custom(f, vjp, jvp)

    def function(*x: Any, **settings: Any) -> Array:
        for name, tree in settings.items():
            if _traced(tree):
                raise TypeError(f"{rule.name} with a rule of its own takes what carries a derivative by position only; "
                                f"hand {name} in without its name")  # fmt: skip
        traced = _traced(x)
        if any(map(trees.is_structure, x)) and traced:
            raise TypeError(f"{rule.name} with a rule of its own takes arrays; hand those of lists and dictionaries in "
                            "one by one")  # fmt: skip
        return apply(rule, traced[0].level.xp, x, settings) if traced else f(*x, **settings)

    function.__name__, function.__doc__ = rule.name, f.__doc__
    return function


class _Custom(Rule):
    """A function of the user's, with the rule that came with it."""

    joint = True

    def __init__(self, f: Any, vjp: Any, jvp: Any) -> None:
        super().__init__(getattr(f, "__name__", type(f).__name__))
        self.f, self.vjp, self.jvp = f, vjp, jvp

    def evaluate(self, xp: Any, *args: Any, **options: Any) -> Array:
        """f(x) of plain arrays."""
        return _plain(self.name, self.f(*args, **options))

    def push(self, xp: Any, tangents: Tangents, y: Array, args: tuple[Any, ...], options: dict[str, Any]) -> Array:
        """Σᵢ Jᵢ vᵢ as given."""
        if self.jvp is None:
            raise Derivative(f"{self.name} was given no jvp: it has no derivative in forward mode")
        v = tuple(_zero(x) if t is None else t for t, x in zip(tangents, args, strict=True))
        return self.jvp(v[0] if len(v) == 1 else v, y, *args, **options)

    def pulls(self, xp: Any, marks: Any, g: Array, y: Array, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Jᵀ g as given."""
        if self.vjp is None:
            raise Derivative(f"{self.name} was given no vjp: it has no derivative in reverse mode")
        found = self.vjp(g, y, *args, **options)
        found = found if isinstance(found, (tuple, list)) else (found,)
        if len(found) != len(args):
            raise ValueError(f"{self.name}: its vjp gave {len(found)} adjoints for {len(args)} arguments")
        for i, (own, x, m) in enumerate(zip(found, args, marks, strict=True)):
            if m is not None and not hasattr(own, "shape"):
                raise TypeError(f"{self.name}: its vjp gave no array for argument {i}, but {own!r}")
            if m is not None and tuple(own.shape) != tuple(x.shape):
                raise ValueError(f"{self.name}: its vjp gave an adjoint of shape {tuple(own.shape)} for argument {i}, "
                                 f"which has the shape {tuple(x.shape)}")  # fmt: skip
        return found


def checkpoint(f: Callable[..., Array]) -> Callable[..., Array]:
    """The function f, of which the tape keeps the arguments only: the way back evaluates it once more.

    That takes the memory of one f instead of that of all. f gives one array, has all arrays that carry
    derivatives among its arguments, by position or keyword, and does not change them.
    """

    def function(*args: Any, **options: Any) -> Array:
        traced = _traced((args, options))
        if not traced:
            return f(*args, **options)
        structure = (*args, options)
        every = [a for tree in structure for a in trees.leaves(tree)]
        return apply(_Checkpoint(f, structure), traced[0].level.xp, tuple(every), {})

    return function


class _Checkpoint(Rule):
    """f of arguments of this structure, by its own derivative, evaluated anew."""

    joint = True

    def __init__(self, f: Any, structure: tuple[Any, ...]) -> None:
        super().__init__(f"checkpoint({getattr(f, '__name__', type(f).__name__)})")
        self.f, self.structure = f, structure

    def evaluate(self, xp: Any, *args: Any, **options: Any) -> Array:
        """f(x) of plain arrays, which are copies: what f might write into them is not to reach those on the tape."""
        copies = [xp.asarray(a, copy=True) if hasattr(a, "shape") else a for a in args]
        return _plain(self.name, self._call(answering(self.f), copies))

    def _call(self, f: Any, every: list[Any]) -> Array:
        """f of these arrays in the structure of its arguments, of which those by keyword come last."""
        flat = iter(every)
        *args, options = [trees.rebuild(tree, flat) for tree in self.structure]
        return f(*args, **options)

    def _by(self, own: list[int], args: tuple[Any, ...]) -> Callable[[list[Array]], Array]:
        """f as a function of some of its arrays."""

        def part(chosen: list[Array]) -> Array:
            every = list(args)
            for i, x in zip(own, chosen, strict=True):
                every[i] = x
            return self._call(self.f, every)

        return part

    def push(self, xp: Any, tangents: Tangents, y: Array, args: tuple[Any, ...], options: dict[str, Any]) -> Array:
        """J v, by forward mode through f."""
        own = [i for i, t in enumerate(tangents) if t is not None]
        return forward(self._by(own, args), [args[i] for i in own], [tangents[i] for i in own])[1]

    def pulls(self, xp: Any, marks: Any, g: Array, y: Array, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Jᵀ g, by reverse mode through f."""
        own = [i for i, m in enumerate(marks) if m is not None]
        found = reverse(self._by(own, args), [args[i] for i in own])[1](g)
        terms = dict(zip(own, found, strict=True))
        return [terms.get(i) for i in range(len(args))]


def _traced(tree: Any) -> list[Any]:
    return [a for a in trees.leaves(tree) if isinstance(a, Traced)]


def _zero(x: Any) -> Any:
    """The tangent of a constant: zeros like an array, 0 for a number, None for what is neither."""
    return zeros(x) if hasattr(x, "shape") else 0.0 if isinstance(x, (int, float, complex)) else None


def _plain(name: str, y: Any) -> Array:
    if not hasattr(y, "dtype"):
        raise TypeError(f"{name} is to give one array; got {type(y).__name__}")
    if isinstance(y, Traced):
        raise ValueError(f"{name} uses an array that carries a derivative but is not among its arguments: hand it in")
    return y
