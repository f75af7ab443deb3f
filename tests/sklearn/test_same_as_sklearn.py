"""Beside scikit-learn's own network: the same numbers, epoch after epoch, from the same random_state."""

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn import neural_network as reference
from sklearn.datasets import load_digits, make_multilabel_classification, make_regression
from sklearn.exceptions import ConvergenceWarning

from xnn.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
DIGITS = tuple(a[:300] for a in load_digits(return_X_y=True))
DIGITS = DIGITS[0] / 16, DIGITS[1]
PAIR = DIGITS[0], np.where(DIGITS[1] > 4, "high", "low")
LABELS = make_multilabel_classification(120, random_state=0)
NUMBERS = make_regression(150, 6, noise=1.0, random_state=0)
NUMBERS = NUMBERS[0], NUMBERS[1] / 50
SEVERAL = NUMBERS[0], np.stack([NUMBERS[1], NUMBERS[1] ** 2, -NUMBERS[1]], axis=1)
COUNTS = NUMBERS[0], RNG.poisson(np.exp(np.clip(NUMBERS[1], -3, 3))).astype(float)

CASES = {
    "adam": (MLPClassifier, DIGITS, {}),
    "several hidden layers": (MLPClassifier, DIGITS, {"hidden_layer_sizes": (20, 10), "activation": "tanh"}),
    "no hidden layer": (MLPClassifier, DIGITS, {"hidden_layer_sizes": ()}),
    "no hidden layer, logistic": (MLPClassifier, DIGITS, {"hidden_layer_sizes": (), "activation": "logistic"}),
    "one number of units": (MLPClassifier, DIGITS, {"hidden_layer_sizes": 7, "activation": "identity"}),
    "sgd": (MLPClassifier, DIGITS, {"solver": "sgd", "learning_rate_init": 0.1}),
    "plain momentum": (MLPClassifier, DIGITS, {"solver": "sgd", "nesterovs_momentum": False, "momentum": 0.5}),
    "invscaling": (
        MLPClassifier,
        DIGITS,
        {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.5, "power_t": 0.3},
    ),
    "adaptive": (
        MLPClassifier,
        PAIR,
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.01, "n_iter_no_change": 2, "learning_rate_init": 0.1},
    ),
    "two classes": (MLPClassifier, PAIR, {"activation": "logistic", "alpha": 1.0}),
    "several labels": (MLPClassifier, LABELS, {"batch_size": 50}),
    "early stopping": (MLPClassifier, DIGITS, {"early_stopping": True, "n_iter_no_change": 3, "max_iter": 40}),
    "early stopping, stratified": (MLPClassifier, PAIR, {"early_stopping": True, "validation_fraction": 0.3}),
    "in order": (MLPClassifier, DIGITS, {"shuffle": False, "batch_size": 64}),
    "stops by itself": (MLPClassifier, DIGITS, {"tol": 0.02, "n_iter_no_change": 2, "max_iter": 100}),
    "numbers": (MLPRegressor, NUMBERS, {"alpha": 0.1}),
    "several numbers": (MLPRegressor, SEVERAL, {"learning_rate_init": 0.01}),
    "counts": (MLPRegressor, COUNTS, {"loss": "poisson"}),
    "numbers, early stopping": (MLPRegressor, NUMBERS, {"early_stopping": True, "learning_rate_init": 0.01}),
}


def both(estimator, **settings):
    settings = {"random_state": 0, "max_iter": 12, "hidden_layer_sizes": (15,), **settings}
    return estimator(**settings), getattr(reference, estimator.__name__)(**settings)


def assert_same(ours, theirs, x):
    for a, b in zip([*ours.coefs_, *ours.intercepts_], [*theirs.coefs_, *theirs.intercepts_], strict=True):
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-9)
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"):
        assert getattr(ours, name) == getattr(theirs, name), name
    for name in ("loss_", "best_loss_", "best_validation_score_", "validation_scores_"):
        mine, other = getattr(ours, name), getattr(theirs, name)
        assert (mine is None) == (other is None), name
        if mine is not None:
            np.testing.assert_allclose(mine, other, rtol=1e-9, err_msg=name)
    assert ours._no_improvement_count == theirs._no_improvement_count
    np.testing.assert_allclose(ours._optimizer.learning_rate, theirs._optimizer.learning_rate, rtol=1e-13)
    mine, other = ours.predict(x), theirs.predict(x)
    assert mine.dtype == other.dtype
    if mine.dtype.kind == "f":
        np.testing.assert_allclose(mine, other, rtol=1e-6, atol=1e-8)
    else:
        np.testing.assert_array_equal(mine, other)
        np.testing.assert_array_equal(ours.classes_, theirs.classes_)
        np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(x), rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(ours.predict_log_proba(x), theirs.predict_log_proba(x), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("case", CASES)
def test_training_goes_through_the_same_numbers(case):
    estimator, (x, y), settings = CASES[case]
    ours, theirs = both(estimator, **settings)
    assert_same(ours.fit(x, y), theirs.fit(x, y), x)


@pytest.mark.parametrize("case", ["adam", "two classes", "early stopping", "several numbers", "counts"])
def test_with_weights_of_the_examples(case):
    estimator, (x, y), settings = CASES[case]
    ours, theirs = both(estimator, **settings)
    weights = RNG.uniform(0.1, 3.0, len(x))
    assert_same(ours.fit(x, y, sample_weight=weights), theirs.fit(x, y, sample_weight=weights), x)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_rates_that_become_infinite_have_no_score():
    settings = {"loss": "poisson", "early_stopping": True, "solver": "sgd", "learning_rate_init": 1.0, "max_iter": 3}
    ours, theirs = (model.fit(*COUNTS) for model in both(MLPRegressor, hidden_layer_sizes=(), **settings))
    assert np.isnan(ours.validation_scores_).any()
    np.testing.assert_allclose(ours.validation_scores_, theirs.validation_scores_, rtol=1e-9)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_partial_fit_warm_start_and_both_after_fit(solver):
    x, y = DIGITS
    ours, theirs = both(MLPClassifier, solver=solver)
    for model in (ours, theirs):
        for part in (slice(0, 100), slice(100, 200), slice(200, 300)):
            model.partial_fit(x[part], y[part], classes=np.arange(10))
    assert_same(ours, theirs, x)
    for model in (ours, theirs):
        model.set_params(warm_start=True, max_iter=3).fit(x, y).partial_fit(x, y)
    assert_same(ours, theirs, x)


def test_float32_stays_float32():
    x, y = DIGITS[0].astype("float32"), DIGITS[1]
    ours, theirs = both(MLPClassifier)
    ours.fit(x, y), theirs.fit(x, y)
    assert ours.coefs_[0].dtype == ours.predict_proba(x).dtype == theirs.coefs_[0].dtype == np.float32
    np.testing.assert_allclose(ours.coefs_[0], theirs.coefs_[0], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("estimator", "data", "settings"),
    [
        (MLPClassifier, (DIGITS[0], DIGITS[1] * 0.5), {}),
        (MLPClassifier, DIGITS, {"hidden_layer_sizes": (10, 0)}),
        (MLPClassifier, DIGITS, {"hidden_layer_sizes": -1}),
        (MLPClassifier, DIGITS, {"alpha": -1}),
        (MLPClassifier, DIGITS, {"momentum": 2.0}),
        (MLPClassifier, (DIGITS[0][:5], DIGITS[1]), {}),
        (MLPClassifier, (DIGITS[0] * np.nan, DIGITS[1]), {}),
        (MLPClassifier, (DIGITS[0][0], DIGITS[1]), {}),
        (MLPRegressor, (NUMBERS[0], np.where(NUMBERS[1] > 1, np.inf, 0)), {}),
        (MLPRegressor, NUMBERS, {"beta_1": 1.0}),
        (MLPRegressor, (NUMBERS[0][:2], NUMBERS[1][:2]), {"early_stopping": True}),
    ],
)
def test_bad_input_is_the_same_error(estimator, data, settings):
    ours, theirs = both(estimator, **settings)
    with pytest.raises((ValueError, TypeError)) as expected:
        theirs.fit(*data)
    with pytest.raises(expected.type) as got:
        ours.fit(*data)
    assert str(got.value).split(". Got")[0] == str(expected.value).split(". Got")[0]


def test_warnings_are_the_same():
    x, y = DIGITS
    seen = []
    for model in both(MLPClassifier, batch_size=1000, max_iter=2):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.fit(x, y)
        seen.append([(w.category, str(w.message).partition(" to ")[0]) for w in caught])
    assert seen[0] == seen[1]
    assert seen[0][1][0] is ConvergenceWarning
    with pytest.warns(ConvergenceWarning) as caught:
        MLPClassifier(max_iter=1).fit(x, y)
    assert caught[0].filename == __file__  # it points at the user's line


@pytest.mark.parametrize(
    ("case", "settings"),
    [("several hidden layers", {"max_iter": 15}), ("adam", {"max_iter": 200}), ("several labels", {"max_iter": 5})],
)
def test_lbfgs_goes_through_the_same_numbers_while_its_line_search_takes_the_first_trial(case, settings):
    estimator, (x, y), given = CASES[case]
    ours, theirs = both(estimator, **{**given, "solver": "lbfgs", **settings})
    weights = RNG.uniform(0.5, 2.0, len(x))
    ours.fit(x, y, weights), theirs.fit(x, y, weights)
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=1e-9)
    assert not hasattr(ours, "loss_curve_")


@pytest.mark.parametrize("case", ["numbers", "counts", "several numbers", "two classes"])
def test_lbfgs_ends_where_scipys_does(case):
    estimator, (x, y), given = CASES[case]
    given = {**given, "solver": "lbfgs", "hidden_layer_sizes": (), "max_iter": 500, "alpha": 0.1, "tol": 1e-6}
    ours, theirs = both(estimator, **given)  # without a hidden layer there is one minimum
    ours.fit(x, y), theirs.fit(x, y)
    np.testing.assert_allclose(ours.coefs_[0], theirs.coefs_[0], rtol=1e-2, atol=1e-3)
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=1e-5)
