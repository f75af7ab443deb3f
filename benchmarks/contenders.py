"""The contenders: each makes a function that runs one round of steps and says how many it was.

Every contender is a function (workload, x, y) -> round, where x and y hold ``workload.batches`` batches as NumPy
arrays, and ``round()`` trains on each of them once (or predicts the first one) and returns the number of steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from peers import autograd_numpy, keras_on_jax, torch_compiled
from workloads import Workload

__all__ = ["CONTENDERS"]

Round = Callable[[], int]


def xnn_on(backend: str) -> Callable[[Workload, Any, Any], Round]:
    """xnn, counted as ``fit`` a step."""

    def make(w: Workload, x: Any, y: Any) -> Round:
        import xnn

        kind = {"relu": xnn.ReLU, "tanh": xnn.Tanh, "sigmoid": xnn.Sigmoid}[w.activation]
        layers: list[xnn.Layer] = []
        for i, units in enumerate(w.sizes[1:], 2):
            layers.append(xnn.Dense(units))
            if i < len(w.sizes):
                layers += [xnn.BatchNorm()] * w.batchnorm + [kind()] + [xnn.Dropout(0.5)] * w.dropout
        network = xnn.Network(layers, inputs=w.sizes[0], backend=backend, dtype=w.dtype, seed=0)
        x, y = (network.backend.asarray(a) for a in (x, y))
        if w.predict:
            one = x[: w.batch]
            return lambda: len([network.predict(one) for _ in range(w.batches)])
        optimizer = xnn.Adam() if w.optimizer == "adam" else xnn.SGD(lr=1e-3, momentum=0.9)
        loss, epochs = xnn.CrossEntropy(), 5 if max(w.sizes[1:]) < 500 and w.batches <= 20 else 1

        def round() -> int:
            network.fit(x, y, loss=loss, optimizer=optimizer, epochs=epochs, batch_size=w.batch)
            return w.batches * epochs

        return round

    return make


def pytorch(fused: bool) -> Callable[[Workload, Any, Any], Round]:
    """PyTorch, eager, with the plain or the fused optimizer; batches lie ready, no DataLoader."""

    def make(w: Workload, x: Any, y: Any) -> Round:
        import torch

        torch.manual_seed(0)
        kind = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "sigmoid": torch.nn.Sigmoid}[w.activation]
        layers: list[Any] = []
        for i, (inputs, units) in enumerate(zip(w.sizes, w.sizes[1:], strict=False), 2):
            layers.append(torch.nn.Linear(inputs, units))
            if i < len(w.sizes):
                layers += [torch.nn.BatchNorm1d(units)] * w.batchnorm + [kind()] + [torch.nn.Dropout(0.5)] * w.dropout
        model = torch.nn.Sequential(*layers).to(getattr(torch, w.dtype))
        xs, ys = torch.from_numpy(x).split(w.batch), torch.from_numpy(y).split(w.batch)
        if w.predict:
            model.eval()

            def predict() -> int:
                with torch.inference_mode():
                    return len([model(xs[0]) for _ in range(w.batches)])

            return predict
        if w.optimizer == "adam":
            optimizer: Any = torch.optim.Adam(model.parameters(), fused=fused)
        else:
            optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, fused=fused)
        loss = torch.nn.CrossEntropyLoss()

        def round() -> int:
            for a, b in zip(xs, ys, strict=True):
                optimizer.zero_grad()
                loss(model(a), b).backward()
                optimizer.step()
            return w.batches

        return round

    return make


def jax_jit(w: Workload, x: Any, y: Any) -> Round:
    """JAX, the whole step compiled by jit, with donated parameters; Dense networks without extras."""
    if w.batchnorm or w.dropout:
        raise NotImplementedError
    import jax
    import jax.numpy as jnp
    import numpy as np

    if w.dtype == "float64":
        jax.config.update("jax_enable_x64", True)
    function = {"relu": jax.nn.relu, "tanh": jnp.tanh, "sigmoid": jax.nn.sigmoid}[w.activation]
    rng = np.random.default_rng(0)
    θ = [
        (jnp.asarray(rng.normal(size=(i, o)) / i**0.5, x.dtype), jnp.zeros(o, x.dtype))
        for i, o in zip(w.sizes, w.sizes[1:], strict=False)
    ]

    def outputs(θ: Any, a: Any) -> Any:
        for W, b in θ[:-1]:
            a = function(a @ W + b)
        return a @ θ[-1][0] + θ[-1][1]

    def cost(θ: Any, a: Any, b: Any) -> Any:
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(outputs(θ, a)), b[:, None], axis=1))

    xs, ys = [jnp.asarray(a) for a in np.split(x, w.batches)], [jnp.asarray(b) for b in np.split(y, w.batches)]
    if w.predict:
        run = jax.jit(outputs)
        return lambda: len([run(θ, xs[0]).block_until_ready() for _ in range(w.batches)])

    def adam(θ: Any, m: Any, v: Any, t: Any, a: Any, b: Any) -> Any:
        c, g = jax.value_and_grad(cost)(θ, a, b)
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        α = 1e-3 * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        return jax.tree.map(lambda p, m, v: (p - α * m / (jnp.sqrt(v) + 1e-8)).astype(p.dtype), θ, m, v), m, v, t + 1, c

    def momentum(θ: Any, m: Any, v: Any, t: Any, a: Any, b: Any) -> Any:
        c, g = jax.value_and_grad(cost)(θ, a, b)
        m = jax.tree.map(lambda m, g: 0.9 * m + g, m, g)
        return jax.tree.map(lambda p, m: p - 1e-3 * m, θ, m), m, v, t, c

    step = jax.jit(adam if w.optimizer == "adam" else momentum, donate_argnums=(0, 1, 2))
    zeros = jax.tree.map(jnp.zeros_like, θ)
    state = [θ, zeros, jax.tree.map(jnp.zeros_like, θ), jnp.asarray(1.0, x.dtype)]

    def round() -> int:
        c = None
        for a, b in zip(xs, ys, strict=True):
            *state[:], c = step(*state, a, b)
        c.block_until_ready()
        return w.batches

    return round


def scikit_learn(w: Workload, x: Any, y: Any) -> Round:
    """scikit-learn's MLPClassifier, an epoch by partial_fit."""
    if w.batchnorm or w.dropout:
        raise NotImplementedError
    import numpy as np
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        w.sizes[1:-1],
        activation={"sigmoid": "logistic"}.get(w.activation, w.activation),
        solver="adam" if w.optimizer == "adam" else "sgd",
        alpha=0.0,
        batch_size=w.batch,
        nesterovs_momentum=False,
    )
    classes = np.arange(w.sizes[-1])
    model.partial_fit(x, y, classes=classes)
    if w.predict:
        return lambda: len([model.predict_proba(x[: w.batch]) for _ in range(w.batches)])

    def round() -> int:
        model.partial_fit(x, y)
        return w.batches

    return round


CONTENDERS: dict[str, Callable[[Workload, Any, Any], Round]] = {
    "xnn": xnn_on("numpy"),
    "xnn on torch": xnn_on("torch"),
    "PyTorch": pytorch(fused=False),
    "PyTorch, fused optimizer": pytorch(fused=True),
    "torch.compile": torch_compiled,
    "JAX jit": jax_jit,
    "scikit-learn": scikit_learn,
    "Keras on JAX": keras_on_jax,
    "autograd": autograd_numpy,
}
