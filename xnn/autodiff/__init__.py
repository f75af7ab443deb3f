"""Automatic differentiation: of any code written against the standard, to any order, in both modes.

Read in this order: ``rule`` (what is known of a function), ``elementwise``, ``products`` and ``linear`` (the tables),
``composed``, ``fourier``, ``decompositions`` and ``linalg``, ``tracing`` (arrays that carry derivatives), ``views`` and
``changes`` (arrays that change), ``levels`` (the two modes), ``recording`` (the namespace) with ``foreign`` and
``numpy_functions`` and its kin (NumPy's calls) and ``lifting`` (with arrays that know it), ``watching`` (anomalies),
``tape`` and ``modes`` (grad and its kin), ``matrices``, ``operations`` (layers and losses as nodes), ``custom``,
``check`` and ``show``.
"""

from __future__ import annotations

from xnn.autodiff.check import check_gradients
from xnn.autodiff.custom import checkpoint, custom, stop_gradient
from xnn.autodiff.lifting import lifted
from xnn.autodiff.matrices import hessian, hvp, jacobian
from xnn.autodiff.modes import (
    derivative,
    derivatives,
    grad,
    jvp,
    linearize,
    value_and_grad,
    vjp,
)
from xnn.autodiff.operations import cost, operate
from xnn.autodiff.recording import recording
from xnn.autodiff.show import show
from xnn.autodiff.tracing import Derivative

__all__ = [
    "Derivative", "check_gradients", "checkpoint", "cost", "custom", "derivative", "derivatives", "grad", "hessian",
    "hvp", "jacobian", "jvp", "lifted", "linearize", "operate", "recording", "show", "stop_gradient", "value_and_grad",
    "vjp",
]  # fmt: skip
