"""The tests that scikit-learn has for its own network, with ours in its place.

They are read from the installed package, so that they are always those of its release.
"""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("sklearn")
PATH = Path(importlib.util.find_spec("sklearn").origin).parent / "neural_network" / "tests" / "test_mlp.py"
IMPORT = "from sklearn.neural_network import MLPClassifier, MLPRegressor\n"
if not PATH.exists():
    pytest.skip("scikit-learn is installed without its tests", allow_module_level=True)

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
text = PATH.read_text(encoding="utf-8")
assert text.count(IMPORT) == 1
exec(compile(text.replace(IMPORT, "from xnn.sklearn import MLPClassifier, MLPRegressor\n"), str(PATH), "exec"))


@pytest.fixture
def global_random_seed():
    """The seed of those tests that take one."""
    return 42


def test_these_are_the_tests_of_our_estimators():
    assert MLPClassifier.__module__ == "xnn.sklearn.classifier"  # noqa: F821 -- from the text above
    assert sum(name.startswith("test_") for name in globals()) > 40
