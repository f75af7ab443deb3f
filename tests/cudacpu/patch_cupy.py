"""Turn CuPy's source into one that builds over the emulated device.

CuPy can be built without CUDA, for its documentation: headers of stubs take the place of CUDA's, whose
functions do nothing and report success. Here the stubs that the emulation implements become
declarations (library/interface/), and every other one reports an error: nothing succeeds silently.

usage: patch_cupy.py SOURCE      the unpacked source of CuPy
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

INTERFACE = Path(__file__).resolve().parent / "library" / "interface"

# For each stub header: our declarations, the success it reports, and the "not supported" it shall report.
STUBS = {
    "cupy_cuda_runtime.h": ("cuda_runtime.h", "cudaSuccess", "(cudaError_t)801"),
    "cupy_cublas.h": ("cublas.h", "CUBLAS_STATUS_SUCCESS", "(cublasStatus_t)15"),
    "cupy_curand.h": ("curand.h", "CURAND_STATUS_SUCCESS", "(curandStatus_t)204"),
    "cupy_cusolver.h": (None, "CUSOLVER_STATUS_SUCCESS", "(cusolverStatus_t)9"),
    "cupy_cusparse.h": (None, "CUSPARSE_STATUS_SUCCESS", "(cusparseStatus_t)10"),
}

# What cudaGetDeviceProperties would fill in: a small device of compute capability 8.0.
PROPERTIES = """\
    return {'name': b'cudacpu emulation', 'totalGlobalMem': 8 << 30, 'sharedMemPerBlock': 49152,
            'regsPerBlock': 65536, 'warpSize': 32, 'maxThreadsPerBlock': 1024,
            'maxThreadsDim': (1024, 1024, 64), 'maxGridSize': (2147483647, 65535, 65535),
            'clockRate': 1000000, 'totalConstMem': 65536, 'major': 8, 'minor': 0,
            'multiProcessorCount': 4, 'maxThreadsPerMultiProcessor': 2048,
            'sharedMemPerMultiprocessor': 102400, 'sharedMemPerBlockOptin': 101376, 'l2CacheSize': 1 << 20,
            'managedMemory': 1, 'pciBusID': 0, 'pciDeviceID': 0, 'pciDomainID': 0, 'integrated': 0}

"""

IS_DEVICE = '''\
cdef extern from *:
    """
    extern "C" int cudacpu_is_device(void*);
    """
    int _cudacpu_is_device 'cudacpu_is_device'(void*) nogil


'''

LIBRARY = """\
import ctypes as _ctypes
import os as _os

_CUDACPU_LIB = _os.path.join(_os.path.dirname(__file__), 'libcudacpu.so')
_CUDACPU = _ctypes.CDLL(_CUDACPU_LIB, _ctypes.RTLD_GLOBAL)  # before the modules that need its functions
"""

SETTINGS = "import os as _os; _os.environ.update(CUPY_ACCELERATORS='', CUPY_CACHE_IN_MEMORY='1')"


def replace(path: Path, old: str, new: str) -> None:
    """Replace the one place where ``old`` stands; a CuPy that differs stops the build."""
    text = path.read_text()
    if text.count(old) != 1:
        raise SystemExit(f"{path}: expected once, found {text.count(old)} times: {old!r}")
    path.write_text(text.replace(old, new))


def patch_stub(path: Path, declarations: str | None, success: str, unsupported: str) -> None:
    """Declare the emulated functions of a stub header, and let all others fail."""
    text = path.read_text()
    if declarations:
        header = (INTERFACE / declarations).read_text()
        for name in re.findall(r"^[\w* ]+?\b(\w+)\(", header, re.M):
            body = re.compile(rf"^[\w* ]+?\b{name}\([^)]*\)\s*\{{.*?^\}}\n", re.S | re.M)
            text, found = body.subn("", text)
            if found != 1:
                raise SystemExit(f"{path}: expected one function {name}, found {found}")
        text = text.replace('extern "C" {', f'#include "cudacpu_{declarations}"\n\nextern "C" {{', 1)
        (path.parent / f"cudacpu_{declarations}").write_text(header)
    path.write_text(text.replace(f"return {success};", f"return {unsupported};"))


def patch_thrust(path: Path) -> None:
    """Sorting is declared instead of empty."""
    before, after = path.read_text().split("#else // CUPY_NO_CUDA")
    after, found = re.subn(r"void thrust_\w+\(\.\.\.\) \{\n\}\n", "", after)
    if found != 3:
        raise SystemExit(f"{path}: expected three sorting functions, found {found}")
    path.write_text(f'{before}#else // CUPY_NO_CUDA\n#include "cudacpu_thrust.h"\n{after}')
    (path.parent / "cudacpu_thrust.h").write_text((INTERFACE / "thrust.h").read_text())


def patch_loading(backends: Path) -> None:
    """The emulation is loaded first, and found where CuPy looks for the driver and the runtime."""
    (backends / "__init__.py").write_text(LIBRARY)
    ours = "    import cupy_backends as _cupy_backends\n    libname = _cupy_backends._CUDACPU_LIB\n"
    condition = "    if CUPY_CUDA_VERSION != 0:\n"
    for name, following in (("_driver_extern.pxi", "        if _sys"), ("_runtime_softlink.pxi", "        # We let")):
        replace(backends / "cuda" / "api" / name, condition + following, ours + condition + following)


def patch_runtime(path: Path) -> None:
    """The two functions that a build without CUDA leaves out: the kind of a pointer, and the device's properties."""
    signature = "cpdef int pointerGetMemoryType("
    replace(path, signature, IS_DEVICE + signature)
    kind = "        return 2 if _cudacpu_is_device(<void*>ptr) else 0"
    replace(path, "        raise ValueError('Fetching memory unsupported.')", kind)
    text = path.read_text()
    start = text.index("    # Common properties to CUDA 9.0, 9.2, 10.x, 11.x, and HIP\n")
    end = text.index("cpdef int deviceGetByPCIBusId", start)
    path.write_text(text[:start] + PROPERTIES + text[end:])


def patch_modules(path: Path) -> None:
    """Modules over libraries that are not emulated are not built."""
    every = "available_modules = [m['name'] for m in MODULES]"
    left_out = ("cutensor", "cusparselt", "nccl")
    replace(path, every, f"{every[:-1]} if m['name'] not in {left_out}]")


def patch_import(path: Path) -> None:
    """This CuPy always runs on the emulation: its settings before the import, the emulation after it."""
    future = "from __future__ import annotations\n"
    replace(path, future, f"{future}{SETTINGS}\n")
    path.write_text(path.read_text() + "\nimport cudacpu\n")


def main(source: Path) -> None:
    """Patch the source in this folder."""
    backends = source / "cupy_backends"
    for name, (declarations, success, unsupported) in STUBS.items():
        patch_stub(backends / "stub" / name, declarations, success, unsupported)
    patch_thrust(source / "cupy" / "cuda" / "cupy_thrust.h")
    patch_loading(backends)
    patch_runtime(backends / "cuda" / "api" / "runtime.pyx")
    patch_modules(source / "install" / "cupy_builder" / "cupy_setup_build.py")
    patch_import(source / "cupy" / "__init__.py")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
