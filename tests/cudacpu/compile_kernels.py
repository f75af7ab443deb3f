"""Compile the kernels that a run on the emulated device dumped, with NVIDIA's own compiler for real architectures.

No GPU is needed, but CuPy's wheel and NVRTC: ``make compile-kernels`` installs them. It catches what g++
accepts and NVRTC does not, such as macros of the host or the name of a lambda.

usage: compile_kernels.py FOLDER ARCHITECTURE...      exit status 1 where a kernel does not compile

    CUDACPU_DUMP=kernels PYTHONPATH=$SITE python -m pytest --backend cupy
    compile_kernels.py kernels 75 80 90 100 120
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from cupy._core import core
from cupy.cuda import compiler

# CuPy asks the device for its architecture; without one, say it ourselves.
compiler._get_arch_for_options_for_nvrtc = lambda arch=None: (f"-arch=sm_{arch}", "cubin")
# The options of this CuPy take the place of those of the emulated one (include folders, standard).
OURS = tuple(core.assemble_cupy_compiler_options(()))
REPLACED = ("-I", "-D_", "-arch", "--std", "-std", "-ftz")


def problem(kernel: dict[str, Any], architecture: str) -> str:
    """What the compiler says against the kernel; an empty text where it compiles."""
    options = tuple(o for o in kernel["options"] if not o.startswith(REPLACED) and o not in OURS)
    try:
        image, _ = compiler.compile_using_nvrtc(
            kernel["source"],
            (*options, *OURS, "-ftz=true"),
            arch=architecture,
            filename="kernel.cu",
            name_expressions=kernel["name_expressions"],
        )
    except compiler.CompileException as error:
        return str(error)[:500]
    return "" if image[:4] == b"\x7fELF" else "the result is no binary of a device"


def main(folder: Path, architectures: list[str]) -> int:
    """Compile every kernel for every architecture, print what fails, return the exit status."""
    kernels = {path.name: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    if not kernels or not architectures:
        raise SystemExit(f"{len(kernels)} kernels in {folder}, {len(architectures)} architectures: nothing to compile")
    failed = 0
    with ProcessPoolExecutor() as pool:  # NVRTC compiles one at a time in a process
        for architecture in architectures:
            problems = list(pool.map(partial(problem, architecture=architecture), kernels.values(), chunksize=16))
            for name, text in zip(kernels, problems, strict=True):
                if text:
                    failed += 1
                    print(f"sm_{architecture}, {name}: {text}")
            print(f"sm_{architecture}: {problems.count('')} of {len(kernels)} kernels compiled", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
