"""Which file may know which: the order of the modules, and nobody names an array library but xnn/host.py."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import xnn

#: Each imports only those before it; a folder counts as one here.
ORDER = """
    errors settings arrays host hashing numerics trees initializers layers parameters backprop anomaly losses
    schedules optimizers clipping penalties minimize metrics data evaluation history run callbacks progress training
    summary network checkpoint files plot cli __main__ xnn
""".split()  # noqa: SIM905 -- the order is read as a text

#: What a method hands to a module that comes later, when it is called.
HANDED_UP = {("network", "files"), ("history", "plot")}

LIBRARIES = {"numpy", "cupy", "cupyx", "torch", "jax", "array_api_strict", "dpnp", "ndonnx", "sparse", "dask"}

ROOT = Path(xnn.__file__).parent
BACKENDS = Path(xnn.get_backend("numpy").__class__.__init__.__code__.co_filename).parent


def modules(root, package):
    """The modules of a folder by name, with their syntax trees."""
    for path in sorted(root.rglob("*.py")):
        parts = [package, *path.relative_to(root).with_suffix("").parts]
        yield ".".join(parts).removesuffix(".__init__"), ast.parse(path.read_text(encoding="utf-8"))


XNN = {name: tree for name, tree in modules(ROOT, "xnn") if not name.startswith("xnn.backends")}
JOINTS = dict(modules(BACKENDS, "xnn.backends"))


def imports(tree):
    """(what is imported, whether that happens as soon as the module is) for every import statement."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.col_offset == 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in XNN or whole in JOINTS else node.module, node.col_offset == 0


def unit(name):
    return name.split(".")[1] if "." in name else name


def test_every_module_has_its_place():
    assert {unit(name) for name in XNN} == set(ORDER)
    assert len(ORDER) == len(set(ORDER))


@pytest.mark.parametrize("name", XNN)
def test_a_module_knows_only_those_before_it(name):
    place = ORDER.index(unit(name))
    for other, _ in imports(XNN[name]):
        if other.partition(".")[0] == "xnn":
            allowed = ORDER.index(unit(other)) < place or (unit(other) == unit(name) and other != name)
            assert allowed or (unit(name), unit(other)) in HANDED_UP, f"{name} imports {other}"


def test_no_import_goes_round_in_a_circle():
    graph = {
        name: {other for other, at_once in imports(tree) if at_once and other in XNN} for name, tree in XNN.items()
    }
    assert len(list(TopologicalSorter(graph).static_order())) == len(XNN)


@pytest.mark.parametrize("name", XNN)
def test_no_array_library_but_the_host_s(name):
    for other, _ in imports(XNN[name]):
        library, _, rest = other.partition(".")
        assert library not in LIBRARIES or (name == "xnn.host" and library == "numpy"), f"{name} imports {other}"
        assert library != "array_api_compat" or not rest, f"{name} imports {other}: one library's namespace"
        assert not other.startswith("xnn.backends"), f"{name} imports {other}: the selector loads a backend when asked"


@pytest.mark.parametrize("name", JOINTS)
def test_a_backend_knows_the_contract_and_its_library(name):
    for other, _ in imports(JOINTS[name]):
        assert not other.startswith("xnn") or other == "xnn.arrays", f"{name} imports {other}"


def test_importing_xnn_loads_no_optional_library():
    import subprocess
    import sys

    optional = {"cupy", "torch", "jax", "array_api_strict", "matplotlib", "rich", "sklearn", "safetensors"}
    code = f"import sys, xnn; print(sorted({optional!r} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
