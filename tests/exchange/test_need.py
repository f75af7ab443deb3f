"""Without the libraries: one line that says which, for what, and how to install it."""

import sys

import pytest

import xnn
from xnn import exchange


@pytest.mark.parametrize(
    ("library", "use"),
    [
        ("torch", exchange.to_torch),
        ("keras", exchange.to_keras),
        ("keras", exchange.from_keras),
        ("onnx", exchange.to_onnx),
        ("ndonnx", exchange.to_onnx),
    ],
)
def test_a_library_that_is_not_there(library, use, monkeypatch):
    if library == "ndonnx":
        pytest.importorskip("onnx")
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=rf"xnn\.exchange\.{use.__name__} needs {library}: pip install {library}, or"):
        use(xnn.Network([xnn.Dense(1)], inputs=2))
