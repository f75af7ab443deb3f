"""The recording namespace over NumPy is NumPy's, for every function of the standard; over the strict library likewise.

Every name of the standard, as array_api_strict lists it, has expressions here. Each is evaluated in the namespace and
in the library that it wraps: the same values, data type and shape must come out, or the same type of exception; and
every array that comes out must answer with the namespace.
"""

from __future__ import annotations

import copy
import inspect
import operator
import pickle
import subprocess
import sys
import warnings
from types import ModuleType

import array_api_compat
import array_api_compat.numpy as compat
import array_api_strict as strict
import numpy as np
import pytest
import xnn.backends.numpy_recording as recording
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.array_api import make_strategies_namespace

import xnn
from xnn.autodiff.lifted_arrays import Lifted
from xnn.autodiff.lifting import lift

over_strict = ModuleType("recording_over_strict")
lift(over_strict, strict)

WRAPPED = {"numpy": (recording, compat), "array_api_strict": (over_strict, strict)}


def words(text):
    return text.split()


ALL_TYPES = [*words("bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 complex64 complex128")]
SOME_TYPES = ["bool", "int8", "uint64", "float32", "complex128"]
ALL_SHAPES = [(), (0,), (3,), (3, 3), (2, 0), (2, 3, 3)]
SOME_SHAPES = [(), (2, 0), (3,), (3, 3)]

UNARY = words("""abs acos acosh asin asinh atan atanh bitwise_invert ceil conj cos cosh exp expm1 floor imag isfinite
isinf isnan log log10 log1p log2 logical_not negative positive real reciprocal round sign signbit sin sinh sqrt square
tan tanh trunc""")
BINARY = words("""add atan2 bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor copysign divide
equal floor_divide greater greater_equal hypot less less_equal logaddexp logical_and logical_or logical_xor maximum
minimum multiply nextafter not_equal pow remainder subtract""")
AXES = ["", ", axis=0", ", axis=-1, keepdims=True", ", axis=(0, 1)", ", axis=7"]
OPERATORS = ["+", "-", "*", "/", "//", "%", "**", "@", "&", "|", "^", "<<", ">>", "==", "!=", "<", "<=", ">", ">="]

#: The expressions of each function: x and y are arrays of one shape, i of integers, n a Python number.
EXPRESSIONS = {
    **{name: [f"xp.{name}(x)"] for name in UNARY},
    **{name: [f"xp.{name}(x, y)", f"xp.{name}(x, 2)", f"xp.{name}(2.5, x)", f"xp.{name}(x, i)"] for name in BINARY},
    **{name: [f"xp.{name}(x{a})" for a in AXES] for name in words("max mean min all any count_nonzero")},
    **{
        name: [*(f"xp.{name}(x{a})" for a in AXES), f"xp.{name}(x, dtype=xp.float64)", f"xp.{name}(x, dtype=xp.int64)"]
        for name in ("sum", "prod")
    },
    **{name: [*(f"xp.{name}(x{a})" for a in AXES), f"xp.{name}(x, correction=1)"] for name in ("std", "var")},
    **{
        name: [f"xp.{name}(x)", f"xp.{name}(x, axis=0)", f"xp.{name}(x, axis=-1, include_initial=True)",
               f"xp.{name}(x, axis=0, dtype=xp.float32)"]
        for name in ("cumulative_sum", "cumulative_prod")
    },
    **{name: [f"xp.{name}(x)", f"xp.{name}(x, axis=0, keepdims=True)"] for name in ("argmax", "argmin")},
    **{
        name: [f"xp.{name}(x)", f"xp.{name}(x, axis=0)", f"xp.{name}(x, descending=True, stable=True)"]
        for name in ("sort", "argsort")
    },
    **{name: [f"xp.{name}(x)", f"xp.{name}(x, k=1)", f"xp.{name}(x, k=-5)"] for name in ("tril", "triu")},
    **{
        name: [f"xp.{name}((2, 3))", f"xp.{name}(3, dtype=x.dtype)", f"xp.{name}((), dtype=xp.bool)",
               f"xp.{name}(shape=(1,), device=xp.__array_namespace_info__().default_device())"]
        for name in ("zeros", "ones")
    },
    **{name: [f"xp.{name}(x)", f"xp.{name}(x, dtype=xp.int8)"] for name in ("zeros_like", "ones_like")},
    "empty": ["xp.empty((2, 3)).shape", "xp.empty(0, dtype=x.dtype)"],
    "empty_like": ["xp.empty_like(x).shape", "xp.empty_like(x, dtype=xp.int8).dtype"],
    "full": ["xp.full((2,), n)", "xp.full(shape=2, fill_value=True)", "xp.full((), 1, dtype=x.dtype)"],
    "full_like": ["xp.full_like(x, 1)", "xp.full_like(x, fill_value=n, dtype=xp.float32)"],
    "eye": ["xp.eye(3)", "xp.eye(2, 3, k=1, dtype=x.dtype)"],
    "arange": ["xp.arange(5)", "xp.arange(1, 7, 2)", "xp.arange(0, stop=1, step=0.25, dtype=xp.float32)"],
    "linspace": ["xp.linspace(0, 1, 5)", "xp.linspace(0, 1, num=4, endpoint=False, dtype=xp.float32)"],
    "asarray": ["xp.asarray(x)", "xp.asarray(x, copy=True)", "xp.asarray([[1, 2], [3, 4]])", "xp.asarray(n)",
                "xp.asarray(x, dtype=xp.float64)", "xp.asarray([], dtype=xp.bool)", "xp.asarray(True)",
                "xp.asarray(1j)", "xp.asarray([1.0, 2])", "xp.asarray(obj=x)"],
    "from_dlpack": ["xp.from_dlpack(x)", "xp.from_dlpack(x, copy=True)"],
    "meshgrid": ["xp.meshgrid(x, y)", "xp.meshgrid(x, i, indexing='ij')", "xp.meshgrid()"],
    "astype": [*(f"xp.astype(x, xp.{t})" for t in ALL_TYPES), "xp.astype(x, x.dtype, copy=False)"],
    "broadcast_arrays": ["xp.broadcast_arrays(x, xp.zeros((2, 1, 1)))", "xp.broadcast_arrays(x)"],
    "broadcast_shapes": ["xp.broadcast_shapes((2, 1), (3,))", "xp.broadcast_shapes((2,), (3,))"],
    "broadcast_to": ["xp.broadcast_to(x, (2, 2, 3, 3))", "xp.broadcast_to(x, shape=(7,))"],
    "can_cast": ["xp.can_cast(x.dtype, xp.float64)", "xp.can_cast(x, xp.int8)"],
    "finfo": ["float(xp.finfo(x).eps)", "xp.finfo(x.dtype).bits", "xp.finfo(xp.float32).dtype"],
    "iinfo": ["xp.iinfo(x).max", "xp.iinfo(x.dtype).min", "xp.iinfo(xp.int8).dtype"],
    "isdtype": ["xp.isdtype(x.dtype, 'integral')", "xp.isdtype(x.dtype, ('bool', xp.float32))",
                "xp.isdtype(x.dtype, kind='nonsense')"],
    "result_type": ["xp.result_type(x, y)", "xp.result_type(x, xp.float32)", "xp.result_type(x, 1.0)"],
    "clip": ["xp.clip(x, 1, 2)", "xp.clip(x, min=1)", "xp.clip(x, y, None)", "xp.clip(x)", "xp.clip(x, max=y)"],
    "take": ["xp.take(x, i, axis=0)", "xp.take(x, xp.asarray([0]))", "xp.take(x, xp.asarray([9]), axis=0)"],
    "take_along_axis": ["xp.take_along_axis(x, i, axis=0)", "xp.take_along_axis(x, xp.argsort(x))"],
    "matmul": ["xp.matmul(x, y)", "xp.matmul(x, xp.ones(3, dtype=x.dtype))"],
    "tensordot": ["xp.tensordot(x, y)", "xp.tensordot(x, y, axes=1)", "xp.tensordot(x, y, axes=((0,), (0,)))"],
    "matrix_transpose": ["xp.matrix_transpose(x)"],
    "vecdot": ["xp.vecdot(x, y)", "xp.vecdot(x, y, axis=-2)"],
    "concat": ["xp.concat([x, y])", "xp.concat((x, i), axis=-1)", "xp.concat([x, y], axis=None)", "xp.concat([])"],
    "stack": ["xp.stack([x, y])", "xp.stack((x, i), axis=-1)", "xp.stack([])"],
    "expand_dims": ["xp.expand_dims(x, axis=0)", "xp.expand_dims(x, axis=9)", "xp.expand_dims(x)"],
    "flip": ["xp.flip(x)", "xp.flip(x, axis=0)", "xp.flip(x, axis=(0, -1))"],
    "moveaxis": ["xp.moveaxis(x, 0, -1)", "xp.moveaxis(x, (0, 1), (1, 0))"],
    "permute_dims": ["xp.permute_dims(x, (1, 0))", "xp.permute_dims(x, axes=(0,))"],
    "repeat": ["xp.repeat(x, 2)", "xp.repeat(x, 2, axis=0)", "xp.repeat(x, xp.asarray([1, 0, 2]), axis=-1)"],
    "reshape": ["xp.reshape(x, (-1,))", "xp.reshape(x, shape=(9,))", "xp.reshape(x, (3, 3), copy=True)"],
    "roll": ["xp.roll(x, 1)", "xp.roll(x, shift=-1, axis=0)", "xp.roll(x, (1, 2), axis=(0, 1))"],
    "squeeze": ["xp.squeeze(x, 0)", "xp.squeeze(x[None, ...], axis=0)", "xp.squeeze(x[..., None], (-1,))"],
    "tile": ["xp.tile(x, (2,))", "xp.tile(x, (1, 2, 1))"],
    "unstack": ["xp.unstack(x)", "xp.unstack(x, axis=-1)"],
    "nonzero": ["xp.nonzero(x)"],
    "searchsorted": ["xp.searchsorted(x, y)", "xp.searchsorted(xp.sort(x), y, side='right', sorter=i)"],
    "where": ["xp.where(x == y, x, y)", "xp.where(x != y, x, 1)", "xp.where(xp.asarray(True), x, i)",
              "xp.where(x, x, y)"],
    "unique_all": ["xp.unique_all(x)"],
    "unique_counts": ["xp.unique_counts(x)"],
    "unique_inverse": ["xp.unique_inverse(x)"],
    "unique_values": ["xp.unique_values(x)"],
    "isin": ["xp.isin(x, y)", "xp.isin(x, i, invert=True)", "xp.isin(x, 1)"],
    "diff": ["xp.diff(x)", "xp.diff(x, axis=0, n=2)", "xp.diff(x, prepend=x, append=y)"],
    "__array_namespace_info__": [
        f"xp.__array_namespace_info__().{what}"
        for what in ("capabilities()", "default_dtypes()", "dtypes()", "dtypes(kind='integral')", "devices()",
                     "default_device()")
    ],
}  # fmt: skip

LINALG = {
    **{name: [f"xp.linalg.{name}({of})"] for of in ("x",) for name in words("inv det slogdet eigh eigvalsh svdvals")},
    **{
        name: [e.replace("xp.", "xp.linalg.", 1) for e in EXPRESSIONS[name]]
        for name in words("matmul tensordot matrix_transpose vecdot")
    },
    "cholesky": ["xp.linalg.cholesky(x @ x.mT + 2 * xp.eye(3, dtype=x.dtype))", "xp.linalg.cholesky(x, upper=True)"],
    "cross": ["xp.linalg.cross(x, y)", "xp.linalg.cross(x, y, axis=0)"],
    "diagonal": ["xp.linalg.diagonal(x)", "xp.linalg.diagonal(x, offset=1)"],
    "matrix_norm": ["xp.linalg.matrix_norm(x)", "xp.linalg.matrix_norm(x, ord='nuc', keepdims=True)",
                    "xp.linalg.matrix_norm(x, ord=1)", "xp.linalg.matrix_norm(x, ord=float('inf'))"],
    "matrix_power": ["xp.linalg.matrix_power(x, 3)", "xp.linalg.matrix_power(x, -1)", "xp.linalg.matrix_power(x, 0)"],
    "matrix_rank": ["xp.linalg.matrix_rank(x)", "xp.linalg.matrix_rank(x, rtol=0.1)"],
    "outer": ["xp.linalg.outer(x, y)"],
    "pinv": ["xp.linalg.pinv(x)", "xp.linalg.pinv(x, rtol=0.1)"],
    "qr": ["xp.linalg.qr(x)", "xp.linalg.qr(x, mode='complete').R"],
    "solve": ["xp.linalg.solve(x, y)", "xp.linalg.solve(x, y[..., 0])"],
    "svd": ["xp.linalg.svd(x).S", "xp.linalg.svd(x, full_matrices=False)"],
    "trace": ["xp.linalg.trace(x)", "xp.linalg.trace(x, offset=-1, dtype=xp.complex128)"],
    "vector_norm": ["xp.linalg.vector_norm(x)", "xp.linalg.vector_norm(x, axis=0, ord=1, keepdims=True)",
                    "xp.linalg.vector_norm(x, ord=-3.5)", "xp.linalg.vector_norm(x, axis=(0, 1), ord=0)"],
}  # fmt: skip

FFT = {
    **{
        name: [f"xp.fft.{name}(x)", f"xp.fft.{name}(x, n=4, axis=0, norm='ortho')", f"xp.fft.{name}(x, norm='no')"]
        for name in words("fft ifft rfft irfft hfft ihfft")
    },
    **{
        name: [f"xp.fft.{name}(x)", f"xp.fft.{name}(x, s=(4, 2), axes=(0, 1), norm='forward')"]
        for name in words("fftn ifftn rfftn irfftn")
    },
    **{name: [f"xp.fft.{name}(5, d=0.1)"] for name in ("fftfreq", "rfftfreq")},
    **{name: [f"xp.fft.{name}(x)", f"xp.fft.{name}(x, axes=0)"] for name in ("fftshift", "ifftshift")},
}

OF_ARRAYS = [
    *(f"x {o} y" for o in OPERATORS), *(f"x {o} 2" for o in OPERATORS), *(f"2.5 {o} x" for o in OPERATORS),
    *(f"x {o} i" for o in OPERATORS), *(f"True {o} x" for o in OPERATORS), *(f"x {o} 1j" for o in OPERATORS),
    *(f"x {o} 'a'" for o in OPERATORS), *(f"None {o} x" for o in OPERATORS), "-x", "+x", "~x", "abs(x)",
    *(f"x.{a}" for a in ("dtype", "shape", "ndim", "size", "device", "T", "mT")), "x.to_device(x.device)",
    "x.to_device('nowhere')", "bool(x)", "int(x)", "float(x)", "complex(x)", "operator.index(x)", "len(x)", "list(x)",
    "x[0]", "x[...]", "x[()]", "x[None]", "x[1:, ...]", "x[-1, ..., 0]", "x[::-1]", "x[x == y]", "x[i]", "x[i, i]",
    "x[99]", "x[True]", "x['a']", "x[0, 0, 0, 0]", "x[xp.asarray(0)]", "[*range(3)][xp.asarray(1)]", "repr(x) > ''",
    "hash(x)", "x.__array_namespace__() is not None",
    "x.__array_namespace__(api_version='2022.12') is not None", "x.__dlpack_device__()", "x.nonsense",
    "x.__array_namespace__(api_version='nonsense') is not None",
]  # fmt: skip
STATEMENTS = [
    *(f"x {o}= {other}" for o in OPERATORS[:13] for other in ("y", "2", "2.5", "True", "i", "1j", "xp.ones((2, 1))")),
    "x[0] = 1", "x[...] = y", "x[()] = 0", "x[1:] = 2.5", "x[x == y] = 0", "x[i] = x[i]", "x[99] = 0", "x[0] = y[-1]",
    "x[0, 0] = True", "x[...] = 1j",
]  # fmt: skip


def arrays(library, dtype, shape):
    """x, y and i of the library, the same numbers in every library."""
    size = int(np.prod(shape))
    numbers = [np.resize(v, size).reshape(shape) for v in ([3, 1, 2, 0, 5, 7, 4, 1], [2, 2, 1, 3, 1, 4], [2, 0, 1])]
    if dtype.startswith(("float", "complex")):
        numbers[0] = np.resize([0.5, -np.inf, 2.5, np.nan, -1.0, 0.0, -0.0, 7.5, 1e-3, np.inf, 0.1], size).reshape(
            shape
        )
        if shape[-2:] == (3, 3):  # matrices for linear algebra; shape (3,) has the special values
            numbers[0] = np.resize([2.0, 1.0, 0.5, -1.0, 3.0, 0.25, 0.0, 1.5, -4.0, 0.75], size).reshape(shape)
    types = [dtype, dtype, "int64"]
    return [library.asarray(v.tolist(), dtype=getattr(library, t)) for v, t in zip(numbers, types, strict=True)]


def outcome(library, code, dtype, shape, statement=False):
    """What comes out: a value, or the type of the exception."""
    x, y, i = arrays(library, dtype, shape)
    names = {"xp": library, "x": x, "y": y, "i": i, "n": 2.5, "operator": operator}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if statement:
                names["before"] = x
                exec(code, names)
                return names["x"], names["x"] is names["before"], names["before"]
            return eval(code, names)
        except Exception as error:
            return type(error)


def plain(x, own):
    """What came out as lists of (shape, data type, numbers), arrays of the namespace and of the library alike."""
    if isinstance(x, Lifted):
        assert x.__array_namespace__() is own
        x = x.value
    elif own is not None:
        assert xnn.arrays.owner(x) is None, "an array that does not answer with the namespace"
    if type(x).__module__.startswith("array_api_strict") and hasattr(x, "_array"):
        return "array", x.shape, str(x.dtype), np.asarray(x._array).tolist()
    if isinstance(x, (np.ndarray, np.generic)):
        return "array", x.shape, str(x.dtype), x.tolist()
    if isinstance(x, (list, tuple)):
        return type(x).__name__, [plain(a, own) for a in x], getattr(x, "_fields", None)
    return x if not isinstance(x, float) else repr(x)


def same(library, codes, dtypes=SOME_TYPES, shapes=SOME_SHAPES, statement=False):
    """Hold the namespace against the library that it wraps."""
    own, wrapped = WRAPPED[library]
    for code in codes:
        for dtype in dtypes:
            for shape in shapes:
                got = outcome(own, code, dtype, shape, statement)
                right = outcome(wrapped, code, dtype, shape, statement)
                got, right = plain(got, own), plain(right, None)
                assert repr(got) == repr(right), f"{code} for {dtype} of shape {shape}"
    strict.reset_array_api_strict_flags()


FUNCTIONS = [n for n in strict.__all__ if callable(getattr(strict, n)) and n in dir(strict) and n[0].islower()]
FUNCTIONS = [n for n in FUNCTIONS if n not in ALL_TYPES and "array_api_strict_flags" not in n]


def test_every_function_of_the_standard_has_expressions():
    assert set(FUNCTIONS) <= set(EXPRESSIONS)
    assert set(strict.linalg.__all__) == set(LINALG)
    assert set(strict.fft.__all__) == set(FFT)
    assert len(FUNCTIONS) + len(LINALG) + len(FFT) >= 170  # none was lost while listing them


@pytest.mark.parametrize("library", WRAPPED)
@pytest.mark.parametrize("name", EXPRESSIONS)
def test_functions(library, name):
    same(library, EXPRESSIONS[name], SOME_TYPES if library == "numpy" else ["bool", "float32"])


@pytest.mark.parametrize("library", WRAPPED)
@pytest.mark.parametrize("part", ["linalg", "fft"])
def test_extensions(library, part):
    for codes in {"linalg": LINALG, "fft": FFT}[part].values():
        same(library, codes, ["int64", "float32", "complex128"], [(3,), (3, 3)])


@pytest.mark.parametrize("library", WRAPPED)
def test_operators_and_attributes(library):
    same(library, OF_ARRAYS, ["uint8", "float64"], [(), (3, 3)])


@pytest.mark.parametrize("library", WRAPPED)
def test_changes_in_place(library):
    same(library, STATEMENTS, ["bool", "int8", "float32"], [(), (3, 3)], statement=True)


@pytest.mark.slow
@pytest.mark.parametrize("library", WRAPPED)
def test_all_of_it_for_all_types_and_shapes(library):
    for table, shapes in ((EXPRESSIONS, ALL_SHAPES), (LINALG, ALL_SHAPES), (FFT, [(), (3,), (3, 3), (2, 3, 3)])):
        for codes in table.values():  # NumPy's fft of no entries reads memory that nobody wrote
            same(library, codes, ALL_TYPES, shapes)
    same(library, OF_ARRAYS, ALL_TYPES, ALL_SHAPES)
    same(library, STATEMENTS, ALL_TYPES, ALL_SHAPES, statement=True)


@pytest.mark.parametrize("library", WRAPPED)
def test_types_promote_as_the_library_does(library):
    own, wrapped = WRAPPED[library]
    for name in ("add", "multiply", "maximum", "where"):
        for first in ALL_TYPES:
            for second in ALL_TYPES:
                both = []
                for xp in (own, wrapped):
                    a, b = xp.ones(2, dtype=getattr(xp, first)), xp.ones(2, dtype=getattr(xp, second))
                    try:
                        y = xp.where(a == a, a, b) if name == "where" else getattr(xp, name)(a, b)
                        both.append((str(y.dtype), str(xp.result_type(a, b))))
                    except Exception as error:
                        both.append(type(error))
                assert both[0] == both[1], (name, first, second)


# -- What the conformance suite looks at beside results ----------------------------------------------------------


def test_names_constants_and_types():
    for name in strict.__all__:
        if "flags" not in name.lower() and name not in ("Device", "__version__"):
            assert hasattr(recording, name), name
    assert recording.__array_api_version__ == compat.__array_api_version__
    for name in ("e", "inf", "nan", "pi", "newaxis"):
        assert repr(getattr(recording, name)) == repr(getattr(compat, name))
    for name in ALL_TYPES:
        assert getattr(recording, name) is getattr(compat, name)
        assert recording.zeros(1, dtype=getattr(recording, name)).dtype == getattr(recording, name)
    methods = [n for n in dir(strict.asarray(1.0)) if n.startswith("__") and callable(getattr(strict.asarray(1.0), n))]
    for name in [*methods, "to_device", "T", "mT", "device", "dtype", "ndim", "shape", "size"]:
        assert hasattr(recording.zeros((1, 1)), name) or not hasattr(np.zeros((1, 1)), name), name


def _parameters(function):
    return list(inspect.signature(function).parameters.values())


@pytest.mark.parametrize("part", ["", "linalg", "fft"])
def test_signatures(part):
    """As the suite: the standard's arguments come first, under its names where these count; others are optional."""
    own, wrapped, standard = (getattr(xp, part) if part else xp for xp in (recording, compat, strict))
    for name in standard.__all__ if part else FUNCTIONS:
        assert inspect.signature(getattr(own, name)) == inspect.signature(getattr(wrapped, name)) or name in (
            "asarray", "full", "full_like", "matmul"
        ), name  # fmt: skip
        theirs = {p.name: p for p in _parameters(getattr(own, name))}
        stub = [p for p in _parameters(getattr(standard, name)) if p.name not in ("_UndefinedFloatType",)]
        for place, p in enumerate(q for q in stub if q.kind is q.POSITIONAL_OR_KEYWORD):
            offset = sum(q.kind is q.POSITIONAL_ONLY for q in stub)
            found = list(theirs.values())
            if all(q.kind is not q.VAR_POSITIONAL for q in found):
                assert found[place + offset].name == p.name, (name, p.name)


def test_signatures_of_methods():
    for name in ("__add__", "__radd__", "__iadd__", "__matmul__", "__getitem__", "__setitem__", "__dlpack__",
                 "__array_namespace__", "__dlpack_device__", "__bool__", "__neg__", "__rrshift__"):  # fmt: skip
        mine, right = _parameters(getattr(Lifted, name)), _parameters(getattr(type(strict.asarray(1)), name))
        assert len(mine) == len(right), name
        assert [p.name for p in mine if p.kind is p.KEYWORD_ONLY] == [p.name for p in right if p.kind is p.KEYWORD_ONLY]
        assert len(mine) == 1 or not any(p.kind is p.POSITIONAL_OR_KEYWORD for p in mine), name


def test_memory_is_shared_where_the_library_shares_it():
    x = recording.zeros(3)
    view, same_memory, own = x[1:], recording.asarray(x, copy=False), recording.asarray(x, copy=True)
    x[1] = 5.0
    assert [float(view[0]), float(same_memory[1]), float(own[1])] == [5.0, 5.0, 0.0]
    other = x
    other += 1
    assert other is x
    assert float(x[1]) == 6.0
    np.from_dlpack(x)[0] = 9.0 if np.from_dlpack(x).flags.writeable else 0.0
    assert recording.from_dlpack(x).__array_namespace__() is recording
    a = np.ones(3)
    a += x
    assert type(a) is np.ndarray
    assert float(a[1]) == 7.0
    np.add(x, 1.0, out=(y := recording.zeros(3)).value)
    assert float(y[1]) == 7.0
    assert copy.deepcopy(x) is not x
    for twin in (copy.copy(x), pickle.loads(pickle.dumps(x))):
        assert twin.__array_namespace__() is recording
        assert np.asarray(twin).tolist() == np.asarray(x).tolist()


xps = make_strategies_namespace(recording)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_arrays_of_hypothesis(data):
    """The suite draws its arrays in this way: filled in place, then combined with others of a mutual shape."""
    shapes = data.draw(xps.mutually_broadcastable_shapes(2, max_dims=3, max_side=4))
    dtype = data.draw(xps.scalar_dtypes())
    x, y = (data.draw(xps.arrays(dtype, shape)) for shape in shapes.input_shapes)
    assert x.dtype == dtype
    assert x.__array_namespace__() is recording
    key = data.draw(xps.indices(x.shape, allow_newaxis=True))
    np.testing.assert_array_equal(np.asarray(x[key]), np.asarray(x)[key])
    equal = x == y
    assert equal.shape == shapes.result_shape
    np.testing.assert_array_equal(np.asarray(equal), np.asarray(x) == np.asarray(y))
    for function in (recording.unique_all, recording.isin, recording.nonzero):
        args = (x, y) if function is recording.isin else (x,)
        if function is not recording.nonzero or x.ndim:
            function(*args)


def test_array_namespace_knows_the_module():
    x = recording.asarray([1.0, 2.0])
    assert array_api_compat.array_namespace(x, recording.ones(2), 2.0) is recording
    assert array_api_compat.is_array_api_obj(x)
    assert array_api_compat.device(x) == "cpu"
    assert array_api_compat.size(x) == 2
    assert xnn.to_numpy(x).tolist() == [1.0, 2.0]


def test_it_is_imported_by_its_name():
    code = "import importlib; xp = importlib.import_module('xnn.backends.numpy_recording'); print(xp.sum(xp.ones(3)))"
    found = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert "3.0" in found.stdout


# -- Lifted arrays beside traced ones ----------------------------------------------------------------------------


def test_lifted_and_traced_arrays_mix():
    xp, data = recording, recording.asarray([1.0, 2.0])

    def cost(w):
        assert array_api_compat.array_namespace(w, data) is xp
        w += data  # a new array: w carries a derivative
        r = data * w + np.asarray([1.0, 1.0]) @ w - xp.stack([data, w])[1, ...] + np.sin(w)
        r = data + r
        return xp.sum(xp.where(data > 1.5, r, r * r))

    x = xp.asarray([0.5, -0.25])
    slope = xnn.grad(cost)(x)

    def the_same(w):
        c = np.asarray([1.0, 2.0])
        v = w + c
        r = c * v + np.sum(v) - v + np.sin(v) + c
        return np.sum(np.where(np.asarray([False, True]), r, r * r))

    right = xnn.grad(the_same)(np.asarray([0.5, -0.25]))
    assert slope.__array_namespace__() is xp
    np.testing.assert_allclose(np.asarray(slope), right, rtol=1e-14)
    hessian = xnn.hessian(cost)(x)
    assert hessian.__array_namespace__() is xp
    for mode in ("forward", "reverse"):
        np.testing.assert_allclose(xnn.jacobian(xnn.grad(cost), mode=mode)(x), hessian, rtol=1e-13)
    _, tangent = xnn.jvp(cost, x, xp.ones(2))
    np.testing.assert_allclose(float(tangent), np.sum(right), rtol=1e-14)
    np.testing.assert_allclose(xnn.derivative(lambda x: xp.exp(data * x), 2)(x), np.asarray(data) ** 2 * np.exp(
        np.asarray(data) * np.asarray(x)))  # fmt: skip
