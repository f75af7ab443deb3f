"""Pre-processing as the first layer: every input feature with mean 0 and variance 1 over the training data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xnn.arrays import to_numpy
from xnn.contract import Array
from xnn.errors import NotFittedError
from xnn.host import numpy
from xnn.layers.base import Buffer, Layer, Operation, Shape

__all__ = ["Standardize"]

# A standard deviation smaller than this part of the mean is the rounding of the mean in float64.
_CONSTANT = 1e-13


@dataclass(frozen=True, repr=False)
class Standardize(Layer):
    """y = (x − μ)/s over the last axis, with the mean μ and the standard deviation s of the training data.

    They are learned once, when ``fit`` first sees the training data (s² is the mean of (x − μ)² over it), or
    given as ``mean`` and ``scale``, each a number or one number for a feature. They are saved with the
    network as buffers of shape (features,), and not changed by descent; backward, δ_below = δ/s.

    A feature that is constant has s = 0; it is divided by 1 instead, as scikit-learn's StandardScaler does,
    and so becomes 0.

    Raises:
        ValueError: when made with only one of the two, or with a mean that is not finite or a scale that is
            not finite and above 0; and, once the inputs are known, where their number of features differs.
        NotFittedError: by a prediction before the training data was seen.

    Source: LeCun, Bottou, Orr & Müller (1998), "Efficient BackProp", section 4.3; text 001, pre-processing.
    """

    # No settings to compare or to put into a file: once there is a network, its buffers hold the values.
    mean: Any = field(default=None, compare=False)
    scale: Any = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if (self.mean is None) != (self.scale is None):
            given, missing = ("mean", "scale") if self.scale is None else ("scale", "mean")
            raise ValueError(f"Standardize takes both mean and scale, or neither; got {given} without {missing}")
        if self.mean is not None and self.scale is not None:
            mean, scale = _numbers("mean", self.mean), _numbers("scale", self.scale)
            if not (numpy.asarray(scale) > 0).all():
                raise ValueError(f"Standardize divides by scale, which must be above 0; got {_short(scale)}")
            if isinstance(mean, tuple) and isinstance(scale, tuple) and len(mean) != len(scale):
                raise ValueError(
                    f"Standardize needs mean and scale of one length; got {len(mean)} and {len(scale)} numbers"
                )
            object.__setattr__(self, "mean", mean)
            object.__setattr__(self, "scale", scale)

    def __repr__(self) -> str:
        return "Standardize()" if self.mean is None else f"Standardize({_short(self.mean)}, {_short(self.scale)})"

    def outputs(self, inputs: Shape) -> Shape:
        """The shape of the inputs."""
        if not inputs:
            raise ValueError("Standardize expects examples with at least one axis, (…, features); got single numbers")
        for name, given in (("mean", self.mean), ("scale", self.scale)):
            if isinstance(given, tuple) and len(given) != inputs[-1]:
                raise ValueError(
                    f"Standardize was given a {name} of {len(given)} numbers for examples of shape {inputs}, "
                    f"which have {inputs[-1]} features"
                )
        return inputs

    def buffers(self, inputs: Shape) -> dict[str, Buffer]:
        """μ and s, of shape (features,); without values until they are known."""
        features = self.outputs(inputs)[-1:]
        return {"mean": Buffer(features, self.mean), "scale": Buffer(features, self.scale)}

    def prediction(self, buffers: Mapping[str, Array]) -> Operation:
        """The affine function with these μ and s, in training too."""
        if buffers.get("mean") is None or buffers.get("scale") is None:
            raise NotFittedError("has not seen training data: call fit, or give mean and scale")
        return Standardized(buffers["mean"], buffers["scale"])

    def fitted(self, mean: Any, variance: Any) -> dict[str, Any]:
        """μ, and s = √variance, or 1 where that is nothing but rounding."""
        mean = numpy.asarray(mean, dtype="float64")
        s = numpy.sqrt(numpy.asarray(variance, dtype="float64"))
        return {"mean": mean, "scale": numpy.where(s <= _CONSTANT * numpy.abs(mean), 1.0, s)}


@dataclass(frozen=True, eq=False)
class Standardized(Operation):
    """y = (x − μ)/s with constant μ and s."""

    mean: Array
    scale: Array

    def forward(self, xp: Any, x: Array, *parameters: Array) -> tuple[Array, tuple[Array, ...]]:
        """(x − μ)/s."""
        return (x - self.mean) / self.scale, ()

    def delta(self, xp: Any, δ: Array, y: Array, kept: tuple[Array, ...], x: Array, *parameters: Array) -> Array:
        """δ/s."""
        return δ / self.scale


def _numbers(name: str, given: Any) -> float | tuple[float, ...]:
    """A number, or the numbers of an array of one axis, as plain Python floats."""
    values = to_numpy(given)
    if values.dtype.kind not in "iuf" or values.ndim > 1:
        raise ValueError(
            f"Standardize takes {name} as a real number, or as one for each feature; got an array of type "
            f"{values.dtype} and shape {values.shape}"
        )
    if not numpy.isfinite(values).all():
        raise ValueError(f"Standardize needs a finite {name}; got NaN or infinity in it")
    return tuple(values.tolist()) if values.ndim else float(values)


def _short(values: float | tuple[float, ...]) -> str:
    return f"<{len(values)} numbers>" if isinstance(values, tuple) else repr(values)
