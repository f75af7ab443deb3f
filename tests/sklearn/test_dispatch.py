"""Arrays of other libraries under scikit-learn's ``array_api_dispatch``: they go in and come out."""

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn import config_context
from sklearn.datasets import load_iris
from sklearn.preprocessing import scale

from xnn.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True)
X = scale(X)
SETTINGS = {"hidden_layer_sizes": (8,), "max_iter": 5, "random_state": 0, "learning_rate_init": 0.02}


@pytest.fixture(autouse=True)
def dispatch(monkeypatch):
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")  # scikit-learn asks for it
    with config_context(array_api_dispatch=True):
        yield


@pytest.fixture
def library(backend):
    if backend.name in ("numpy", "jax"):
        pytest.skip("scikit-learn dispatches to CuPy, PyTorch and the strict library")
    if backend.name == "array_api_strict":
        backend.xp.set_array_api_strict_flags(boolean_indexing=True, data_dependent_shapes=True)  # for the scores
    return backend


@pytest.mark.parametrize(
    "settings",
    [{}, {"early_stopping": True}, {"solver": "lbfgs"}, {"solver": "sgd", "dropout": 0.2, "batch_norm": True}],
)
def test_what_goes_in_comes_out(library, settings):
    x, y = library.asarray(X), library.asarray(Y)
    here = MLPClassifier(**SETTINGS, **settings).fit(X, Y)
    model = MLPClassifier(**SETTINGS, **settings).fit(x, y, sample_weight=library.asarray(np.ones(150)))
    assert model.network_.backend.name == library.name
    assert str(model.network_.backend.device) == str(library.device)
    for array in (model.predict(x), model.predict_proba(x), model.predict_log_proba(x), *model.coefs_):
        assert library.owns(array)
        assert str(array.device) == str(x.device)
    np.testing.assert_allclose(library.to_numpy(model.predict_proba(x)), here.predict_proba(X), rtol=1e-5, atol=1e-7)
    assert model.score(x, y) == pytest.approx(here.score(X, Y), abs=0.02)
    with pytest.raises(ValueError, match=r"MLPClassifier.predict_proba\(\) must use the same namespace"):
        model.predict_proba(X)


def test_numbers_and_names(library):
    x = library.asarray(X.astype("float32"))
    model = MLPRegressor(**SETTINGS).fit(x, library.asarray(X[:, :2]))
    assert library.owns(model.predict(x))
    assert str(model.predict(x).dtype).endswith("float32")
    assert model.predict(x).shape == (150, 2)
    names = np.asarray(["setosa", "versicolor", "virginica"])[Y]
    assert MLPClassifier(**SETTINGS).fit(x, names).predict(x).dtype.kind == "U"  # there is no other library for them
    again = MLPClassifier(**SETTINGS).partial_fit(x, library.asarray(Y), classes=library.asarray([0, 1, 2]))
    assert library.owns(again.predict(x))


def test_without_dispatch_an_array_of_torch_is_one_of_numpy():
    torch = pytest.importorskip("torch")
    with config_context(array_api_dispatch=False):
        model = MLPClassifier(**SETTINGS).fit(torch.asarray(X), torch.asarray(Y))
        assert isinstance(model.predict(torch.asarray(X)), np.ndarray)
