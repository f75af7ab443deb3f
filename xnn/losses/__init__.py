"""Cost functions, each with its derivative; the cost is the mean over the examples.

Every loss is used in three ways: ``loss(outputs, targets)``, ``loss.gradient(outputs, targets)`` and
``loss.per_example(outputs, targets)``. ``xnn.Loss`` tells how to write another.
"""

from __future__ import annotations

from xnn.losses.base import Elementwise, Loss
from xnn.losses.classification import BinaryCrossEntropy, CrossEntropy, Hinge
from xnn.losses.regression import Huber, LogCosh, MeanAbsoluteError, MeanSquaredError, PoissonNLL, SquaredError

__all__ = [
    "LOSSES",
    "BinaryCrossEntropy",
    "CrossEntropy",
    "Elementwise",
    "Hinge",
    "Huber",
    "LogCosh",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "PoissonNLL",
    "SquaredError",
]

#: Every loss of the library, by its name.
LOSSES: dict[str, type[Loss]] = {
    loss.__name__: loss
    for loss in (
        SquaredError,
        MeanSquaredError,
        MeanAbsoluteError,
        Huber,
        LogCosh,
        CrossEntropy,
        BinaryCrossEntropy,
        PoissonNLL,
        Hinge,
    )
}
