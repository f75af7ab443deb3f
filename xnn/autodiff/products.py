"""The product of two matrices, and the transpose of one."""

from __future__ import annotations

from typing import Any

from xnn.autodiff.rule import Linear, Rule, Tangents, cast, conj, is_complex, reduce_to
from xnn.contract import Array

__all__ = ["MATMUL", "TRANSPOSED"]


class MatMul(Rule):
    """C = A B over the last two axes, with broadcasting of the others: Ċ = Ȧ B + A Ḃ, Ā = C̄ Bᴴ, B̄ = Aᴴ C̄."""

    reads, linear, bilinear = "x", frozenset((0, 1)), True

    def evaluate(self, xp: Any, *args: Any, **options: Any) -> Array:
        """A B."""
        return args[0] @ args[1]

    def push(self, xp: Any, tangents: Tangents, y: Array, args: tuple[Any, ...], options: dict[str, Any]) -> Array:
        """Ȧ B + A Ḃ."""
        (A, B), (dA, dB) = args, tangents
        if dA is None:
            return A @ dB
        return dA @ B if dB is None else dA @ B + A @ dB

    def pull(self, xp: Any, i: int, g: Array, y: Array, args: tuple[Any, ...], options: dict[str, Any]) -> Array:
        """C̄ Bᴴ or Aᴴ C̄; a vector counts as a row on the left, and as a column on the right."""
        A, B = args
        if is_complex(g):
            A, B = conj(xp, A), conj(xp, B)
        if A.ndim == 2 and B.ndim == 2:
            g = g @ B.T if i == 0 else A.T @ g
            return cast(xp, g, args[i])
        if B.ndim == 1:
            B, g = B[:, None], g[..., None]
        if A.ndim == 1:
            A, g = A[None, :], g[..., None, :] if args[1].ndim > 1 else g[None, :]
        g = g @ xp.matrix_transpose(B) if i == 0 else xp.matrix_transpose(A) @ g
        return xp.reshape(reduce_to(xp, g, (A, B)[i]), args[i].shape)


MATMUL = MatMul("matmul")
TRANSPOSED = Linear("T", lambda xp, i, g, args, o: g.T, lambda xp, x: x.T)
