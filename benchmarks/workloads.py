"""What is measured: networks, batches and optimizers, in words that every contender understands."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SLOPES", "WORKLOADS", "Workload"]


@dataclass(frozen=True)
class Workload:
    """A classifier of Dense layers with an activation between them, trained with softmax cross-entropy.

    What is timed is a step over one of ``batches`` different batches: gathering it, feed-forward, cost,
    backprop, update. ``predict`` times feed-forward alone, of ``batch`` examples.
    """

    sizes: tuple[int, ...]
    batch: int
    activation: str = "relu"  # "relu", "tanh" or "sigmoid"
    optimizer: str = "adam"  # "adam" or "momentum"
    dtype: str = "float32"
    dropout: bool = False
    batchnorm: bool = False
    predict: bool = False
    batches: int = 20  # different ones, that a round goes through

    @property
    def name(self) -> str:
        """The name in the table."""
        hidden = self.sizes[1:-1]
        if len(hidden) > 4:
            words = f"{len(self.sizes) - 1} layers of {hidden[0]}"
        elif len(hidden) > 2 and len(set(hidden)) == 1:
            words = f"{self.sizes[0]}-{hidden[0]}×{len(hidden)}-{self.sizes[-1]}"
        else:
            words = "-".join(map(str, self.sizes))
        extras = [
            self.activation if self.activation != "relu" else "",
            "SGD with momentum" if self.optimizer == "momentum" else "",
            self.dtype if self.dtype != "float32" else "",
            "batch norm" if self.batchnorm else "",
            "dropout" if self.dropout else "",
            "predict" if self.predict else "",
            f"{self.batches} batches an epoch" if self.batches not in (2, 20) else "",
        ]
        return ", ".join([words, *filter(None, extras), f"batch {self.batch}"])


WORKLOADS = [
    Workload((2, 16, 16, 2), 32),
    Workload((64, 64, 10), 200),
    Workload((784, 100, 10), 32),
    Workload((32,) * 21, 64),
    Workload((784, 512, 512, 10), 128),
    Workload((784, 2048, 2048, 2048, 10), 512, batches=2),
    Workload((64, 64, 10), 200, activation="tanh"),
    Workload((64, 64, 10), 200, activation="sigmoid"),
    Workload((64, 64, 10), 200, optimizer="momentum"),
    Workload((64, 64, 10), 200, dtype="float64"),
    Workload((64, 64, 10), 200, batchnorm=True, dropout=True),
    Workload((784, 512, 512, 10), 128, batchnorm=True, dropout=True),
    Workload((2, 16, 16, 2), 1, predict=True),
    Workload((64, 64, 10), 1, predict=True),
    Workload((2, 16, 16, 2), 1000, predict=True),
    Workload((784, 100, 10), 1, predict=True),
    Workload((784, 100, 10), 1000, predict=True),
]

# How the cost of a step grows with one number, all others as they are.
SLOPES: dict[str, dict[int, Workload]] = {
    "width (64-n-n-10, batch 64)": {n: Workload((64, n, n, 10), 64) for n in (16, 64, 256, 1024)},
    "depth (n layers of 32, batch 64)": {n: Workload((32,) * (n + 1), 64) for n in (6, 12, 24, 48)},
    "batch (64-64-10)": {n: Workload((64, 64, 10), n) for n in (8, 64, 512, 4096)},
    "data (64-64-10, n batches of 32 an epoch)": {n: Workload((64, 64, 10), 32, batches=n) for n in (5, 50, 500)},
}
