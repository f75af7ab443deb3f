"""What the two estimators share: their parameters, the network behind them, and the way to train it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any, Self

from sklearn import get_config
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from xnn.arrays import get_backend, to_numpy, unmasked
from xnn.contract import Array, Backend
from xnn.host import ndarray, numpy
from xnn.layers import Dense, Layer
from xnn.losses import Loss
from xnn.network import Network
from xnn.run import Callback
from xnn.sklearn.data import Examples, on_host, outputs, place
from xnn.sklearn.layers import ACTIVATIONS, activations_of, glorot, placed, stack
from xnn.sklearn.lbfgs import cost_and_gradient, fit_lbfgs
from xnn.sklearn.stochastic import fit_stochastic

__all__ = ["MLP", "keep", "restoring"]

_POSITIVE = Interval(Integral, 1, None, closed="left")
_NOT_NEGATIVE = Interval(Real, 0, None, closed="left")
_SHARE = Interval(Real, 0, 1, closed="left")


class MLP(BaseEstimator):
    """The common part of MLPClassifier and MLPRegressor.

    ``network_`` is the ``xnn.Network``; ``coefs_`` and ``intercepts_`` are its parameters, and in NumPy
    views of them, so that it does not matter which of the two are changed.
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012 -- the name and the form are scikit-learn's
        "hidden_layer_sizes": ["array-like", _POSITIVE],
        "activation": [StrOptions(set(ACTIVATIONS)), Layer, "array-like"],
        "solver": [StrOptions({"lbfgs", "sgd", "adam"})],
        "alpha": [_NOT_NEGATIVE],
        "batch_size": [StrOptions({"auto"}), _POSITIVE],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [_NOT_NEGATIVE],
        "max_iter": [_POSITIVE],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [_NOT_NEGATIVE],
        "verbose": ["verbose", StrOptions({"progress"})],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [_SHARE],
        "beta_1": [_SHARE],
        "beta_2": [_SHARE],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [_POSITIVE, Options(Real, {numpy.inf})],
        "max_fun": [_POSITIVE],
        "backend": [str, Backend, None],
        "dropout": [_SHARE],
        "batch_norm": ["boolean"],
        "callbacks": [list, tuple, Callback, callable, None],
    }

    # -- What the two differ in ----------------------------------------------------------------------------------

    @abstractmethod
    def _validate(self, X: Any, y: Any, sample_weight: Any, incremental: bool, reset: bool) -> tuple[Any, Any, Any]:
        """X, and on the host y of shape (n, outputs) and the weights (n,), or None."""

    @abstractmethod
    def _choose_loss(self) -> tuple[Loss, str]:
        """The loss, and the name of the function that makes predictions of the network's outputs."""

    @abstractmethod
    def _targets(self, y: Any, loss: Loss) -> Any:
        """y, of shape (n, outputs), as the loss takes it."""

    @abstractmethod
    def _score(self, a: Any, y: Any, weights: Any) -> float:
        """The score of the outputs a of the network, on the host, against y of shape (n, outputs)."""

    # -- Training ------------------------------------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on X and y from new weights (from the last ones with ``warm_start``)."""
        with restoring(self):
            self._fit(X, y, sample_weight, incremental=False)
        return self

    def _fit(self, X: Any, y: Any, sample_weight: Any, *, incremental: bool) -> None:
        sizes = self.hidden_layer_sizes
        hidden = list(sizes) if isinstance(sizes, Iterable) else [sizes]
        if not all(isinstance(units, Integral) for units in hidden):
            raise TypeError(f"hidden_layer_sizes: expected whole numbers, such as (100, 50); got {sizes!r}")
        hidden = [int(units) for units in hidden]
        if any(units <= 0 for units in hidden):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {hidden}.")
        X, y = unmasked(X, "X"), unmasked(y, "y")
        sample_weight = unmasked(sample_weight, "sample_weight")
        first = not hasattr(self, "coefs_") or (not self.warm_start and not incremental)
        X, y, weights = self._validate(X, self._local(y), self._local(sample_weight), incremental, first)
        self.n_outputs_ = y.shape[1]
        self._random_state = check_random_state(self.random_state)
        loss, self.out_activation_ = self._choose_loss()
        units = [X.shape[1], *hidden, self.n_outputs_]
        if first:
            self._initialize(X, units)
        elif units != [len(self.coefs_[0]), *(coef.shape[1] for coef in self.coefs_)]:
            raise ValueError(
                f"the weights of the last fit have the shapes {[tuple(coef.shape) for coef in self.coefs_]}, which do "
                f"not fit a network of the sizes {units}; fit with warm_start=False begins anew"
            )
        self._current()
        self._follow()
        examples = Examples(X, y, self._targets(y, loss), weights)
        if self.solver == "lbfgs":
            fit_lbfgs(self, loss, examples)
        else:
            fit_stochastic(self, loss, examples, incremental)
        self._show()
        if not all(numpy.isfinite(to_numpy(a)).all() for a in self._shown):
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large values and need to "
                "be preprocessed."
            )

    def _local(self, column: Any) -> Any:
        """A column as a NumPy array where it is one of another library: only X says where everything is computed."""
        return on_host(column) if get_config()["array_api_dispatch"] else column

    def _initialize(self, X: Any, units: list[int]) -> None:
        """Draw the first weights, and set what a training counts from."""
        activations = activations_of(self.activation, units[1:-1])
        if not activations and isinstance(self.activation, (str, Layer)):  # scikit-learn goes by it there, too
            activations = activations_of(self.activation, [0])
        pairs = list(glorot(units, activations, self._random_state))
        dtype = str(X.dtype).rpartition(".")[2]
        self.coefs_, self.intercepts_ = ([a.astype(dtype) for a in arrays] for arrays in zip(*pairs, strict=True))
        self.n_layers_, self.n_iter_, self.t_ = len(units), 0, 0
        self._place = place(X)
        if hasattr(self, "network_"):
            del self.network_
        if self.solver == "lbfgs":
            return
        stopping = self.early_stopping
        self.loss_curve_: list[float] = []
        self._no_improvement_count = 0
        self.best_loss_ = None if stopping else numpy.inf
        self.best_validation_score_ = -numpy.inf if stopping else None
        self.validation_scores_: list[float] | None = [] if stopping else None
        self.validation_loss_curve_: list[float] | None = [] if stopping else None

    # -- The network, and its parameters as scikit-learn shows them ----------------------------------------------

    def _current(self) -> Network:
        """The network with the parameters that ``coefs_`` and ``intercepts_`` say."""
        given = [*self.coefs_, *self.intercepts_]
        if not hasattr(self, "network_"):
            self.network_ = self._build()
            self._shown: list[Array] = []
        if len(given) != len(self._shown) or any(a is not b for a, b in zip(given, self._shown, strict=True)):
            names, places = self._names(), range(len(given))
            self.network_.set_parameters({n: given[k].T for n, k in zip(names, places, strict=True)})
            self._show()
        return self.network_

    def _follow(self) -> None:
        """Another network with the same weights, where the parameters that make it have changed since the last fit.

        What the solver remembers is of the old one; what layers have learned that stay in their place goes on.
        """
        old = self.network_
        if old.layers == tuple(self._stack()) and str(self._backend()) == str(old.backend):
            return
        del self.network_
        if hasattr(self, "_optimizer"):
            del self._optimizer
        new = self._current()
        there = {str(i): k for i, of_old in placed(old.layers) for k, of_new in placed(new.layers) if of_old == of_new}
        parameters, buffers = (
            {f"{there[i]}.{name}": a for key, a in arrays.items() for i, _, name in [key.partition(".")] if i in there}
            for arrays in (old.parameters, old.buffers)
        )
        new.set_parameters(parameters)
        new.set_buffers(buffers)

    def _backend(self) -> Backend:
        """The one that is asked for, or that of X."""
        return get_backend(getattr(self, "_place", None) if self.backend is None else self.backend)

    def _stack(self) -> Iterator[Layer]:
        """The layers that the parameters of the estimator and the shapes of ``coefs_`` say."""
        *hidden, outputs = (int(coef.shape[1]) for coef in self.coefs_)
        activations = activations_of(self.activation, hidden)
        return stack(hidden, activations, outputs, batch_norm=self.batch_norm, dropout=self.dropout)

    def _build(self) -> Network:
        """A network of the shapes of ``coefs_``; random_state gives its masks a seed, where it has any."""
        return Network(
            self._stack(),
            inputs=int(self.coefs_[0].shape[0]),
            backend=self._backend(),
            dtype=str(self.coefs_[0].dtype).rpartition(".")[2],
            seed=int(self._random_state.randint(2**31 - 1)) if self.dropout else 0,
        )

    def _names(self) -> list[str]:
        """The names of the coefs, then of the intercepts, in the network."""
        dense = [i for i, layer in enumerate(self.network_.layers) if isinstance(layer, Dense)]
        return [f"{i}.{name}" for name in ("weight", "bias") for i in dense]

    def _show(self) -> None:
        """Set ``coefs_`` and ``intercepts_``: views of the network's parameters, where its library is that of X."""
        network = self.network_
        arrays = network.layout.unpack(network.backend.xp, network.flat)
        if getattr(self, "_place", None) is None and not isinstance(network.flat, ndarray):
            arrays = [numpy.array(to_numpy(a)) for a in arrays]
            for a in arrays:
                a.flags.writeable = False  # a change of these copies would be lost
        named = dict(zip(network.layout.names, arrays, strict=True))
        self._shown = [named[name].T if named[name].ndim == 2 else named[name] for name in self._names()]
        half = len(self._shown) // 2
        self.coefs_, self.intercepts_ = self._shown[:half], self._shown[half:]

    def _outputs(self, X: Any, method: str) -> Array:
        """The outputs of the network for X, in the library of X; ``method`` is what the user called."""
        check_is_fitted(self)
        if get_config()["array_api_dispatch"] and place(X) != getattr(self, "_place", None):
            raise ValueError(
                f"Inputs passed to {type(self).__name__}.{method}() must use the same namespace and the same device as "
                f"those passed to fit(): {self._place or 'numpy'}; got {place(X) or 'numpy'}. Convert them first"
            )
        X = validate_data(self, unmasked(X, "X"), accept_sparse=["csr", "csc"], reset=False)
        return outputs(self._current(), X)

    def _loss_grad_lbfgs(self, packed: Any, X: Any, y: Any, sample_weight: Any = None, *_: Any) -> tuple[float, Any]:
        """C and ∂C/∂θ at these parameters, by the name under which scikit-learn's tests call it."""
        self._current()
        loss, _name = self._choose_loss()
        examples = Examples(X, y, self._targets(y, loss), sample_weight)
        found = cost_and_gradient(self, loss, examples, packed)
        self._show()
        return found

    # -- For scikit-learn ----------------------------------------------------------------------------------------

    def _check_solver(self) -> bool:
        if self.solver == "lbfgs":
            raise AttributeError("partial_fit is only available for stochastic optimizers. lbfgs is not stochastic.")
        return True

    def __getstate__(self) -> dict[str, Any]:
        """The network, and not its parameters once more: they are views of it again when it is loaded."""
        if not hasattr(self, "network_"):
            return super().__getstate__()  # type: ignore[no-any-return]
        self._current()
        return {k: v for k, v in super().__getstate__().items() if k not in ("coefs_", "intercepts_", "_shown")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if hasattr(self, "network_"):
            self._show()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.array_api_support = True
        return tags


@contextmanager
def restoring(estimator: Any) -> Iterator[None]:
    """Give the estimator the attributes back that it had, where what is done within fails.

    So it predicts what it did before. Weights from which a training has gone on (warm_start, partial_fit) are the same
    arrays before and after, and stay as far as it came.
    """
    before = dict(vars(estimator))
    try:
        yield
    except Exception:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def keep(estimator: Any, given: dict[str, Any]) -> None:
    """Set the parameters of an estimator as attributes, as they are; ``given`` are the arguments of __init__."""
    for name, value in given.items():
        if name not in ("self", "__class__"):
            setattr(estimator, name, value)
