"""In which order, and in which kernels, what was noted down is computed.

Matrix products need numbers, so they part the work into rounds: the products that can be computed, then in as
few kernels as possible what the next products need, and so on. In a round all that can share a kernel does.

What has a kernel to itself is decided by the sums. A sum along one axis of a matrix fixes the form of its kernel
(``cupy_kernel``); what needs it entry by entry, and sums of the same form, stay in this kernel; what needs it in
another way, such as a sum along the other axis, comes one stage later. Functions of entries go along with a
kernel over the same matrix, where there is one. Between kernels only what another one needs is stored: sums, and
what enters matrix products. Functions of entries are computed again wherever they are needed.

A schedule depends on what was noted alone, not on the numbers: it is made once, and kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from operator import attrgetter
from typing import Any, TypeAlias

import cupy
from xnn.backends.cupy_expressions import ENTRYWISE, REDUCTIONS
from xnn.backends.cupy_kernel import Form, Graph, Kernel, Writer, matrix

__all__ = ["evaluate"]

Group: TypeAlias = tuple[int, int, Form]  # round, stage and form: what may share a kernel

_DEEP = 100  # so many functions of functions are left to one kernel
_MANY = 64  # so many results that depend on no sum are left to one kernel, whose arguments must fit 4 KiB

_schedules: dict[Any, Schedule] = {}
_compiled: dict[str, Any] = {}
_AGE = attrgetter("age")


def evaluate(targets: Sequence[Any], places: Sequence[Any] = (), keep: bool = False) -> list[Any]:
    """The CuPy arrays of deferred arrays, the last ones of them written into the given places.

    With ``keep``, whatever had to be computed on the way remembers its value, too.
    """
    nodes, key = _described(targets)
    schedule = _schedules.get(key)
    if schedule is None:
        if len(_schedules) >= 1024:  # of a program that never computes the same twice
            _schedules.clear()
        schedule = _schedules[key] = Schedule(key)
    return schedule.run(nodes, places, keep)


def _described(targets: Sequence[Any]) -> tuple[list[Any], Any]:
    """All that the targets need, each after its arguments; and what describes it but for the numbers."""
    kind = type(targets[0])
    found: dict[int, Any] = {}
    stack = list(targets)
    while stack:
        node = stack.pop()
        if id(node) not in found and isinstance(node, kind):
            found[id(node)] = node
            if node.value is None:
                stack += node.args
    nodes = sorted(found.values(), key=_AGE)  # arguments are older than what is computed from them
    place = {id(node): k for k, node in enumerate(nodes)}.get  # of a number: None
    entries = [
        (node.op, node.char, node.shape, tuple(map(place, map(id, node.args))), node.axis)
        if node.value is None
        else ("given", node.char, node.shape, (), None)
        for node in nodes
    ]
    return nodes, (tuple(entries), tuple([place(id(node)) for node in targets]))


class Schedule:
    """The steps that compute the targets; made from a description, run with numbers."""

    def __init__(self, key: Any) -> None:
        described, self.targets = key
        ops, chars, shapes, args, axes = map(list, zip(*described, strict=True))
        self.graph = Graph(ops, args, chars, shapes, axes)
        everything = range(len(ops))
        self.given = [op == "given" for op in ops]
        #: What a kernel can compute; the rest are products and views, for which numbers must be there.
        self.fusible = [
            ops[k] in ENTRYWISE or ops[k] in REDUCTIONS or ops[k] in ("full", "arange")
            or (ops[k] == "reshape" and ops[args[k][0]] in REDUCTIONS)
            for k in everything
        ]  # fmt: skip
        self.round = [0] * len(ops)
        self.stage = [0] * len(ops)
        self.form: list[Form | None] = [None] * len(ops)
        self.lane = [False] * len(ops)  # whether there is one for each lane of the form
        self.depth = [0] * len(ops)  # of functions of functions in its kernel
        self.cut: set[int] = set()  # what is so deep that the next function is left to the next round
        for k in everything:
            if self.fusible[k]:
                self._place(k)
            else:
                self.round[k] = max((self.round[a] + self.fusible[a] for a in self.graph.arrays(k)), default=0)
        #: Which group computes what is stored, and what each group stores.
        self.home: dict[int, Group] = {}
        self.groups: dict[Group, list[int]] = {}
        self.joined: dict[Group, Group] = {}
        self._gather()
        self._join()
        self.steps = self._steps()

    def _place(self, k: int) -> None:
        """In which round and stage, and in a kernel of what form if that matters, k can be computed."""
        graph, op = self.graph, self.graph.ops[k]
        arrays = list(graph.arrays(k))
        self.round[k] = max((self.round[a] + (a in self.cut) for a in arrays), default=0)
        beside = [a for a in arrays if self.fusible[a] and self.round[a] == self.round[k]]
        self.depth[k] = 1 + max((self.depth[a] for a in beside), default=0)
        if self.depth[k] > _DEEP:
            self.cut.add(k)
        stage = max((self.stage[a] for a in beside), default=0)
        needed = [a for a in beside if self.stage[a] == stage and self.form[a] is not None]
        forms = {self.form[a] for a in needed}
        form: Form | None = None
        lane = False
        if op in REDUCTIONS:
            form, lane = Form(*matrix(graph.shapes[arrays[0]]), graph.axes[k]), True
            stage += bool(forms) and (forms != {form} or self.lane[arrays[0]])
        elif op == "reshape":
            form, lane = (self.form[arrays[0]], True) if beside else (None, False)
        elif forms:
            form = forms.pop()
            lane = all(self.lane[a] for a in needed) and all(
                graph.shapes[a] == graph.shapes[k] or (a not in needed and prod(graph.shapes[a]) == 1) for a in arrays
            )
            if forms or not (lane or self._enters(k, form, needed)):
                stage, form, lane = stage + 1, None, False
        self.stage[k], self.form[k], self.lane[k] = stage, form, lane

    def _enters(self, k: int, form: Form | None, needed: list[int]) -> bool:
        """Whether k can be computed entry by entry in a kernel of this form, from what it needs of this kernel."""
        assert form is not None
        shapes = self.graph.shapes
        return matrix(shapes[k]) == form.entries and all(
            not self.lane[a] or matrix(shapes[a]) == form.lanes for a in needed
        )

    def _gather(self) -> None:
        """Put what must be stored into groups."""
        ops = self.graph.ops
        everything = range(len(ops))
        for k in everything:
            form = self.form[k]
            if ops[k] in REDUCTIONS and form is not None:
                self.home[k] = self.round[k], self.stage[k], form
                self.groups.setdefault(self.home[k], [])
        operands = {a for k in everything if not self.fusible[k] for a in self.graph.arrays(k)}
        for k in sorted({*self.targets, *operands, *self.cut}):
            if self.fusible[k]:
                self.home[k] = self._host(k)
                self.groups.setdefault(self.home[k], []).append(k)
        for group in sorted(self.groups, key=_when, reverse=True):
            for k in self._missing(group):
                self.groups[self.home[k]].append(k)

    def _host(self, k: int) -> Group:
        """The group for k: that of its form, or one over the same matrix that comes no earlier, or its own."""
        form, now, stage = self.form[k], self.round[k], self.stage[k]
        if form is not None:
            return now, stage, form
        own = Form(*matrix(self.graph.shapes[k]))
        beside = [g for g in self.groups if g[0] == now and g[1] >= stage and g[2].entries == own.entries]
        hosts = [group for group in beside if len(self.groups[group]) < _MANY]
        return min(hosts, key=_when, default=(now, stage, replace(own, part=len(beside))))

    def _has(self, group: Group, k: int) -> bool:
        """Whether k is there when this group is computed."""
        return not self.fusible[k] or (
            k in self.home and _when(self.home[k]) < _when(group) and k in self.groups[self.home[k]]
        )

    def _missing(self, group: Group) -> list[int]:
        """The sums of earlier groups that this one needs and that are not yet stored."""
        found: list[int] = []
        stack, seen = list(self.groups[group]), set(self.groups[group])
        while stack:
            k = stack.pop()
            if self.graph.ops[k] in REDUCTIONS and self.home[k] != group:
                found.append(k)
                continue
            new = [a for a in self.graph.arrays(k) if a not in seen and not self._has(group, a)]
            seen.update(new)
            stack += new
        return found

    def _join(self) -> None:
        """Postpone the groups whose results nobody needs in their round, to a later one of the same form."""
        needed = {(k, group[0]) for group in self.groups for k in self._kernel(group).inputs}
        for group in sorted(self.groups, key=_when):
            later = [g for g in self.groups if g[0] == group[0] and g[1] > group[1] and g[2] == group[2]]
            idle = all((k, group[0]) not in needed for k in self.groups[group])
            if later and idle and group[2].axis is not None:
                self.joined[group] = target = min(later, key=_when)
                for k in self.groups.pop(group):
                    self.home[k] = target
                    self.groups[target].append(k)

    def _kernel(self, group: Group) -> Kernel:
        def lane(k: int) -> bool:
            form = self.form[k]
            if form is None or not self.lane[k]:
                return False
            place: Group | None = (self.round[k], self.stage[k], form)
            while place is not None and place != group:
                place = self.joined.get(place)
            return place == group

        return Writer(self.graph, group[2], lambda k: self._has(group, k), lane).kernel(self.groups[group])

    def _steps(self) -> list[tuple[Step, list[int]]]:
        """Products, views and kernels in order, each with what nobody needs any more after it."""
        graph = self.graph
        steps: list[Step] = []
        shown = {a for k in range(len(graph.ops)) if self.fusible[k] for a in graph.arrays(k)} | set(self.targets)
        for now in range(1 + max(self.round)):
            for k, op in enumerate(graph.ops):
                if self.round[k] == now and not self.fusible[k] and not self.given[k]:
                    steps.append(_OTHERS[op](k, [*graph.arrays(k)], graph.shapes[k], k in shown))
            for group in sorted((g for g in self.groups if g[0] == now), key=_when):
                steps.append(Launch(self._kernel(group), graph))
        over: list[list[int]] = []
        seen = set(self.targets)
        for step in reversed(steps):
            over.append([k for k in dict.fromkeys(step.inputs) if k not in seen])
            seen.update(step.inputs)
        return list(zip(steps, reversed(over), strict=True))

    def run(self, nodes: list[Any], places: Sequence[Any], keep: bool) -> list[Any]:
        """Compute the targets from the numbers in the nodes."""
        values = [node.value for node in nodes]
        first = len(self.targets) - len(places)
        where = dict(zip(self.targets[first:], places, strict=True))
        for step, over in self.steps:
            step.run(values, nodes, where)
            if not keep:
                for k in over:
                    values[k] = None
        for k, place in zip(self.targets[first:], places, strict=True):
            if values[k] is not place:  # it was there before, or it is wanted twice
                place[...] = values[k]
        if keep:
            for node, value in zip(nodes, values, strict=True):
                if node.value is None and value is not None and value.flags.c_contiguous:
                    node.value, node.args = value, ()
        return [values[k] for k in self.targets]


def _when(group: Group) -> tuple[int, int]:
    return group[:2]


class Step:
    """One thing that is done; ``inputs`` are the entries that it reads."""

    inputs: list[int]

    def run(self, values: list[Any], nodes: list[Any], where: dict[int, Any]) -> None:
        """Compute more values; those with a place are written there."""
        raise NotImplementedError


class Other(Step):
    """A matrix product, or an array seen in another way."""

    def __init__(self, k: int, inputs: list[int], shape: tuple[int, ...], shown: bool) -> None:
        self.k, self.inputs, self.shape, self.shown = k, inputs, shape, shown


class Product(Other):
    """A B."""

    def run(self, values: list[Any], nodes: list[Any], where: dict[int, Any]) -> None:
        a, b = self.inputs
        values[self.k] = values[a].dot(values[b], where.get(self.k))


class Transposed(Other):
    """Aᵀ: for products as a view, for kernels as a copy."""

    def run(self, values: list[Any], nodes: list[Any], where: dict[int, Any]) -> None:
        a = values[self.inputs[0]].T
        values[self.k] = cupy.ascontiguousarray(a) if self.shown else a


class Reshaped(Other):
    """The same numbers in another shape."""

    def run(self, values: list[Any], nodes: list[Any], where: dict[int, Any]) -> None:
        values[self.k] = values[self.inputs[0]].reshape(self.shape)


_OTHERS: dict[str, type[Other]] = {"matmul": Product, "T": Transposed, "reshape": Reshaped}


class Launch(Step):
    """A kernel."""

    def __init__(self, kernel: Kernel, graph: Graph) -> None:
        self.inputs, self.outputs, self.numbers = kernel.inputs, kernel.outputs, kernel.numbers
        self.made = [(graph.shapes[k], graph.chars[k]) for k in kernel.outputs]
        self.sizes, self.grid = kernel.sizes, ((kernel.blocks,), (kernel.threads,))
        if kernel.text not in _compiled:
            _compiled[kernel.text] = cupy.RawKernel(kernel.text, kernel.name, options=("--fmad=false",))
        self.function = _compiled[kernel.text]

    def run(self, values: list[Any], nodes: list[Any], where: dict[int, Any]) -> None:
        arguments = [values[k] for k in self.inputs]
        for k, (shape, char) in zip(self.outputs, self.made, strict=True):
            out = where.get(k)
            values[k] = cupy.empty(shape, char) if out is None else out
            arguments.append(values[k])
        arguments += [nodes[k].args[n] for k, n in self.numbers]
        self.function(*self.grid, (*arguments, *self.sizes))
