"""Every rule, on every library: both modes and the second order, against differences, PyTorch and JAX.

One table holds a case for every way of calling a function; the differences are five-point ones in float64, and a test
sees to it that no function of the standard is left out.
"""

from __future__ import annotations

import contextlib
import functools
import math
import warnings

import numpy as np
import pytest
from array_api_compat import device

import xnn
from xnn.autodiff import Derivative, derivative, grad, hvp, jvp, recording, vjp
from xnn.autodiff.elementwise import CONSTANT

POSITIVE, UNIT, ABOVE_ONE, ANY = (0.5, 2.0), (-0.8, 0.8), (1.2, 3.0), (-2.0, 2.0)


def H(xp, a):
    return xp.conj(xp.matrix_transpose(a)) if xp.isdtype(a.dtype, "complex floating") else xp.matrix_transpose(a)


def spd(xp, a):
    """A symmetric or Hermitian positive definite matrix made from a."""
    return xp.matmul(a, H(xp, a)) + 2.0 * xp.eye(a.shape[-1], dtype=a.dtype, device=device(a))


def squares(xp, a):
    """|a|², which does not see signs and phases."""
    return xp.real(a * xp.conj(a)) if xp.isdtype(a.dtype, "complex floating") else a * a


def index(xp, values, like):
    return xp.asarray(values, device=device(like))


def singular(xp, x, **options):
    """All of a singular value decomposition that does not depend on signs and phases."""
    U, s, Vh = xp.linalg.svd(x, **options)
    return xp.sum(squares(xp, U), axis=-1), s, squares(xp, Vh), xp.matmul(U * xp.sqrt(s)[..., None, :], Vh)


def packed(xp, *arrays):
    """All entries along one axis."""
    kind = next((a.dtype for a in arrays if xp.isdtype(a.dtype, "complex floating")), arrays[0].dtype)
    return xp.concat([xp.reshape(a if a.dtype == kind else xp.astype(a, kind), (-1,)) for a in arrays])


ONE = {
    "negative": ANY, "positive": ANY, "abs": ANY, "reciprocal": POSITIVE, "square": ANY, "sqrt": POSITIVE, "exp": ANY,
    "expm1": ANY, "log": POSITIVE, "log1p": POSITIVE, "log2": POSITIVE, "log10": POSITIVE, "sin": ANY, "cos": ANY,
    "tan": UNIT, "asin": UNIT, "acos": UNIT, "atan": UNIT, "sinh": ANY, "cosh": ANY, "tanh": UNIT, "asinh": UNIT,
    "acosh": ABOVE_ONE, "atanh": UNIT,
}  # fmt: skip
TWO = {
    "add": ANY, "subtract": ANY, "multiply": ANY, "divide": POSITIVE, "pow": POSITIVE, "remainder": POSITIVE,
    "logaddexp": ANY, "atan2": ANY, "hypot": POSITIVE, "copysign": ANY, "maximum": ANY, "minimum": ANY,
}  # fmt: skip

# "name, how": (function of (xp, *arrays), shapes, interval)
CASES = {name: (lambda xp, x, name=name: getattr(xp, name)(x), [(2, 3)], where) for name, where in ONE.items()}
CASES |= {
    name: (lambda xp, a, b, name=name: getattr(xp, name)(a, b), [(2, 3), (3,)], where) for name, where in TWO.items()
}
CASES |= {
    f"{name}, other way": (lambda xp, a, b, name=name: getattr(xp, name)(a, b), [(3, 1), (2, 1, 3)], where)
    for name, where in TWO.items()
}
CASES |= {
    "operators": (lambda _, a, b: (2.0 * a - b / 3.0 - a * b - 1.0 / b + 2.0**a) / (4.0 - a), [(2, 3), (3,)], POSITIVE),
    "powers": (lambda xp, a: a**2 + a**0.5 + a**0 + a**-1, [(4,)], POSITIVE),
    "remainder, abs": (lambda xp, a: abs(a) * (a % 0.7), [(4,)], POSITIVE),
    "x ** 2 of negative": (lambda xp, a: a**2 * a**3, [(4,)], (-2, -1)),
    "clip": (lambda xp, a: xp.clip(a, -0.5, 0.5), [(7,)], ANY),
    "clip, from below": (lambda xp, a: xp.clip(a, 0.1) * xp.clip(a, max=0.2), [(7,)], ANY),
    "clip, arrays": (lambda xp, a, lo, hi: xp.clip(a, lo, hi + 1.0) * a, [(2, 7), (7,), (2, 1)], UNIT),
    "where": (lambda xp, a, b: xp.where(a > 0.0, a, a * b), [(2, 3), (3,)], ANY),
    "where, numbers": (lambda xp, a: xp.where(a > 0.0, a * a, 0.0) + xp.where(a > 0.0, 1.0, a), [(2, 3)], ANY),
    "linspace": (lambda xp, a, b: xp.linspace(a * b, b, 5) * xp.linspace(0.5, a, 5, endpoint=False), [(), ()], ANY),
    # Reductions.
    "sum": (lambda xp, x: xp.sum(x * x), [(2, 3)], ANY),
    "sum, axes": (lambda xp, x: xp.sum(x * x, axis=(0, -1)), [(2, 3, 2)], ANY),
    "sum, kept": (lambda xp, x: xp.sum(x * x, axis=1, keepdims=True) * x, [(2, 3, 2)], ANY),
    "mean": (lambda xp, x: xp.mean(x * x, axis=0), [(2, 3)], ANY),
    "mean, axes": (lambda xp, x: xp.mean(x * x, axis=(0, 2), keepdims=True), [(2, 3, 2)], ANY),
    "var": (lambda xp, x: xp.var(x, axis=-1, correction=1), [(2, 3)], ANY),
    "var, all": (lambda xp, x: xp.var(x), [(2, 3)], ANY),
    "std": (lambda xp, x: xp.std(x, axis=0, keepdims=True), [(4, 3)], ANY),
    "prod": (lambda xp, x: xp.prod(x), [(2, 3)], ANY),
    "prod, axis": (lambda xp, x: xp.prod(x, axis=1, keepdims=True), [(2, 5, 2)], ANY),
    "max": (lambda xp, x: xp.max(x * x), [(2, 3)], ANY),
    "max, over axes": (lambda xp, x: xp.max(x * x, axis=(0, 2)), [(2, 3, 2)], ANY),
    "min": (lambda xp, x: xp.min(x * x, axis=-1, keepdims=True), [(2, 3)], ANY),
    "cumulative_sum": (lambda xp, x: xp.cumulative_sum(x * x, axis=1), [(2, 4)], ANY),
    "cumulative_sum, initial": (lambda xp, x: xp.cumulative_sum(x * x, axis=0, include_initial=True), [(4, 2)], ANY),
    "cumulative_prod": (lambda xp, x: xp.cumulative_prod(x, axis=1), [(2, 5)], ANY),
    "cumulative_prod, initial": (lambda xp, x: xp.cumulative_prod(x, axis=0, include_initial=True), [(3, 2)], ANY),
    "sort": (lambda xp, x: xp.sort(x * x, axis=0), [(4, 2)], ANY),
    "sort, descending": (lambda xp, x: xp.sort(x * x, descending=True), [(2, 5)], ANY),
    "diff": (lambda xp, x: xp.diff(x * x, axis=0, n=2), [(5, 2)], ANY),
    "diff, prepend": (lambda xp, x, a: xp.diff(x * x, prepend=a, append=a * a), [(2, 3), (2, 1)], ANY),
    # Shapes.
    "reshape": (lambda xp, x: xp.reshape(x * x, (3, -1)), [(2, 3)], ANY),
    "reshape, by name": (lambda xp, x: xp.reshape(x * x, shape=(6,)), [(2, 3)], ANY),
    "permute_dims": (lambda xp, x: xp.permute_dims(x * x, (2, 0, 1)), [(2, 3, 4)], ANY),
    "moveaxis": (lambda xp, x: xp.moveaxis(x * x, 0, -1), [(2, 3, 4)], ANY),
    "moveaxis, by name": (lambda xp, x: xp.moveaxis(x * x, source=0, destination=-1), [(2, 3, 4)], ANY),
    "moveaxis, two": (lambda xp, x: xp.moveaxis(x * x, (0, 1), (-1, 0)), [(2, 3, 4)], ANY),
    "matrix_transpose": (lambda xp, x: xp.matrix_transpose(x * x) + x.mT, [(2, 3, 4)], ANY),
    "T": (lambda xp, x: (x * x).T, [(2, 3)], ANY),
    "expand_dims": (lambda xp, x: xp.expand_dims(x * x, axis=1), [(2, 3)], ANY),
    "squeeze": (lambda xp, x: xp.squeeze(x * x, axis=1), [(2, 1, 3)], ANY),
    "broadcast_to": (lambda xp, x: xp.broadcast_to(x * x, (4, 2, 3)), [(2, 1)], ANY),
    "broadcast_arrays": (lambda xp, a, b: xp.multiply(*xp.broadcast_arrays(a, b)), [(2, 1), (3,)], ANY),
    "meshgrid": (lambda xp, a, b: xp.multiply(*xp.meshgrid(a, b)), [(2,), (3,)], ANY),
    "meshgrid, ij": (lambda xp, a, b: xp.multiply(*xp.meshgrid(a, b, indexing="ij")), [(2,), (3,)], ANY),
    "flip": (lambda xp, x: xp.flip(x * x, axis=1) + xp.flip(x), [(2, 3)], ANY),
    "roll": (lambda xp, x: xp.roll(x * x, 2, axis=1) + xp.roll(x, -1), [(2, 5)], ANY),
    "roll, axes": (lambda xp, x: xp.roll(x * x, (1, -2), axis=(0, 1)), [(2, 5)], ANY),
    "tile": (lambda xp, x: xp.tile(x * x, (2, 3)), [(2, 2)], ANY),
    "repeat": (lambda xp, x: xp.repeat(x * x, 2, axis=1), [(2, 3)], ANY),
    "repeat, flat": (lambda xp, x: xp.repeat(x * x, 3), [(2, 2)], ANY),
    "repeat, each": (lambda xp, x: xp.repeat(x * x, index(xp, [2, 0, 1], x), axis=1), [(2, 3)], ANY),
    "tril": (lambda xp, x: xp.tril(x * x, k=-1), [(2, 3, 3)], ANY),
    "triu": (lambda xp, x: xp.triu(x * x, k=1), [(3, 4)], ANY),
    "concat": (lambda xp, a, b: xp.concat([a * a, b, a], axis=1), [(2, 3), (2, 1)], ANY),
    "concat, flat": (lambda xp, a, b: xp.concat([a * a, b], axis=None), [(2, 3), (2,)], ANY),
    "stack": (lambda xp, a, b: xp.stack([a * a, b, a], axis=-1), [(2, 3), (2, 3)], ANY),
    "unstack": (lambda xp, x: xp.unstack(x * x, axis=1)[2], [(2, 3)], ANY),
    "asarray": (lambda xp, a, b: xp.asarray([[a, b], [a * b, 1.0]]), [(), ()], ANY),
    "full": (lambda xp, a: a * xp.full((2, 3), a), [()], ANY),
    "full_like": (lambda xp, a, b: a * xp.full_like(b, a), [(), (2,)], ANY),
    "astype": (lambda xp, x: xp.astype(x * x, xp.float64), [(2, 3)], ANY),
    # Indexing.
    "x[i]": (lambda xp, x: (x * x)[1, ...], [(2, 3)], ANY),
    "x[i, j]": (lambda xp, x: (x * x)[1, -1], [(2, 3)], ANY),
    "x[::2]": (lambda xp, x: (x * x)[1::2, ...] * x[:1, ...], [(5, 2)], ANY),
    "x[::-1]": (lambda xp, x: (x * x)[::-1, ...] * x, [(4, 2)], ANY),
    "x[:, 1:-1]": (lambda xp, x: (x * x)[:, 1:-1], [(2, 4)], ANY),
    "x[None]": (lambda xp, x: (x * x)[None, ..., 0:2], [(2, 4)], ANY),
    "x[...] of a number": (lambda xp, x: (x * x)[...] * x[None], [()], ANY),
    "x[array]": (lambda xp, x: (x * x)[index(xp, [2, 0, 2], x)], [(3, 2)], ANY),
    "x[array, array]": (
        lambda xp, x: (x * x)[index(xp, [2, 0, 2], x), index(xp, [1, 1, 1], x)], [(3, 2)], ANY),
    "x[mask]": (lambda xp, x: (x * x)[x > 0.0], [(3, 3)], ANY),
    "take": (lambda xp, x: xp.take(x * x, index(xp, [2, 0, 2], x), axis=1), [(2, 3)], ANY),
    "take, one axis": (lambda xp, x: xp.take(x * x, index(xp, [2, 0, 2], x), axis=0), [(3,)], ANY),
    "take_along_axis": (
        lambda xp, x: xp.take_along_axis(x * x, index(xp, [[2, 2], [0, 1]], x), axis=1), [(2, 3)], ANY),
    # Products.
    "matmul": (lambda xp, a, b: xp.matmul(a, b), [(2, 3), (3, 4)], ANY),
    "matmul, batches": (lambda xp, a, b: a @ b, [(2, 1, 2, 3), (4, 3, 2)], ANY),
    "matmul, vector right": (lambda xp, a, b: a @ b, [(2, 4, 3), (3,)], ANY),
    "matmul, vector left": (lambda xp, a, b: a @ b, [(3,), (2, 3, 4)], ANY),
    "matmul, vectors": (lambda xp, a, b: a @ b, [(3,), (3,)], ANY),
    "tensordot": (lambda xp, a, b: xp.tensordot(a, b, axes=((0, 2), (2, 0))), [(2, 3, 4), (4, 2, 2)], ANY),
    "tensordot, 1": (lambda xp, a, b: xp.tensordot(a, b, axes=1), [(2, 3), (3, 2)], ANY),
    "vecdot": (lambda xp, a, b: xp.vecdot(a, b), [(2, 3), (2, 3)], ANY),
    "vecdot, axis": (lambda xp, a, b: xp.vecdot(a, b, axis=-2), [(3, 2), (2, 3, 2)], ANY),
    # Linear algebra.
    "outer": (lambda xp, a, b: xp.linalg.outer(a, b), [(2,), (3,)], ANY),
    "cross": (lambda xp, a, b: xp.linalg.cross(a, b, axis=0), [(3, 2), (3, 2)], ANY),
    "diagonal": (lambda xp, x: xp.linalg.diagonal(x * x, offset=1), [(2, 3, 4)], ANY),
    "trace": (lambda xp, x: xp.linalg.trace(x * x), [(2, 3, 3)], ANY),
    "trace, offset": (lambda xp, x: xp.linalg.trace(x * x, offset=-1), [(3, 2)], ANY),
    "matrix_power": (lambda xp, x: xp.linalg.matrix_power(x, 5), [(2, 2, 2)], ANY),
    "matrix_power, 0": (lambda xp, x: x * xp.linalg.matrix_power(x, 0), [(2, 2)], ANY),
    "matrix_power, -2": (lambda xp, x: xp.linalg.matrix_power(spd(xp, x), -2), [(2, 2)], ANY),
    "inv": (lambda xp, x: xp.linalg.inv(spd(xp, x)), [(2, 3, 3)], ANY),
    "pinv, tall": (lambda xp, x: xp.linalg.pinv(x), [(2, 3, 2)], ANY),
    "pinv, wide": (lambda xp, x: xp.linalg.pinv(x), [(2, 4)], ANY),
    "pinv, rank 1": (lambda xp, a, b: xp.linalg.pinv(a * b), [(3, 1), (1, 2)], ANY),
    "det": (lambda xp, x: xp.linalg.det(x), [(2, 3, 3)], ANY),
    "slogdet": (lambda xp, x: xp.linalg.slogdet(x)[1], [(2, 3, 3)], ANY),
    "slogdet, sign": (lambda xp, x: xp.linalg.slogdet(x)[0] * xp.linalg.det(x), [(3, 3)], ANY),
    "solve": (lambda xp, a, b: xp.linalg.solve(spd(xp, a), b), [(2, 3, 3), (2, 3, 2)], ANY),
    "solve, vector": (lambda xp, a, b: xp.linalg.solve(spd(xp, a), b), [(3, 3), (3,)], ANY),
    "cholesky": (lambda xp, x: xp.linalg.cholesky(spd(xp, x)), [(2, 3, 3)], ANY),
    "cholesky, upper": (lambda xp, x: xp.linalg.cholesky(spd(xp, x), upper=True), [(3, 3)], ANY),
    "eigh": (lambda xp, x: squares(xp, xp.linalg.eigh(spd(xp, x))[1]), [(2, 3, 3)], ANY),
    "eigh, values": (lambda xp, x: xp.linalg.eigh(spd(xp, x)).eigenvalues, [(3, 3)], ANY),
    "eigvalsh": (lambda xp, x: xp.linalg.eigvalsh(spd(xp, x)), [(2, 3, 3)], ANY),
    "svd": (lambda xp, x: packed(xp, *singular(xp, x)), [(3, 3)], ANY),
    "svd, tall": (lambda xp, x: packed(xp, *singular(xp, x, full_matrices=False)), [(2, 4, 2)], ANY),
    "svd, wide": (lambda xp, x: packed(xp, *singular(xp, x, full_matrices=False)), [(2, 4)], ANY),
    "svdvals": (lambda xp, x: xp.linalg.svdvals(x), [(2, 2, 3)], ANY),
    "qr": (lambda xp, x: xp.linalg.qr(x)[0] * x, [(2, 4, 3)], ANY),
    "qr, R": (lambda xp, x: xp.linalg.qr(x).R, [(2, 4, 3)], ANY),
    "qr, wide": (lambda xp, x: packed(xp, *xp.linalg.qr(x)), [(2, 2, 4)], ANY),
    "qr, complete": (lambda xp, x: packed(xp, *xp.linalg.qr(x, mode="complete")), [(3, 3)], ANY),
}  # fmt: skip
CASES |= {
    f"vector_norm, {p}": (lambda xp, x, p=p: xp.linalg.vector_norm(x, ord=p, axis=-1), [(2, 3)], ANY)
    for p in (2, 1, 3, 0.5, -1, -2.5, float("inf"), -float("inf"))
}
CASES["vector_norm, all"] = (lambda xp, x: xp.linalg.vector_norm(x, keepdims=True), [(2, 3)], ANY)
CASES |= {
    f"matrix_norm, {p}": (lambda xp, x, p=p: xp.linalg.matrix_norm(x, ord=p), [(2, 3, 2)], ANY)
    for p in ("fro", "nuc", 1, 2, -1, -2, float("inf"), -float("inf"))
}
CASES["matrix_norm, kept"] = (lambda xp, x: xp.linalg.matrix_norm(x, ord=2, keepdims=True), [(2, 3, 2)], ANY)

#: These again with complex numbers.
HOLOMORPHIC = [
    *sorted(set(ONE) - {"positive"}), "add", "subtract", "multiply", "divide", "pow", "operators", "powers",
    "sum", "mean", "prod, axis", "cumulative_sum", "cumulative_prod", "reshape", "stack", "concat", "take", "x[i]",
    "tril", "matrix_transpose", "repeat", "matmul", "matmul, batches", "matmul, vector right", "matmul, vector left",
    "tensordot", "vecdot", "outer", "cross", "diagonal", "trace", "matrix_power", "inv", "pinv, tall", "pinv, wide",
    "det", "slogdet", "slogdet, sign", "solve", "solve, vector", "cholesky", "cholesky, upper", "eigh", "eigvalsh",
    "svd", "svd, tall", "svd, wide", "svdvals", "qr", "qr, R", "qr, wide", "linspace",
    *(name for name in CASES if name.startswith(("vector_norm", "matrix_norm"))),
]  # fmt: skip
CASES = {name: (f, [(shape, "float64") for shape in shapes], where) for name, (f, shapes, where) in CASES.items()}
for name in HOLOMORPHIC:
    f, arguments, where = CASES[name]
    CASES[f"{name} (complex)"] = (f, [(shape, "complex128") for shape, _ in arguments], where)


def numbers(name, function, shapes, complexes=()):
    """A case whose arguments are of the types given."""
    kinds = complexes or ("complex128",) * len(shapes)
    CASES[name] = (function, list(zip(shapes, kinds, strict=True)), ANY)


numbers("real", lambda xp, z: xp.real(z * z), [(2, 3)])
numbers("imag", lambda xp, z: xp.imag(z * z), [(2, 3)])
numbers("conj", lambda xp, z: xp.conj(z * z) * z, [(2, 3)])
numbers("sign", lambda xp, z: xp.sign(z * z), [(2, 3)])
numbers("abs, of an operator", lambda xp, z: abs(z) ** 3, [(4,)])
numbers("astype, to complex", lambda xp, x: xp.astype(x, xp.complex128) ** 2 * 1j, [(2, 3)], ["float64"])
numbers("multiply, construction", lambda xp, x, y: (x + 1j * y) ** 3, [(2, 3), (3,)], ["float64"] * 2)
numbers("add, mixed", lambda xp, x, z: (x + z) * x / z - (z - x), [(2, 3), (3,)], ["float64", "complex128"])
numbers("pow, mixed", lambda xp, x, z: x**2 * z**x, [(2, 3), (3,)], ["float64", "complex128"])
numbers("pow, of a number", lambda xp, z: (1 + 2j) ** z + (-2.0) ** z + z ** (1 - 2j), [(3,)])
numbers("where, mixed", lambda xp, x, z: xp.where(x > 0, x * x, z * z), [(2, 3), (3,)], ["float64", "complex128"])
numbers("concat, mixed", lambda xp, x, z: xp.concat([x * x, z * z]), [(2,), (3,)], ["float64", "complex128"])
numbers("matmul, mixed", lambda xp, x, z: x @ z, [(2, 3), (3, 2)], ["float64", "complex128"])
numbers("solve, mixed", lambda xp, x, z: xp.linalg.solve(spd(xp, x), z), [(3, 3), (3,)], ["float64", "complex128"])

for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft"):
    kind = "float64" if name in ("rfft", "ihfft") else "complex128"
    for how, options in {
        "even": {}, "odd": {"n": 5}, "cropped": {"n": 3, "norm": "forward"}, "padded": {"n": 9, "norm": "ortho"},
        "axis": {"axis": 0, "norm": "backward"},
    }.items():  # fmt: skip
        numbers(f"{name}, {how}", lambda xp, x, name=name, options=options: getattr(xp.fft, name)(x * x, **options),
                [(3, 6) if how == "axis" else (2, 6)], [kind])  # fmt: skip
for name in ("fftn", "ifftn", "rfftn", "irfftn"):
    kind = "float64" if name == "rfftn" else "complex128"
    for how, options in {
        "all": {}, "axes": {"axes": (2, 0), "norm": "ortho"},
        "shapes": {"s": (4, 5), "axes": (0, 1), "norm": "forward"},
    }.items():  # fmt: skip
        numbers(f"{name}, {how}", lambda xp, x, name=name, options=options: getattr(xp.fft, name)(x * x, **options),
                [(3, 4, 3)], [kind])  # fmt: skip
for name in ("fftshift", "ifftshift"):
    numbers(f"{name}, all", lambda xp, x, name=name: getattr(xp.fft, name)(x * x), [(3, 4)], ["float64"])
    numbers(f"{name}, axes", lambda xp, x, name=name: getattr(xp.fft, name)(x * x, axes=1), [(3, 5)])

#: What a library lacks.
LACKING = {
    "array_api_strict": {"x[mask]", "repeat, each", "add, mixed", "fftshift, all", "ifftshift, all"},
    "torch": {"x[::-1]", "matmul, mixed", "solve, mixed"},
}


NOT_JITTED = {"x[mask]", "repeat, each", "asarray"}  # their shapes depend on values, or on a device
QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}  # JAX's compiler


@contextlib.contextmanager
def device_library():
    """Skips where the emulated device lacks a library of NVIDIA's, a batched product of cuBLAS, or the shared memory
    of complex numbers in CuPy's own kernel of cumulative sums.
    """
    try:
        yield
    except Exception as error:
        if type(error).__name__ == "CompileException" and "thrust::complex" in str(error) and "temp[]" in str(error):
            pytest.skip("this device: no shared memory of complex numbers")
        if type(error).__name__ in ("CUSOLVERError", "CUBLASError", "CUFFTError", "ImportError"):
            pytest.skip(f"this device: {error}")
        raise


def differences(f, x, v, h=3e-4):
    """d/dt f(x + t v) at t = 0 by five points, f a function of a list of NumPy arrays."""

    def at(k):
        return f([a + k * h * t for a, t in zip(x, v, strict=True)])

    return [(d - 8 * c + 8 * b - a) / (12 * h) for d, c, b, a in zip(at(-2), at(-1), at(1), at(2), strict=True)]


def inner(a, b):
    """⟨a, b⟩ = Re Σ ā b."""
    return float(np.sum(np.real(np.conj(a) * b)))


def error(a, b):
    """max|a − b| relative to max|b|, or to 1 if that is more."""
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape
    return float(np.max(np.abs(a - b), initial=0) / max(1.0, np.max(np.abs(b), initial=0)))


def scalar(xp, function, g):
    """The real function Re Σ ḡ f(x)."""

    def f(x):
        y = function(xp, *x)
        if not xp.isdtype(y.dtype, "complex floating"):
            return xp.sum(g * y)
        return xp.sum(xp.real(xp.conj(g) * y))

    return f


@functools.cache
def expected(name):
    """x, v, g; J v; Jᵀ g and its derivative along v, all on NumPy."""
    function, arguments, (low, high) = CASES[name]
    rng = np.random.default_rng(sum(map(ord, name)))

    def draw(shape, kind, normal):
        one = (lambda: rng.normal(size=shape)) if normal else (lambda: rng.uniform(low, high, size=shape))
        return one() + 1j * one() if kind == "complex128" else np.asarray(one())

    x, v = ([draw(*a, normal) for a in arguments] for normal in (False, True))
    xp = recording(xnn.get_backend("numpy").xp)
    y = np.asarray(function(xp, *x))
    g = draw(y.shape, y.dtype.name, True)
    forward = differences(lambda x: [np.asarray(function(xp, *x))], x, v)[0]
    _, pull = vjp(lambda x: function(xp, *x), x)
    second = differences(lambda x: [np.asarray(a) for a in vjp(lambda x: function(xp, *x), x)[1](g)], x, v)
    return x, v, g, forward, [np.asarray(a) for a in pull(g)], second


@pytest.mark.parametrize("name", CASES)
def test_a_rule_in_both_modes_and_to_second_order(backend, name):
    function, arguments, _ = CASES[name]
    if name in LACKING.get(backend.name, ()):
        pytest.skip("not in this library")
    x, v, g, right, adjoint, right_second = expected(name)
    xs, vs = ([backend.asarray(a, kind) for a, (_, kind) in zip(arrays, arguments, strict=True)] for arrays in (x, v))
    weights = backend.asarray(g, g.dtype.name)

    def derivatives(xs, vs, weights):
        xp = recording(xnn.arrays.namespace(xs[0]))
        cost = scalar(xp, function, weights)
        _, tangent = jvp(lambda x: function(xp, *x), xs, vs)
        adjoints = vjp(lambda x: function(xp, *x), xs)[1](weights)
        if backend.name == "jax":  # the second order takes JAX a second a case to compile; see the slow test below
            return tangent, adjoints, [], [], None
        second = jvp(grad(cost), xs, vs)[1]
        if backend.name != "numpy":
            return tangent, adjoints, second, second, None
        line = derivative(lambda t: cost([a + t * b for a, b in zip(xs, vs, strict=True)]), 2)(0.0)
        return tangent, adjoints, second, vjp(grad(cost), xs)[1](vs), line

    if backend.name == "jax" and name not in NOT_JITTED:
        import jax

        derivatives = jax.jit(derivatives, compiler_options=QUICK)
    with backend.scope(), device_library():
        tangent, adjoints, second, again, line = derivatives(xs, vs, weights)
        adjoints, second, again = ([backend.to_numpy(a) for a in arrays] for arrays in (adjoints, second, again))
        assert error(backend.to_numpy(tangent), right) < 1e-8
    # Reverse is the transpose of forward, exactly: ⟨g, J v⟩ = ⟨Jᵀ g, v⟩.
    assert sum(map(inner, adjoints, v)) == pytest.approx(inner(g, right), rel=1e-8, abs=1e-8)
    for own, other in zip(adjoints, adjoint, strict=True):
        assert own.dtype == other.dtype
        assert error(own, other) < 1e-11
    for own, other in zip(second, right_second, strict=bool(second)):
        assert error(own, other) < 1e-8
    for own, other in zip(again, second, strict=True):  # reverse over reverse
        assert error(own, other) < 1e-10
    if line is not None:  # Taylor's second order
        assert float(line) == pytest.approx(sum(map(inner, v, second)), rel=1e-9, abs=1e-9)


# -- The same derivatives by PyTorch and JAX ------------------------------------------------------------------------

#: What a peer lacks, or defines in another way.
PEERS_LACK = {
    "torch": {*LACKING["torch"], "linspace", "linspace (complex)", "asarray", "full", "full_like", "where, mixed"},
    "jax": {*NOT_JITTED, "sign"},  # JAX takes sign for constant, of complex numbers too
}


def by_torch(name, x, v, g):
    """J v, Jᵀ g, and the derivative of Jᵀ g along v."""
    import array_api_compat.torch as xp
    import torch

    function = CASES[name][0]
    tensors = [torch.tensor(a, requires_grad=True) for a in x]
    weights = torch.tensor(g, requires_grad=True)
    y = function(xp, *tensors)
    adjoints = torch.autograd.grad(y, tensors, weights, create_graph=True, allow_unused=True)
    adjoints = [torch.zeros_like(a) if b is None else b for a, b in zip(tensors, adjoints, strict=True)]
    inner = sum(torch.sum(torch.real(torch.conj(torch.tensor(b)) * a)) for a, b in zip(adjoints, v, strict=True))
    (tangent,) = torch.autograd.grad(inner, [weights], retain_graph=True)  # ⟨Jᵀ g, v⟩ = ⟨g, J v⟩, by g
    second = [None] * len(x)
    if inner.requires_grad:
        second = torch.autograd.grad(inner, tensors, allow_unused=True)
    second = [torch.zeros_like(a) if b is None else b for a, b in zip(tensors, second, strict=True)]
    return [[a.detach().numpy(force=True) for a in arrays] for arrays in ([tangent], adjoints, second)]


@pytest.mark.parametrize("name", CASES)
def test_a_rule_against_pytorch(name):
    pytest.importorskip("torch")
    if name in PEERS_LACK["torch"]:
        pytest.skip("PyTorch has no such function")
    x, v, g, _, adjoints, _ = expected(name)
    xp = recording(xnn.get_backend("numpy").xp)
    tangent = jvp(lambda x: CASES[name][0](xp, *x), x, v)[1]
    second = jvp(grad(scalar(xp, CASES[name][0], g)), x, v)[1]
    for what, mine, theirs in zip(
        ("J v", "Jᵀ g", "second"), ([tangent], adjoints, second), by_torch(name, x, v, g), strict=True
    ):
        for own, other in zip(mine, theirs, strict=True):
            assert error(own, other) < 1e-12, what


def test_forward_mode_beside_a_constant_under_jit():
    jax = pytest.importorskip("jax")
    xp = recording(xnn.get_backend("jax").xp)

    def after_one(x):
        return xp.concat([xp.ones((1,), dtype=x.dtype), x])

    v = jax.numpy.asarray([2.0, 3.0])
    tangent = jax.jit(lambda x: jvp(after_one, x, v)[1])(jax.numpy.ones(2))
    assert tangent.tolist() == [0.0, 2.0, 3.0]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CASES if name not in PEERS_LACK["jax"]])
def test_a_rule_against_jax(name):
    """JAX's own derivatives, and those of ours on JAX's arrays."""
    jax = pytest.importorskip("jax")
    import array_api_compat

    function = CASES[name][0]
    x, v, g, _, adjoints, _ = expected(name)

    @functools.partial(jax.jit, compiler_options=QUICK)
    def both(x, v, g):
        xp = array_api_compat.array_namespace(g)
        f = lambda *x: function(xp, *x)  # noqa: E731
        pulled = lambda *x: jax.vjp(f, *x)[1](jax.numpy.conj(g))  # noqa: E731
        adjoints, second = jax.jvp(pulled, tuple(x), tuple(v))
        records = recording(xp)
        ours = (
            jvp(lambda x: function(records, *x), x, v)[1], vjp(lambda x: function(records, *x), x)[1](g),
            jvp(grad(scalar(records, function, g)), x, v)[1],
        )  # fmt: skip
        # JAX's convention has conjugates of ours.
        return ours, (jax.jvp(f, tuple(x), tuple(v))[1], *([jax.numpy.conj(a) for a in b] for b in (adjoints, second)))

    (tangent, own, second), (right, right_adjoints, right_second) = both(*jax.tree.map(jax.numpy.asarray, (x, v, g)))
    assert error(tangent, right) < 1e-12
    for mine, on_numpy, other in zip(own, adjoints, right_adjoints, strict=True):
        assert error(mine, other) < 1e-12
        assert error(on_numpy, other) < 1e-12
    for mine, other in zip(second, right_second, strict=True):
        assert error(mine, other) < 1e-12


# -- The whole standard ---------------------------------------------------------------------------------------------

#: Functions that raise ``Derivative``, and why.
REFUSED = {
    "unique_all": "its shape depends on the values", "unique_counts": "", "unique_inverse": "", "unique_values": "",
    "nextafter": "the next floating-point number is no function to differentiate",
    "bitwise_and": "of integers", "bitwise_or": "", "bitwise_xor": "", "bitwise_invert": "", "bitwise_left_shift": "",
    "bitwise_right_shift": "",
    "arange": "its shape depends on the values", "from_dlpack": "it would lose the derivative",
}  # fmt: skip
#: Functions of no array that could carry a derivative.
OF_NO_ARRAY = {"__array_namespace_info__", "broadcast_shapes", "empty", "eye", "fftfreq", "ones", "rfftfreq", "zeros"}


def test_the_table_covers_every_function_of_the_standard():
    strict = pytest.importorskip("array_api_strict")
    standard = {
        name
        for part in (strict, strict.linalg, strict.fft)
        for name in part.__all__
        if callable(getattr(part, name)) and not isinstance(getattr(part, name), type) and "strict" not in name
    }
    assert {"svd", "irfftn", "searchsorted"} <= standard
    tested = {name.replace(" (complex)", "").partition(",")[0] for name in CASES}
    known = {"table": tested, "constant": set(CONSTANT), "refused": set(REFUSED), "of no array": OF_NO_ARRAY}
    assert sorted(standard - set().union(*known.values())) == []
    assert sorted(tested & (CONSTANT | set(REFUSED) | OF_NO_ARRAY)) == []


@pytest.mark.parametrize("name", REFUSED)
def test_a_function_without_a_derivative_raises_by_name(backend, name):
    x = backend.asarray([1.0, 2.0, 3.0], "float64")
    xp = recording(xnn.arrays.namespace(x))
    two = name.startswith(("bitwise", "nextafter")) and name != "bitwise_invert"
    with pytest.raises(Derivative, match=name):
        grad(lambda x: getattr(xp, name)(*((x, x) if two else (x,))))(x)


def test_what_is_not_determined_raises_by_name(backend):
    x = backend.asarray(np.ones((3, 2)), "float64")
    xp = recording(xnn.arrays.namespace(x))
    with pytest.raises(Derivative, match="full_matrices=False"):
        grad(lambda x: xp.sum(xp.linalg.svd(x)[1]))(x)
    with pytest.raises(Derivative, match="mode='reduced'"):
        grad(lambda x: xp.sum(xp.linalg.qr(x, mode="complete")[1]))(x)


OF_TWO = {
    "equal", "floor_divide", "greater", "greater_equal", "less", "less_equal", "logical_and", "logical_or",
    "logical_xor", "not_equal",
}  # fmt: skip
OF_TYPES = {"can_cast", "isdtype", "finfo", "iinfo", "result_type", "empty_like"}


@pytest.mark.parametrize("name", sorted(CONSTANT - OF_TYPES - {"isin", "nonzero", "searchsorted"}))
def test_what_is_constant_carries_no_derivative(backend, name):
    x = backend.asarray([[1.5, 2.0], [3.0, 4.2]], "float64")

    def f(x):
        xp = x.__array_namespace__()
        function = getattr(xp.linalg if name == "matrix_rank" else xp, name)
        a = xp.astype(x, xp.bool) if name.startswith("logical") else x
        y = function(*((a, a) if name in OF_TWO else (a,)))
        assert not hasattr(y, "__wrapped_array__")
        return xp.sum(x * xp.astype(y, x.dtype))

    with warnings.catch_warnings(), device_library():
        y = backend.to_numpy(grad(f)(x))
    plain = xnn.arrays.namespace(x)
    function = getattr(plain.linalg if name == "matrix_rank" else plain, name)
    a = plain.astype(x, plain.bool) if name.startswith("logical") else x
    right = backend.to_numpy(function(*((a, a) if name in OF_TWO else (a,)))) * np.ones((2, 2))
    np.testing.assert_array_equal(y, right)


def test_searching_carries_no_derivative(backend):
    x = backend.asarray([1.5, 2.0, 3.0], "float64")

    def f(x):
        xp = x.__array_namespace__()
        place = xp.searchsorted(x, 2.5 * xp.ones_like(x))
        assert not hasattr(place, "__wrapped_array__")
        if backend.name != "array_api_strict":  # it takes integers only
            assert not hasattr(xp.isin(x, x), "__wrapped_array__")
        assert xp.finfo(x.dtype).bits == 64
        assert xp.result_type(x, xp.float32) == x.dtype
        return xp.sum(x * xp.astype(place, x.dtype)) + x[xp.argmax(x)]

    np.testing.assert_array_equal(backend.to_numpy(grad(f)(x)), [2.0, 2.0, 3.0])


# -- Where values are special ---------------------------------------------------------------------------------------


def gradient(backend, f, *x):
    """By reverse mode, held against forward mode."""
    xs = [backend.asarray(np.asarray(a), "float64") for a in x]
    xp = recording(xnn.arrays.namespace(xs[0]))
    found = [backend.to_numpy(a) for a in vjp(lambda x: f(xp, *x), xs)[1](backend.asarray(np.asarray(1.0)))]
    for i, (a, own) in enumerate(zip(xs, found, strict=True)):
        for k in range(own.size):
            e = [backend.asarray(np.zeros(np.shape(b))) for b in x]
            e[i] = backend.asarray(np.reshape(np.arange(own.size) == k, own.shape).astype(float))
            pushed = backend.to_numpy(jvp(lambda x: f(xp, *x), xs, e)[1])
            np.testing.assert_allclose(pushed, own.reshape(-1)[k], atol=1e-14)
        assert a.shape == own.shape
    return found if len(found) > 1 else found[0]


def test_ties_share_evenly(backend):
    x = [[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]]
    largest = gradient(backend, lambda xp, x: xp.sum(xp.max(x, axis=1)), x)
    np.testing.assert_allclose(largest, [[0, 0.5, 0.5], [1 / 3] * 3])
    least = gradient(backend, lambda xp, x: xp.sum(xp.min(x, axis=1)), x)
    np.testing.assert_allclose(least, [[1, 0, 0], [1 / 3] * 3])
    for name in ("maximum", "minimum"):
        a, b = gradient(backend, lambda xp, a, b, name=name: xp.sum(getattr(xp, name)(a, b)), [1.0, 2.0], [1.0, 2.0])
        np.testing.assert_array_equal([a, b], 0.5)
    with device_library():
        norm = gradient(backend, lambda xp, x: xp.linalg.vector_norm(x, ord=float("inf")), [2.0, -2.0])
    np.testing.assert_array_equal(norm, [0.5, -0.5])


def test_a_sort_is_stable(backend):
    weights = [1.0, 2.0, 3.0, 4.0]
    for descending, right in ((False, [3.0, 1.0, 4.0, 2.0]), (True, [1.0, 3.0, 2.0, 4.0])):
        found = gradient(
            backend,
            lambda xp, x, w=weights, d=descending: xp.sum(xp.sort(x, descending=d) * backend.asarray(np.asarray(w))),
            [2.0, 1.0, 2.0, 1.0],
        )
        np.testing.assert_array_equal(found, right)


def test_products_with_zeros(backend):
    for x, right in (([2.0, 0.0, 3.0], [0, 6, 0]), ([0.0, 0.0, 3.0], [0, 0, 0])):
        np.testing.assert_array_equal(gradient(backend, lambda xp, x: xp.prod(x), x), right)
    run = gradient(backend, lambda xp, x: xp.sum(xp.cumulative_prod(x)), [2.0, 0.0, 3.0])
    np.testing.assert_array_equal(run, [1, 8, 0])
    twice = hvp(lambda x: np.prod(x), np.asarray([0.0, 0.0, 3.0]), np.ones(3))
    np.testing.assert_array_equal(twice, [3, 3, 0])


def test_norms_and_deviations_at_zero(backend):
    zero = np.zeros((2, 3))
    with device_library():
        for f in (
            lambda xp, x: xp.linalg.vector_norm(x),
            lambda xp, x: xp.linalg.vector_norm(x, ord=3),
            lambda xp, x: xp.linalg.vector_norm(x, ord=1),
            lambda xp, x: xp.linalg.vector_norm(x, ord=0),
            lambda xp, x: xp.linalg.vector_norm(x, ord=-1),
            lambda xp, x: xp.linalg.matrix_norm(x),
            lambda xp, x: xp.std(x + 1.0),
            lambda xp, x: xp.sum(xp.abs(x)),
            lambda xp, x: xp.sum(xp.copysign(x, -1.0 + x)),
            lambda xp, x: xp.sum(xp.atan2(x, x)),
        ):
            np.testing.assert_array_equal(gradient(backend, f, zero), 0)
        for p, right in ((0.5, [0, 1]), (1.5, [0, 1]), (3, [0, 1]), (0, [0, 0]), (-1, [0, 0])):
            found = gradient(backend, lambda xp, x, p=p: xp.linalg.vector_norm(x, ord=p), [0.0, 2.0])
            np.testing.assert_allclose(found, right, atol=1e-15)


def test_complex_numbers_at_zero():
    """Of abs and sign the derivative at 0 is 0, as PyTorch has it."""
    z = np.asarray([0j, 3 + 4j])
    np.testing.assert_allclose(grad(lambda z: np.sum(np.abs(z)))(z), [0, 0.6 + 0.8j])
    np.testing.assert_allclose(jvp(np.abs, z, 1j * z + 1)[1], [0, 0.6], atol=1e-15)
    np.testing.assert_allclose(jvp(np.sign, z, z + 1j)[1], [0, 1j / 5 - (0.6 + 0.8j) * 0.16], atol=1e-15)
    np.testing.assert_allclose(hvp(lambda z: np.linalg.norm(z) ** 2, z, z), 2 * z)


def test_powers_of_zero(backend):
    zero = [0.0, 2.0]
    for n, right in ((0, [0, 0]), (1, [1, 1]), (2, [0, 4]), (3, [0, 12])):
        np.testing.assert_array_equal(gradient(backend, lambda xp, x, n=n: xp.sum(x**n), zero), right)
        by_arrays = gradient(backend, lambda xp, x, n=n: xp.sum(xp.pow(x, n * xp.ones_like(x))), zero)
        np.testing.assert_allclose(by_arrays, right)
    base, exponent = gradient(backend, lambda xp, a, b: xp.sum(a**b), [0.0, 0.0], [0.0, 2.0])
    np.testing.assert_array_equal([base, exponent], 0)
    np.testing.assert_array_equal(gradient(backend, lambda xp, x: xp.sum(0.0**x), [2.0, 1.0]), 0)
    for k, right in ((1, 0.0), (2, 2.0), (3, 0.0)):
        x = backend.asarray(np.asarray(0.0))
        assert float(backend.to_numpy(derivative(lambda x: x**2, k)(x))) == right


def test_a_logarithm_of_a_sum_of_infinite_and_of_large_numbers(backend):
    inf = math.inf
    a, b = [inf, -inf, inf, -inf, 1.0, 1e17, 800.0, 0.0], [-inf, inf, 1.0, 2.0, -inf, 1e17 - 16, -100.0, 0.0]
    found = gradient(backend, lambda xp, a, b: xp.sum(xp.logaddexp(a, b)), a, b)
    share = 1 / (1 + math.exp(-16))
    np.testing.assert_allclose(found[0], [1, 0, 1, 0, 1, share, 1, 0.5], rtol=1e-15)
    np.testing.assert_allclose(found[1], [0, 1, 0, 1, 0, 1 / (1 + math.exp(16)), 0, 0.5], rtol=1e-14)


def test_a_condition_is_constant():
    """Numbers as a condition say which of two arrays is taken; they have no part in the derivative."""
    x = np.asarray([0.3, 0.0, 1.7])
    assert grad(lambda x: np.sum(np.where(x, 2.0 * x, x + 5.0)))(x).tolist() == [2.0, 1.0, 2.0]
    assert grad(lambda x: np.sum(np.where(x, x, 5.0)))(x).tolist() == [1.0, 0.0, 1.0]
    assert grad(lambda x: np.sum(np.where(x, 1.0, 5.0)) + x[0])(x).tolist() == [1.0, 0.0, 0.0]


def test_a_complex_power_of_a_negative_number():
    z = np.asarray([0.3 + 0.2j, 2.0 - 1.0j])
    tangent = jvp(lambda z: np.asarray([-0.4, 1.2]) ** z, z, z)[1]
    np.testing.assert_allclose(tangent, jvp(lambda z: np.asarray([-0.4 + 0j, 1.2]) ** z, z, z)[1], rtol=1e-14)


def test_a_clip_on_its_bounds_is_as_in_pytorch(backend):
    x, low, high = [0.0, 1.0, 2.0, 3.0, 5.0], [1.0] * 5, [3.0] * 5
    own = gradient(backend, lambda xp, x, a, b: xp.sum(xp.clip(x, a, b)), x, low, high)
    np.testing.assert_array_equal(own, [[0, 1, 1, 1, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 1]])
    np.testing.assert_array_equal(gradient(backend, lambda xp, x: xp.sum(xp.clip(x, 1.0, 3.0)), x), [0, 1, 1, 1, 0])


def test_empty_arrays(backend):
    empty = np.zeros((0, 3))
    for f in (
        lambda xp, x: xp.sum(x * x),
        lambda xp, x: xp.sum(xp.exp(x) @ xp.ones((3, 2), dtype=x.dtype, device=x.device)),
        lambda xp, x: xp.sum(xp.concat([x, x], axis=1)),
        lambda xp, x: xp.sum(xp.prod(x, axis=0)),
        lambda xp, x: xp.sum(xp.sort(x, axis=0)),
        lambda xp, x: xp.sum(xp.cumulative_sum(x, axis=0)),
        lambda xp, x: xp.sum(x[:, 1:]) + xp.sum(xp.roll(x, 1, axis=1)),
    ):
        assert gradient(backend, f, empty).shape == (0, 3)


def test_types_of_numbers(backend):
    single, double = backend.asarray([1.0, 2.0], "float32"), backend.asarray([3.0, 4.0], "float64")
    xp = recording(xnn.arrays.namespace(single))
    x = [single, double]
    for f in (
        lambda x: xp.sum(x[0] * x[1]),
        lambda x: xp.sum(xp.concat([x[0], x[1] * x[1]])),
        lambda x: xp.sum(xp.where(x[0] > 1.5, x[0], x[1])),
        lambda x: xp.sum(xp.astype(x[0], xp.float64) ** 2 * x[1]),
        lambda x: xp.sum(xp.real(xp.astype(x[0], xp.complex64) * (2.0 - 1j))) + xp.sum(x[1]),
    ):
        for g in (grad(f)(x), hvp(f, x, x)):
            assert [a.dtype for a in g] == [single.dtype, double.dtype]
    for f in (
        xp.mean, xp.std, xp.prod, xp.linalg.vector_norm, lambda x: xp.sum(xp.clip(x, 0.0, 1.5)),
        lambda x: xp.sum(xp.abs(x + 1j * x)), lambda x: xp.sum(xp.pow(x, 2)), lambda x: xp.sum(2 ** x),
    ):  # fmt: skip
        with device_library():
            assert grad(f)(single).dtype == single.dtype


def test_determinants_of_singular_matrices_among_others(backend):
    """Each one in a batch has the derivative that it has alone, NaN too; only the ill-conditioned are taken apart."""
    A = np.asarray([[2.0, 1.0], [1.0, 3.0]])
    batch = np.stack([A, [[1.0, 2.0], [2.0, 4.0]], A * np.nan, 1e200 * A, 1e-200 * A, [[1e4, 1.0], [1.0, 1.1e-4]]])
    xp = recording(backend.xp)
    with np.errstate(all="ignore"), device_library():
        slope = grad(lambda x: xp.sum(xp.linalg.det(x)))(backend.asarray(np.stack([batch, batch[::-1]]), "float64"))
    found = backend.to_numpy(slope)
    right = np.stack([np.stack([d, -c, -b, a]).reshape(2, 2) for (a, b), (c, d) in batch])
    np.testing.assert_allclose(found[0], right, rtol=1e-12)
    np.testing.assert_array_equal(found[1], found[0][::-1])


def test_the_cross_product_says_what_to_take_in_the_plane():
    with pytest.raises(ValueError, match=r"vectors of 3 numbers, got 2 along axis -1; .* a\[..., 0\]\*b\[..., 1\] - "):
        grad(lambda x: np.cross(x, x + 1.0))(np.ones(2))


@pytest.mark.parametrize(
    ("A", "cofactors"),
    [
        ([[1.0, 2.0], [2.0, 4.0]], [[4.0, -2.0], [-2.0, 1.0]]),
        ([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 2.0]]),
        ([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]], np.zeros((3, 3))),
        (np.arange(0.1, 1.0, 0.1).reshape(3, 3), 0.03 * np.asarray([[-1.0, 2, -1], [2, -4, 2], [-1, 2, -1]])),
    ],
    ids=["ones", "diagonal", "rank one", "nearly singular"],
)
def test_the_determinant_of_a_singular_matrix_has_a_derivative(backend, A, cofactors):
    det = recording(backend.xp).linalg.det
    A, v = backend.asarray(A, "float64"), backend.asarray(np.arange(9.0).reshape(3, 3)[: len(A), : len(A)], "float64")
    with device_library():
        slope, tangent = grad(det)(A), jvp(det, A, v)[1]
    np.testing.assert_allclose(backend.to_numpy(slope), cofactors, atol=1e-14)
    np.testing.assert_allclose(backend.to_numpy(tangent), np.sum(cofactors * backend.to_numpy(v)), atol=1e-13)
