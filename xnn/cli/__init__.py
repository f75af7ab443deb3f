"""The command line, ``xnn`` or ``python -m xnn``: a command a file, and one door for their errors."""

from __future__ import annotations

import argparse
import io
import os
import sys
import warnings
from collections.abc import Sequence
from difflib import get_close_matches

from xnn.cli import bench, evaluate, gpu_report, info, predict, train
from xnn.cli.options import Parser
from xnn.cli.words import one_line, version
from xnn.contract import BackendError
from xnn.errors import FileError

__all__ = ["main"]

_COMMANDS = {
    "train": train,
    "predict": predict,
    "evaluate": evaluate,
    "bench": bench,
    "info": info,
    "gpu-report": gpu_report,
}
_ABOUT = """\
xnn trains neural networks on the array library of your choice, its backend. Python runs it as
python -m xnn, too.
"""
_EXAMPLES = """\
examples:
  xnn train houses.csv --target price         learn to predict the column price, save the network
  xnn predict model.safetensors new.csv       what it says about new rows
  xnn evaluate model.safetensors more.csv     how right it is, where the column price is known
  xnn info                                    what can be used here; * marks the current backend
  XNN_BACKEND=cupy python train.py            run a program of yours on an NVIDIA GPU
  XNN_BACKEND=torch:cuda xnn info             a device may follow a colon
  xnn train --help                            each command has a help of its own

in Python:
  xnn.set_backend("cupy")                     for the whole program
  with xnn.use_backend("numpy"): ...          for a part of it
  xnn.Network(..., backend="torch")           for one network
"""
#: What goes wrong because of what was given: a file, a value in it, an option, a library that is not there.
_TOLD = (FileError, BackendError, OSError, ValueError, TypeError, KeyError, ImportError, MemoryError, OverflowError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return the exit status.

    It is 0, or 2 with one line on stderr for what cannot be done, 130 after Ctrl-C, and 1 where the current
    backend cannot be used (``info``) or something failed (``gpu-report``). Wrong arguments exit with status 2.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names in a file may be in any script
    parser, commands = _parsers()
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and not given[0].startswith("-") and given[0] not in _COMMANDS:
        near = get_close_matches(given[0], _COMMANDS, 1)
        known = f"did you mean {near[0]}?" if near else f"known are: {', '.join(_COMMANDS)}"
        parser.error(f"unknown command {given[0]!r}; {known}")
    options, unknown = parser.parse_known_args(given)
    if unknown:
        commands.get(options.command, parser).refuse(unknown)
    if options.command is None:
        parser.print_help()
        return 0
    return _run(options)


def _parsers() -> tuple[Parser, dict[str, Parser]]:
    """The parser of the whole, and those of the commands by name."""
    parser = Parser(prog="xnn", usage="xnn [--help] [--version] command ...", description=_ABOUT, epilog=_EXAMPLES)
    parser.add_argument("--version", action="version", version=f"xnn {version()}", help="show the version of xnn")
    listed = parser.add_subparsers(dest="command", metavar="", title="commands")
    commands = {}
    for name, module in _COMMANDS.items():
        commands[name] = listed.add_parser(
            name,
            help=module.ABOUT.split("\n")[0],
            prog=f"xnn {name}",
            usage=f"xnn {name} {module.USAGE}",
            description=module.ABOUT,
            epilog=f"examples:\n{module.EXAMPLES}",
        )
        module.arguments(commands[name])
        commands[name].set_defaults(run=module.run)
    return parser, commands


def _run(options: argparse.Namespace) -> int:
    """The command, with warnings and errors in one line each."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of NaN and divergence: the commands look for them
        warnings.showwarning = lambda message, *_, **__: print(f"xnn: warning: {one_line(message)}", file=sys.stderr)
        try:
            status: int = options.run(options)
            sys.stdout.flush()
            return status
        except KeyboardInterrupt as stopped:
            print(f"xnn: interrupted{stopped}", file=sys.stderr)
            return 130
        except BrokenPipeError:  # whoever reads the output, such as head, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except _TOLD as error:
            print(f"xnn: {one_line(error)}", file=sys.stderr)
            return 2
        except Exception as error:
            if os.environ.get("XNN_TRACEBACK"):
                raise
            what = f"{type(error).__name__}: {one_line(error)}"
            print(
                f"xnn: an error in xnn itself, please report it: {what} (XNN_TRACEBACK=1 shows where)", file=sys.stderr
            )
            return 2
