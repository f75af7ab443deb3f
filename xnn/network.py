"""The network: a list of layers over one flat vector of parameters, its feed-forward and its backprop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import array_api_compat

from xnn.anomaly import watch
from xnn.arrays import namespace, on_their_device, owner, their_device, to_numpy, unify
from xnn.backprop import Check, backprop, feed_forward
from xnn.batches import batch, like, real, shaped
from xnn.contract import Array, Backend, slices
from xnn.data import chunk
from xnn.errors import NotFittedError
from xnn.evaluation import evaluate
from xnn.host import numpy
from xnn.layers.base import Key, Layer, Operation
from xnn.losses import Loss
from xnn.memory import advice, room
from xnn.optimizers import Problem
from xnn.penalties import Penalty, check_penalty
from xnn.plans import Task
from xnn.settings import whole
from xnn.state import State
from xnn.summary import summary, summary_html
from xnn.training import fit
from xnn.traits import Traits

__all__ = ["Network"]


_TASKS = 32  # so many modes are remembered
_PREDICTION = 1 << 23  # bytes: larger ones are not bound by calls, and should not keep memory


class Mode(NamedTuple):
    """What a step computes."""

    loss: Loss
    penalty: Penalty | None
    training: bool
    per_example: bool
    deltas: bool
    packed: bool


class Network(State):
    """A feed-forward network a = f^L(… f²(f¹(x)) …) of the given layers.

    The batch is the first axis of every array: x has shape (examples, *inputs).

    Args:
        layers: the layers, the first one first.
        inputs: the number of inputs, or the shape of one example.
        backend: a name such as ``"numpy"`` or ``"cupy:1"``, or a backend; ``None`` is the current one.
        dtype: ``"float32"`` or ``"float64"``; every array of the network has it.
        seed: initial weights, shuffles and dropout masks follow from it, equally on every backend;
            ``None`` draws one, which ``network.seed`` tells.

    ``network.notes`` is a dictionary for what shall stay with the network in its file, as plain JSON, such as the
    names of the features and of the classes.

    Raises:
        TypeError: for something in ``layers`` that is no layer.
        ValueError: where a layer cannot take what the layer below gives; it names the layer.
        BackendError: where the backend cannot be used.

    Source: texts 001, 002 (the composed function) and 003 (weights random, biases zero).
    """

    def __init__(
        self,
        layers: Iterable[Layer],
        *,
        inputs: int | Sequence[int],
        backend: str | Backend | None = None,
        dtype: str = "float32",
        seed: int | None = None,
    ) -> None:
        super().__init__(layers, inputs, backend, dtype, seed)
        self._chunk = chunk(self.inputs)  # so many examples are predicted together
        self.step = 0  # training steps so far: the masks of dropout depend on it
        self.epoch = 0  # epochs of fit so far: the order of the examples depends on it
        self.notes: dict[str, Any] = {}  # the user's own; xnn only keeps them
        self._traits = Traits.of(self.layers)

    # -- Feed-forward --------------------------------------------------------------------------------------------

    def forward(self, x: Any, training: bool = False) -> Array:
        """The output a^L for a batch x, in the mode of training or of prediction; changes nothing.

        With ``training=True`` it is what the next training step will compute: batch statistics, and
        the masks of that step. The result is an array of the library of x.
        """
        array = self.backend.quickly(x, self.dtype)
        if array is not None and array.shape[1:] == self.inputs:
            return self._output(array, training)
        with self.backend.scope():
            return like(x, self._output(self._input(x), training), self.backend)

    def predict(self, x: Any, *, batch_size: int | None = None) -> Array:
        """``forward(x)`` in the mode of prediction, in pieces of ``batch_size`` examples.

        ``None`` takes what needs little memory. x may be a NumPy memory map larger than the memory.
        """
        rows = self._chunk if batch_size is None else whole("batch_size", batch_size, 1)
        if owner(x) is None:  # lists, or the table of a library that cuts it otherwise than an array
            with self.backend.scope():
                x = real(x, "x", self.backend, self.dtype)
        if len(x.shape) == 0 or x.shape[0] <= rows:
            return self.forward(x)
        pieces = [self.forward(x[piece, ...]) for piece in slices(0, x.shape[0], rows)]
        with their_device(pieces[0]):
            return namespace(pieces[0]).concat(pieces)

    @on_their_device
    def apply(self, parameters: Mapping[str, Array], x: Array) -> Array:
        """The output for these parameters instead of the network's own: a pure function of both arguments.

        It predicts (no dropout, running statistics), computes in the library and the type of its
        arguments, and takes all parameters by name.
        """
        if parameters.keys() != set(self.layout.names):
            raise KeyError(f"apply takes all parameters {list(self.layout.names)}; got {list(parameters)}")
        from xnn.autodiff import operate  # on use: many networks are only trained

        # Lists and numbers become arrays of the library of the others.
        xp, x, *θ = unify(x=x, **{name: parameters[name] for name in self.layout.names})
        buffers = [{name: _convert(xp, array, x) for name, array in own.items()} for own in self._buffers]
        for name, shape, array in zip(self.layout.names, self.layout.shapes, θ, strict=True):
            if tuple(array.shape) != shape:
                raise ValueError(f"parameter {name!r} has shape {shape}; got an array of shape {tuple(array.shape)}")
        x = shaped(xp, x, self.inputs)
        if θ and x.dtype != θ[0].dtype:
            x = xp.astype(x, θ[0].dtype)
        with their_device(x):
            every = zip(self.layers, buffers, self.layout.by_layer(θ), strict=True)
            for depth, (layer, own, θ_own) in enumerate(every):
                x = operate(layer.prediction(own), xp, x, *θ_own, layer=depth)
        return x

    def activations(self, x: Any, training: bool = False) -> list[Array]:
        """The output of every layer for a batch x, the first layer's first: zˡ of a Dense layer, aˡ of the next.

        The counterpart of ``deltas``; like ``forward`` it changes nothing.
        """
        with self.backend.scope():
            xp, operations, a = self.backend.xp, self._operations(training, self._buffers), self._input(x)
            parameters = self.layout.by_layer(self.layout.unpack(xp, self._θ))
            _, records = feed_forward(xp, operations, parameters, a, watch(self.layers, self.step))
            return [like(x, record.y, self.backend) for record in records]

    # -- Backprop ------------------------------------------------------------------------------------------------

    def gradients(
        self,
        x: Any,
        y: Any,
        loss: Loss,
        *,
        training: bool = True,
        per_example: bool = False,
        sample_weight: Any = None,
        penalty: Penalty | None = None,
    ) -> tuple[Array, dict[str, Array]]:
        """The cost of a batch, and ∂C/∂θ for each parameter by name.

        C = 1/n Σᵢ L(a(xᵢ), yᵢ), plus the penalty. It does its own feed-forward. With
        ``training=True`` that uses batch statistics and dropout, moves the running statistics, and
        advances ``network.step``; with ``training=False`` nothing changes.

        Args:
            x: (examples, *inputs).
            y: the targets, as the loss takes them.
            loss: one of ``xnn.losses``.
            training: the mode.
            per_example: each gradient gets a new first axis, the examples: ∂L(a(xᵢ), yᵢ)/∂θ, whose
                mean over the examples is the gradient of the batch (texts 002, 004).
            sample_weight: weights of the examples, (examples,).
            penalty: added to the cost, on weights (not on biases and normalization scales).

        Raises:
            ValueError, TypeError: for shapes and types that do not fit; nothing is changed then.
        """
        check_penalty(penalty)
        with self.backend.scope():
            x, y, weights = self.prepare(x, y, loss, sample_weight)
            with room(self, x.shape[0], training=True):
                cost, gradients, _ = self.differentiate(x, y, weights, loss, penalty, training, per_example)
        return cost, dict(zip(self.layout.names, gradients, strict=True))

    def deltas(self, x: Any, y: Any, loss: Loss, *, training: bool = True, sample_weight: Any = None) -> list[Array]:
        """δ of every layer: entry l is ∂C/∂(output of layer l), of that output's shape.

        At a Dense layer that is the textbooks' δˡ = ∂C/∂zˡ. Nothing is changed, in either mode.
        """
        deltas: list[Array] = []
        state = self.step, self._buffers
        with self.backend.scope():
            x, y, weights = self.prepare(x, y, loss, sample_weight)
            self.differentiate(x, y, weights, loss, None, training, deltas=deltas)
        self.step, self._buffers = state
        return deltas

    def differentiate(
        self,
        x: Array,
        y: Array,
        weights: Array | None,
        loss: Loss,
        penalty: Penalty | None = None,
        training: bool = True,
        per_example: bool = False,
        deltas: list[Array] | None = None,
        packed: bool = False,
    ) -> tuple[Array, Any, Array]:
        """The cost, the gradients, and the outputs, of a batch that ``prepare`` has checked.

        The gradients are a list in the order of the parameters, or, ``packed``, one flat vector like θ.
        """
        held = self._held()
        given = [x, y, weights, *held, *self._numbers(training)]
        task = self._task((loss, penalty, training, per_example, deltas is not None, packed))
        results, g = task.run(self.backend, self._deferred_θ, given, watch(self.layers, self.step))
        after = 2 + (len(held) if training else 0)
        last = after if deltas is None else after + len(self.layers)
        if deltas is not None:
            deltas[:] = results[after:last]
        if training:
            if after > 2:
                self._buffers = self._named(results[2:after])
            self.step += 1
        return results[0], g if packed else results[last:], results[1]

    def _step(
        self, mode: Mode, xp: Any, θ: Any, given: Sequence[Any], check: Check | None = None
    ) -> tuple[list[Array], list[Array]]:
        """One step as a function of arrays: [cost, outputs, buffers after it, δs, gradients], [gradients to pack]."""
        loss, penalty = mode.loss, mode.penalty
        x, y, weights, *others = given
        rest = iter(others)
        buffers = self._named(rest)
        a, records = feed_forward(xp, self._operations(mode.training, buffers, numbers=rest), θ, x, check)
        for i in self._traits.own:
            if tuple(records[i].y.shape[1:]) != self.shapes[i + 1]:
                raise ValueError(
                    f"layer {i} ({type(self.layers[i]).__name__}): its outputs() says that an example has the shape "
                    f"{self.shapes[i + 1]}; forward gave {tuple(records[i].y.shape[1:])}"
                )
        cost, δ = loss.cost_and_delta(xp, a, y, weights)
        if check is not None:
            check(xp, -1, f"the cost ({type(loss).__name__})", (cost, δ))
        if mode.per_example:
            δ = δ * float(x.shape[0])  # the mean over the examples is taken by whoever asked
        deltas: list[Array] = []
        gradients = backprop(
            xp, records, δ, check, per_example=mode.per_example, deltas=deltas if mode.deltas else None
        )
        if penalty is not None:
            cost = cost + self._penalty(xp, penalty, θ)
            for k, w in self._penalized(θ):
                gradients[k] = gradients[k] + penalty.slope(xp, w)
        after: list[Array] = []
        if mode.training:
            for i, own in enumerate(buffers):
                if own:
                    own = {**own, **self.layers[i].learned(xp, own, records[i].x, records[i].kept)}
                    after += own.values()
        results = [cost, a, *after, *deltas]
        return (results, gradients) if mode.packed else (results + gradients, [])

    def _task(self, entries: tuple[Any, ...]) -> Task:
        """The step in the mode of these entries, with its plans."""
        try:
            task = self._tasks.get(entries)
        except TypeError:  # a loss of the user's own that has no hash
            return Task(partial(self._step, Mode(*entries)), False)
        if task is None:
            if len(self._tasks) >= _TASKS:
                self._tasks.clear()
            mode = Mode(*entries)
            task = Task(partial(self._step, mode), self._traits.repeat(mode.training, mode.loss, mode.penalty))
            self._tasks[entries] = task
        return task

    def problem(self, x: Array, y: Array, weights: Array | None, loss: Loss, penalty: Penalty | None = None) -> Problem:
        """The coming training step on a batch that ``prepare`` has checked, as a function of the flat θ.

        Every evaluation has the masks of that step and the statistics of the batch, and changes nothing.
        """
        coming = self.step

        def evaluate(θ: Array) -> tuple[Array, Array]:
            xp = self.backend.xp
            own, step, buffers = xp.asarray(self._θ, copy=True), self.step, self._buffers
            try:
                self._set_values(θ)  # where plans look for them
                self.step = coming
                cost, g, _ = self.differentiate(x, y, weights, loss, penalty, packed=True)
                return cost, xp.asarray(g, copy=True)  # a plan writes the next one to the same place
            finally:
                self._set_values(own)
                self.step, self._buffers = step, buffers

        return Problem(self.backend.xp, evaluate)

    def penalty(self, penalty: Penalty) -> Array | float:
        """What the penalty adds to the cost: its sum over all weights."""
        return self.backend.compute([self._penalty(self.backend.recorder, penalty, self._deferred_θ)])[0][0]

    # -- Training ------------------------------------------------------------------------------------------------

    fit = fit
    evaluate = evaluate

    def prepare(
        self,
        x: Any,
        y: Any,
        loss: Loss,
        weights: Any = None,
        *,
        check_values: bool = False,
        backend: Backend | None = None,
    ) -> tuple[Array, Array, Array | None]:
        """A batch as arrays of the backend (or another one), of the right type, after a look at their shapes."""
        backend = backend or self.backend
        return batch(backend, self.dtype, (self.inputs, self.shapes[-1]), x, y, loss, weights, check_values)

    def learn_statistics(self, moments: Any) -> None:
        """Let the layers that need the training data see it (Standardize), once.

        ``moments(a)`` gives the mean and the variance over all training examples of what ``a`` maps a
        batch of inputs to, as NumPy arrays.
        """
        for i, (layer, shape) in enumerate(zip(self.layers, self.shapes, strict=False)):
            if any(b.value is None and name not in self._buffers[i] for name, b in layer.buffers(shape).items()):
                mean, variance = moments(lambda x, i=i: self._output(x, stop=i))
                if not (numpy.isfinite(mean).all() and numpy.isfinite(variance).all()):
                    raise ValueError(
                        f"layer {i} ({type(layer).__name__}) cannot learn from data with NaN or infinity in it; "
                        "fit(check_finite=True) says where"
                    )
                learned = layer.fitted(mean, variance)
                self._buffers[i] = {name: self._filled(value, shape[-1:]) for name, value in learned.items()}

    # -- Looking at it, and files ---------------------------------------------------------------------------------

    def summary(self) -> str:
        """A table of the layers: their names, the shape of their output, and how much they learn."""
        return summary(self)

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return summary_html(self)

    def save(self, path: Any) -> None:
        """Write the network, with its notes, to a safetensors file, whole or not at all; ``xnn.load`` reads it back."""
        from xnn import files

        files.save(self, path)

    # -- Within ----------------------------------------------------------------------------------------------------

    def _output(self, x: Array, training: bool = False, stop: int | None = None) -> Array:
        """The output of the layers below ``stop`` for a batch in the backend."""
        key = training, stop
        task = self._tasks.get(key)
        if task is None:
            task = Task(partial(self._outputs, training, stop), self._traits.repeat(training), _PREDICTION)
            self._tasks[key] = task
        given = [x, *self._held(), *self._numbers(training)]
        try:  # not ``with room``: entering it takes as long as a small layer
            return task.run(self.backend, self._deferred_θ, given, watch(self.layers, self.step))[0][0]
        except Exception as error:
            if (told := advice(self, x.shape[0], error)) is None:
                raise
            raise told from error

    def _outputs(
        self, training: bool, stop: int | None, xp: Any, θ: Any, given: Sequence[Any], check: Check | None = None
    ) -> tuple[list[Array], list[Array]]:
        """Feed-forward as a function of arrays: [outputs], []."""
        x, *others = given
        rest = iter(others)
        operations = self._operations(training, self._named(rest), stop, rest)
        return [feed_forward(xp, operations, θ[: len(operations)], x, check)[0]], []

    def _penalized(self, θ: Any) -> list[tuple[int, Array]]:
        """The parameters to which penalties apply, with their places in the order."""
        views = [array for own in θ for array in own]
        return [(k, w) for k, w in enumerate(views) if self.layout.specifications[k].penalized]

    def _penalty(self, xp: Any, penalty: Penalty, θ: Any) -> Array | float:
        return sum((penalty.cost(xp, w) for _, w in self._penalized(θ)), 0.0)

    def _numbers(self, training: bool) -> list[int]:
        """What is drawn anew in the coming step: two whole numbers for each layer with a mask."""
        drawn = self._traits.drawing if training else ()
        return [number for i in drawn for number in Key(self.seed, i, self.step).halves]

    def _operations(
        self,
        training: bool,
        buffers: Sequence[Mapping[str, Array]],
        stop: int | None = None,
        numbers: Iterator[Any] | None = None,
    ) -> list[Operation]:
        """What the layers below ``stop`` do in the coming step, or in a prediction, with these buffers and numbers."""
        operations: list[Operation] = []
        numbers = iter(self._numbers(training)) if numbers is None else numbers
        for i, layer in enumerate(self.layers[:stop]):
            if self._traits.fixed[i]:
                operations.append(layer)
                continue
            own = buffers[i]
            try:
                if training:
                    halves = (next(numbers), next(numbers)) if i in self._traits.drawing else None
                    operations.append(layer.training(own, Key(self.seed, i, self.step, halves)))
                else:
                    operations.append(layer.prediction(own))
            except NotFittedError as error:
                raise NotFittedError(f"layer {i} ({type(layer).__name__}) {error}") from error
        return operations

    def _input(self, x: Any) -> Array:
        return shaped(self.backend.xp, real(x, "x", self.backend, self.dtype), self.inputs)


def _convert(xp: Any, array: Array, like: Array) -> Array:
    if namespace(array) is xp:
        return array
    return xp.asarray(to_numpy(array), dtype=like.dtype, device=array_api_compat.device(like))
