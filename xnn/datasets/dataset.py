"""What every loader returns: inputs and targets with their names, and the split into training and test part."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace

from xnn.host import generator, ndarray, numpy
from xnn.settings import number, whole

__all__ = ["Dataset"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples to learn from, as NumPy arrays.

    Attributes:
        x: the inputs, (examples, features).
        y: the targets, (examples,): integers 0 … k−1 for k classes, else real numbers.
        name: of the data set.
        feature_names: of the columns of x; empty where they have none.
        classes: the names of the classes, ``classes[y[i]]`` that of example i; empty for a regression.
        x_test, y_test: the test part of a set that comes with one, or that ``split`` has made; else None.
    """

    x: ndarray
    y: ndarray
    _: KW_ONLY
    name: str = ""
    feature_names: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    x_test: ndarray | None = None
    y_test: ndarray | None = None

    def split(self, test: float = 0.2, *, seed: int = 0) -> Dataset:
        """The same examples in random order, a share of them as ``x_test`` and ``y_test``.

        Classes have the same share in both parts, to within one example (a stratified split). The order
        follows from the seed. There is at least one example in each part.

        Args:
            test: the share of the test part, between 0 and 1.
            seed: a whole number from 0 on.

        Raises:
            ValueError: for a set that has a test part already, or fewer than two examples.
        """
        if self.x_test is not None:
            raise ValueError(f"{self.name or 'the data set'} has a test part already; take x_test and y_test")
        share, n = number("test", test, "(0, 1)"), len(self.x)
        if n < 2:
            raise ValueError(f"a split needs at least 2 examples; {self.name or 'the data set'} has {n}")
        order = generator(whole("seed", seed, 0)).permutation(n)
        ranked = order[numpy.argsort(self.y[order], kind="stable")] if self.classes else order
        # Every 1/share-th of the examples in the order of their classes: each class gives its share.
        wanted = min(max(round(share * n), 1), n - 1)
        steps = (numpy.arange(n + 1) * wanted + n // 2) // n
        chosen = numpy.zeros(n, dtype=bool)
        chosen[ranked[steps[1:] > steps[:-1]]] = True
        train, held = order[~chosen[order]], order[chosen[order]]
        return replace(self, x=self.x[train], y=self.y[train], x_test=self.x[held], y_test=self.y[held])

    def __repr__(self) -> str:
        held = "" if self.x_test is None else f" and {len(self.x_test):,} for the test"
        what = f"{len(self.classes)} classes" if self.classes else "a number to predict"
        features = " × ".join(f"{size:,}" for size in self.x.shape[1:])
        return f"<Dataset {self.name}: {len(self.x):,} examples{held}, {features} features, {what}>"
