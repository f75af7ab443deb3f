"""What goes beyond scikit-learn's own network: layers, losses, weights of classes, callbacks, backends."""

import pickle
import warnings
from copy import deepcopy

import numpy as np
import pytest

pytest.importorskip("sklearn")
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier as Theirs
from sklearn.preprocessing import scale

import xnn
from xnn.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True)
X = scale(X)
PAIR = Y[:100]  # two classes
QUICK = {"hidden_layer_sizes": (12,), "learning_rate_init": 0.02, "max_iter": 60, "random_state": 0}


@pytest.mark.parametrize(
    "settings",
    [
        {"dropout": 0.2},
        {"batch_norm": True},
        {"batch_norm": True, "solver": "lbfgs"},
        {"hidden_layer_sizes": (12, 8), "activation": ["tanh", "gelu"]},
        {"hidden_layer_sizes": (12, 8), "activation": [xnn.PReLU(), "silu"], "dropout": 0.1, "batch_norm": True},
        {"activation": xnn.LeakyReLU(0.2), "solver": "lbfgs"},
        {"loss": xnn.CrossEntropy(label_smoothing=0.1)},
        {"loss": xnn.BinaryCrossEntropy()},  # one class against the rest
        {"class_weight": "balanced"},
    ],
)
def test_classes_are_told_apart_in_every_way(settings):
    model = MLPClassifier(**{**QUICK, **settings}).fit(X, Y)
    assert model.score(X, Y) > 0.93
    p = model.predict_proba(X)
    assert p.shape == (150, 3)
    np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-6)
    np.testing.assert_array_equal(p.argmax(axis=1), model.predict(X))
    again = MLPClassifier(**{**QUICK, **settings}).fit(X, Y)
    np.testing.assert_array_equal(model.predict_proba(X), again.predict_proba(X))  # masks follow from random_state
    assert pickle.loads(pickle.dumps(model)).predict_proba(X).tolist() == p.tolist()


def test_the_layers_are_what_the_parameters_say():
    settings = {"hidden_layer_sizes": (5, 4), "activation": ["tanh", xnn.ELU()], "dropout": 0.3, "batch_norm": True}
    model = MLPClassifier(**settings, max_iter=1).fit(X, Y)
    kinds = [type(layer).__name__ for layer in model.network_.layers]
    hidden = ["Dense", "BatchNorm", "{}", "Dropout"]
    assert " ".join(kinds) == " ".join([*hidden, *hidden, "Dense"]).format("Tanh", "ELU")
    assert [coef.shape for coef in model.coefs_] == [(4, 5), (5, 4), (4, 3)]


@pytest.mark.parametrize("loss", [xnn.CrossEntropy(), xnn.BinaryCrossEntropy(), xnn.Hinge(), xnn.MeanSquaredError()])
def test_any_loss_for_two_classes(loss):
    y = np.where(PAIR == 1, "yes", "no")
    model = MLPClassifier(loss=loss, early_stopping=True, **QUICK).fit(X[:100], y)
    assert model.score(X[:100], y) > 0.95
    assert model.validation_scores_[-1] > 0.9
    assert hasattr(model, "predict_proba") == (model.out_activation_ != "identity")
    if hasattr(model, "predict_proba"):
        assert model.predict_proba(X[:100]).shape == (100, 2)
    else:
        with pytest.raises(AttributeError, match="has no attribute 'predict_proba'"):
            model.predict_proba(X)


def test_a_softmax_over_two_classes_is_the_sigmoid_of_a_difference():
    pair = MLPClassifier(loss=xnn.CrossEntropy(), **QUICK).fit(X[:100], PAIR)
    assert pair.n_outputs_ == 2
    assert pair.out_activation_ == "softmax"
    one = MLPClassifier(**QUICK).fit(X[:100], PAIR)
    assert one.n_outputs_ == 1
    np.testing.assert_array_equal(one.predict(X[:100]), pair.predict(X[:100]))


def test_several_labels_cannot_have_a_softmax():
    x, y = make_multilabel_classification(30, random_state=0)
    with pytest.raises(ValueError, match=r"exclude each other: take xnn\.BinaryCrossEntropy"):
        MLPClassifier(loss=xnn.CrossEntropy()).fit(x, y)


def test_any_loss_for_numbers():
    x, y = X[:, :3], X[:, 3]
    for loss in (xnn.Huber(), xnn.LogCosh(), xnn.MeanAbsoluteError(), xnn.MeanSquaredError()):
        assert MLPRegressor(loss, **QUICK).fit(x, y).score(x, y) > 0.85
    counts = np.round(np.exp(y))
    model = MLPRegressor(xnn.PoissonNLL(), **QUICK).fit(x, counts)
    assert model.out_activation_ == "exp"
    assert (model.predict(x) > 0).all()
    assert model.score(x, counts) > 0.7


def test_weights_of_classes_are_weights_of_their_examples():
    weights = np.where(Y == 2, 5.0, 1.0)
    ours = MLPClassifier(class_weight={2: 5.0}, **QUICK).fit(X, Y)
    same = MLPClassifier(**QUICK).fit(X, Y, sample_weight=weights)
    np.testing.assert_array_equal(ours.coefs_[0], same.coefs_[0])
    both = MLPClassifier(class_weight={2: 5.0}, **QUICK).fit(X, Y, sample_weight=np.where(Y == 1, 2.0, 1.0))
    assert both.loss_ != ours.loss_
    with pytest.raises(ValueError, match="'balanced' is not supported for partial_fit"):
        MLPClassifier(class_weight="balanced").partial_fit(X, Y, classes=[0, 1, 2])


def test_callbacks_and_the_curve_of_the_validation_loss():
    seen = []
    stopping = xnn.EarlyStopping("val_loss", patience=3)
    model = MLPClassifier(**{**QUICK, "max_iter": 300}, early_stopping=True, n_iter_no_change=1000)
    model.set_params(callbacks=[stopping, lambda epoch, logs: seen.append((epoch, *logs))]).fit(X, Y)
    assert seen[:2] == [(0, "loss", "val_loss", "val_accuracy"), (1, "loss", "val_loss", "val_accuracy")]
    assert len(seen) == len(model.validation_loss_curve_) == len(model.validation_scores_) == model.n_iter_ < 300
    assert min(model.validation_loss_curve_) == stopping.best
    ends = MLPClassifier(callbacks=lambda epoch, logs: epoch == 4, **QUICK).fit(X, Y)
    assert ends.n_iter_ == 5
    assert MLPClassifier(callbacks=lambda epoch, logs: epoch == 4, **QUICK, solver="lbfgs").fit(X, Y).n_iter_ == 5
    plateau = xnn.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=10.0)
    slow, fast = (MLPRegressor(**QUICK, callbacks=c).fit(X, X[:, 0]) for c in (plateau, None))
    assert len(plateau.reductions) > 5
    assert abs(slow.coefs_[0] - fast.coefs_[0]).max() > 1e-3


def test_callbacks_are_told_of_every_step():
    class Steps(xnn.Callback):
        def on_train_begin(self, run):
            self.steps = []

        def on_step_end(self, run):
            self.steps.append(run.step)

    steps = Steps()
    model = MLPClassifier(**{**QUICK, "max_iter": 2}, batch_size=50, callbacks=[steps]).fit(X, Y)
    assert steps.steps == [1, 2, 3, 4, 5, 6]
    model.set_params(solver="lbfgs").fit(X, Y)
    assert steps.steps == [1, 2]


def test_verbose(capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        MLPClassifier(max_iter=2, early_stopping=True, verbose=True).fit(X, Y)
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[0] for line in lines] == ["Iteration", "Validation"] * 2
        MLPClassifier(max_iter=2, verbose="progress").fit(X, Y)
    said = capsys.readouterr().out
    assert "epoch 2/2" in said
    assert "stop reason: iteration limit: 2 epochs" in said
    assert "Iteration" not in said


def test_ctrl_c_ends_the_training_and_keeps_what_was_learned():
    def press(epoch, logs):
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="interrupted by user"):
        model = MLPClassifier(callbacks=press, **QUICK).fit(X, Y)
    assert model.n_iter_ == 3
    assert model.predict(X).shape == (150,)


@pytest.mark.parametrize("form", [sparse.csr_array, sparse.csc_matrix])
@pytest.mark.parametrize("settings", [{}, {"early_stopping": True}, {"solver": "lbfgs"}, {"shuffle": False}])
def test_sparse_rows_become_dense_batch_by_batch(form, settings):
    x, y = (a[:200] for a in load_digits(return_X_y=True))
    weights = np.linspace(0.5, 1.5, 200)
    settings = {**QUICK, "max_iter": 5, "batch_size": 64, **settings}
    dense = MLPClassifier(**settings).fit(x, y, sample_weight=weights)
    thin = MLPClassifier(**settings).fit(form(x), y, sample_weight=weights)
    np.testing.assert_allclose(thin.coefs_[0], dense.coefs_[0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(thin.predict_proba(form(x)), dense.predict_proba(x), rtol=1e-9, atol=1e-12)


def test_coefs_are_the_parameters_of_the_network():
    model = MLPClassifier(**QUICK).fit(X, Y)
    before = model.predict_proba(X)
    model.coefs_[0][:] = 0.0  # in place
    model.intercepts_ = [b * 0 for b in model.intercepts_]  # new arrays
    np.testing.assert_allclose(model.predict_proba(X), 1 / 3)
    for copy in (pickle.loads(pickle.dumps(model)), deepcopy(model)):
        np.testing.assert_allclose(copy.predict_proba(X), 1 / 3)
        copy.coefs_[1][:] = 1.0
        copy.intercepts_[1][:] = [0.0, 5.0, 0.0]
        assert set(copy.predict(X)) == {1}
    np.testing.assert_allclose(model.predict_proba(X), 1 / 3)
    model.coefs_, model.intercepts_ = model.coefs_[:], [np.asarray([1.0] * b.size) for b in model.intercepts_]
    model.partial_fit(X, Y)
    assert not np.allclose(model.predict_proba(X), before)


def test_a_copy_goes_on_as_the_original_does():
    model = MLPClassifier(**QUICK).partial_fit(X, Y, classes=[0, 1, 2])
    copy = pickle.loads(pickle.dumps(model))
    for _ in range(3):
        model.partial_fit(X, Y)
        copy.partial_fit(X, Y)
    np.testing.assert_array_equal(model.coefs_[0], copy.coefs_[0])
    assert not hasattr(clone(model), "coefs_")


def test_a_backend_computes_the_same(backend):
    if type(backend).__name__ == "ReadOnlyNumpy":
        pytest.skip("it is an object of the tests")
    settings = {**QUICK, "max_iter": 8, "early_stopping": True}
    for more in ({}, {"solver": "sgd"}, {"solver": "lbfgs"}):
        here = MLPClassifier(**settings, **more, backend="numpy").fit(X, Y)
        there = MLPClassifier(**settings, **more, backend=backend).fit(X, Y)
        assert type(there.network_.flat) is type(backend.asarray([1.0]))
        assert isinstance(there.coefs_[0], np.ndarray)
        np.testing.assert_allclose(there.coefs_[0], here.coefs_[0], rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(there.predict_proba(X), here.predict_proba(X), rtol=1e-5, atol=1e-7)
        if backend.name != "numpy":
            with pytest.raises(ValueError, match="read-only"):  # a change of a copy would be lost
                there.coefs_[0][:] = 0.0
    counts = np.round(np.exp(X[:, 0]))
    regressors = [MLPRegressor("poisson", **settings, backend=b).fit(X, counts) for b in ("numpy", backend)]
    np.testing.assert_allclose(*(r.predict(X) for r in regressors), rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"activation": ["relu"], "hidden_layer_sizes": (3, 3)}, "one for each of the 2 hidden layers, got 1"),
        ({"activation": ["relux"]}, "a layer such as .*, or one of .*; got 'relux'"),
        ({"activation": xnn.Dense(3)}, r"activation: expected a layer such as .*; got Dense\(units=3"),
        ({"callbacks": [xnn.BackupAndRestore("run")]}, "keeps the runs of Network.fit; an estimator is kept whole by"),
        ({"activation": "relux"}, "'activation' parameter of MLPClassifier must be"),
        ({"dropout": 1.0}, r"'dropout' parameter .* in the range \[0.0, 1.0\)"),
        ({"dropout": 0.1, "solver": "lbfgs"}, "dropout needs solver='adam' or 'sgd'"),
        ({"loss": "hinge"}, "'loss' parameter"),
        ({"backend": 3}, "'backend' parameter"),
        ({"callbacks": 3}, "'callbacks' parameter"),
        ({"callbacks": xnn.EarlyStopping()}, "watches 'val_loss', which no epoch will report; there will be: loss"),
        ({"callbacks": xnn.EarlyStopping("val_r2"), "early_stopping": True}, "will be: loss, val_loss, val_accuracy"),
        ({"verbose": "bar"}, "'verbose' parameter"),
        ({"class_weight": {7: 2.0}}, "are not in class_weight"),
    ],
)
def test_settings_that_make_no_sense(settings, words):
    with pytest.raises(ValueError, match=words):
        MLPClassifier(**settings).fit(X, Y)


def test_parameters_that_change_between_fits_take_effect():
    model = MLPClassifier(**QUICK, batch_norm=True, warm_start=True).fit(X, Y)
    before, norms = model.predict(X), [model.network_.buffers[f"1.running_{name}"] for name in ("mean", "var")]
    model.set_params(activation="tanh", dropout=0.3, backend="array_api_strict", max_iter=1, learning_rate_init=1e-9)
    model.fit(X, Y)
    assert [type(layer).__name__ for layer in model.network_.layers] == [
        "Dense",
        "BatchNorm",
        "Tanh",
        "Dropout",
        "Dense",
    ]
    assert model.network_.backend.name == "array_api_strict"
    for name, norm in zip(("mean", "var"), norms, strict=True):  # what it has learned is not lost
        assert np.abs(xnn.arrays.to_numpy(model.network_.buffers[f"1.running_{name}"]) - norm).max() < 0.5
    assert (model.predict(X) == before).mean() > 0.8
    network = model.network_
    assert model.partial_fit(X, Y).network_ is network
    assert model.set_params(backend=None).partial_fit(X, Y).network_.backend.name == "numpy"
    model.set_params(batch_norm=False).partial_fit(X, Y)
    assert len(model.network_.layers) == 4


def test_what_an_activation_has_learned_goes_on():
    settings = QUICK | {"learning_rate_init": 0.05, "hidden_layer_sizes": (4, 3)}
    model = MLPRegressor(**settings, activation=xnn.PReLU(), warm_start=True).fit(X, X[:, 0])
    before = model.network_.parameters
    model.set_params(activation=["tanh", xnn.PReLU()], dropout=0.1, max_iter=1, learning_rate_init=1e-9)
    after = model.fit(X, X[:, 0]).network_.parameters  # Dense, Tanh, Dropout, Dense, PReLU, Dropout, Dense
    assert abs(before["3.weight"] - before["1.weight"]) > 1e-3
    np.testing.assert_allclose(after["4.weight"], before["3.weight"], atol=1e-6)
    np.testing.assert_allclose(after["6.weight"], before["4.weight"], atol=1e-6)


@pytest.mark.parametrize("loss", [xnn.CrossEntropy(), xnn.BinaryCrossEntropy(), xnn.Hinge()])
def test_a_loss_for_classes_is_none_for_numbers(loss):
    with pytest.raises(ValueError, match=rf"{type(loss).__name__}\(.* is for classes; take MLPClassifier"):
        MLPRegressor(loss).fit(X, Y)


def test_another_activation_goes_on_as_in_scikit_learn():
    models = [kind((8,), max_iter=3, random_state=0, warm_start=True) for kind in (MLPClassifier, Theirs)]
    ours, theirs = (model.fit(X, Y).set_params(activation="tanh").fit(X, Y) for model in models)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-9)


@pytest.mark.parametrize(
    "settings",
    [
        {"backend": "abacus"},
        {"solver": "lbfgs", "dropout": 0.1},
        {"early_stopping": True, "validation_fraction": 0.001},
        {"callbacks": xnn.EarlyStopping("val_loss")},
        {"callbacks": lambda epoch, logs: 1 / (2 - epoch)},
    ],
)
def test_a_fit_that_fails_leaves_the_last_one(settings):
    model = MLPClassifier(**QUICK).fit(X, Y)
    before, attributes = model.predict_proba(X), set(vars(model))
    with pytest.raises((ValueError, xnn.BackendError, ZeroDivisionError)):
        model.set_params(**settings).fit(X, Y + 1)
    np.testing.assert_array_equal(model.predict_proba(X), before)
    assert set(vars(model)) == attributes
    with pytest.raises((ValueError, xnn.BackendError, ZeroDivisionError)):
        clone(model).fit(X, Y)


def test_units_are_whole_numbers():
    for sizes in ((3, 2.5), (3, "a"), ((3,),)):
        with pytest.raises(TypeError, match="hidden_layer_sizes: expected whole numbers"):
            MLPClassifier(sizes).fit(X, Y)
    for sizes in (np.asarray([3, 2]), np.int64(3)):
        MLPClassifier(sizes, max_iter=1).fit(X, Y)


def test_masks_are_refused():
    masked, none = np.ma.masked_greater(X, X.max() - 1e-9), np.ma.masked_array(X)
    model = MLPRegressor(**QUICK)
    for x, y, w in ((masked, X[:, 0], None), (X, masked, None), (X, X[:, 0], np.ma.masked_equal(Y, 0))):
        with pytest.raises(ValueError, match=r"^(X|y|sample_weight): .* of the values are masked"):
            model.fit(x, y, w)
    with pytest.raises(ValueError, match="X: 1 of the values are masked"):
        model.fit(none, none[:, 0]).predict(masked)


def test_other_errors():
    with pytest.raises(xnn.BackendError, match="unknown backend 'abacus'"):
        MLPClassifier(backend="abacus").fit(X, Y)
    model = MLPClassifier(warm_start=True, **QUICK).fit(X, Y)
    with pytest.raises(ValueError, match=r"do not fit a network of the sizes \[4, 7, 3\]"):
        model.set_params(hidden_layer_sizes=7).fit(X, Y)


def test_scores_on_breast_cancer():
    x, y = load_breast_cancer(return_X_y=True)
    model = MLPClassifier((30,), batch_norm=True, dropout=0.2, max_iter=50, random_state=0)
    assert model.fit(scale(x)[::2], y[::2]).score(scale(x)[1::2], y[1::2]) > 0.95
