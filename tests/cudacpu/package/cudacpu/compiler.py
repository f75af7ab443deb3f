"""The compiler of the emulated device: CUDA C++ in, a shared object for this CPU out, made by g++."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
import struct
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import cupy
from cupy.cuda import compiler

__all__ = ["build", "install", "stats"]

HERE = Path(__file__).resolve().parent
CUPY_HEADERS = Path(cupy.__file__).parent / "_core" / "include"
CXX = os.environ.get("CUDACPU_CXX", "g++")
FLAGS = os.environ.get("CUDACPU_CXXFLAGS", "-O1").split()
# No fused multiply-add and no type-based aliasing: the same rounding everywhere, and CuPy's casts are safe.
FLAGS += ["-x", "c++", "-fPIC", "-shared", "-w", "-fno-strict-aliasing", "-ffp-contract=off"]
CUDA_HEADERS = os.environ.get("CUDACPU_CUDA_INCLUDE", "/usr/local/cuda/include")  # for bfloat16 only

#: How many kernels this process compiled, and in how many seconds.
stats = {"compiled": 0, "compile_s": 0.0}

_BOUNDS = r"(?:__launch_bounds__\s*\([^)]*\)\s*)?"
_KERNEL = re.compile(rf"__global__\s+{_BOUNDS}void\s+{_BOUNDS}(\w+)\s*\(")
_TEMPLATE = r"template\s*<[^;{{]*>\s*(?:__global__)[^;{{]*\b{name}\s*\("
_BARRIER = re.compile(r"__sync|__shfl|__ballot|this_thread_block")
_DYNAMIC_SHARED = re.compile(r"extern\s+__shared__\s+((?:__align__\([^)]*\)\s*)?)([\w:]+)\s+(\w+)\s*\[\s*\]\s*;")

# CuPy's float16.cuh uses two conversions before it defines the type that they need.
_HALF_BEFORE = """\
#include <cupy/carray.cuh>
struct half;
static inline unsigned short __half_as_ushort(const half& h);
static inline half __ushort_as_half(unsigned short u);
"""
_HALF_AFTER = """\
static inline unsigned short __half_as_ushort(const half& h) { return __half_raw(h).x; }
static inline half __ushort_as_half(unsigned short u) { __half_raw r = {u}; return half(r); }
"""


def build(
    source: str, options: Sequence[str] = (), name_expressions: Sequence[str] | None = None
) -> tuple[str, dict[str, str] | None]:
    """Compile CUDA C++, or find it in the cache.

    Returns:
        The path of the shared object; and for each of the name expressions ("kernel<float>") the name
        under which its kernel is found, or None where none were asked for.

    Raises:
        CompileException: CuPy's own error, with what g++ said.
    """
    text, names = _translation_unit(source, name_expressions)
    command = [CXX, *FLAGS, f"-I{HERE / 'include'}", f"-I{CUPY_HEADERS}", *_understood(options)]
    if "bfloat16.cuh" in source or "cuda_fp16" in source:
        command += ["-DCUDACPU_CUDA_HEADERS", f"-I{CUDA_HEADERS}"]
    key = hashlib.sha1("\0".join([*command, text, (HERE / "device.h").read_text()]).encode()).hexdigest()
    target = _cache() / f"{key}.so"
    if not target.exists():
        _compile(command, text, target, source, options)
    return str(target), names


def _translation_unit(source: str, name_expressions: Sequence[str] | None) -> tuple[str, dict[str, str] | None]:
    """The source between the header of the device and an entry for each kernel."""
    body = _DYNAMIC_SHARED.sub(r"\2* \3 = reinterpret_cast<\2*>(emu_dyn_shared);", source)
    after = [
        'extern "C" __attribute__((visibility("default"))) int __emu_needs_sync;',
        f"int __emu_needs_sync = {int(bool(_BARRIER.search(body)))};",
    ]
    names = None
    if name_expressions:
        names = {expression: f"ne_{i}" for i, expression in enumerate(name_expressions)}
        after += [f"EMU_ENTRY({name}, &{expression})" for expression, name in names.items()]
    else:
        kernels = dict.fromkeys(_KERNEL.findall(body))  # each one once, in order
        plain = [name for name in kernels if not re.search(_TEMPLATE.format(name=name), body)]
        after += [f"EMU_ENTRY({name}, &{name})" for name in plain]
    if "float16.cuh" in body:
        body = _HALF_BEFORE + body
        after.append(_HALF_AFTER)
    return "\n".join([f'#include "{HERE / "device.h"}"', body, *after, ""]), names


def _understood(options: Sequence[str]) -> list[str]:
    """Those of NVRTC's options that g++ understands as well: macros, include folders and the standard."""
    kept = [o.replace("--std", "-std") for o in options if o.startswith(("-D", "-I", "-std", "--std"))]
    kept = [o for o in kept if "_cccl" not in o]  # NVIDIA's C++ library: g++ has its own
    return kept if any(o.startswith("-std") for o in kept) else [*kept, "-std=c++17"]


def _compile(command: list[str], text: str, target: Path, source: str, options: Sequence[str]) -> None:
    start = time.perf_counter()
    # Names of this process, then a rename: several processes may compile the same kernel at once.
    code, made = (target.with_suffix(f".{os.getpid()}.{ending}") for ending in ("cpp", "so"))
    code.write_text(text)
    done = subprocess.run([*command, "-o", str(made), str(code)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise compiler.CompileException(done.stderr, source, str(code), tuple(options), CXX)
    code.unlink()
    made.replace(target)
    stats["compiled"] += 1
    stats["compile_s"] += time.perf_counter() - start


def _cache() -> Path:
    general = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    house = Path(os.environ.get("XNN_CUDACPU_CACHE") or general / "cudacpu")
    folder = Path(os.environ.get("CUDACPU_CACHE") or house / "kernels")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _nvrtc(source, options=(), arch=None, filename="kern.cu", name_expressions=None, *_, **__):  # type: ignore[no-untyped-def]
    """In the place of CuPy's call of NVRTC; the "binary" names the shared object (library/kernels.cpp)."""
    if folder := os.environ.get("CUDACPU_DUMP"):
        _dump(Path(folder), source, options, name_expressions)
    path, names = build(source, options, name_expressions)
    encoded = path.encode()
    return b"CUDACPU\0" + struct.pack("<Q", len(encoded)) + encoded + b"\0" * 8, names


def _dump(folder: Path, source: str, options: Sequence[str], name_expressions: Sequence[str] | None) -> None:
    """Write what compile_kernels.py gives to NVIDIA's compiler."""
    folder.mkdir(parents=True, exist_ok=True)
    kernel = {"source": source, "options": list(options), "name_expressions": name_expressions}
    text = json.dumps(kernel)
    target = folder / f"{hashlib.sha1(text.encode()).hexdigest()[:16]}.json"
    made = target.with_suffix(f".{os.getpid()}")
    made.write_text(text)
    made.replace(target)


def install() -> None:
    """Let CuPy compile by ``build``, for a device of compute capability 8.0."""
    libraries = importlib.import_module("cupy_backends.cuda.libs")
    for name in ("cublas", "curand", "cusolver", "cusparse", "nvrtc"):  # loaded on demand in a build with CUDA
        setattr(libraries, name, importlib.import_module(f"cupy_backends.cuda.libs.{name}"))
    compiler._compile_using_nvrtc_no_warning = _nvrtc
    compiler._get_nvrtc_version = lambda: (13, 0)
    compiler._get_max_compute_capability = lambda: "90"
    compiler._get_arch = lambda: "80"
    compiler._get_arch_for_options_for_nvrtc = lambda arch=None: ("-arch=sm_80", "cubin")
    compiler._preprocess = lambda *_, **__: ""
