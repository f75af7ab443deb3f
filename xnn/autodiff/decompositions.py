"""Decompositions of matrices, over the last two axes: Cholesky's factor, eigenvectors, singular vectors, Q R.

The equations are those of S. P. Smith (1995) and I. Murray (2016) for Cholesky's factor, and M. B. Giles (2008),
"Collected matrix derivative results for forward and reverse mode algorithmic differentiation", for the others, here
for complex matrices too. H is the conjugate transpose, for real matrices the transpose; the derivative by a symmetric
or Hermitian matrix is one of its own kind. Where vectors are determined up to signs or phases only, the derivative is
that of a choice whose phases do not turn; for what does not depend on the choice, it is right.

A rule has one result: the parts of a decomposition are rows of one array, which is taken apart outside of the rule.
"""

from __future__ import annotations

from collections import namedtuple
from typing import Any

from array_api_compat import device

from xnn.autodiff.rule import Rule, Tangents, cast, conj, is_complex
from xnn.autodiff.tracing import Derivative
from xnn.contract import Array

__all__ = ["DECOMPOSITIONS", "H", "MatrixRule", "eye", "svdvals"]


def H(xp: Any, a: Array) -> Array:
    """The conjugate transpose of the last two axes."""
    return conj(xp, xp.matrix_transpose(a))


def eye(xp: Any, a: Array) -> Array:
    """The unit matrix with as many columns as a."""
    return xp.eye(a.shape[-1], dtype=a.dtype, device=device(a))


def _real(xp: Any, a: Array) -> Array:
    return xp.real(a) if is_complex(a) else a


def _diagonal(xp: Any, a: Array) -> Array:
    """The diagonal as a row, (…, 1, n)."""
    return xp.sum(a * eye(xp, a), axis=-2, keepdims=True)


def _turning(xp: Any, a: Array) -> Array:
    """The diagonal matrix i Im(diag a), and None for real matrices."""
    return 1j * xp.imag(a * eye(xp, a)) if is_complex(a) else None


def _plus(a: Array, b: Array | None) -> Array:
    return a if b is None else a + b


def _skew(xp: Any, a: Array) -> Array:
    """The skew-Hermitian matrix with the strictly lower triangle of a and its i Im(diag)."""
    L = xp.tril(a, k=-1)
    return _plus(L - H(xp, L), _turning(xp, a))


def _over(xp: Any, a: Array, b: Array) -> Array:
    """a/b, and 0 for 0/0: a derivative that is not asked for does not spoil the others."""
    return a / xp.where((a == 0.0) & (b == 0.0), 1.0, b)


class MatrixRule(Rule):
    """A rule of a function of ``xp.linalg``."""

    def evaluate(self, xp: Any, *args: Any, **options: Any) -> Array:
        """The function of this name."""
        return getattr(xp.linalg, self.name)(*args, **options)


class Cholesky(MatrixRule):
    """A = L Lᴴ: L̇ = L Φ(L⁻¹ Ȧ L⁻ᴴ), Ā = sym(L⁻ᴴ Φ(Lᴴ L̄) L⁻¹); Φ takes the lower triangle, half of its diagonal."""

    def push(self, xp: Any, tangents: Tangents, y: Array, args: Any, options: Any) -> Array:
        """L Φ(L⁻¹ Ȧ L⁻ᴴ), with the Hermitian part of Ȧ."""
        dA = 0.5 * (tangents[0] + H(xp, tangents[0]))
        inverse = xp.linalg.inv(y)
        return y @ self._half(xp, inverse @ dA @ H(xp, inverse))

    def pull(self, xp: Any, i: int, g: Array, y: Array, args: Any, options: Any) -> Array:
        """sym(L⁻ᴴ Φ(Lᴴ L̄) L⁻¹)."""
        inverse = xp.linalg.inv(y)
        S = H(xp, inverse) @ self._half(xp, H(xp, y) @ xp.tril(g)) @ inverse
        return 0.5 * (S + H(xp, S))

    def _half(self, xp: Any, M: Array) -> Array:
        return xp.tril(M) * (1.0 - 0.5 * eye(xp, M))


class HermitianEigen(MatrixRule):
    """A = V Λ Vᴴ for a symmetric or Hermitian A, as one array with λ in the first row and V below it.

    With P = Vᴴ Ȧ V and Fᵢⱼ = 1/(λⱼ − λᵢ) outside the diagonal, 0 on it: λ̇ = diag P, V̇ = V (F ⊙ P), and
    Ā = V (diag λ̄ + F ⊙ Vᴴ V̄) Vᴴ. For a derivative of V, the eigenvalues must differ from each other.
    """

    def evaluate(self, xp: Any, *args: Any, **options: Any) -> Array:
        """(λ, V)."""
        λ, V = xp.linalg.eigh(args[0])
        return xp.concat([xp.astype(λ[..., None, :], V.dtype), V], axis=-2)

    def push(self, xp: Any, tangents: Tangents, y: Array, args: Any, options: Any) -> Array:
        """(diag P, V (F ⊙ P))."""
        λ, V = y[..., 0, :], y[..., 1:, :]
        P = H(xp, V) @ (0.5 * (tangents[0] + H(xp, tangents[0]))) @ V
        return xp.concat([_diagonal(xp, P), V @ self._divided(xp, P, λ)], axis=-2)

    def pull(self, xp: Any, i: int, g: Array, y: Array, args: Any, options: Any) -> Array:
        """The Hermitian part of V (diag λ̄ + F ⊙ Vᴴ V̄) Vᴴ."""
        λ, V = y[..., 0, :], y[..., 1:, :]
        M = eye(xp, V) * g[..., 0:1, :] + self._divided(xp, H(xp, V) @ g[..., 1:, :], λ)
        M = V @ M @ H(xp, V)
        return 0.5 * (M + H(xp, M))

    def _divided(self, xp: Any, M: Array, λ: Array) -> Array:
        identity = eye(xp, M)
        return _over(xp, M * (1.0 - identity), λ[..., None, :] - λ[..., :, None] + identity)


class SingularValues(MatrixRule):
    """A = U S Vᴴ with as many singular values s as A has rows or columns, as one array: U, below it s, below it V.

    With P = Uᴴ Ȧ V and Fᵢⱼ = 1/(sⱼ² − sᵢ²) outside the diagonal, 0 on it: ṡ = Re diag P,

        U̇ = U (F ⊙ (P S + S Pᴴ) + T) + (1 − U Uᴴ) Ȧ V S⁻¹,
        V̇ = V (F ⊙ (S P + Pᴴ S) − T) + (1 − V Vᴴ) Ȧᴴ U S⁻¹,

    where T = ½ i Im(diag P) S⁻¹ shares what turns the phases of complex vectors. The singular values must differ from
    each other, and from 0, for a derivative of U or V.
    """

    def evaluate(self, xp: Any, *args: Any, **options: Any) -> Array:
        """(U, s, V)."""
        U, s, Vh = xp.linalg.svd(args[0], full_matrices=False)
        return xp.concat([U, xp.astype(s[..., None, :], U.dtype), H(xp, Vh)], axis=-2)

    def _parts(self, xp: Any, y: Array, A: Array) -> tuple[Array, Array, Array, Array]:
        """U, s as a row, V, and 1/F."""
        m = A.shape[-2]
        s = y[..., m : m + 1, :]
        column = xp.matrix_transpose(s)
        return y[..., :m, :], s, y[..., m + 1 :, :], (s - column) * (s + column) + eye(xp, s)

    def push(self, xp: Any, tangents: Tangents, y: Array, args: Any, options: Any) -> Array:
        """(U̇, ṡ, V̇)."""
        A, dA = args[0], tangents[0]
        U, s, V, E = self._parts(xp, y, A)
        column, apart = xp.matrix_transpose(s), 1.0 - eye(xp, s)
        P = H(xp, U) @ dA @ V
        Q, T = H(xp, P), _turning(xp, P)
        dU = U @ _over(xp, (P * s + column * Q) * apart, E)
        dV = V @ _over(xp, (column * P + Q * s) * apart, E)
        if T is not None:
            T = 0.5 * _over(xp, T, s)
            dU, dV = dU + U @ T, dV - V @ T
        if U.shape[-2] > U.shape[-1]:
            dU = dU + _over(xp, dA @ V - U @ P, s)
        if V.shape[-2] > V.shape[-1]:
            dV = dV + _over(xp, H(xp, dA) @ U - V @ Q, s)
        ds = cast(xp, _real(xp, _diagonal(xp, P)), y)
        return xp.concat([dU, ds, dV], axis=-2)

    def pull(self, xp: Any, i: int, g: Array, y: Array, args: Any, options: Any) -> Array:
        """U ((M + Mᴴ) S + S (N + Nᴴ) + diag s̄ + …) Vᴴ with M = F ⊙ Uᴴ Ū, N = F ⊙ Vᴴ V̄, and what leaves their spans."""
        U, s, V, E = self._parts(xp, y, args[0])
        gU, gs, gV, _ = self._parts(xp, g, args[0])
        column, identity = xp.matrix_transpose(s), eye(xp, s)
        P, Q = H(xp, U) @ gU, H(xp, V) @ gV
        M, N = _over(xp, P * (1.0 - identity), E), _over(xp, Q * (1.0 - identity), E)
        inner = (M + H(xp, M)) * s + column * (N + H(xp, N)) + identity * cast(xp, _real(xp, gs), y)
        T = _turning(xp, P - Q)
        if T is not None:
            inner = inner + 0.5 * _over(xp, T, s)
        left, right = U @ inner, H(xp, V)
        if U.shape[-2] > U.shape[-1]:
            left = left + _over(xp, gU - U @ P, s)
        total = left @ right
        if V.shape[-2] > V.shape[-1]:
            total = total + U @ H(xp, _over(xp, gV - V @ Q, s))
        return total


class Orthogonal(MatrixRule):
    """A = Q R for a tall A, as one array with R below Q.

    With C = Qᴴ Ȧ R⁻¹ and the skew Ω(C), which has the strictly lower triangle of C and i Im(diag C), so that R̊ stays
    an upper triangle with a real diagonal: Q̇ = (1 − Q Qᴴ) Ȧ R⁻¹ + Q Ω(C), Ṙ = (C − Ω(C)) R, and
    Ā = (Q̄ + Q (Ωᵀ(Z) − Z)) R⁻ᴴ with Z = Qᴴ Q̄ − R̄ Rᴴ.
    """

    def evaluate(self, xp: Any, *args: Any, **options: Any) -> Array:
        """(Q, R)."""
        return xp.concat(list(xp.linalg.qr(args[0])), axis=-2)

    def push(self, xp: Any, tangents: Tangents, y: Array, args: Any, options: Any) -> Array:
        """(Q̇, Ṙ)."""
        m = args[0].shape[-2]
        Q, R = y[..., :m, :], y[..., m:, :]
        B = tangents[0] @ xp.linalg.inv(R)
        C = H(xp, Q) @ B
        Ω = _skew(xp, C)
        return xp.concat([B - Q @ (C - Ω), (C - Ω) @ R], axis=-2)

    def pull(self, xp: Any, i: int, g: Array, y: Array, args: Any, options: Any) -> Array:
        """(Q̄ + Q (Ωᵀ(Z) − Z)) R⁻ᴴ."""
        m = args[0].shape[-2]
        Q, R, gQ, gR = y[..., :m, :], y[..., m:, :], g[..., :m, :], g[..., m:, :]
        Z = H(xp, Q) @ gQ - gR @ H(xp, R)
        turned = _plus(xp.tril(Z - H(xp, Z), k=-1), _turning(xp, Z))
        return (gQ + Q @ (turned - Z)) @ H(xp, xp.linalg.inv(R))


Eigh = namedtuple("Eigh", "eigenvalues eigenvectors")
QR = namedtuple("QR", "Q R")
SVD = namedtuple("SVD", "U S Vh")
_CHOLESKY, _EIGH = Cholesky("cholesky"), HermitianEigen("eigh")
_QR, _SVD = Orthogonal("qr"), SingularValues("svd")


def cholesky(xp: Any, A: Array, /, *, upper: bool = False) -> Array:
    """L with A = L Lᴴ, or U = Lᴴ."""
    L = xp.apply(_CHOLESKY, (A,), {})
    return H(xp, L) if upper else L


def eigh(xp: Any, A: Array, /) -> Any:
    """(λ, V) of a symmetric or Hermitian matrix."""
    y = xp.apply(_EIGH, (A,), {})
    return Eigh(_real(xp, y[..., 0, :]), y[..., 1:, :])


def eigvalsh(xp: Any, A: Array, /) -> Array:
    """λ of a symmetric or Hermitian matrix."""
    return eigh(xp, A)[0]


def svd(xp: Any, A: Array, /, *, full_matrices: bool = True) -> Any:
    """(U, s, Vᴴ); with full matrices of square A only, since the others have columns that nothing determines."""
    m, n = A.shape[-2:]
    if full_matrices and m != n:
        raise Derivative(f"svd of shape {tuple(A.shape)} with full_matrices=True has no derivative: its last singular "
                         "vectors are not determined; take full_matrices=False")  # fmt: skip
    y = xp.apply(_SVD, (A,), {})
    return SVD(y[..., :m, :], _real(xp, y[..., m, :]), H(xp, y[..., m + 1 :, :]))


def svdvals(xp: Any, A: Array, /) -> Array:
    """The singular values."""
    return svd(xp, A, full_matrices=False)[1]


def qr(xp: Any, A: Array, /, *, mode: str = "reduced") -> Any:
    """A = Q R. Of a wide A = (A₁, A₂) with square A₁ = Q R₁, R = (R₁, Qᴴ A₂)."""
    m, n = A.shape[-2:]
    if mode == "complete" and m > n:
        raise Derivative(f"qr of shape {tuple(A.shape)} with mode='complete' has no derivative: the last columns of Q "
                         "are not determined; take mode='reduced'")  # fmt: skip
    k = min(m, n)
    y = xp.apply(_QR, (A[..., :k] if k < n else A,), {})
    Q, R = y[..., :m, :], y[..., m:, :]
    return QR(Q, R if k == n else xp.concat([R, H(xp, Q) @ A[..., k:]], axis=-1))


#: The functions by their names.
DECOMPOSITIONS: dict[str, Any] = {f.__name__: f for f in (cholesky, eigh, eigvalsh, svd, svdvals, qr)}
