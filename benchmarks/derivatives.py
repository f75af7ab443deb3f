"""What is differentiated, written once, and each library's way of doing it.

A contender is a function (task) -> step: ``step()`` computes the derivative once. The mathematics is a function of a
namespace ``xp``: autograd.numpy, torch, jax.numpy, or xnn's recording one.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

__all__ = ["CONTENDERS", "TASKS"]

#: The tasks, each with what it is; sizes as in a lecture's example, float64 throughout.
TASKS = {
    "small network": "gradient of a 64-100-10 tanh network with a squared error, 32 examples, by all parameters",
    "u″ + u": "gradient of the mean of (u″ + u)² on 100 points, u a 1-50-50-1 tanh network, by all parameters",
    "Hessian": "of Σ (1 − xᵢ)² + 100 (xᵢ₊₁ − xᵢ²)² by 20 numbers",
    "Jacobian": "of two tanh layers 40 → 40 → 40",
    "wide graph": "gradient of the sum of 300 terms sin(cᵢ x) x, x of 100 numbers",
    "deep graph": "gradient of 1,000 steps x + 0.01 sin x, x of 100 numbers",
    "memory": "gradient of a 100-200-200-10 tanh network, 20,000 examples",
}

rng = np.random.default_rng(0)


def weights(*sizes: int) -> list[Any]:
    """W and b of each layer, W of shape (inputs, outputs)."""
    return [a for n, m in pairwise(sizes) for a in (rng.normal(size=(n, m)) / n**0.5, np.zeros(m))]


def network(xp: Any, p: Any, x: Any) -> Any:
    """A tanh network with a linear last layer."""
    for i in range(0, len(p), 2):
        x = x @ p[i] + p[i + 1]
        x = x if i == len(p) - 2 else xp.tanh(x)
    return x


def squares(xp: Any, p: Any, x: Any, y: Any) -> Any:
    """The mean over examples of Σ (a − y)²."""
    e = network(xp, p, x) - y
    return xp.sum(e * e) / x.shape[0]


def rosenbrock(xp: Any, x: Any) -> Any:
    """A valley."""
    a, b = 1.0 - x[:-1], x[1:] - x[:-1] * x[:-1]
    return xp.sum(a * a) + 100.0 * xp.sum(b * b)


def wide(xp: Any, x: Any) -> Any:
    """Many terms."""
    total = 0.0
    for i in range(300):
        total = total + xp.sin((0.01 * i) * x) * x
    return xp.sum(total)


def deep(xp: Any, x: Any) -> Any:
    """Many steps."""
    for _ in range(1000):
        x = x + 0.01 * xp.sin(x)
    return xp.sum(x)


SIZES = {"small network": (64, 100, 10), "memory": (100, 200, 200, 10), "u″ + u": (1, 50, 50, 1)}
EXAMPLES = {"small network": 32, "memory": 20_000}


def task(name: str) -> tuple[Callable[..., Any] | None, list[Any]]:
    """(f(xp, *x), the arrays) of a task; None for u″ + u, in which each library takes its own way to u″."""
    if name in EXAMPLES:
        n, sizes = EXAMPLES[name], SIZES[name]
        x, y = rng.normal(size=(n, sizes[0])), rng.normal(size=(n, sizes[-1]))
        return squares, [weights(*sizes), x, y]
    if name == "u″ + u":
        return None, [weights(*SIZES[name]), np.linspace(0.0, 1.0, 100)[:, None]]
    if name == "Jacobian":
        p = weights(40, 40, 40, 40)[:4]
        return lambda xp, x, *p: xp.tanh(xp.tanh(x @ p[0] + p[1]) @ p[2] + p[3]), [rng.normal(size=40), *p]
    f = {"Hessian": rosenbrock, "wide graph": wide, "deep graph": deep}[name]
    return f, [rng.normal(size=20 if name == "Hessian" else 100)]


def xnn_primitives(name: str) -> Callable[[], Any]:
    """xnn, through the functions of its recording namespace."""
    import xnn
    from xnn.autodiff import derivatives, recording

    xp = recording(xnn.get_backend("numpy").xp)
    f, (x, *rest) = task(name)
    if f is None:

        def residual(p: Any) -> Any:
            u, _, u2 = derivatives(lambda x: network(xp, p, x), 2)(rest[0])
            e = u2 + u
            return xp.sum(e * e) / 100.0

        gradient = xnn.grad(residual)
        return lambda: gradient(x)
    mode = {"Hessian": xnn.hessian, "Jacobian": xnn.jacobian}.get(name, xnn.grad)
    derived = mode(lambda x: f(xp, x, *rest))
    return lambda: derived(x)


def xnn_layers(name: str) -> Callable[[], Any]:
    """xnn, a network and its loss as nodes."""
    import xnn
    from xnn.autodiff import derivatives

    if name not in SIZES:
        raise NotImplementedError
    _, (_, x, *rest) = task(name)
    sizes = SIZES[name]
    layers: list[xnn.Layer] = []
    for units in sizes[1:]:
        layers += [xnn.Dense(units), xnn.Tanh()]
    net = xnn.Network(layers[:-1], inputs=sizes[0], dtype="float64", seed=0)
    if rest:
        loss = xnn.SquaredError()
        gradient = xnn.grad(lambda p: loss(net.apply(p, x), rest[0]))
    else:
        zero, loss = np.zeros((100, 1)), xnn.MeanSquaredError()

        def residual(p: Any) -> Any:
            u, _, u2 = derivatives(lambda x: net.apply(p, x), 2)(x)
            return loss(u2 + u, zero)

        gradient = xnn.grad(residual)
    parameters = net.parameters
    return lambda: gradient(parameters)


def autograd(name: str) -> Callable[[], Any]:
    """HIPS autograd."""
    import autograd.numpy as xp
    from autograd import elementwise_grad, grad, hessian, jacobian

    f, (x, *rest) = task(name)
    if f is None:

        def residual(p: Any) -> Any:
            def u(x: Any) -> Any:
                return network(xp, p, x)

            e = elementwise_grad(elementwise_grad(u))(rest[0]) + u(rest[0])
            return xp.sum(e * e) / 100.0

        gradient = grad(residual)
        return lambda: gradient(x)
    derived = {"Hessian": hessian, "Jacobian": jacobian}.get(name, grad)(lambda x: f(xp, x, *rest))
    return lambda: derived(x)


def pytorch(name: str) -> Callable[[], Any]:
    """PyTorch, eager."""
    import torch

    f, (x, *rest) = task(name)
    rest = [torch.from_numpy(a) for a in rest]
    if name == "Hessian":
        one = torch.from_numpy(x)
        return lambda: torch.autograd.functional.hessian(lambda x: rosenbrock(torch, x), one)
    if name == "Jacobian" and f is not None:
        one = torch.from_numpy(x)
        return lambda: torch.autograd.functional.jacobian(lambda x: f(torch, x, *rest), one)
    p = [torch.from_numpy(a).requires_grad_() for a in (x if isinstance(x, list) else [x])]
    if f is None:
        points = rest[0].requires_grad_()

        def step() -> Any:
            u = network(torch, p, points)
            (slope,) = torch.autograd.grad(u.sum(), points, create_graph=True)
            (curve,) = torch.autograd.grad(slope.sum(), points, create_graph=True)
            e = curve + u
            return torch.autograd.grad(torch.sum(e * e) / 100.0, p)

        return step
    return lambda: torch.autograd.grad(f(torch, p if isinstance(x, list) else p[0], *rest), p)


def jax(jit: bool) -> Callable[[str], Callable[[], Any]]:
    """JAX, a call at a time or compiled as a whole; what was computed is waited for."""

    def make(name: str) -> Callable[[], Any]:
        import jax
        import jax.numpy as xp

        jax.config.update("jax_enable_x64", True)
        if not jit and name in ("wide graph", "deep graph", "Hessian"):
            raise NotImplementedError  # seconds a step
        f, (x, *rest) = task(name)
        x = [xp.asarray(a) for a in x] if isinstance(x, list) else xp.asarray(x)
        rest = [xp.asarray(a) for a in rest]
        if f is None:

            def residual(p: Any) -> Any:
                def slope(x: Any) -> Any:
                    return jax.jvp(lambda x: network(xp, p, x), (x,), (xp.ones_like(x),))

                (u, _), (_, u2) = jax.jvp(slope, (rest[0],), (xp.ones_like(rest[0]),))
                return xp.sum((u2 + u) ** 2) / 100.0

            derived = jax.grad(residual)
        else:
            derived = {"Hessian": jax.hessian, "Jacobian": jax.jacobian}.get(name, jax.grad)(lambda x: f(xp, x, *rest))
        derived = jax.jit(derived) if jit else derived
        return lambda: jax.block_until_ready(derived(x))

    return make


CONTENDERS: dict[str, Callable[[str], Callable[[], Any]]] = {
    "xnn": xnn_primitives,
    "xnn, layers as nodes": xnn_layers,
    "autograd": autograd,
    "PyTorch": pytorch,
    "JAX": jax(jit=False),
    "JAX jit": jax(jit=True),
}
