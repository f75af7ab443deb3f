"""More contenders, that need libraries of their own or time to compile: torch.compile, Keras, autograd."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from workloads import Workload

__all__ = ["autograd_numpy", "keras_on_jax", "torch_compiled"]

Round = Callable[[], int]


def torch_compiled(w: Workload, x: Any, y: Any) -> Round:
    """PyTorch, feed-forward and cost compiled; two networks, for compiling takes longer than measuring."""
    if w.predict or w.optimizer != "adam" or w.dtype != "float32" or w.batchnorm or w.activation != "relu":
        raise NotImplementedError
    if w.sizes not in ((64, 64, 10), (784, 512, 512, 10)) or w.batch not in (128, 200):
        raise NotImplementedError
    import torch

    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
    torch.manual_seed(0)
    layers: list[Any] = []
    for inputs, units in zip(w.sizes, w.sizes[1:], strict=False):
        layers += [torch.nn.Linear(inputs, units), torch.nn.ReLU()]
    model, loss = torch.nn.Sequential(*layers[:-1]), torch.nn.CrossEntropyLoss()
    cost = torch.compile(lambda a, b: loss(model(a), b), dynamic=False)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    xs, ys = torch.from_numpy(x).split(w.batch), torch.from_numpy(y).split(w.batch)

    def round() -> int:
        for a, b in zip(xs, ys, strict=True):
            optimizer.zero_grad()
            cost(a, b).backward()
            optimizer.step()
        return w.batches

    return round


def keras_on_jax(w: Workload, x: Any, y: Any) -> Round:
    """Keras over JAX, by train_on_batch and predict_on_batch."""
    os.environ["KERAS_BACKEND"] = "jax"
    import keras
    import numpy as np

    keras.utils.set_random_seed(0)
    keras.config.set_floatx(w.dtype)
    layers: list[Any] = [keras.Input((w.sizes[0],))]
    for i, units in enumerate(w.sizes[1:], 2):
        layers.append(keras.layers.Dense(units))
        if i < len(w.sizes):
            layers += [keras.layers.BatchNormalization()] * w.batchnorm
            layers += [keras.layers.Activation(w.activation)] + [keras.layers.Dropout(0.5) for _ in range(w.dropout)]
    model = keras.Sequential(layers)
    optimizer = keras.optimizers.Adam() if w.optimizer == "adam" else keras.optimizers.SGD(1e-3, momentum=0.9)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    xs, ys = np.split(x, w.batches), np.split(y, w.batches)
    if w.predict:
        return lambda: len([model.predict_on_batch(xs[0]) for _ in range(w.batches)])

    def round() -> int:
        for a, b in zip(xs, ys, strict=True):
            model.train_on_batch(a, b)
        return w.batches

    return round


def autograd_numpy(w: Workload, x: Any, y: Any) -> Round:
    """autograd over NumPy: its gradient of the cost, and its own Adam's equations on the flat vector."""
    if w.batchnorm or w.dropout or w.optimizer != "adam":
        raise NotImplementedError
    import autograd.numpy as anp
    import numpy as np
    from autograd import value_and_grad
    from autograd.misc.flatten import flatten
    from autograd.scipy.special import logsumexp

    functions = {"relu": lambda z: anp.maximum(z, 0), "tanh": anp.tanh, "sigmoid": lambda z: 1 / (1 + anp.exp(-z))}
    function, rng = functions[w.activation], np.random.default_rng(0)
    pairs = list(zip(w.sizes, w.sizes[1:], strict=False))
    θ, unflatten = flatten(
        [((rng.normal(size=p) / p[0] ** 0.5).astype(w.dtype), np.zeros(p[1], w.dtype)) for p in pairs]
    )

    def outputs(θ: Any, a: Any) -> Any:
        layers = unflatten(θ)
        for W, b in layers[:-1]:
            a = function(anp.dot(a, W) + b)
        return anp.dot(a, layers[-1][0]) + layers[-1][1]

    def cost(θ: Any, a: Any, b: Any) -> Any:
        z = outputs(θ, a)
        return anp.mean(logsumexp(z, axis=1) - z[anp.arange(len(b)), b])

    xs, ys = np.split(x, w.batches), np.split(y, w.batches)
    if w.predict:
        return lambda: len([outputs(θ, xs[0]) for _ in range(w.batches)])
    gradient = value_and_grad(cost)
    m, v, t = np.zeros_like(θ), np.zeros_like(θ), 0

    def round() -> int:
        nonlocal θ, m, v, t
        for a, b in zip(xs, ys, strict=True):
            t += 1
            _, g = gradient(θ, a, b)
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
            θ = θ - 1e-3 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        return w.batches

    return round
