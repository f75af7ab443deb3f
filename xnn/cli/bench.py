"""``xnn bench``: how many steps of training a second this machine does, backend by backend."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from xnn.arrays import available_backends, get_backend
from xnn.cli.options import Parser, names, real
from xnn.cli.words import table
from xnn.contract import Backend
from xnn.host import generator, ndarray
from xnn.layers import Dense, ReLU
from xnn.losses import CrossEntropy
from xnn.network import Network
from xnn.optimizers import Adam

__all__ = ["ABOUT", "EXAMPLES", "USAGE", "arguments", "run"]

USAGE = "[options]"
ABOUT = """\
steps of training a second on this machine, backend by backend

A step is feed-forward, backprop and Adam on one batch. PyTorch with its own autograd stands beside
the backends, where it is installed. All take turns, and the best turn of each counts; who is so
slow that ten steps outlast a turn has only one.
"""
EXAMPLES = """\
  xnn bench                          every usable backend
  xnn bench --backend numpy,torch    these
  xnn bench --seconds 5              longer turns, steadier figures
"""
_TURNS = 3
_BATCHES = 10  # gone through without a look at the clock

Round = Callable[[], int]  # trains on all batches, and returns how many steps that was


@dataclass(frozen=True)
class Size:
    """A network, inputs first, and the rows of a batch."""

    name: str
    units: tuple[int, ...]
    rows: int

    def data(self) -> tuple[ndarray, ndarray]:
        """Random examples; the numbers do not matter for the speed."""
        draws, n = generator(0), self.rows * _BATCHES
        x = draws.normal(size=(n, self.units[0])).astype("float32")
        return x, draws.integers(0, self.units[-1], n)


_SIZES = (Size("small", (64, 100, 10), 32), Size("large", (784, 512, 512, 10), 128))


def arguments(parser: Parser) -> None:
    """The options."""
    parser.add_argument("--backend", type=names, metavar="A,B", help="which ones (default: all that can be used)")
    parser.add_argument("--seconds", type=real("(0, 600]"), default=0.3, metavar="S", help="of a turn (%(default)s)")


def run(options: argparse.Namespace) -> int:
    """Measure, and print the table."""
    chosen = options.backend or [name for name, reason in available_backends().items() if not reason]
    backends = [get_backend(name) for name in chosen]
    for size in _SIZES:
        print(
            f"{size.name}: {' → '.join(map(str, size.units))}, ReLU, batches of {size.rows}, float32, Adam", flush=True
        )
    contenders = [
        (name, str(backend.info().get("device", backend.device)), [_ours(backend, size) for size in _SIZES])
        for name, backend in zip(chosen, backends, strict=True)
    ] + _pytorch()
    best = [[_rate(once, 0) for once in rounds] for _, _, rounds in contenders]  # the first steps are slower
    for _ in range(_TURNS):
        for rates, (_, _, rounds) in zip(best, contenders, strict=True):
            for i, once in enumerate(rounds):
                if rates[i] * options.seconds > _BATCHES:
                    rates[i] = max(rates[i], _rate(once, options.seconds))
    rows = [
        (name, *(f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}" for rate in rates), device)
        for (name, device, _), rates in zip(contenders, best, strict=True)
    ]
    print("\n" + table(("", *(f"{size.name}, steps/s" for size in _SIZES), "device"), rows))
    return 0


def _rate(once: Round, seconds: float) -> float:
    """Steps a second, over so many seconds and at least once."""
    steps, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds or not steps:
        steps += once()
    return steps / elapsed


def _ours(backend: Backend, size: Size) -> Round:
    layers = [layer for units in size.units[1:] for layer in (Dense(units), ReLU())][:-1]
    network = Network(layers, inputs=size.units[0], backend=backend, seed=0)
    x, y = map(backend.asarray, size.data())

    def once() -> int:
        history = network.fit(x, y, loss=CrossEntropy(), optimizer=Adam(), batch_size=size.rows)
        if history.stop_reason.startswith("interrupted"):
            raise KeyboardInterrupt
        return _BATCHES

    return once


def _pytorch() -> list[tuple[str, str, list[Round]]]:
    """PyTorch's own training, on the CPU or its GPU; nothing where it is not installed."""
    try:
        torch: Any = import_module("torch")  # a peer to be measured, nothing that xnn computes with
    except ImportError:
        return []
    device = "cuda" if torch.cuda.is_available() else "cpu"

    def make(size: Size) -> Round:
        x, y = (torch.asarray(a, device=device) for a in size.data())
        pairs = zip(size.units, size.units[1:], strict=False)
        layers = [layer for pair in pairs for layer in (torch.nn.Linear(*pair), torch.nn.ReLU())][:-1]
        network = torch.nn.Sequential(*layers).to(device)
        optimizer, loss = torch.optim.Adam(network.parameters()), torch.nn.CrossEntropyLoss()

        def once() -> int:
            order = torch.randperm(len(x), device=device)
            for chosen in order.split(size.rows):
                optimizer.zero_grad()
                loss(network(x[chosen]), y[chosen]).backward()
                optimizer.step()
            if device == "cuda":
                torch.cuda.synchronize()
            return _BATCHES

        return once

    return [("PyTorch itself", device, [make(size) for size in _SIZES])]
