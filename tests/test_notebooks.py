"""What a notebook shows: tables of HTML, and a line of progress that is replaced."""

import os
import re
import sys

import pytest

import xnn
from xnn.html import html_table, sparkline


@pytest.fixture
def network():
    return xnn.Network([xnn.Dense(3), xnn.LeakyReLU(0.2), xnn.Dense(1)], inputs=2, seed=0)


def cells(html):
    return [re.sub("<.*?>", "", cell) for cell in re.findall(r"<t[dh].*?>(.*?)</t[dh]>", html)]


def test_a_network_is_a_table(network):
    html = network._repr_html_()
    assert cells(html)[:4] == ["", "layer", "output shape", "parameters"]
    assert cells(html)[8:12] == ["0", "Dense(3)", "(3,)", "9"]
    assert "13 parameters, float32, numpy on cpu" in html


def test_a_history_is_a_table_with_curves():
    history = xnn.History({"loss": [4.0, 2.0, 1.0], "val_loss": [float("nan"), 3.0, 2.0]}, stop_reason="a < b")
    html = history._repr_html_()
    assert cells(html)[4:8] == ["loss", "4", "1", ""]
    assert html.count("<polyline") == 2
    assert "3 epochs; stop reason: a &lt; b" in html
    assert "0 epochs" in xnn.History()._repr_html_()


def test_names_are_no_markup():
    assert "<script>" not in html_table([("a",), ("<script>",)], "<script>")


def test_a_curve_goes_from_the_lowest_to_the_highest():
    assert 'points="1.0,2.0 10.0,7.0 19.0,12.0"' in sparkline([3.0, 2.0, 1.0], 20, 14)
    assert sparkline([1.0]) == sparkline([float("nan")] * 3) == ""


def test_progress_in_a_notebook_is_one_line_that_goes(tmp_path):
    """A real kernel runs it; what remains are the last line and the reason to stop."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    code = """
import numpy as np, xnn
network = xnn.Network([xnn.Dense(1)], inputs=2, seed=0)
network.fit(np.ones((4, 2)), np.ones((4, 1)), loss=xnn.SquaredError(), epochs=50, verbose=True);
"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    folder = tmp_path / "kernels" / "python3"
    folder.mkdir(parents=True)
    command = f'["{sys.executable}", "-m", "ipykernel_launcher", "-f", "{{connection_file}}"]'
    (folder / "kernel.json").write_text(f'{{"argv": {command}, "display_name": "here", "language": "python"}}')
    before = os.environ.get("JUPYTER_PATH")
    os.environ["JUPYTER_PATH"] = str(tmp_path)
    try:
        client = nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}})
        client.execute()
    finally:
        os.environ.pop("JUPYTER_PATH") if before is None else os.environ.__setitem__("JUPYTER_PATH", before)
    outputs = notebook.cells[0].outputs
    said = "".join(output["text"] for output in outputs if output["output_type"] == "stream")
    assert re.fullmatch(r"epoch 50/50 .* in all\nstop reason: iteration limit: 50 epochs\n", said)
    line = [output for output in outputs if output["output_type"] == "display_data"]
    assert [output["data"]["text/plain"] for output in line] == [""]
