"""How the documentation is built: `make docs` writes it to build/docs."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import gallery

import xnn

project, author, release = "xnn", "the xnn developers", xnn.__version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
add_module_names = False  # the names stand in xnn
html_show_copyright = False
html_theme = "furo"
html_title = f"xnn {release}"
html_theme_options = {"footer_icons": []}
pygments_style, pygments_dark_style = "friendly", "monokai"
exclude_patterns = ["conf.py", "gallery.py"]
suppress_warnings = ["myst.header"]  # the pages of the examples begin with what the script says of itself
myst_heading_anchors = 3
copybutton_exclude = ".linenos, .gp, .go"

autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "none"  # the docstrings give the shapes, which types do not
autodoc_inherit_docstrings = False
napoleon_custom_sections = [("Settings", "params_style"), "Source"]
napoleon_use_rtype = False

SECTION = re.compile(r"^(Args|Settings|Returns|Raises|Source|Example|Examples|Yields|Note|Parameters|Attributes)\b")


def setup(app):
    """Run the examples first; then read the docstrings as they are written."""
    app.connect("builder-inited", lambda app: gallery.write(Path(app.srcdir)))
    app.connect("autodoc-process-docstring", equations, priority=0)
    app.connect("autodoc-skip-member", lambda app, what, name, obj, skip, options: skip or is_field(obj))


def is_field(obj):
    """Whether it is a field of a named tuple, of which Python's own docstring says nothing."""
    return type(obj).__name__ == "_tuplegetter"


def equations(app, what, name, obj, options, lines):
    """Indented lines after a blank one are equations or code: literal, however they are introduced.

    What reStructuredText would read as markup in between, |a| and a*, is text.
    """
    out, literal, section = [], False, False
    for i, line in enumerate(lines):
        indented = line.startswith("    ") and not section
        if indented and not literal and i and not lines[i - 1].strip():
            if not (len(out) > 1 and out[-2].endswith("::")):
                out += ["::", ""]
            literal = True
        elif line.strip() and not indented:
            literal = False
        if line.strip() and not line.startswith(" "):
            section = bool(SECTION.match(line))
        out.append(line if literal else escaped(line))
    lines[:] = out


def escaped(line):
    """The line with its own stars, bars and trailing underscores, outside of ``code``."""
    parts = re.split(r"(``.*?``)", line)
    return "".join(part if part.startswith("``") else re.sub(r"([*|]|_(?=\W|$))", r"\\\1", part) for part in parts)
