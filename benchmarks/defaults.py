"""What the defaults make of raw data: how far from the optimum, in how many epochs and seconds.

    python benchmarks/defaults.py [name of a data set ...] [--alpha 1e-4] [--tol 1e-3]

For each data set: (F - F*) / (F0 - F*) when `fit` returns, F0 being the objective at zero
coefficients and the best intercept; epochs; seconds of processor time, input checks included; and
the score on the test part. Beside it seconds and score of scikit-learn's estimators at their
defaults, on the raw columns and behind a StandardScaler, one thread, in the same run.
"""

import argparse

from _harness import DATA, load_module  # first, so that the thread counts hold

import time
import warnings

import numpy as np
import scipy.sparse as sp
from _optimum import Objective
from sklearn.linear_model import (
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgd import GDClassifier, GDRegressor

DENSE = ["covtype", "covtype_binary", "flights", "nslkdd", "fremtpl2_claim", "mnist", "mnist_even"]
SPARSE = ["a9a", "w8a", "imdb", "news20", "flights_onehot"]
TASKS = {
    **dict.fromkeys([*DENSE, "letter", *SPARSE], "log_loss"),
    **dict.fromkeys(["flights_reg", "movielens", "cal_housing", "diamonds"], "squared_error"),
    "fremtpl2": "poisson",
}
RIVALS = {
    "log_loss": [SGDClassifier(loss="log_loss", random_state=0), LogisticRegression()],
    "squared_error": [SGDRegressor(random_state=0), Ridge(solver="sag", random_state=0)],
    "poisson": [PoissonRegressor()],
}


def data(name):
    """(X, y, weight) to train on and to test on."""
    files = load_module()
    X, X_test, y, y_test = files.split(name)
    if name != "fremtpl2":
        return (X, y, None), (X_test, y_test, None)
    weight = np.asarray(files.weights(name), np.float64)
    w, w_test = weight[: len(y)], weight[len(y) :]
    return (X, y / w, w), (X_test, y_test / w_test, w_test)


def fitted(model, X, y, weight):
    """(model, seconds of processor time, names of the warnings)."""
    keywords = {} if weight is None else {"sample_weight": weight}
    if weight is not None and hasattr(model, "steps"):
        keywords = {f"{model.steps[-1][0]}__sample_weight": weight}
    begun = time.process_time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model.fit(X, y, **keywords)
        except (ValueError, ArithmeticError):
            return None, time.process_time() - begun, {"raised"}
    return model, time.process_time() - begun, {each.category.__name__ for each in caught}


def score(model, X, y, weight):
    return float("nan") if model is None else model.score(X, y, sample_weight=weight)


def row(name, alpha, tol):
    """Print the row of a data set."""
    train, test = data(name)
    loss = TASKS[name]
    objective = Objective(loss, *train, alpha=alpha)
    start, best = objective.start(), objective.optimum()
    made = GDClassifier if loss == "log_loss" else GDRegressor
    model, seconds, warned = fitted(made(loss, alpha=alpha, tol=tol, random_state=0), *train)
    left = (objective.value(model.coef_, model.intercept_) - best) / (start - best)
    cells = [
        f"{left:.1e}" + (" (warned)" if warned else ""), str(model.n_iter_), f"{seconds:.2f}",
        f"{score(model, *test):.4f}",
    ]  # fmt: skip
    for rival in RIVALS[loss]:
        for piped in (
            rival,
            make_pipeline(StandardScaler(with_mean=not sp.issparse(train[0])), rival),
        ):
            other, seconds, _ = fitted(piped, *train)
            cells.append(f"{seconds:.2f}, {score(other, *test):.4f}")
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(TASKS))
    parser.add_argument("--alpha", type=float, default=1e-4)
    parser.add_argument("--tol", type=float, default=1e-3)
    options = parser.parse_args()
    if not (DATA / "load.py").exists():
        raise SystemExit(f"the data sets are not in {DATA.name}/ beside the checkout")
    print("| data | left to gain | epochs | s | score | SGD: s, score | SGD, scaled | "
          "LogisticRegression, Ridge(sag) or PoissonRegressor | the same, scaled |")  # fmt: skip
    print("| --- " * 9 + "|")
    for name in options.names:
        row(name, options.alpha, options.tol)


if __name__ == "__main__":
    main()
