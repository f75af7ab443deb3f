"""What the equations are held against: central differences, and PyTorch's own derivative.

All arrays here are NumPy arrays in float64; backends enter through ``run`` alone.
"""

from __future__ import annotations

import numpy as np
import pytest

#: Shapes with 0 and 1 in them, the batch first.
SHAPES = [(0, 3), (1, 1), (4, 1), (2, 3, 4)]


def scaled_error(a, b):
    """max|a − b| / max|b|; where b is all zeros, max|a − b|. The shapes must be equal."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    assert a.shape == b.shape, f"shapes differ: {a.shape} and {b.shape}"
    assert np.isfinite(a).all(), "the first array is not finite"
    assert np.isfinite(b).all(), "the second array is not finite"
    if a.size == 0:
        return 0.0
    return float(np.max(np.abs(a - b)) / (np.max(np.abs(b)) or 1.0))


def central_differences(f, x, step=6e-6):
    """The gradient of the scalar f at the NumPy array x: (f(x + h eᵢ) − f(x − h eᵢ)) / 2h for each entry i."""
    x = np.array(x, dtype=np.float64)
    gradient = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        above, below = x.copy(), x.copy()
        above[i] += step
        below[i] -= step
        gradient[i] = (float(f(above)) - float(f(below))) / (above[i] - below[i])
    return gradient


def run(backend, operation, x, δ, *parameters, dtype="float64"):
    """(y, ∂C/∂x, gradients) of an operation on a backend, as NumPy arrays, from NumPy arrays."""
    x, δ, *parameters = (backend.asarray(a, dtype) for a in (x, δ, *parameters))
    with backend.scope():
        y, kept = operation.forward(backend.xp, x, *parameters)
        below = operation.delta(backend.xp, δ, y, kept, x, *parameters)
        gradients = operation.gradients(backend.xp, δ, y, kept, x, *parameters)
    return backend.to_numpy(y), backend.to_numpy(below), [backend.to_numpy(g) for g in gradients]


def differences(backend, operation, x, δ, *parameters, step=6e-6):
    """What ``run`` should give backward, [∂C/∂x, *gradients], of C = Σ δ·y by central differences."""
    arrays = [x, *parameters]

    def cost(i):
        def f(changed):
            x, *parameters = (backend.asarray(changed if j == i else a, "float64") for j, a in enumerate(arrays))
            with backend.scope():
                y, _ = operation.forward(backend.xp, x, *parameters)
            return np.sum(δ * backend.to_numpy(y))

        return f

    return [central_differences(cost(i), a, step) for i, a in enumerate(arrays)]


def torch_derivative(function, x, δ, *parameters):
    """What ``run`` should give, by PyTorch's autograd on the CPU, for y = function(x, *parameters) and C = Σ δ·y."""
    torch = pytest.importorskip("torch")
    x, *parameters = (torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in (x, *parameters))
    y = function(x, *parameters)
    below, *gradients = torch.autograd.grad(y, [x, *parameters], torch.tensor(δ, dtype=torch.float64))
    return y.detach().numpy(), below.numpy(), [g.numpy() for g in gradients]
