"""The gallery: every example is run as a user runs it, and gets a page with its words, its picture and its code.

`XNN_DOCS_QUICK=1` takes the small settings. The pages stand in docs/gallery, which is not kept in the repository.
"""

import ast
import os
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = {"fashion_mnist": "Fashion-MNIST", "ode": "ODE", "xor": "XOR"}  # titles that the file does not spell


def write(docs: Path) -> None:
    """Run all examples and write docs/gallery."""
    folder = docs / "gallery"
    folder.mkdir(exist_ok=True)
    cards = []
    for path in sorted(EXAMPLES.glob("[a-z]*.py")):
        said = run(path, folder)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        about, after = ast.get_docstring(tree) or "", (tree.body[0].end_lineno or 0) + 1
        title = NAMES.get(path.stem, path.stem.replace("_", " ").capitalize())
        first, _, rest = about.partition("\n\n")
        picture = (
            f"```{{image}} {path.stem}.png\n:alt: {title}\n```\n" if (folder / f"{path.stem}.png").exists() else ""
        )
        page = f"""# {title}

{first}

{picture}
{rest}

    $ python examples/{path.name}

```text
{said.strip()}
```

```{{literalinclude}} ../../examples/{path.name}
:language: python
:lines: {after}-
```
"""
        (folder / f"{path.stem}.md").write_text(page, encoding="utf-8")
        cards.append((path.stem, title, " ".join(first.split()), bool(picture)))
    (folder / "index.md").write_text(index(cards), encoding="utf-8")


def run(path: Path, folder: Path) -> str:
    """What the example prints; its picture goes to the folder."""
    quick = ["--quick"] if os.environ.get("XNN_DOCS_QUICK") else []
    command = [sys.executable, str(path), "--output", str(folder), *quick]
    environment = {**os.environ, "MPLBACKEND": "agg", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=environment)
    if done.returncode:
        raise RuntimeError(f"{path.name} failed:\n{done.stdout}{done.stderr}")
    return "\n".join(line for line in done.stdout.splitlines() if not line.startswith("saved "))


def index(cards: list[tuple[str, str, str, bool]]) -> str:
    """A page with a card for each example, and the list of them for the side bar."""
    boxes = "\n".join(
        f'<a class="card" href="{stem}.html">'
        + (f'<img src="../_images/{stem}.png" alt="" loading="lazy">' if picture else "")
        + f"<strong>{title}</strong><span>{first}</span></a>"
        for stem, title, first, picture in cards
    )
    pages = "\n".join(stem for stem, *_ in cards)
    return f"""# Examples

Each is one script of under a hundred lines in `examples/`, which takes `--backend cupy` and others, `--quick`, and
`--output FOLDER`. These pages are what the scripts print and draw.

```{{raw}} html
<style>
.cards {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1rem; }}
.cards .card {{ display: flex; flex-direction: column; gap: .4rem; padding: .8rem; border-radius: .4rem;
  border: 1px solid var(--color-background-border); color: inherit; text-decoration: none; font-size: .85rem; }}
.cards img {{ width: 100%; aspect-ratio: 3/2; object-fit: contain; background: white; }}
</style>
<div class="cards">
{boxes}
</div>
```

```{{toctree}}
:hidden:

{pages}
```
"""
