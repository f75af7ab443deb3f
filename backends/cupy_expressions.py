"""What a kernel can compute of an entry, in CUDA: by the name that a function has in the standard.

``{0}``, ``{1}`` and ``{2}`` stand for the arguments, which are names of variables. What is not named here is done
by CuPy's own kernels.
"""

from __future__ import annotations

__all__ = ["ENTRYWISE", "EXPRESSIONS", "FUNCTIONS", "REDUCTIONS", "RESULTS", "TYPES"]

#: How two partial results are joined.
REDUCTIONS = {"sum": "{0} + {1}", "max": "maximum({0}, {1})", "min": "minimum({0}, {1})"}

#: NaN wins, as everywhere.
FUNCTIONS = """\
template <typename T> __device__ T maximum(T a, T b) { return a != a ? a : b != b ? b : a > b ? a : b; }
template <typename T> __device__ T minimum(T a, T b) { return a != a ? a : b != b ? b : a < b ? a : b; }
"""

_REAL = {
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "negative": "-{0}",
    "abs": "fabs({0})",
    "square": "{0} * {0}",
    "sign": "{0} > 0 ? 1 : {0} < 0 ? -1 : {0}",
    "maximum": "maximum({0}, {1})",
    "minimum": "minimum({0}, {1})",
    "where": "{0} ? {1} : {2}",
    "pow": "pow({0}, {1})",
} | {
    name: f"{name}({{0}})"
    for name in (
        "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "floor", "ceil",
        "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh",
    )
}  # fmt: skip
_WHOLE = {  # they wrap around, which in CUDA only unsigned numbers may
    "add": "(int)((unsigned){0} + (unsigned){1})",
    "subtract": "(int)((unsigned){0} - (unsigned){1})",
    "multiply": "(int)((unsigned){0} * (unsigned){1})",
    "bitwise_and": "{0} & {1}",
    "bitwise_or": "{0} | {1}",
    "bitwise_xor": "{0} ^ {1}",
    "bitwise_invert": "~{0}",
    "bitwise_right_shift": "{0} >> {1}",
    "where": "{0} ? {1} : {2}",
}
_LOGICAL = {
    "logical_and": "{0} && {1}",
    "logical_or": "{0} || {1}",
    "logical_not": "!{0}",
    "bitwise_and": "{0} && {1}",
    "bitwise_or": "{0} || {1}",
    "bitwise_invert": "!{0}",
}
_COMPARED = {
    "less": "{0} < {1}",
    "less_equal": "{0} <= {1}",
    "greater": "{0} > {1}",
    "greater_equal": "{0} >= {1}",
    "equal": "{0} == {1}",
    "not_equal": "{0} != {1}",
}
#: The types, by the character that NumPy has for each.
TYPES = {"f": "float", "d": "double", "h": "short", "i": "int", "l": "long long", "?": "bool"}

#: By function and type of the arguments.
EXPRESSIONS = {(op, c): text for c in "fd" for op, text in _REAL.items()}
EXPRESSIONS |= {(op, "i"): text for op, text in _WHOLE.items()}
EXPRESSIONS |= {(op, "?"): text for op, text in _LOGICAL.items()}
EXPRESSIONS |= {(op, c): text for c in "fdhi" for op, text in _COMPARED.items()}

#: The type of the result, by function and type of the arguments, for all that a kernel can compute of entries.
RESULTS: dict[tuple[str, str], str] = {key: "?" if key[0] in _COMPARED else key[1] for key in EXPRESSIONS}
#: The names of these functions.
ENTRYWISE = frozenset(op for op, _ in RESULTS) | {"astype"}
