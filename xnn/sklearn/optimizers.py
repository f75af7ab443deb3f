"""The stochastic solvers in scikit-learn's form, and how their step size changes from epoch to epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any

from xnn.contract import Array
from xnn.optimizers import Adam, Optimizer
from xnn.optimizers.adam import adam
from xnn.optimizers.base import Rule, State

__all__ = ["EpsilonHat", "Momentum", "Updates", "updates_of"]


@dataclass(frozen=True)
class Momentum(Optimizer):
    """Descent with a velocity that contains the step size (Sutskever et al., 2013, equations 1 to 4).

        v ← μv − ηg        θ ← θ + v,    with Nesterov's momentum θ ← θ + μv − ηg

    ``xnn.SGD`` keeps η out of v. For a constant η the two are the same; when η becomes smaller, the velocity
    here goes on with the old one.
    """

    momentum: float = 0.9
    nesterov: bool = True

    def buffers(self) -> dict[str, float]:
        """v."""
        return {"v": 0.0}

    def rule(self, numbers: Mapping[str, Any], η: float) -> Rule:
        """One of the two equations."""
        return (look_ahead if self.nesterov else velocity), {"η": η, "μ": self.momentum}


def velocity(xp: Any, θ: Array, g: Array, v: Array, *, η: float, μ: float) -> tuple[Array, ...]:
    """v ← μv − ηg, θ ← θ + v."""
    v *= μ
    v -= η * g
    θ += v
    return θ, v


def look_ahead(xp: Any, θ: Array, g: Array, v: Array, *, η: float, μ: float) -> tuple[Array, ...]:
    """v ← μv − ηg, θ ← θ + μv − ηg."""
    s = η * g
    v *= μ
    v -= s
    θ += μ * v - s
    return θ, v


@dataclass(frozen=True)
class EpsilonHat(Adam):
    """Adam with θ ← θ − α m / (√v + ε), α = η √(1−β₂ᵗ) / (1−β₁ᵗ) (Kingma & Ba, 2014, end of section 2).

    The ε of ``xnn.Adam`` stands beside √v̂ instead, which is √v / √(1−β₂ᵗ).
    """

    def rule(self, numbers: Mapping[str, Any], η: float) -> Rule:
        """Adam's equation with this ε, beside the root of a v that lacks the factor 1−β₂."""
        return adam, {**self.scalars(numbers["step"], η), "ε": self.eps / sqrt(1.0 - self.betas[1])}

    def step_size(self, t: int, η: float) -> float:
        """α in update t."""
        β1, β2 = self.betas
        return η * sqrt(1.0 - β2**t) / (1.0 - β1**t)


@dataclass
class Updates:
    """A solver under way: the optimizer with what it remembers, and its step size."""

    optimizer: Optimizer
    state: State
    schedule: str = "constant"
    power_t: float = 0.5

    def __post_init__(self) -> None:
        self.learning_rate_init = self.learning_rate = float(self.optimizer.lr)  # type: ignore[arg-type]

    def step(self, network: Any, gradient: Array, scale: float) -> None:
        """One update of the network's parameters; ``scale`` multiplies the step size."""
        θ, self.state = self.optimizer.step(network.backend, network.flat, gradient, self.state, scale)
        network.update(θ)

    def epoch_ends(self, examples: int) -> None:
        """The step size after so many examples: η₀ / (1 + examples)^p for "invscaling"; Adam's α."""
        if self.schedule == "invscaling":
            self._become(self.learning_rate_init / (examples + 1) ** self.power_t)
        elif isinstance(self.optimizer, EpsilonHat):
            self.learning_rate = self.optimizer.step_size(self.state["step"], self.learning_rate_init)

    def gives_up(self, message: str, verbose: Any) -> bool:
        """Whether to stop when nothing improves: "adaptive" takes a fifth of the step size first, down to 1e-6."""
        stop = self.schedule != "adaptive" or self.learning_rate <= 1e-6
        if not stop:
            self._become(self.learning_rate / 5.0)
            message += f" Setting learning rate to {self.learning_rate:f}"
        else:
            message += " Stopping." if self.schedule != "adaptive" else " Learning rate too small. Stopping."
        if verbose:
            print(message)
        return stop

    def _become(self, η: float) -> None:
        self.learning_rate = η
        self.optimizer = replace(self.optimizer, lr=η)


def updates_of(estimator: Any, network: Any) -> Updates:
    """The solver that the parameters of the estimator ask for, before its first step."""
    optimizer: Optimizer
    lr = float(estimator.learning_rate_init)
    if estimator.solver == "adam":
        optimizer = EpsilonHat(lr=lr, betas=(estimator.beta_1, estimator.beta_2), eps=estimator.epsilon)
        return Updates(optimizer, optimizer.begin(network.backend, network.flat))
    optimizer = Momentum(lr=lr, momentum=float(estimator.momentum), nesterov=bool(estimator.nesterovs_momentum))
    state = optimizer.begin(network.backend, network.flat)
    return Updates(optimizer, state, estimator.learning_rate, estimator.power_t)
