"""scikit-learn's neural networks with xnn inside: the same parameters, attributes and methods.

    from xnn.sklearn import MLPClassifier      # instead of sklearn.neural_network

scikit-learn is an optional library, the extra ``sklearn``.
"""

from xnn.sklearn.classifier import MLPClassifier
from xnn.sklearn.regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
