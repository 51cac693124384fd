"""Prediction, against LogisticRegression.

    python benchmarks/predict.py [--json FILE]

`predict`, `decision_function` and `predict_proba` of fitted models of the same shape, on many rows
and on one. No slower is the mark; it is written as 0.95, as both come down to the same matrix
product and repeated runs differ by 5 %.
"""

from _harness import Table, load, parser, side_by_side  # first, so that the thread counts hold

import warnings
from functools import partial

import numpy as np
from _epochs import made_up
from sklearn.linear_model import LogisticRegression

from skgd import GDClassifier

MARKS = {"predict": 0.95, "decision_function": 0.95, "predict_proba": None}


def main():
    table = Table(__doc__, parser(__doc__).parse_args())
    X, y = made_up(100_000, 54)
    sets = {"100000 x 54": (X, y), "20000 x 784": made_up(20_000, 784)}
    sets["100000 x 54, 10 classes"] = X, np.digitize(X[:, 0], np.linspace(-2, 2, 9))
    if (data := load("imdb")) is not None:
        sets["sparse imdb"] = data
    sets["1 x 54"] = X[:1], y
    for what, (X_at, y_at) in sets.items():
        X_fit = X if what == "1 x 54" else X_at
        models = {"skgd": GDClassifier(max_iter=1, tol=None)}
        models["LogisticRegression"] = LogisticRegression(max_iter=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for model in models.values():
                model.fit(X_fit[:5000], y_at[:5000])
        repeats = 500 if what == "1 x 54" else 15
        for method, mark in MARKS.items():
            runs = {name: partial(getattr(model, method), X_at) for name, model in models.items()}
            table.row(
                f"{method}, {what}",
                side_by_side(runs, repeats),
                mark,
                group=f"prediction, {method}",
            )


if __name__ == "__main__":
    main()
