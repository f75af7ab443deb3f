"""What xnn asks of CuPy by name exists in the CuPy that is installed: in the wheels, no GPU or driver is needed.

``make test-cupy-wheel`` runs this with the wheel for CUDA 13. Names are read from the source, so that
paths that no other test takes are covered as well; methods of arrays are not.
"""

from __future__ import annotations

import ast
import importlib

import pytest
from test_layering import BACKENDS, XNN

#: What stands for CuPy, or for the namespace that array-api-compat makes of it.
CUPY, NAMESPACE = {"cupy", "self._cupy"}, {"xp", "self.xp", "_xp", "array_api_compat.cupy"}


def dotted(node):
    """The text of ``a.b.c``; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (rest := dotted(node.value)):
        return f"{rest}.{node.attr}"
    return ""


def asked(trees, roots):
    """{what follows one of the roots, as "linalg.norm": a module that asks for it}.

    In the automatic derivative ``xp`` has attributes of its own: ``base_namespace``, which is the namespace of the
    library again, ``apply``, ``beside``, ``update``, ``setitem`` and ``write``.
    """
    names = {}
    for module, tree in trees.items():
        for node in ast.walk(tree):
            text = dotted(node)
            root = next((r for r in roots if text.startswith(f"{r}.")), None)
            if root is not None:
                names[text.removeprefix(f"{root}.").removeprefix("base_namespace").lstrip(".")] = module
    return {
        name: module
        for name, module in names.items()
        if name not in ("", "apply", "beside", "update", "setitem", "write")
    }


def has(root, name):
    """Whether the root has an attribute of an attribute …; submodules are imported, as ``import`` would."""
    for part in name.split("."):
        if not hasattr(root, part):
            try:
                importlib.import_module(f"{root.__name__}.{part}")
            except (ImportError, AttributeError):
                return False
        root = getattr(root, part)
    return True


OURS = {name: tree for name, tree in BACKENDS.items() if ".cupy_" in name}


def test_the_search_finds_names():
    names = asked(XNN | OURS, NAMESPACE)
    assert {"exp", "sum", "where", "take", "asarray"} <= set(names)
    assert "no_such_function" not in names
    assert {"cuda.Device", "cuda.runtime.getDeviceCount", "asarray"} <= set(asked(OURS, CUPY))


def test_functions_of_the_namespace():
    pytest.importorskip("cupy", reason="CuPy is not installed: make test-cupy-wheel")
    xp = pytest.importorskip("array_api_compat.cupy")
    assert not has(xp, "no_such_function")
    assert {name: by for name, by in asked(XNN | OURS, NAMESPACE).items() if not has(xp, name)} == {}


def test_functions_of_cupy():
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed: make test-cupy-wheel")
    assert not has(cupy, "cuda.no_such_function")
    assert {name: by for name, by in asked(OURS, CUPY).items() if not has(cupy, name)} == {}
    for module, tree in OURS.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in ("cupy", "cupyx"):
                found = importlib.import_module(node.module)
                assert [a.name for a in node.names if not has(found, a.name)] == [], module
