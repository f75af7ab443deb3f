"""scikit-learn's own checks of an estimator, and the tests of its network, run on ours."""

import pytest

pytest.importorskip("sklearn")
from sklearn.utils.estimator_checks import check_estimator

from xnn.sklearn import MLPClassifier, MLPRegressor


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_every_check_of_an_estimator_passes(estimator):
    quick = estimator(hidden_layer_sizes=(10,), learning_rate_init=0.03, max_iter=30)
    results = check_estimator(quick, on_skip=None, on_fail=None)
    assert [(r["check_name"], r["exception"]) for r in results if r["status"] not in ("passed", "skipped")] == []
    assert sum(r["status"] == "passed" for r in results) > 55  # the others need pandas, or an environment variable
