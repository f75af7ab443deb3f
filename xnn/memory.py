"""What would fit: an error for a device without room that says more than how many bytes were missing.

With n examples in a step, s numbers of b bytes in the outputs of all layers for one of them, and P parameters, a
training step needs about

    2 n s b + 2 P b + 2 G b     outputs and the errors δ of backprop; the gradient, and what an update needs meanwhile;
                                two times the shuffled inputs that are gathered together for small batches

and a prediction n s b. A backend may need less (CuPy's computes much again instead of keeping it), so the batch size
that the error names is a careful one.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

from xnn.errors import OutOfMemoryError
from xnn.host import numpy

__all__ = ["GATHERED", "advice", "memory_in_words", "room", "size_in_words"]

GATHERED = 1 << 16  # so many numbers of shuffled inputs are brought together at once, at most, where a batch has fewer


@contextmanager
def room(network: Any, examples: int, *, training: bool = False) -> Iterator[None]:
    """Turn the error of a device without room, for batches of so many examples, into one that says what would fit."""
    try:
        yield
    except Exception as error:
        if (told := advice(network, examples, error, training=training)) is None:
            raise
        raise told from error


def advice(network: Any, examples: int, error: Exception, *, training: bool = False) -> OutOfMemoryError | None:
    """The error that says what would fit, for one that only says that there was no room; None for any other one."""
    if isinstance(error, OutOfMemoryError) or not network.backend.lacks_room(error):
        return None
    traceback.clear_frames(error.__traceback__)  # the arrays of what failed are free for the next try
    return OutOfMemoryError(_words(network, examples, training, str(error).rstrip(".")))


def _words(network: Any, examples: int, training: bool, reason: str) -> str:
    itemsize = int(numpy.dtype(network.dtype).itemsize)
    parameters = network.layout.size * itemsize
    each = sum(map(prod, network.shapes)) * itemsize * (2 if training else 1)
    said = (
        f"backend {network.backend.name!r} is out of memory: {reason}; the parameters take {size_in_words(parameters)}"
    )
    if examples:
        said += f", a batch of {examples} examples about {size_in_words(examples * each)}"
    memory = network.backend.memory()
    if memory is None:
        return f"{said}; a smaller batch_size needs less"
    said += f", and {size_in_words(memory.free)} of {size_in_words(memory.total)} are free"
    others = 2 * (parameters + GATHERED * itemsize) if training else 0
    fitting = min((memory.free - others) // each, examples - 1)
    if fitting < 1:
        return f"{said}: not even one example fits; make the network smaller, or free memory on the device"
    return f"{said}: batch_size={1 << (fitting.bit_length() - 1)} would fit"


def memory_in_words(backend: Any) -> str:
    """How much memory the library of the backend has taken; "" where it does not tell."""
    memory = backend.memory()
    if memory is None:
        return ""
    return (
        f"{size_in_words(memory.held)} of {size_in_words(memory.total)}, {size_in_words(memory.used)} of it in arrays"
    )


def size_in_words(size: int) -> str:
    """Bytes as people read them: 512 bytes, 1.5 KiB, 24.0 GiB."""
    if size < 1024:
        return f"{size} bytes"
    power = min((size.bit_length() - 1) // 10, 4)
    return f"{size / 1024**power:.1f} {'KMGT'[power - 1]}iB"
