"""The estimator for classes."""

from __future__ import annotations

from typing import Any, Self

import array_api_compat
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.metrics import accuracy_score
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target, unique_labels
from sklearn.utils.validation import validate_data

from xnn.arrays import namespace, to_numpy
from xnn.contract import Array
from xnn.host import ndarray, numpy
from xnn.losses import BinaryCrossEntropy, CrossEntropy, Loss
from xnn.numerics import sigmoid, softmax
from xnn.sklearn.base import MLP, keep, restoring
from xnn.sklearn.data import floats, weights_of
from xnn.sklearn.losses import BinaryLogLoss

__all__ = ["MLPClassifier"]


class MLPClassifier(ClassifierMixin, MLP):
    """A neural network that tells classes apart: scikit-learn's MLPClassifier, trained by xnn.

    With z the outputs of the network for x, p = softmax z for several classes, or p = 1/(1 + exp −z) for each of
    one or more labels, it minimizes over the n examples of a batch, with the weights w of the examples,

        C = Σᵢ wᵢ Lᵢ / Σᵢ wᵢ + ½ α ‖W‖² / Σᵢ wᵢ        L = −log p of the true class        w = 1 unless given

    First weights and the order of the examples follow from ``random_state`` as in scikit-learn, so that both
    libraries go through the same numbers, up to rounding.

    Parameters
    ----------
    hidden_layer_sizes : array-like of int, default=(100,)
        The units of each hidden layer.
    activation : str, xnn layer, or list of these, default='relu'
        'identity', 'logistic', 'tanh', 'relu', 'elu', 'gelu', 'leaky_relu', 'selu', 'silu', 'softplus', or a layer
        such as ``xnn.LeakyReLU(0.2)``; a list has one for each hidden layer.
    solver : {'adam', 'sgd', 'lbfgs'}, default='adam'
        How C is minimized: step by step with batches, or with all examples at once by L-BFGS, until no entry of the
        gradient is above ``tol``. 'lbfgs' has no use for the settings of steps, of early stopping, and of dropout.
    alpha : float, default=0.0001
        α, the strength of the penalty on weights (not on intercepts).
    batch_size : int or 'auto', default='auto'
        Examples a step; 'auto' is min(200, n).
    learning_rate : {'constant', 'invscaling', 'adaptive'}, default='constant'
        For 'sgd'. η stays; or is η₀ / (1 + t_)^power_t after each epoch; or a fifth of what it was whenever nothing
        has improved for ``n_iter_no_change`` epochs, down to 1e-6.
    learning_rate_init : float, default=0.001
        η₀, the first step size of 'sgd' and 'adam'.
    power_t : float, default=0.5
        The exponent of 'invscaling'.
    max_iter : int, default=200
        The most epochs; of 'lbfgs' iterations.
    shuffle : bool, default=True
        A new order of the examples in every epoch.
    random_state : int, RandomState or None, default=None
        First weights, order, split for early stopping, and masks of dropout follow from it.
    tol : float, default=1e-4
        An epoch that improves the loss (with ``early_stopping``, the score) by less does not count as better.
    verbose : bool, int or 'progress', default=False
        True prints a line an epoch, 'progress' shows a bar.
    warm_start : bool, default=False
        ``fit`` goes on from the last weights.
    momentum : float, default=0.9
        μ of 'sgd'.
    nesterovs_momentum : bool, default=True
        Nesterov's form of it.
    early_stopping : bool, default=False
        Keep ``validation_fraction`` of the examples apart, stop by the score on them, go back to the best weights.
    validation_fraction : float, default=0.1
        That share.
    beta_1, beta_2, epsilon : float, default=0.9, 0.999, 1e-8
        β₁, β₂ and ε of 'adam'.
    n_iter_no_change : int, default=10
        Stop after more than so many epochs without an improvement.
    max_fun : int, default=15000
        The most evaluations of C and its gradient by 'lbfgs'.
    backend : str, xnn Backend or None, default=None
        Where it is computed: 'numpy', 'cupy', 'torch:cuda', …; None is where X is, and for X in NumPy the current
        one of xnn. Under scikit-learn's ``array_api_dispatch`` predictions are arrays like X.
    dropout : float, default=0.0
        The share of the units of each hidden layer that a step drops.
    batch_norm : bool, default=False
        Normalize over the batch before each activation.
    loss : 'log_loss' or an xnn loss, default='log_loss'
        Another L, such as ``xnn.CrossEntropy(label_smoothing=0.1)``; ``xnn.Hinge()`` and others without
        probabilities have no ``predict_proba``.
    class_weight : dict, 'balanced' or None, default=None
        {class: weight}, which multiply the weights of the examples; 'balanced' is n / (classes · n of the class).
    callbacks : list or None, default=None
        Callbacks of xnn, or functions (epoch, logs); a function that returns True ends the training.

    Attributes
    ----------
    network_ : xnn.Network
        The network itself.
    coefs_, intercepts_ : list of arrays
        Weights (inputs, outputs) and biases of each layer.
    classes_ : array
        The classes, sorted.
    loss_, best_loss_, loss_curve_ : float, float or None, list of float
        C of the last epoch; the smallest (None with ``early_stopping``); of all epochs.
    validation_scores_, best_validation_score_, validation_loss_curve_ : list, float, list, or None
        With ``early_stopping``: accuracy by epoch, the best, and the loss (without penalty) by epoch.
    n_iter_, t_ : int
        Epochs in the last fit; examples gone through.
    n_features_in_, feature_names_in_, n_layers_, n_outputs_, out_activation_
        As in scikit-learn.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from xnn.sklearn import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier(activation=["tanh"], dropout=0.1, max_iter=1000, random_state=0).fit(X, y)
    >>> round(model.score(X, y), 2)
    0.98
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012
        **MLP._parameter_constraints,
        "loss": [StrOptions({"log_loss"}), Loss],
        "class_weight": [StrOptions({"balanced"}), dict, list, None],
    }

    def __init__(
        self,
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
        loss: Any = "log_loss",
        class_weight: Any = None,
        callbacks: Any = None,
    ) -> None:
        keep(self, locals())

    @available_if(MLP._check_solver)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Go through X and y once, from the last weights; the first call is told all ``classes``."""
        y, classes = self._local(y), self._local(classes)
        with restoring(self):
            if _check_partial_fit_first_call(self, classes):
                several = type_of_target(y).startswith("multilabel")
                self._label_binarizer = LabelBinarizer().fit(y if several else classes)
            self._fit(X, y, sample_weight, incremental=True)
        return self

    # -- Predictions ---------------------------------------------------------------------------------------------

    def predict(self, X: Any) -> Any:
        """The classes: of shape (n,), or rows of 0 and 1 for several labels."""
        a = self._outputs(X, "predict")
        labels = self._labels(to_numpy(a))
        if isinstance(a, ndarray) or labels.dtype.kind not in "biuf":  # names stay on the host
            return labels
        return namespace(a).asarray(labels, device=array_api_compat.device(a))

    def _has_probabilities(self) -> bool:
        if isinstance(self.loss, Loss) and not isinstance(self.loss, (CrossEntropy, BinaryCrossEntropy)):
            raise AttributeError(f"{self.loss!r} gives no probabilities; xnn.CrossEntropy() does")
        return True

    @available_if(_has_probabilities)
    def predict_proba(self, X: Any) -> Array:
        """The probabilities of the classes, in the order of ``classes_``: (n, classes)."""
        return self._probabilities(self._outputs(X, "predict_proba"))

    @available_if(_has_probabilities)
    def predict_log_proba(self, X: Any) -> Array:
        """The logarithm of ``predict_proba``."""
        a = self._outputs(X, "predict_log_proba")
        return namespace(a).log(self._probabilities(a))

    def _probabilities(self, a: Array) -> Array:
        xp = namespace(a)
        if self.out_activation_ == "softmax":
            return softmax(xp, a)
        p = sigmoid(xp, a)
        if self._label_binarizer.y_type_ == "multiclass":  # one against the rest
            return p / xp.sum(p, axis=1, keepdims=True)
        return xp.concat([1.0 - p, p], axis=1) if self.n_outputs_ == 1 else p

    def _labels(self, a: Any) -> Any:
        """The classes that are meant by outputs of the network."""
        if self._pair():
            return self._label_binarizer.inverse_transform(a[:, 1] - a[:, 0], threshold=0.0)
        binary = self._label_binarizer.y_type_ == "binary"
        threshold = self._choose_loss()[0].threshold
        return self._label_binarizer.inverse_transform(a[:, 0] if binary else a, threshold=threshold)

    def _pair(self) -> bool:
        """Whether two classes have an output each, as a softmax needs it; else they share one."""
        return isinstance(self.loss, CrossEntropy) and self._label_binarizer.y_type_ == "binary"

    # -- Training ------------------------------------------------------------------------------------------------

    def _validate(self, X: Any, y: Any, sample_weight: Any, incremental: bool, reset: bool) -> tuple[Any, Any, Any]:
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=["csr", "csc"],
            multi_output=True,
            dtype=floats(X),
            reset=reset,
        )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if not hasattr(self, "classes_") or (not self.warm_start and not incremental):
            self._label_binarizer = LabelBinarizer().fit(y)
            self.classes_ = self._label_binarizer.classes_
        else:
            self._check_classes(unique_labels(y))
        weights = self._weighted(y, weights_of(sample_weight, y.shape[0]), incremental)
        rows = self._label_binarizer.transform(y).astype(bool)
        if self._pair():
            rows = numpy.concatenate([~rows, rows], axis=1)
        return X, rows, weights

    def _check_classes(self, classes: Any) -> None:
        """The classes must be those of before; in ``partial_fit`` some of them."""
        if self.warm_start:
            if set(classes) != set(self.classes_):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                    f"Previously got {self.classes_}, `y` has {classes}"
                )
        elif len(numpy.setdiff1d(classes, self.classes_, assume_unique=True)):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y' has {classes}."
            )

    def _weighted(self, y: Any, weights: Any, incremental: bool) -> Any:
        """The weights of the examples, times those of their classes."""
        if self.class_weight is None:
            return weights
        if incremental and isinstance(self.class_weight, str):
            raise ValueError(
                "class_weight 'balanced' is not supported for partial_fit, which sees only a part of the examples: "
                "compute the weights with sklearn.utils.class_weight.compute_class_weight and pass a dictionary"
            )
        each = compute_sample_weight(self.class_weight, y)
        return each if weights is None else weights * each

    def _choose_loss(self) -> tuple[Loss, str]:
        multiclass = self._label_binarizer.y_type_ == "multiclass"
        loss = self.loss
        if not isinstance(loss, Loss):
            return (CrossEntropy(), "softmax") if multiclass else (BinaryLogLoss(), "logistic")
        if isinstance(loss, CrossEntropy):
            if self._label_binarizer.y_type_.startswith("multilabel"):
                raise ValueError(f"{loss!r} is for classes that exclude each other: take xnn.BinaryCrossEntropy()")
            return loss, "softmax"
        return loss, "logistic" if isinstance(loss, BinaryCrossEntropy) else "identity"

    def _targets(self, y: Any, loss: Loss) -> Any:
        return y.argmax(axis=1).astype("int32") if isinstance(loss, CrossEntropy) else y

    def _score(self, a: Any, y: Any, weights: Any) -> float:
        true = self._label_binarizer.inverse_transform(y[:, 1:] if self._pair() else y)
        return float(accuracy_score(true, self._labels(a), sample_weight=weights))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
