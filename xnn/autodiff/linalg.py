"""Linear algebra: the differentials of matrix functions, over the last two axes.

The equations are those of P. S. Dwyer & M. S. MacPhail (1948) for the inverse, G. H. Golub & V. Pereyra (1973) for
the pseudoinverse, and M. B. Giles (2008), "Collected matrix derivative results for forward and reverse mode
algorithmic differentiation", for the others. H is the conjugate transpose, for real matrices the transpose.
"""

from __future__ import annotations

import math
from collections import namedtuple
from operator import index
from typing import Any

from array_api_compat import device

from xnn.arrays import to_numpy
from xnn.autodiff.composed import COMPOSED, root, squares
from xnn.autodiff.decompositions import DECOMPOSITIONS, H, MatrixRule, eye, svdvals
from xnn.autodiff.rule import Rule, Tangents, is_complex, reduce_to
from xnn.autodiff.tracing import apply, raw
from xnn.contract import Array
from xnn.host import numpy

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


class Adjugate(MatrixRule):
    """Y = adj A, which is det A · A⁻¹ and exists for singular A, too: with A = U S Vᴴ

        adj A = det(U Vᴴ) V adj(S) Uᴴ,    Ẏ = tr(A⁻¹ Ȧ) Y − A⁻¹ Ȧ Y,    Ā = tr(Ȳ Yᴴ) A⁻ᴴ − A⁻ᴴ Ȳ Yᴴ.

    Its own derivative needs A⁻¹.
    """

    def evaluate(self, xp: Any, *args: Any, **options: Any) -> Array:
        """By A⁻¹; for the ill-conditioned matrices of a batch from the singular values, which takes much longer.

        Near a singular matrix the rounding errors of det A and A⁻¹ cancel only where both come of one elimination.
        """
        (A,) = args
        d = xp.linalg.det(A)
        inverse = xp.linalg.inv(xp.where((d == 0.0)[..., None, None], eye(xp, A), A))
        condition = xp.linalg.matrix_norm(A) * xp.linalg.matrix_norm(inverse)
        ill = (d == 0.0) | (~(condition < xp.finfo(A.dtype).eps ** -0.5) & (d == d))  # NaN stays NaN
        try:
            places = numpy.flatnonzero(to_numpy(ill))
        except TypeError:  # JAX does not know them while it compiles
            return self._by_singular_values(xp, A)
        y = d[..., None, None] * inverse
        if not places.size:
            return y
        matrices, where = xp.reshape(A, (-1, *A.shape[-2:])), {"device": device(A)}
        order = numpy.arange(matrices.shape[0])
        order[places] = order.size + numpy.arange(places.size)
        apart = self._by_singular_values(xp, xp.take(matrices, xp.asarray(places, **where), axis=0))
        both = xp.concat([xp.reshape(y, matrices.shape), apart])
        return xp.reshape(xp.take(both, xp.asarray(order, **where), axis=0), A.shape)

    @staticmethod
    def _by_singular_values(xp: Any, A: Array) -> Array:
        U, s, Vh = xp.linalg.svd(A)
        before, after = (  # adj S has the product of the others at each place
            xp.cumulative_prod(a, axis=-1, include_initial=True)[..., :-1] for a in (s, xp.flip(s, axis=-1))
        )
        others = before * xp.flip(after, axis=-1)
        return xp.linalg.det(U @ Vh)[..., None, None] * ((H(xp, Vh) * others[..., None, :]) @ H(xp, U))

    def push(self, xp: Any, tangents: Tangents, y: Array, args: Any, options: Any) -> Array:
        """tr(A⁻¹ Ȧ) Y − A⁻¹ Ȧ Y."""
        relative = xp.linalg.inv(args[0]) @ tangents[0]
        return xp.linalg.trace(relative)[..., None, None] * y - relative @ y

    def pull(self, xp: Any, i: int, g: Array, y: Array, args: Any, options: Any) -> Array:
        """tr(Yᴴ Ȳ) A⁻ᴴ − A⁻ᴴ Ȳ Yᴴ."""
        product = g @ H(xp, y)
        inverse = H(xp, xp.linalg.inv(args[0]))
        return xp.linalg.trace(product)[..., None, None] * inverse - inverse @ product


class Determinant(MatrixRule):
    """d = det A: ḋ = tr(adj(A) Ȧ), Ā = d̄ adj(A)ᴴ."""

    def push(self, xp: Any, tangents: Tangents, y: Array, args: Any, options: Any) -> Array:
        """tr(adj(A) Ȧ)."""
        return xp.sum(xp.matrix_transpose(self._adjugate(xp, args[0])) * tangents[0], axis=(-2, -1))

    def pull(self, xp: Any, i: int, g: Array, y: Array, args: Any, options: Any) -> Array:
        """D̄ adj(A)ᴴ."""
        return g[..., None, None] * H(xp, self._adjugate(xp, args[0]))

    @staticmethod
    def _adjugate(xp: Any, A: Array) -> Array:
        return apply(_ADJUGATE, getattr(xp, "base_namespace", xp), (A,), {})


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
_ADJUGATE = Adjugate("adjugate")
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
    n = index(n)
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
    if ord not in ("nuc", 1, -1, 2, -2, math.inf, -math.inf):
        raise ValueError(f"the norm of a matrix has ord 'fro', 'nuc', 1, -1, 2, -2, inf or -inf; got {ord!r}")
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
