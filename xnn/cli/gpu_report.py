"""``xnn gpu-report``: everything on a GPU, and a report."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from xnn.cli.options import Parser
from xnn.contract import BackendError

__all__ = ["ABOUT", "EXAMPLES", "USAGE", "arguments", "run"]

USAGE = "[--output FILE]"
ABOUT = """\
try everything on a GPU through CuPy, and write a report
"""
EXAMPLES = """\
  xnn gpu-report --output gpu.md    tests, examples, a run against NumPy, speed, a verdict
"""


def arguments(parser: Parser) -> None:
    """Where the report goes."""
    parser.add_argument("--output", metavar="FILE", default="gpu-report.md", help="the report (default: %(default)s)")


def run(options: argparse.Namespace) -> int:
    """Write the report; 1 where something failed, or there is none."""
    from xnn.gpu_report import gpu_report

    try:
        passed = gpu_report(Path(options.output), lambda words: print(f"trying {words} …", flush=True))
    except (BackendError, OSError) as error:
        print(f"xnn: no report: {error}", file=sys.stderr)
        return 1
    print(f"{'everything that was tried passed' if passed else 'something FAILED'}; the report is {options.output}")
    return 0 if passed else 1
