"""The README's code runs as it stands there."""

import re
from pathlib import Path

import numpy as np
import pytest

README = Path(__file__).parent.parent / "README.md"


@pytest.mark.skipif(not README.exists(), reason="the tests run outside of the repository")
def test_every_block_of_code_runs(tmp_path, monkeypatch, capsys):
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 4
    names = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    said = capsys.readouterr().out
    assert "iteration limit: 20 epochs" in said
    assert float(re.search(r"'accuracy': ([0-9.]+)", said)[1]) > 0.88
    assert "gradient norm 9.11e-09 < tol 1e-08" in said
    assert (tmp_path / "digits.safetensors").exists()
    # The layer of one's own is one.
    xnn, Scale = names["xnn"], names["Scale"]
    network = xnn.Network([Scale(), xnn.Dense(1)], inputs=2, dtype="float64", seed=0)
    x, y, loss = np.asarray([[1.0, 2.0], [3.0, -1.0]]), np.asarray([[1.0], [2.0]]), xnn.SquaredError()
    _, gradients = network.gradients(x, y, loss)
    step, costs = 1e-6, []
    for s in (1 + step, 1 - step):
        network.set_parameters({"0.scale": s})
        costs.append(float(loss(network.predict(x), y)))
    assert abs(float(gradients["0.scale"]) - (costs[0] - costs[1]) / (2 * step)) < 1e-6
    layer = next(block for block in blocks if "class Scale" in block)
    assert len(layer[layer.index("@dataclass") :].splitlines()) < 15


@pytest.mark.skipif(not README.exists(), reason="the tests run outside of the repository")
def test_one_version_everywhere():
    import xnn

    cited = README.with_name("CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (.*)$", cited, re.MULTILINE)[1] == xnn.__version__
    assert f"## {xnn.__version__} " in README.with_name("CHANGELOG.md").read_text(encoding="utf-8")
