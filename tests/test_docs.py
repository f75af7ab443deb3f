"""The code in the pages of the documentation runs as it stands there."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "docs"
PAGES = sorted(path.relative_to(FOLDER).as_posix() for path in [*FOLDER.glob("*.md"), *FOLDER.glob("api/*.md")])
if not PAGES:
    pytest.skip("the tests run outside of the repository", allow_module_level=True)


def blocks(page):
    return re.findall(r"```python\n(.*?)```", (FOLDER / page).read_text(encoding="utf-8"), re.DOTALL)


def test_the_pages_are_found():
    assert {"index.md", "first.md", "equations.md", "own.md", "api/index.md"} <= set(PAGES)
    assert sum(len(blocks(page)) for page in PAGES) > 15


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras on PyTorch
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)])
def test_every_block_of_a_page_runs_after_those_before_it(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for library in ("sklearn", "matplotlib"):
        pytest.importorskip(library)
    names = {"__name__": "page"}
    for block in blocks(page):
        for library in re.findall(r"^(?:import|from) (torch|keras|onnxruntime|cupy|jax)\b", block, re.MULTILINE):
            pytest.importorskip(library)
        exec(compile(block, page, "exec"), names)


def test_the_figures_of_the_texts_come_out(tmp_path, monkeypatch, capsys):
    names = {}
    for block in blocks("equations.md"):
        exec(compile(block, "equations.md", "exec"), names)
    said = capsys.readouterr().out
    for figure in ("7.605", "-7.8", "-3.9", "-3.38936769", "-0.57533899", "-6.", "-20.", "-13.", "1.928284685532467"):
        assert figure in said
