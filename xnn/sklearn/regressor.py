"""The estimator for numbers."""

from __future__ import annotations

from typing import Any, Self

from sklearn.base import RegressorMixin, _fit_context
from sklearn.metrics import r2_score
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import validate_data

from xnn.arrays import namespace, to_numpy
from xnn.contract import Array
from xnn.host import numpy
from xnn.losses import BinaryCrossEntropy, CrossEntropy, Hinge, Loss, PoissonNLL
from xnn.sklearn.base import MLP, keep, restoring
from xnn.sklearn.data import floats, weights_of
from xnn.sklearn.losses import HalfPoissonDeviance, HalfSquaredError

__all__ = ["MLPRegressor"]

LOSSES: dict[str, Loss] = {"squared_error": HalfSquaredError(), "poisson": HalfPoissonDeviance()}


class MLPRegressor(RegressorMixin, MLP):
    """A neural network that predicts numbers: scikit-learn's MLPRegressor, trained by xnn.

    With a the outputs of the network for x, and weights w of the examples, it minimizes over those of a batch

        C = Σᵢ wᵢ Lᵢ / Σᵢ wᵢ + ½ α ‖W‖² / Σᵢ wᵢ        L = ½ Σⱼ (aⱼ − yⱼ)²        w = 1 unless given

    Parameters and attributes are those of :class:`MLPClassifier`, but for ``loss``, ``class_weight`` and ``classes_``;
    the score is R². As in scikit-learn, ``loss_`` is the mean over outputs, of which C has the sum.

    Parameters
    ----------
    loss : {'squared_error', 'poisson'} or an xnn loss, default='squared_error'
        L: the one above; or half the Poisson deviance Σⱼ rⱼ − yⱼ + yⱼ log(yⱼ/rⱼ) of rates r = exp a, which are the
        predictions; or another one, such as ``xnn.Huber()``.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.preprocessing import scale
    >>> from xnn.sklearn import MLPRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = MLPRegressor(early_stopping=True, max_iter=2000, random_state=0).fit(scale(X), scale(y))
    >>> bool(model.score(scale(X), scale(y)) > 0.4)
    True
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012
        **MLP._parameter_constraints,
        "loss": [StrOptions(set(LOSSES)), Loss],
    }

    def __init__(
        self,
        loss: Any = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        backend: Any = None,
        dropout: float = 0.0,
        batch_norm: bool = False,
        callbacks: Any = None,
    ) -> None:
        keep(self, locals())

    @available_if(MLP._check_solver)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Go through X and y once, from the last weights."""
        with restoring(self):
            self._fit(X, y, sample_weight, incremental=True)
        return self

    def predict(self, X: Any) -> Array:
        """The predictions, of shape (n,), or (n, outputs) for several targets."""
        a = self._outputs(X, "predict")
        return self._link(namespace(a), a)

    def _link(self, xp: Any, a: Array) -> Array:
        """The predictions that are meant by outputs of the network."""
        a = xp.exp(a) if self.out_activation_ == "exp" else a
        return a[:, 0] if a.shape[1] == 1 else a

    def _validate(self, X: Any, y: Any, sample_weight: Any, incremental: bool, reset: bool) -> tuple[Any, Any, Any]:
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            y_numeric=True,
            dtype=floats(X),
            reset=reset,
        )
        y = to_numpy(y)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return X, y.reshape((len(y), -1)), weights_of(sample_weight, len(y))

    def _choose_loss(self) -> tuple[Loss, str]:
        if isinstance(self.loss, (BinaryCrossEntropy, CrossEntropy, Hinge)):
            raise ValueError(f"loss: {self.loss!r} is for classes; take MLPClassifier, or a loss such as xnn.Huber()")
        loss = self.loss if isinstance(self.loss, Loss) else LOSSES[self.loss]
        return loss, "exp" if isinstance(loss, PoissonNLL) and loss.log_input else "identity"

    def _targets(self, y: Any, loss: Loss) -> Any:
        return y

    def _score(self, a: Any, y: Any, weights: Any) -> float:
        predicted = self._link(numpy, a)  # of finite outputs, rates may be infinite
        return float(r2_score(y, predicted, sample_weight=weights)) if numpy.isfinite(predicted).all() else numpy.nan
