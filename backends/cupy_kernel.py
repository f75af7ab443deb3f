"""CUDA source for a group of deferred arrays that are computed together.

Every array is seen as a matrix of ``rows`` × ``columns``: the last axis has the columns, all others together the
rows. A kernel runs over the entries (i, j) of one such matrix, in one of three forms:

    entries     one thread an entry
    rows        a group of threads goes along each row, for sums over the last axis
    columns     a group of threads goes along each column, for sums over the first axis

In the last two a row, or a column, is the ``lane`` of its group. The group goes along it once for every level:
level 0 are the sums of what is given, level 1 those in which sums of level 0 occur, and so on. So softmax, whose
sum needs the maximum first, is one kernel, and so is batch normalization from its statistics to its output. What
a later loop needs is computed again from what is given, rather than stored and read.

Sums are formed in a fixed order, whatever the order of the threads. The compiler is told not to contract a·b + c,
so that an expression has the same bits in all kernels that compute it, and the bits of CuPy's own functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from xnn.backends.cupy_expressions import EXPRESSIONS, FUNCTIONS, REDUCTIONS, TYPES

__all__ = ["Form", "Graph", "Kernel", "Writer", "matrix"]


# -- What is to be computed ------------------------------------------------------------------------------------------


@cache
def matrix(shape: tuple[int, ...]) -> tuple[int, int]:
    """(rows, columns) of the matrix as which an array of this shape is seen."""
    return (math.prod(shape[:-1]), shape[-1]) if shape else (1, 1)


@dataclass(frozen=True)
class Form:
    """Over which matrix a kernel runs, and along which axis it sums: 1 along the rows, 0 along the columns.

    ``part`` tells kernels apart that would have too many results as one.
    """

    rows: int
    columns: int
    axis: int | None = None
    part: int = 0

    @property
    def entries(self) -> tuple[int, int]:
        """The matrix itself."""
        return self.rows, self.columns

    @property
    def lanes(self) -> tuple[int, int]:
        """The matrix of what the kernel has one of for each lane."""
        return (self.rows, 1) if self.axis else (1, self.columns)

    @property
    def block(self) -> int:
        """How many threads make a block; more where each would have long to go."""
        along = {None: 0, 0: 8 * self.rows, 1: self.columns}[self.axis]
        return 1024 if along >= 8 * 1024 else 256

    @property
    def group(self) -> int:
        """How many threads go along a lane, a power of two."""
        if self.axis:
            return min(self.block, _power_of_two(self.columns))
        return self.block // min(8, _power_of_two(self.columns))  # eight columns side by side fill a transaction


@dataclass
class Graph:
    """What was noted, as columns of a table: entry k was computed by ``ops[k]`` from the entries ``args[k]``.

    An argument that is None is a number. ``chars`` and ``shapes`` are those of the results, ``axes`` those of sums.
    """

    ops: list[str]
    args: list[tuple[int | None, ...]]
    chars: list[str]
    shapes: list[tuple[int, ...]]
    axes: list[int | None]

    def arrays(self, k: int) -> Iterator[int]:
        """The arguments of k that are arrays."""
        return (a for a in self.args[k] if a is not None)


@dataclass
class Kernel:
    """A kernel: its name and text, and what it is called with; ``sizes`` come last."""

    name: str
    text: str
    inputs: list[int]
    outputs: list[int]
    numbers: list[tuple[int, int]]  # (entry of the graph, which of its arguments)
    sizes: tuple[float, ...]
    blocks: int
    threads: int  # of a block


# -- Its source ------------------------------------------------------------------------------------------------------

_PLACE = {  # of a thread: its lane, its place t in the group, and how far apart the threads of a group are
    1: "lane_ = blockIdx.x * (Index)(blockDim.x / group) + threadIdx.x / group, t = threadIdx.x % group, apart = 1;",
    0: "apart = blockDim.x / group, lane_ = blockIdx.x * (Index)apart + threadIdx.x % apart, t = threadIdx.x / apart;",
}
_COMBINE = """\
shared[threadIdx.x] = {a};
__syncthreads();
for (int half = group / 2; half > 0; half /= 2) {{
  if (t < half) shared[threadIdx.x] = {combined};
  __syncthreads();
}}
{a} = shared[threadIdx.x - t * apart];
__syncthreads();"""


class Writer:
    """Writes one kernel: of this form, from what is ``given``; of the entries of ``lane`` there is one for each lane.

    The variables are numbered as they occur, so that the same computation has the same text wherever in a
    network it stands, and is compiled once.
    """

    def __init__(self, graph: Graph, form: Form, given: Callable[[int], bool], lane: Callable[[int], bool]) -> None:
        self.graph, self.form, self.given, self.lane = graph, form, given, lane
        self.inputs: list[int] = []
        self.numbers: list[tuple[int, int]] = []
        self.parameters: list[str] = []  # of the numbers
        self.lines: list[str] = []
        self.of_lane: dict[int, str] = {}  # the variables of the lane
        self.body: list[str] = []  # of the loop that is being written
        self.of_entry: dict[int, str] = {}  # the variables of this loop
        self.levels: dict[int, int] = {}
        self.count = 0

    def kernel(self, outputs: list[int]) -> Kernel:
        """The kernel that computes these."""
        reductions = self._reductions(outputs)
        entries = [k for k in outputs if not self.lane(k)]
        for level in range(1 + max(map(self._level, [*outputs, *reductions]))):
            sums = [k for k in reductions if self._level(k) == level + 1]
            self._loop(sums, [k for k in entries if self._level(k) == level], outputs)
        for n, k in enumerate(outputs):
            if self.lane(k):
                self.lines.append(f"if (inside && t == 0) o{n}[lane] = {self._lane(k)};")
        return self._finish(outputs, any(self.graph.ops[k] != "sum" for k in reductions))

    def _reductions(self, outputs: list[int]) -> list[int]:
        """All sums and maxima that the outputs need, each after those that it needs itself."""
        found: list[int] = []
        seen: set[int] = set()

        def look(k: int) -> None:
            if k not in seen and not self.given(k):
                seen.add(k)
                for a in self.graph.arrays(k):
                    look(a)
                if self.graph.ops[k] in REDUCTIONS:
                    found.append(k)

        for k in outputs:
            look(k)
        return found

    def _level(self, k: int) -> int:
        """How many loops must be over before k can be computed."""
        if k not in self.levels:
            below = [0] if self.given(k) else [0, *map(self._level, self.graph.arrays(k))]
            self.levels[k] = max(below) + (self.graph.ops[k] in REDUCTIONS and not self.given(k))
        return self.levels[k]

    def _loop(self, sums: list[int], entries: list[int], outputs: list[int]) -> None:
        """One way along the lane, for these reductions and these outputs; or the only entry of a thread."""
        axis, ops, chars = self.form.axis, self.graph.ops, self.graph.chars
        if not sums and not entries:
            return
        self.body, self.of_entry, totals = [], {}, {}
        for k in sums:
            (a,) = self.graph.arrays(k)
            value, totals[k] = self._entry(a), self._name("a")
            self.body.append(f"{totals[k]} = {REDUCTIONS[ops[k]].format(totals[k], value)};")
        for k in entries:
            self.body.append(f"if (inside) o{outputs.index(k)}[e] = {self._entry(k)};")
        if axis is None:
            self.lines += self.body
            return
        for k in sums:
            start = {"sum": "0", "max": "-infinity", "min": "infinity"}[ops[k]]
            self.lines.append(f"{TYPES[chars[k]]} {totals[k]} = {start};")
        self.lines.append("for (Index k = t; k < length; k += group) {")
        self.lines.append(f"  const Index i = {'lane' if axis else 'k'}, j = {'k' if axis else 'lane'};")
        self.lines.append("  const Index e = i * columns + j;")
        self.lines += [*(f"  {line}" for line in self.body), "}"]
        for k in sums:
            kind, mine = TYPES[chars[k]], "shared[threadIdx.x]"
            combined = REDUCTIONS[ops[k]].format(mine, "shared[threadIdx.x + half * apart]")
            text = _COMBINE.format(a=totals[k], combined=combined).replace("shared", f"shared_{kind}")
            self.lines += text.splitlines()
            self.of_lane[k] = totals[k]

    def _entry(self, k: int) -> str:
        """The variable for k at the entry (i, j) of the loop."""
        if self.lane(k) and not self.given(k):
            return self._lane(k)
        if k not in self.of_entry:
            shape = matrix(self.graph.shapes[k])
            if shape == self.form.entries:
                place = "e"
            elif self.form.axis is not None and shape in (self.form.lanes, (1, 1)):
                return self._lane(k)  # the same all along the lane: once is enough
            else:
                place = "0" if shape == (1, 1) else "i" if shape[1] == 1 else "j"
            self.of_entry[k] = self._variable(k, place, self._entry, self.body)
        return self.of_entry[k]

    def _lane(self, k: int) -> str:
        """The variable for k in the lane."""
        if k not in self.of_lane:
            place = "0" if math.prod(self.graph.shapes[k]) == 1 else "lane"
            self.of_lane[k] = self._variable(k, place, self._lane, self.lines)
        return self.of_lane[k]

    def _variable(self, k: int, place: str, variable: Callable[[int], str], lines: list[str]) -> str:
        """Declare the variable for k, at this place of its array."""
        graph, op, kind = self.graph, self.graph.ops[k], TYPES[self.graph.chars[k]]
        arrays = list(graph.arrays(k))
        if self.given(k):
            text = f"{self._input(k)}[{place}]"
        elif op == "reshape" and self.given(arrays[0]):
            text = f"{self._input(arrays[0])}[{place}]"
        elif op == "reshape":
            return variable(arrays[0])
        elif op == "full":
            text = self._number(k, 0, kind)
        elif op == "arange":
            text = f"({kind})({self._number(k, 0, 'long long')} + {place})"
        else:
            char = graph.chars[k] if op == "where" else graph.chars[arrays[0]]
            values = [
                self._number(k, n, TYPES[char]) if a is None else variable(a) for n, a in enumerate(graph.args[k])
            ]
            text = f"({kind}){values[0]}" if op == "astype" else EXPRESSIONS[op, char].format(*values)
        name = self._name("x")
        lines.append(f"const {kind} {name} = {text};")
        return name

    def _name(self, letter: str) -> str:
        self.count += 1
        return f"{letter}{self.count}"

    def _input(self, k: int) -> str:
        if k not in self.inputs:
            self.inputs.append(k)
        return f"p{self.inputs.index(k)}"

    def _number(self, k: int, n: int, kind: str) -> str:
        """The n-th argument of k, a number, which is handed to the kernel since it may be another in the next step."""
        name, wide = f"n{len(self.numbers)}", "double" if kind in ("float", "double") else "long long"
        self.numbers.append((k, n))
        self.parameters.append(f"const {wide} {name}")
        return name if kind == wide else f"({kind}){name}"

    def _finish(self, outputs: list[int], infinity: bool) -> Kernel:
        form, graph = self.form, self.graph
        size = form.rows * form.columns
        parameters = [f"const {TYPES[graph.chars[k]]}* __restrict__ p{n}" for n, k in enumerate(self.inputs)]
        parameters += [f"{TYPES[graph.chars[k]]}* __restrict__ o{n}" for n, k in enumerate(outputs)]
        parameters += [*self.parameters, "const long long rows_", "const long long columns_"]
        sizes: tuple[float, ...] = (form.rows, form.columns)
        start = ["const Index rows = rows_, columns = columns_;"]
        if form.axis is None:
            name, blocks = "xnn_entries", -(-size // form.block)
            start += [
                "const Index e = blockIdx.x * (Index)blockDim.x + threadIdx.x, i = e / columns, j = e - i * columns;",
                "const bool inside = e < rows * columns;",
                "if (!inside) return;",
            ]
        else:
            name, lanes = ("xnn_rows", form.rows) if form.axis else ("xnn_columns", form.columns)
            blocks = -(-lanes // (form.block // form.group))
            parameters.append("const long long group_")
            sizes += (form.group,)
            start += [
                "const Index group = group_;",
                f"const Index {_PLACE[form.axis]}",
                f"const Index lanes = {'rows' if form.axis else 'columns'};",
                f"const Index length = {'columns' if form.axis else 'rows'};",
                "const bool inside = lane_ < lanes;",
                "const Index lane = inside ? lane_ : lanes - 1;  // all threads reach every __syncthreads()",
            ]
            for kind in ("float", "double"):
                if any(f"shared_{kind}" in line for line in self.lines):
                    start.append(f"__shared__ {kind} shared_{kind}[{form.block}];")
        if infinity:
            parameters.append("const double infinity")
            sizes += (math.inf,)
        # 64 bits where they are needed: the division and the products of 32 are quicker.
        text = f"typedef {'int' if size < 1 << 30 else 'long long'} Index;\n{FUNCTIONS}"
        head = f'extern "C" __global__ void __launch_bounds__({form.block}) {name}'
        text += f"{head}({', '.join(parameters)}) {{\n"
        text += "".join(f"  {line}\n" for line in [*start, *self.lines]) + "}\n"
        return Kernel(name, text, self.inputs, outputs, self.numbers, sizes, blocks, form.block)


def _power_of_two(n: int) -> int:
    """The least power of two that is at least n."""
    return 1 << max(n - 1, 0).bit_length()
