"""Which file may know which: the order of the modules, and nobody names an array library but xnn/host.py."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

#: Each imports only those before it; a folder counts as one here.
ORDER = """
    errors html settings contract arrays host memory packing atomic checkpoint datasets hashing numerics trees anomaly
    autodiff initializers layers architecture parameters backprop losses arguments batches schedules optimizers
    clipping penalties descents minimize metrics meter data evaluation history run callbacks backup progress
    interrupts stopping training summary plans state traits network files exchange plot sklearn gpu_report cli
    __main__ xnn
""".split()  # noqa: SIM905 -- the order is read as a text

#: What a method hands to a module that comes later, when it is called.
HANDED_UP = {("contract", "arrays"), ("network", "files"), ("history", "plot"), ("autodiff", "plot")}

LIBRARIES = {"numpy", "cupy", "cupyx", "torch", "jax", "array_api_strict", "dpnp", "ndonnx", "sparse", "dask"}

#: The library of the host; and a layer for PyTorch, imported where a network becomes one of its modules.
NAMED = {("xnn.host", "numpy"), ("xnn.exchange.torch_layers", "torch")}


def modules(package):
    """The modules of an installed package by name, with their syntax trees."""
    root = Path(importlib.import_module(package).__file__).parent
    for path in sorted(root.rglob("*.py")):
        parts = [package, *path.relative_to(root).with_suffix("").parts]
        yield ".".join(parts).removesuffix(".__init__"), ast.parse(path.read_text(encoding="utf-8"))


BACKENDS = dict(modules("xnn.backends"))
XNN = {name: tree for name, tree in modules("xnn") if name not in BACKENDS}  # a wheel has them inside


def imports(tree):
    """(what is imported, whether that happens as soon as the module is) for every import statement."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.col_offset == 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in XNN | BACKENDS else node.module, node.col_offset == 0


def unit(name):
    return name.split(".")[1] if "." in name else name


def known(trees):
    """(module, what it imports, at once) for all imports."""
    return [(name, other, at_once) for name, tree in trees.items() for other, at_once in imports(tree)]


def test_each_module_knows_only_those_before_it():
    assert {unit(name) for name in XNN} <= set(ORDER), "give the new module its place in ORDER"
    assert [
        f"{name} imports {other}"
        for name, other, _ in known(XNN)
        if other.partition(".")[0] == "xnn"
        and ORDER.index(unit(other)) >= ORDER.index(unit(name))
        and (unit(other) != unit(name) or other in (name, f"xnn.{unit(name)}"))  # its neighbors in a folder
        and (unit(name), unit(other)) not in HANDED_UP
    ] == []


def test_no_import_goes_round_in_a_circle():
    graph = {name: set() for name in XNN}
    for name, other, at_once in known(XNN):
        if at_once and other in XNN:
            graph[name].add(other)
    assert len(list(TopologicalSorter(graph).static_order())) == len(XNN)


def test_xnn_names_no_array_library_and_no_backend():
    assert [
        f"{name} imports {other}"
        for name, other, _ in known(XNN)
        if (other.partition(".")[0] in LIBRARIES and (name, other.partition(".")[0]) not in NAMED)
        or other.startswith(("array_api_compat.", "xnn.backends"))
    ] == []


def test_a_backend_knows_the_contract_and_its_library():
    own = [(name, other) for name, other, _ in known(BACKENDS) if other.partition(".")[0] == "xnn"]
    assert ("xnn.backends.numpy_backend", "xnn.contract") in own
    lifted = ("xnn.backends.numpy_recording", "xnn.autodiff.lifting")  # no backend, but a namespace that records
    assert [pair for pair in own if pair[1] != "xnn.contract" and pair[1] not in BACKENDS and pair != lifted] == []


def test_importing_xnn_loads_no_optional_library():
    optional = {"cupy", "torch", "jax", "dpnp", "array_api_strict", "matplotlib", "rich", "sklearn", "safetensors"}
    optional |= {"keras", "onnx", "ndonnx"}
    code = f"import sys, xnn; print(sorted({optional!r} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
