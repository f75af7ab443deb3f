"""From scikit-learn: its grid search finds how to read digits, with a network of xnn in its pipeline.

Everything here but one import is scikit-learn's, and goes on working: the pipeline, the search, the report. What
is searched over is not: an activation that scikit-learn does not have, and dropout.

    python examples/estimators.py --backend torch
"""

import warnings

import matplotlib.pyplot as plt
from _common import BLUE, RED, arguments, save_picture
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from xnn.sklearn import MLPClassifier  # instead of sklearn.neural_network


def main() -> None:
    options = arguments(__doc__)
    x, y = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.25, random_state=0, stratify=y)

    # early_stopping keeps a tenth of the training examples apart, and goes back to the best weights on them.
    network = MLPClassifier((100,), early_stopping=True, max_iter=5 if options.quick else 60, random_state=0)
    grid = {
        "mlpclassifier__activation": ["relu", "gelu"],
        "mlpclassifier__dropout": [0.0] if options.quick else [0.0, 0.3],
    }
    search = GridSearchCV(make_pipeline(StandardScaler(), network), grid, cv=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # max_iter is small here on purpose
        search.fit(x_train, y_train)

    print("accuracy by cross-validation")
    for settings, score in zip(search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True):
        print(f"  {score:.4f}  " + ", ".join(f"{name.partition('__')[2]} {value}" for name, value in settings.items()))
    print(f"test accuracy of the best one {search.score(x_test, y_test):.4f}\n")

    best = search.best_estimator_[-1]
    print(best.network_.summary(), "\n")  # the estimator has an xnn.Network inside

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    epochs = range(1, best.n_iter_ + 1)
    left.plot(epochs, best.loss_curve_, color=BLUE, label="training")
    left.plot(epochs, best.validation_loss_curve_, color=RED, label="validation")
    left.set(xlabel="epoch", ylabel="loss", yscale="log")
    left.legend()
    ConfusionMatrixDisplay.from_estimator(search, x_test, y_test, ax=right, cmap="Blues", colorbar=False)
    right.set(xlabel="what the network read", ylabel="the digit")
    save_picture(figure, options.output, "estimators.png")


if __name__ == "__main__":
    main()
