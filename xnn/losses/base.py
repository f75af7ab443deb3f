"""What a loss is: the cost of each example, its derivative, and how targets become arrays.

With the outputs a and the targets y of n examples, weights w of the examples, and L the cost of one

    C = Σᵢ wᵢ Lᵢ / Σᵢ wᵢ            w = 1 unless given: the mean over the examples
    δ = ∂C/∂a                       the error with which backprop begins

A weight of 2 is the example twice. Where all weights are 0, C and δ are 0.
"""

from __future__ import annotations

from math import prod
from typing import Any, ClassVar

import array_api_compat

from xnn.arrays import isdtype, namespace, on_their_device, owner, to_numpy, unify
from xnn.contract import Array, Backend, typed
from xnn.host import ndarray

__all__ = ["Elementwise", "Loss"]


class Loss:
    """A cost function; derive from it to write your own.

    One equation is needed, ``examples(xp, a, y)``: the cost of each example, of shape (n,), and its
    derivative by the outputs, of the shape of ``a``. It is written in the functions of the namespace
    ``xp``, so that it runs on every array library. ``a`` has shape (n, outputs), and ``y`` the shape and
    the dtype of ``a``::

        @dataclass(frozen=True)
        class Quartic(xnn.Loss):
            '''L = Σⱼ (aⱼ − yⱼ)⁴.'''
            def examples(self, xp, a, y):
                e = a - y
                return xp.sum(e**4, axis=1), 4 * e**3
    """

    #: Where accuracy parts the two classes, for a network with one output.
    threshold: ClassVar[float] = 0.5

    # -- The equations -------------------------------------------------------------------------------------------

    def examples(self, xp: Any, a: Array, y: Array) -> tuple[Array, Array]:
        """(Lᵢ, ∂Lᵢ/∂aᵢ): the costs of the examples, (n,), and their derivative, of the shape of a."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its examples cost")

    def cost_and_delta(self, xp: Any, a: Array, y: Array, weights: Array | None = None) -> tuple[Array, Array]:
        """(C, ∂C/∂a) of targets that come from ``targets``; nothing is checked and nothing waits.

        ``weights`` has shape (n,) and the dtype of ``a``.
        """
        costs, slopes = self.examples(xp, a, y)
        if tuple(costs.shape) != tuple(a.shape[:1]) or tuple(slopes.shape) != tuple(a.shape):
            raise ValueError(
                f"{type(self).__name__}: examples() must give the costs of {a.shape[0]} examples, of shape "
                f"{tuple(a.shape[:1])}, and slopes of shape {tuple(a.shape)}; got {tuple(costs.shape)} and "
                f"{tuple(slopes.shape)}"
            )
        costs, slopes = typed(xp, costs, a), typed(xp, slopes, a)
        if weights is None:
            c = 1.0 / a.shape[0]
            return xp.sum(costs) * c, slopes * c
        w = weights / nonzero(xp, xp.sum(weights))
        return xp.sum(w * costs), column(xp, w, a) * slopes

    def totals(self, xp: Any, a: Array, y: Array, weights: Array | None = None) -> tuple[Array, Array | float]:
        """(Σ wᵢLᵢ, Σ wᵢ): the two sums whose quotient is C, to be added up over the parts of much data."""
        costs = self.examples(xp, a, y)[0]
        if weights is None:
            return xp.sum(costs), float(a.shape[0])
        return xp.sum(weights * costs), xp.sum(weights)

    # -- For the user --------------------------------------------------------------------------------------------

    @on_their_device
    def __call__(self, outputs: Any, targets: Any, sample_weight: Any = None) -> Array:
        """C, a 0-d array.

        Args:
            outputs: (n, …), or (n,) for one output an example; an array of any library, or a list.
            targets: of the same shape; class labels (n,) where the loss takes them.
            sample_weight: weights of the examples, (n,).

        Raises:
            ValueError: for shapes that do not fit, for no examples, for labels out of range (where the
                labels can be read without waiting for a device).
            TypeError: for arrays of two libraries, and for dtypes that make no sense here.
        """
        xp, a, y, w, _ = self._prepare(outputs, targets, sample_weight)
        if hasattr(xp, "base_namespace"):  # a namespace that records
            from xnn.autodiff import cost  # on use: importing it takes a while

            return cost(self, xp, a, y, w)
        return self.cost_and_delta(xp, a, y, w)[0]

    @on_their_device
    def gradient(self, outputs: Any, targets: Any, sample_weight: Any = None) -> Array:
        """δ = ∂C/∂a, of the shape of the outputs; the arguments are those of the cost."""
        xp, a, y, w, shape = self._prepare(outputs, targets, sample_weight)
        return xp.reshape(self.cost_and_delta(xp, a, y, w)[1], shape)

    @on_their_device
    def per_example(self, outputs: Any, targets: Any) -> Array:
        """L, the cost of each example, of shape (n,)."""
        xp, a, y, _, _ = self._prepare(outputs, targets, None)
        return self.examples(xp, a, y)[0]

    def targets(
        self, backend: Backend, y: Any, shape: tuple[int, ...], dtype: str, check_values: bool = False
    ) -> Array:
        """The targets y as ``cost_and_delta`` wants them, as an array of the backend.

        Args:
            backend: where the network lives.
            y: the targets of n examples; an array of any library, or a list.
            shape: of one example's outputs.
            dtype: of the outputs, by name.
            check_values: look at the values, too, even where that waits for a device. Values that are
                on the host are always looked at.

        Raises:
            ValueError, TypeError: as for the cost.
        """
        if not backend.owns(y):
            y = to_numpy(y)
        if y.ndim == 0:
            y = namespace(y).reshape(y, (1,))
        seen = backend.to_numpy(y) if check_values and backend.owns(y) else readable(y)
        y, kind = self.arrange(namespace(y), y, (int(y.shape[0]), *shape), seen)
        return backend.asarray(y, kind or dtype)

    # -- For those who write a loss ------------------------------------------------------------------------------

    def arrange(self, xp: Any, y: Array, shape: tuple[int, ...], seen: Any) -> tuple[Array, str | None]:
        """Targets in the shape of the outputs; and the name of their dtype, None for that of the outputs.

        ``seen`` is y as a NumPy array where its values may be looked at, else None.
        """
        check_examples(self, shape)
        if not isdtype(xp, y.dtype, ("bool", "integral", "real floating")):
            raise TypeError(f"{type(self).__name__}: the targets must be real numbers; got {y.dtype}")
        if tuple(y.shape) != shape:
            n = shape[0]
            if tuple(y.shape) not in ((n,), (n, 1)) or shape not in ((n,), (n, 1)):
                raise ValueError(
                    f"{type(self).__name__}: the outputs have shape {shape}, the targets {tuple(y.shape)}; "
                    "both must have one row for each example and one column for each output: "
                    "reshape the targets, or give the last layer as many outputs as there are targets"
                )
            y = xp.reshape(y, shape)
        if seen is not None:
            self.check(seen)
        return y, None

    def check(self, y: Any) -> None:
        """Raise ValueError where values of the NumPy array y make no sense as targets."""

    def _prepare(self, outputs: Any, targets: Any, weights: Any) -> tuple[Any, Array, Array, Array | None, Any]:
        name = type(self).__name__
        xp, a, y, *rest = unify(outputs=outputs, targets=targets, **({} if weights is None else {"weights": weights}))
        w = rest[0] if rest else None
        if isdtype(xp, a.dtype, "integral"):
            a = xp.astype(a, xp.__array_namespace_info__().default_dtypes()["real floating"])
        if not isdtype(xp, a.dtype, "real floating"):
            raise TypeError(f"{name}: the outputs must be real floating-point numbers; got {a.dtype}")
        shape = tuple(a.shape)
        a = a if a.ndim else xp.reshape(a, (1,))
        y = y if y.ndim else xp.reshape(y, (1,))
        y, kind = self.arrange(xp, y, tuple(a.shape), readable(y, targets))
        dtype = a.dtype if kind is None else getattr(xp, kind)
        y = y if y.dtype == dtype else xp.astype(y, dtype)
        if a.ndim == 1:
            a, y = xp.reshape(a, (-1, 1)), xp.reshape(y, (-1, 1))
        if w is not None:
            if tuple(w.shape) != (a.shape[0],):
                raise ValueError(f"{name}: the weights must have shape ({a.shape[0]},); got {tuple(w.shape)}")
            seen = readable(w, weights)
            if seen is not None and not (seen >= 0).all():
                raise ValueError(f"{name}: a weight must not be negative or NaN; got {seen[~(seen >= 0)][0]}")
            w = xp.astype(w, a.dtype)
        return xp, a, y, w, shape


class Elementwise(Loss):
    """A loss in which every output has its own cost ℓ(aⱼ, yⱼ): L is their mean over the outputs j.

    Only ``elements`` is to be written.
    """

    #: Whether L is the mean over the outputs, or their sum.
    mean: ClassVar[bool] = True

    def elements(self, xp: Any, a: Array, y: Array, c: Any) -> tuple[Array, Array]:
        """(ℓ, c ∂ℓ/∂a) for each entry; c is a number, or one for each example.

        c is handed in because most slopes take a factor anyway, so that δ costs no pass of its own.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say what its outputs cost")

    def examples(self, xp: Any, a: Array, y: Array) -> tuple[Array, Array]:
        """(L, ∂L/∂a)."""
        c = 1.0 / self._outputs(a)
        costs, slopes = self.elements(xp, a, y, c)
        return xp.sum(xp.reshape(costs, (a.shape[0], -1)), axis=1) * c, slopes

    def cost_and_delta(self, xp: Any, a: Array, y: Array, weights: Array | None = None) -> tuple[Array, Array]:
        """(C, ∂C/∂a), the work shared between them."""
        if weights is None:
            c = 1.0 / (a.shape[0] * self._outputs(a))
            costs, δ = self.elements(xp, a, y, c)
            return typed(xp, xp.sum(costs) * c, a), typed(xp, δ, a)
        w = column(xp, weights / (nonzero(xp, xp.sum(weights)) * self._outputs(a)), a)
        costs, δ = self.elements(xp, a, y, w)
        return typed(xp, xp.sum(costs * w), a), typed(xp, δ, a)

    def _outputs(self, a: Array) -> float:
        return float(prod(a.shape[1:])) if self.mean else 1.0


def column(xp: Any, w: Array, a: Array) -> Array:
    """w of shape (n,) as (n, 1, …), to be multiplied with a of shape (n, …)."""
    return xp.reshape(w, (-1,) + (1,) * (a.ndim - 1))


def nonzero(xp: Any, total: Array) -> Array:
    """The total, or 1 where it is 0, so that nothing divided by nothing is nothing."""
    return xp.where(total == 0.0, 1.0, total)


def readable(y: Array, given: Any = None) -> Any:
    """y as a NumPy array where its values can be had without waiting for a device, else None.

    ``given`` is what y was made of: the numbers of a list are on the host, wherever y is.
    """
    if isinstance(y, ndarray):
        return y
    if given is not None and owner(given) is None:
        return to_numpy(given).reshape(y.shape)
    y = getattr(y, "__wrapped_array__", y)  # the values of an array that carries a derivative
    kind = owner(y)
    return kind.to_numpy(y) if kind is not None and str(array_api_compat.device(y)) == "cpu" else None


def check_examples(loss: Loss, shape: tuple[int, ...]) -> None:
    """Raise ValueError where there is nothing to take the mean of."""
    if prod(shape) == 0:
        what = "examples" if shape[0] == 0 else "outputs"
        raise ValueError(f"{type(loss).__name__}: the cost of 0 {what} is undefined; the outputs have shape {shape}")
