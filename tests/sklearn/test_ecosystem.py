"""With the tools that scikit-learn's users have: pipelines, searches, displays, calibration."""

import numpy as np
import pytest

pytest.importorskip("sklearn")
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import BaggingClassifier, StackingRegressor
from sklearn.inspection import DecisionBoundaryDisplay, permutation_importance
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, LearningCurveDisplay, cross_val_predict, cross_val_score
from sklearn.multioutput import ClassifierChain
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import xnn
from xnn.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True)
QUICK = MLPClassifier((10,), learning_rate_init=0.05, max_iter=40, random_state=0)


def pipeline(model=QUICK):
    return make_pipeline(StandardScaler(), model)


def test_a_search_in_two_processes(monkeypatch):
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    grid = {"mlpclassifier__activation": ["gelu", xnn.LeakyReLU(0.1)]}
    search = GridSearchCV(pipeline(), grid, cv=2, n_jobs=2, error_score="raise").fit(X, Y)
    assert search.best_score_ > 0.9
    assert len(search.cv_results_["params"]) == 2
    assert search.predict(X).shape == (150,)


def test_cross_validation():
    assert cross_val_score(pipeline(), X, Y, cv=5).mean() > 0.93
    assert cross_val_predict(pipeline(), X, Y, cv=3, method="predict_proba").shape == (150, 3)


def test_displays():
    pytest.importorskip("matplotlib")
    from matplotlib import pyplot as plt

    display = DecisionBoundaryDisplay.from_estimator(
        pipeline().fit(X[:, :2], Y), X[:, :2], grid_resolution=20, response_method="predict"
    )
    assert set(np.unique(display.response)) <= {0, 1, 2}
    curve = LearningCurveDisplay.from_estimator(pipeline(), X, Y, train_sizes=[0.5, 1.0], cv=3, shuffle=True)
    assert curve.test_scores.shape == (2, 3)
    plt.close("all")


def test_importance_of_a_feature():
    x = np.random.default_rng(0).normal(size=(200, 3))
    model = MLPRegressor(hidden_layer_sizes=(10,), learning_rate_init=0.05, random_state=0).fit(x, 3 * x[:, 1])
    assert permutation_importance(model, x, 3 * x[:, 1], random_state=0).importances_mean.argmax() == 1


def test_calibration_bagging_chains_and_stacks():
    assert CalibratedClassifierCV(pipeline(), cv=3).fit(X, Y).score(X, Y) > 0.93
    assert BaggingClassifier(pipeline(), n_estimators=3, random_state=0).fit(X, Y).score(X, Y) > 0.93
    assert ClassifierChain(QUICK).fit(X, np.stack([Y == 0, Y == 1], axis=1)).predict(X).shape == (150, 2)
    x, y = load_diabetes(return_X_y=True)
    net = MLPRegressor(hidden_layer_sizes=(10,), solver="lbfgs", max_iter=20, random_state=0)
    assert StackingRegressor([("net", net), ("line", Ridge())], cv=3).fit(x, y).score(x, y) > 0.4
