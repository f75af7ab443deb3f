"""Namespaces that record and whose arrays answer with them though they carry no derivative.

``recording(xp)`` gives the library's own arrays where nothing is traced, which is quick, but such an array names its
own library as its namespace, so ``array_namespace(traced, plain)`` sees two. ``lift`` makes a namespace whose arrays
are *lifted* (see ``lifted_arrays``). Lifted and traced arrays mix freely, and every array that comes out is one or the
other. To the rest of the engine lifted arrays are one more array library: a traced array may have one inside.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any

from xnn import trees
from xnn.arrays import namespace, owner
from xnn.autodiff.lifted_arrays import Lifted, lifted_function, unwrap
from xnn.autodiff.recording import Recording
from xnn.autodiff.tracing import Traced, raw

__all__ = ["answering", "lift", "lifted"]

_STANDARD = {"__array_namespace_info__", "__array_api_version__"}
_MADE: dict[Any, ModuleType] = {}  # by the namespace that they lift


def lifted(xp: Any) -> Any:
    """The namespace over xp that records and whose arrays are lifted; there is one for each.

    With it, code that asks several arrays for their one namespace differentiates, as that of array-api-extra does::

        xp = xnn.autodiff.lifted(xnn.get_backend("torch").xp)
        xnn.grad(lambda x: xp.sum(xpx.pad(x, 1) ** 2))(xp.asarray([1.0, 2.0]))
    """
    if hasattr(xp, "lifts"):
        return xp
    base = getattr(xp, "base_namespace", xp)
    if base not in _MADE:
        lift(ModuleType(f"xnn.autodiff.lifted_{base.__name__.replace('.', '_')}", "A namespace that records."), base)
    return _MADE[base]


def answering(f: Callable[..., Any]) -> Callable[..., Any]:
    """f for an evaluation without derivatives, where its arguments answer ``__array_namespace__()`` all the same.

    PyTorch's arrays do not, and CuPy's not in every version; f is given lifted ones in their place, and what it returns
    are the library's own.
    """

    def function(*args: Any, **options: Any) -> Any:
        given = {name: _each(_answer, a) for name, a in options.items()}
        y = f(*(_each(_answer, a) for a in args), **given)
        return y if _holds((*args, *options.values())) else _each(lambda a: a.value if isinstance(a, Lifted) else a, y)

    return function


def _answer(x: Any) -> Any:
    return x if owner(x) is None or hasattr(x, "__array_namespace__") else Lifted(lifted(namespace(x)), x)


def _holds(args: Any) -> bool:
    return any(isinstance(a, Lifted) for tree in args for a in trees.leaves(tree))


def _each(change: Callable[[Any], Any], tree: Any) -> Any:
    return trees.rebuild(tree, map(change, trees.leaves(tree)))


def lift(own: ModuleType, base: Any) -> None:
    """Make the module ``own`` a namespace over the namespace ``base`` that records and whose arrays are lifted."""
    _MADE.setdefault(base, own)
    records = Recording(_lifted_part(own, base, "linalg", "fft"))
    names = {*vars(records.base_namespace), "apply", "getitem", "setitem", "update", "write", "ufunc", "function"}
    vars(own).update(_beside(records, names - {"linalg", "fft"}), base_namespace=records.base_namespace, lifts=base)
    for part in ("linalg", "fft"):
        vars(own)[part] = inner = ModuleType(f"{own.__name__}.{part}", "A namespace that records, with lifted arrays.")
        vars(inner).update(_beside(getattr(records, part), vars(getattr(records.base_namespace, part))))


def _lifted_part(own: ModuleType, base: Any, *parts: str) -> ModuleType:
    """The functions of the library, of lifted arrays; they do not record."""
    functions = ModuleType(base.__name__, "A namespace of lifted arrays.")
    for name in {*dir(base), *parts, *_STANDARD}:
        if hasattr(base, name) and (not name.startswith("__") or name in _STANDARD):
            function = getattr(base, name)
            vars(functions)[name] = (
                _lifted_part(own, function) if name in parts else lifted_function(own, name, function)
            )
    return functions


def _beside(records: Any, names: Any) -> dict[str, Any]:
    """The functions of a namespace that records; beside traced arrays of the library itself, lifted ones are such."""
    found = {name: getattr(records, name) for name in names if not name.startswith("__") or name in _STANDARD}
    return {
        name: _unlifting(f) if callable(f) and not isinstance(f, type) and name not in _STANDARD else f
        for name, f in found.items()
    }


def _unlifting(function: Any) -> Any:
    @wraps(function)
    def unlifting(*args: Any, **options: Any) -> Any:
        if _holds_traced_plain((*args, *options.values())):
            args, options = unwrap(args), unwrap(options)
        return function(*args, **options)

    return unlifting


def _holds_traced_plain(x: Any) -> bool:
    if isinstance(x, (list, tuple)):
        return any(map(_holds_traced_plain, x))
    return isinstance(x, Traced) and not isinstance(raw(x), Lifted)
