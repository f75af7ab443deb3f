"""Linear algebra: the differentials of matrix functions, over the last two axes.

The equations are those of P. S. Dwyer & M. S. MacPhail (1948) for the inverse, G. H. Golub & V. Pereyra (1973) for
the pseudoinverse, and M. B. Giles (2008), "Collected matrix derivative results for forward and reverse mode
algorithmic differentiation", for the others. H is the conjugate transpose, for real matrices the transpose.
"""

from __future__ import annotations

from collections import namedtuple
from typing import Any

from xnn.arrays import Array
from xnn.autodiff.composed import COMPOSED, root, squares
from xnn.autodiff.decompositions import DECOMPOSITIONS, H, MatrixRule, eye, svdvals
from xnn.autodiff.rule import Rule, Tangents, conj, is_complex, reduce_to
from xnn.autodiff.tracing import raw

__all__ = ["LINALG", "LINALG_COMPOSED"]


class Inverse(MatrixRule):
    """Y = A⁻¹: Ẏ = −Y Ȧ Y, Ā = −Yᴴ Ȳ Yᴴ."""

    def push(self, xp: Any, tangents: Tangents, y: Array, args: Any, options: Any) -> Array:
        """−Y Ȧ Y."""
        return -(y @ tangents[0] @ y)

    def pull(self, xp: Any, i: int, g: Array, y: Array, args: Any, options: Any) -> Array:
        """−Yᴴ Ȳ Yᴴ."""
        return -(H(xp, y) @ g @ H(xp, y))


class PseudoInverse(MatrixRule):
    """Y = A⁺ for matrices that keep their rank near A, with the projections P = 1 − A Y and Q = 1 − Y A:

    Ẏ = −Y Ȧ Y + Y Yᴴ Ȧᴴ P + Q Ȧᴴ Yᴴ Y,    Ā = −Yᴴ Ȳ Yᴴ + P Ȳᴴ Y Yᴴ + Yᴴ Y Ȳᴴ Q.
    """

    def push(self, xp: Any, tangents: Tangents, y: Array, args: Any, options: Any) -> Array:
        """−Y Ȧ Y + Y Yᴴ Ȧᴴ P + Q Ȧᴴ Yᴴ Y."""
        A, yH, dA = args[0], H(xp, y), tangents[0]
        P, Q, dH = eye(xp, y) - A @ y, eye(xp, yH) - y @ A, H(xp, dA)
        return y @ (yH @ dH @ P - dA @ y) + Q @ dH @ yH @ y

    def pull(self, xp: Any, i: int, g: Array, y: Array, args: Any, options: Any) -> Array:
        """−Yᴴ Ȳ Yᴴ + P Ȳᴴ Y Yᴴ + Yᴴ Y Ȳᴴ Q."""
        A, yH, gH = args[0], H(xp, y), H(xp, g)
        P, Q = eye(xp, y) - A @ y, eye(xp, yH) - y @ A
        return (P @ gH @ y - yH @ g) @ yH + yH @ y @ gH @ Q


class Solve(MatrixRule):
    """A Y = B: A Ẏ = Ḃ − Ȧ Y;  B̄ = A⁻ᴴ Ȳ, Ā = −B̄ Yᴴ. B is a matrix (``solve`` makes a vector a column)."""

    def push(self, xp: Any, tangents: Tangents, y: Array, args: Any, options: Any) -> Array:
        """A⁻¹ (Ḃ − Ȧ Y)."""
        A, (dA, dB) = args[0], tangents
        if dA is None:
            return xp.linalg.solve(A, dB)
        right = -(dA @ y)
        return xp.linalg.solve(A, right if dB is None else dB + right)

    def pull(self, xp: Any, i: int, g: Array, y: Array, args: Any, options: Any) -> Array:
        """A⁻ᴴ Ȳ, and −B̄ Yᴴ."""
        b = xp.linalg.solve(H(xp, args[0]), g)
        return reduce_to(xp, b if i == 1 else -(b @ H(xp, y)), args[i])


class Determinant(MatrixRule):
    """d = det A: ḋ = d tr(A⁻¹ Ȧ), Ā = d̄ conj(d) A⁻ᴴ; A must not be singular."""

    def push(self, xp: Any, tangents: Tangents, y: Array, args: Any, options: Any) -> Array:
        """D tr(A⁻¹ Ȧ)."""
        return y * xp.sum(xp.matrix_transpose(xp.linalg.inv(args[0])) * tangents[0], axis=(-2, -1))

    def pull(self, xp: Any, i: int, g: Array, y: Array, args: Any, options: Any) -> Array:
        """Conj(d) d̄ A⁻ᴴ."""
        return (g * conj(xp, y))[..., None, None] * H(xp, xp.linalg.inv(args[0]))


class LogDet(MatrixRule):
    """y = log det A, of a real matrix log |det A|: ẏ = tr(A⁻¹ Ȧ), Ā = ȳ A⁻ᴴ."""

    def evaluate(self, xp: Any, *args: Any, **options: Any) -> Array:
        """From slogdet: log |det A|, plus i times the angle of a complex determinant."""
        sign, y = xp.linalg.slogdet(args[0])
        return y + xp.log(sign) if is_complex(sign) else y

    def push(self, xp: Any, tangents: Tangents, y: Array, args: Any, options: Any) -> Array:
        """tr(A⁻¹ Ȧ)."""
        return xp.sum(xp.matrix_transpose(xp.linalg.inv(args[0])) * tangents[0], axis=(-2, -1))

    def pull(self, xp: Any, i: int, g: Array, y: Array, args: Any, options: Any) -> Array:
        """Ȳ A⁻ᴴ."""
        return g[..., None, None] * H(xp, xp.linalg.inv(args[0]))


SLogDet = namedtuple("SLogDet", "sign logabsdet")
_SOLVE, _LOGDET = Solve("solve"), LogDet("slogdet")

#: The rules of ``xp.linalg`` by name.
LINALG: dict[str, Rule] = {rule.name: rule for rule in (Inverse("inv"), PseudoInverse("pinv"), Determinant("det"))}


def solve(xp: Any, A: Array, B: Array, /) -> Array:
    """A⁻¹ B of matrices, or of one vector B."""
    if B.ndim == 1:
        return xp.apply(_SOLVE, (A, B[:, None]), {})[..., 0]
    return xp.apply(_SOLVE, (A, B), {})


def slogdet(xp: Any, A: Array, /) -> Any:
    """(sign, log |det A|); the sign of a real determinant is constant."""
    y = xp.apply(_LOGDET, (A,), {})
    if is_complex(y):
        return SLogDet(xp.exp(1j * xp.imag(y)), xp.real(y))
    return SLogDet(xp.base_namespace.linalg.slogdet(raw(A))[0], y)


def matrix_power(xp: Any, A: Array, n: int, /) -> Array:
    """Aⁿ by squares."""
    if n < 0:
        A, n = xp.linalg.inv(A), -n
    result = None
    while n:
        if n % 2:
            result = A if result is None else result @ A
        n //= 2
        A = A @ A if n else A
    return xp.broadcast_to(eye(xp, A), A.shape) if result is None else result


def matrix_norm(xp: Any, x: Array, /, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    """Frobenius's norm, Σ s ("nuc"), the largest or least s (2, −2), sum of a column (1, −1) or of a row (∞, −∞)."""
    if ord == "fro":
        return root(xp, xp.sum(squares(xp, x), axis=(-2, -1), keepdims=keepdims))
    if ord == "nuc":
        y = xp.sum(svdvals(xp, x), axis=-1)
    else:
        over = svdvals(xp, x) if abs(ord) == 2 else xp.sum(xp.abs(x), axis=-2 if abs(ord) == 1 else -1)
        y = (xp.max if ord > 0 else xp.min)(over, axis=-1)
    return y[..., None, None] if keepdims else y


#: Compositions of ``xp.linalg`` by name.
LINALG_COMPOSED: dict[str, Any] = {
    **{name: COMPOSED[name] for name in ("outer", "vecdot", "tensordot", "diagonal", "trace", "vector_norm", "cross")},
    **{f.__name__: f for f in (solve, slogdet, matrix_power, matrix_norm)},
    **DECOMPOSITIONS,
}
