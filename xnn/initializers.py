"""How weights and biases start: functions f(generator, shape) of NumPy's generator, on the host.

What is drawn here is the same on every backend. A weight has the shape (outputs, inputs); its *fan in* is
the number of inputs of one unit and its *fan out* the number of units that one input reaches. Further axes,
such as those of a patch, multiply both; of a bias, of shape (n,), both are n.

Every layer takes one of the names below, one of the classes with other numbers (``Normal(std=0.01)``), a
function of one's own, or the values themselves in an array or nested lists.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from xnn.arrays import owner, to_numpy
from xnn.host import ndarray, numpy

if TYPE_CHECKING:
    from xnn.host import Generator

__all__ = ["INITIALIZERS", "Constant", "Normal", "Orthogonal", "Uniform", "VarianceScaling", "draw", "resolve"]

Shape: TypeAlias = tuple[int, ...]
Function: TypeAlias = Callable[["Generator", Shape], Any]


@dataclass(frozen=True)
class Constant:
    """Every entry is ``value``. All weights 0, or all equal, is the start that text 003 warns of."""

    value: float = 0.0

    def __call__(self, generator: Generator, shape: Shape) -> Any:
        """An array of this shape, filled."""
        return numpy.full(shape, self.value, dtype="float64")


@dataclass(frozen=True)
class Normal:
    """Independent normal numbers N(mean, std²)."""

    mean: float = 0.0
    std: float = 0.05

    def __post_init__(self) -> None:
        if not self.std >= 0:
            raise ValueError(f"Normal needs a standard deviation std >= 0; got {self.std!r}")

    def __call__(self, generator: Generator, shape: Shape) -> Any:
        """An array of this shape, drawn."""
        return generator.normal(self.mean, self.std, shape)


@dataclass(frozen=True)
class Uniform:
    """Independent uniform numbers in [low, high)."""

    low: float = -0.05
    high: float = 0.05

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise ValueError(f"Uniform needs low <= high; got low={self.low!r}, high={self.high!r}")

    def __call__(self, generator: Generator, shape: Shape) -> Any:
        """An array of this shape, drawn."""
        return generator.uniform(self.low, self.high, shape)


@dataclass(frozen=True)
class VarianceScaling:
    """Independent numbers of mean 0 and variance s/fan, so that a signal keeps its size through the layers.

    ``scale`` is s; ``fan`` is "in" (keeps the variance of the outputs), "out" (of the errors δ on their way
    back) or "average" of both; ``normal`` chooses N(0, s/fan), else U(−r, r) with r = √(3s/fan), whose
    variance is r²/3, the same.

    Source: Glorot & Bengio (2010), eqs. 12 and 16 (s = 1, average); He et al. (2015), eq. 10 (s = 2, fan in);
    LeCun et al. (1998), "Efficient BackProp", eq. 16 (s = 1, fan in).
    """

    scale: float = 1.0
    fan: str = "in"
    normal: bool = False

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise ValueError(f"VarianceScaling needs a scale above 0; got {self.scale!r}")
        if self.fan not in ("in", "out", "average"):
            raise ValueError(f"VarianceScaling knows the fans 'in', 'out' and 'average'; got {self.fan!r}")

    def __call__(self, generator: Generator, shape: Shape) -> Any:
        """An array of this shape, drawn with its fans."""
        inputs, outputs = _fans(shape)
        fan = {"in": inputs, "out": outputs, "average": (inputs + outputs) / 2}[self.fan]
        if self.normal:
            return generator.normal(0.0, math.sqrt(self.scale / fan), shape)
        r = math.sqrt(3 * self.scale / fan)
        return generator.uniform(-r, r, shape)


@dataclass(frozen=True)
class Orthogonal:
    """A random matrix W of orthonormal columns (rows, where it has more columns than rows), times ``gain``.

    W = gain · Q with Q from the decomposition A = QR of a matrix A of normal numbers: QᵀQ = 1, or QQᵀ = 1.
    QR leaves the signs of the columns open; multiplying them by the signs of R's diagonal makes every
    orthogonal matrix equally likely. Axes beyond the second are taken as further columns.

    Source: Saxe, McClelland & Ganguli (2013); the signs: Mezzadri (2007), "How to generate random matrices
    from the classical compact groups".
    """

    gain: float = 1.0

    def __call__(self, generator: Generator, shape: Shape) -> Any:
        """A matrix of this shape; ValueError for a shape of fewer than two axes."""
        if len(shape) < 2:
            raise ValueError(
                f"orthogonal starts a weight of at least two axes, (outputs, inputs); got the shape {shape}: "
                "take 'zeros' or 'normal' for a bias"
            )
        rows, columns = shape[0], math.prod(shape[1:])
        q, r = numpy.linalg.qr(generator.normal(size=(max(rows, columns), min(rows, columns))))
        q *= numpy.where(numpy.diagonal(r) < 0, -1.0, 1.0)
        return self.gain * (q if rows >= columns else q.T).reshape(shape)


def zeros(generator: Generator, shape: Shape) -> Any:
    """All 0: right for biases, and for weights the start of text 003 from which XOR is never learned."""
    return numpy.zeros(shape)


def ones(generator: Generator, shape: Shape) -> Any:
    """All 1: the scale of a normalization."""
    return numpy.ones(shape)


def symmetric(generator: Generator, shape: Shape) -> Any:
    """One random number of Glorot's range in all places: the symmetric start of text 003.

    The units of a hidden layer stay the same for ever if the rows of its own weight are equal and so are
    the columns of the next one. One number for a whole weight gives both, at any depth.
    """
    return numpy.full(shape, VarianceScaling(1.0, "average")(generator, shape).flat[0])


INITIALIZERS: dict[str, Function] = {
    "zeros": zeros,
    "ones": ones,
    "constant": Constant(),
    "normal": Normal(),
    "uniform": Uniform(),
    "glorot_uniform": VarianceScaling(1.0, "average"),
    "glorot_normal": VarianceScaling(1.0, "average", normal=True),
    "he_uniform": VarianceScaling(2.0, "in"),
    "he_normal": VarianceScaling(2.0, "in", normal=True),
    "lecun_uniform": VarianceScaling(1.0, "in"),
    "lecun_normal": VarianceScaling(1.0, "in", normal=True),
    "orthogonal": Orthogonal(),
    "symmetric": symmetric,
    "pytorch": VarianceScaling(1 / 3, "in"),  # U(±1/√in), as torch.nn.Linear starts its weight
}


class Given:
    """The values themselves as an initializer: a copy of what the user gave."""

    def __init__(self, values: Any) -> None:
        self._values = numpy.array(to_numpy(values))

    def __repr__(self) -> str:
        return f"<given values of shape {self._values.shape}>"

    def __call__(self, generator: Generator, shape: Shape) -> Any:
        return self._values


def resolve(initializer: Any) -> Function:
    """The function f(generator, shape) that is meant by a name, a function, a number or an array.

    Raises:
        ValueError: for an unknown name; the message lists the known ones.
        TypeError: for anything that is none of these.
    """
    if isinstance(initializer, str):
        if initializer not in INITIALIZERS:
            raise ValueError(f"unknown initializer {initializer!r}; known are: {', '.join(INITIALIZERS)}")
        return INITIALIZERS[initializer]
    if owner(initializer) is not None or isinstance(initializer, (list, tuple)):
        return Given(initializer)
    if isinstance(initializer, (int, float)) and not isinstance(initializer, bool):
        return Constant(float(initializer))
    if callable(initializer):
        function: Function = initializer
        return function
    raise TypeError(
        "an initializer is a name such as 'glorot_uniform', a function f(generator, shape), or an array; "
        f"got {initializer!r}"
    )


def draw(initializer: Any, generator: Generator, shape: Shape) -> ndarray[Any, Any]:
    """New initial values: a NumPy array of float64 of this shape, owned by the caller.

    Raises:
        ValueError: where the initializer gives another shape, or values that are not finite.
        TypeError: where it gives no real numbers.
    """
    values = to_numpy(resolve(initializer)(generator, shape))
    if values.dtype.kind not in "biuf":
        raise TypeError(f"initial values are real numbers; {initializer!r} gave {values.dtype}")
    if values.shape != shape:
        raise ValueError(f"the initializer {initializer!r} gave values of shape {values.shape}; expected {shape}")
    if not numpy.all(numpy.isfinite(values)):
        raise ValueError(f"the initializer {initializer!r} gave values that are not finite (NaN or infinity)")
    return numpy.array(values, dtype="float64")


def _fans(shape: Shape) -> tuple[int, int]:
    """(fan in, fan out), at least 1 each."""
    if len(shape) < 2:
        n = max(1, math.prod(shape))
        return n, n
    patch = math.prod(shape[2:])
    return max(1, shape[1] * patch), max(1, shape[0] * patch)
