"""Linear algebra: the differentials of matrix functions, over the last two axes.

The equations are those of P. S. Dwyer & M. S. MacPhail (1948) for the inverse, S. P. Smith (1995) and
I. Murray (2016) for Cholesky's factor, and M. B. Giles (2008), "Collected matrix derivative results for forward
and reverse mode algorithmic differentiation", for the others. T is the transpose of the last two axes.
"""

from __future__ import annotations

from collections import namedtuple
from typing import Any

from array_api_compat import device

from xnn.arrays import Array
from xnn.autodiff.composed import COMPOSED
from xnn.autodiff.rule import Rule, Tangents, reduce_to
from xnn.autodiff.tracing import Derivative, apply, raw

__all__ = ["LINALG", "LINALG_COMPOSED"]


def _T(xp: Any, a: Array) -> Array:
    return xp.matrix_transpose(a)


def _eye(xp: Any, a: Array) -> Array:
    return xp.eye(a.shape[-1], dtype=a.dtype, device=device(a))


class _Rule(Rule):
    def evaluate(self, xp: Any, *args: Any, **options: Any) -> Array:
        """The function of ``xp.linalg`` of this name."""
        return getattr(xp.linalg, self.name)(*args, **options)


class Inverse(_Rule):
    """Y = A⁻¹: Ẏ = −Y Ȧ Y, Ā = −Yᵀ Ȳ Yᵀ."""

    def push(self, xp: Any, tangents: Tangents, y: Array, args: Any, options: Any) -> Array:
        """−Y Ȧ Y."""
        return -(y @ tangents[0] @ y)

    def pull(self, xp: Any, i: int, g: Array, y: Array, args: Any, options: Any) -> Array:
        """−Yᵀ Ȳ Yᵀ."""
        return -(_T(xp, y) @ g @ _T(xp, y))


class Solve(_Rule):
    """A Y = B: A Ẏ = Ḃ − Ȧ Y;  B̄ = A⁻ᵀ Ȳ, Ā = −B̄ Yᵀ. B is a matrix, or one vector."""

    def push(self, xp: Any, tangents: Tangents, y: Array, args: Any, options: Any) -> Array:
        """A⁻¹ (Ḃ − Ȧ Y)."""
        A, (dA, dB) = args[0], tangents
        if dA is None:
            return xp.linalg.solve(A, dB)
        right = -(dA @ y)
        return xp.linalg.solve(A, right if dB is None else dB + right)

    def pull(self, xp: Any, i: int, g: Array, y: Array, args: Any, options: Any) -> Array:
        """A⁻ᵀ Ȳ, and −B̄ Yᵀ."""
        A, B = args
        b = xp.linalg.solve(_T(xp, A), g)
        if i == 1:
            return reduce_to(xp, b, B)
        return reduce_to(xp, -(b[..., None] * y[..., None, :]) if B.ndim == 1 else -(b @ _T(xp, y)), A)


class Determinant(_Rule):
    """d = det A: ḋ = d tr(A⁻¹ Ȧ), Ā = d̄ d A⁻ᵀ; A must not be singular."""

    def push(self, xp: Any, tangents: Tangents, y: Array, args: Any, options: Any) -> Array:
        """D tr(A⁻¹ Ȧ)."""
        return y * xp.sum(_T(xp, xp.linalg.inv(args[0])) * tangents[0], axis=(-2, -1))

    def pull(self, xp: Any, i: int, g: Array, y: Array, args: Any, options: Any) -> Array:
        """D̄ d A⁻ᵀ."""
        return (g * y)[..., None, None] * _T(xp, xp.linalg.inv(args[0]))


class LogAbsDet(_Rule):
    """log |det A|: tr(A⁻¹ Ȧ), Ā = ȳ A⁻ᵀ."""

    def evaluate(self, xp: Any, *args: Any, **options: Any) -> Array:
        """The second result of slogdet."""
        return xp.linalg.slogdet(args[0])[1]

    def push(self, xp: Any, tangents: Tangents, y: Array, args: Any, options: Any) -> Array:
        """tr(A⁻¹ Ȧ)."""
        return xp.sum(_T(xp, xp.linalg.inv(args[0])) * tangents[0], axis=(-2, -1))

    def pull(self, xp: Any, i: int, g: Array, y: Array, args: Any, options: Any) -> Array:
        """Ȳ A⁻ᵀ."""
        return g[..., None, None] * _T(xp, xp.linalg.inv(args[0]))


class Cholesky(_Rule):
    """A = L Lᵀ: L̇ = L Φ(L⁻¹ Ȧ L⁻ᵀ), Ā = sym(L⁻ᵀ Φ(Lᵀ L̄) L⁻¹); Φ takes the lower triangle, half of its diagonal."""

    def push(self, xp: Any, tangents: Tangents, y: Array, args: Any, options: Any) -> Array:
        """L Φ(L⁻¹ Ȧ L⁻ᵀ), with the symmetric part of Ȧ."""
        self._lower(options)
        dA = 0.5 * (tangents[0] + _T(xp, tangents[0]))
        inverse = xp.linalg.inv(y)
        return y @ self._half(xp, inverse @ dA @ _T(xp, inverse))

    def pull(self, xp: Any, i: int, g: Array, y: Array, args: Any, options: Any) -> Array:
        """sym(L⁻ᵀ Φ(Lᵀ L̄) L⁻¹)."""
        self._lower(options)
        inverse = xp.linalg.inv(y)
        S = _T(xp, inverse) @ self._half(xp, _T(xp, y) @ xp.tril(g)) @ inverse
        return 0.5 * (S + _T(xp, S))

    def _half(self, xp: Any, M: Array) -> Array:
        return xp.tril(M) * (1.0 - 0.5 * _eye(xp, M))

    def _lower(self, options: Any) -> None:
        if options.get("upper", False):
            raise Derivative("cholesky with upper=True has no derivative here; take the lower factor, and .mT of it")


class SymmetricEigen(_Rule):
    """A = V Λ Vᵀ for symmetric A, as one array with λ in the first row and V below it.

    With P = Vᵀ Ȧ V and Fᵢⱼ = 1/(λⱼ − λᵢ) outside the diagonal, 0 on it: λ̇ = diag P, V̇ = V (F ⊙ P), and
    Ā = V (diag λ̄ + F ⊙ Vᵀ V̄) Vᵀ. The eigenvalues must differ from each other.
    """

    def evaluate(self, xp: Any, *args: Any, **options: Any) -> Array:
        """(λ, V)."""
        λ, V = xp.linalg.eigh(args[0])
        return xp.concat([λ[..., None, :], V], axis=-2)

    def push(self, xp: Any, tangents: Tangents, y: Array, args: Any, options: Any) -> Array:
        """(diag P, V (F ⊙ P))."""
        λ, V = y[..., 0, :], y[..., 1:, :]
        dA = 0.5 * (tangents[0] + _T(xp, tangents[0]))
        P = _T(xp, V) @ dA @ V
        return xp.concat([xp.sum(P * _eye(xp, V), axis=-2, keepdims=True), V @ (self._F(xp, λ) * P)], axis=-2)

    def pull(self, xp: Any, i: int, g: Array, y: Array, args: Any, options: Any) -> Array:
        """The symmetric part of V (diag λ̄ + F ⊙ Vᵀ V̄) Vᵀ."""
        λ, V = y[..., 0, :], y[..., 1:, :]
        M = _eye(xp, V) * g[..., 0:1, :] + self._F(xp, λ) * (_T(xp, V) @ g[..., 1:, :])
        M = V @ M @ _T(xp, V)
        return 0.5 * (M + _T(xp, M))

    def _F(self, xp: Any, λ: Array) -> Array:
        eye = xp.eye(λ.shape[-1], dtype=λ.dtype, device=device(λ))
        return (1.0 - eye) / (λ[..., None, :] - λ[..., :, None] + eye)


class Orthogonal(_Rule):
    """A = Q R for a tall A, as one array with R below Q.

    With C = Qᵀ Ȧ R⁻¹ and its strictly lower triangle L: Q̇ = (Ȧ R⁻¹ − Q C) + Q (L − Lᵀ), Ṙ = (C − L + Lᵀ) R, and
    Ā = (Q̄ + Q S) R⁻ᵀ, where S is the symmetric matrix with the lower triangle of R R̄ᵀ − Q̄ᵀ Q.
    """

    def evaluate(self, xp: Any, *args: Any, **options: Any) -> Array:
        """(Q, R)."""
        return xp.concat(list(xp.linalg.qr(args[0])), axis=-2)

    def push(self, xp: Any, tangents: Tangents, y: Array, args: Any, options: Any) -> Array:
        """(Q̇, Ṙ)."""
        m = args[0].shape[-2]
        Q, R = y[..., :m, :], y[..., m:, :]
        B = tangents[0] @ xp.linalg.inv(R)
        C = _T(xp, Q) @ B
        L = xp.tril(C, k=-1)
        Ω = L - _T(xp, L)
        return xp.concat([B - Q @ (C - Ω), (C - Ω) @ R], axis=-2)

    def pull(self, xp: Any, i: int, g: Array, y: Array, args: Any, options: Any) -> Array:
        """(Q̄ + Q S) R⁻ᵀ."""
        m = args[0].shape[-2]
        Q, R, gQ, gR = y[..., :m, :], y[..., m:, :], g[..., :m, :], xp.triu(g[..., m:, :])
        M = R @ _T(xp, gR) - _T(xp, gQ) @ Q
        S = xp.tril(M) + _T(xp, xp.tril(M, k=-1))
        return (gQ + Q @ S) @ _T(xp, xp.linalg.inv(R))


SLogDet = namedtuple("SLogDet", "sign logabsdet")
Eigh = namedtuple("Eigh", "eigenvalues eigenvectors")
QR = namedtuple("QR", "Q R")
_LOGABSDET, _EIGH, _QR = LogAbsDet("slogdet"), SymmetricEigen("eigh"), Orthogonal("qr")

#: The rules of ``xp.linalg`` by name.
LINALG: dict[str, Rule] = {
    rule.name: rule for rule in (Inverse("inv"), Solve("solve"), Determinant("det"), Cholesky("cholesky"))
}


def slogdet(xp: Any, A: Array, /) -> Any:
    """(sign, log |det A|); the sign is constant."""
    return SLogDet(xp.base_namespace.linalg.slogdet(raw(A))[0], apply(_LOGABSDET, xp.base_namespace, (A,), {}))


def eigh(xp: Any, A: Array, /) -> Any:
    """(λ, V) of a symmetric matrix."""
    y = apply(_EIGH, xp.base_namespace, (A,), {})
    return Eigh(y[..., 0, :], y[..., 1:, :])


def eigvalsh(xp: Any, A: Array, /) -> Array:
    """λ of a symmetric matrix."""
    return eigh(xp, A)[0]


def qr(xp: Any, A: Array, /, *, mode: str = "reduced") -> Any:
    """A = Q R for at least as many rows as columns."""
    if mode != "reduced" or A.shape[-2] < A.shape[-1]:
        raise Derivative(f"qr of shape {tuple(A.shape)} with mode={mode!r} has no derivative here; only tall matrices")
    y = apply(_QR, xp.base_namespace, (A,), {})
    return QR(y[..., : A.shape[-2], :], y[..., A.shape[-2] :, :])


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
    return xp.broadcast_to(_eye(xp, A), A.shape) if result is None else result


def matrix_norm(xp: Any, x: Array, /, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    """Frobenius's norm, or the largest sum of a column (1) or a row (∞)."""
    if ord == "fro":
        return xp.sqrt(xp.sum(x * x, axis=(-2, -1), keepdims=keepdims))
    if ord not in (1, float("inf")):
        raise Derivative(f"matrix_norm with ord={ord!r} has no derivative here")
    sums = xp.sum(xp.abs(x), axis=-2 if ord == 1 else -1, keepdims=True)
    y = xp.max(sums, axis=(-2, -1), keepdims=True)
    return y if keepdims else xp.reshape(y, y.shape[:-2])


#: Compositions of ``xp.linalg`` by name.
LINALG_COMPOSED: dict[str, Any] = {
    **{name: COMPOSED[name] for name in ("outer", "vecdot", "tensordot", "diagonal", "trace", "vector_norm", "cross")},
    **{f.__name__: f for f in (slogdet, eigh, eigvalsh, qr, matrix_power, matrix_norm)},
}
