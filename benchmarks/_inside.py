"""A problem as the estimators make it, for programs that measure the compiled core alone."""

from skgd import GDClassifier
from skgd.train import aligned_zeros


def problem_of(X, y, **settings):
    """(problem, zero parameters) of a classifier's fit, input checked as it does."""
    model = GDClassifier(**settings)
    X, y = model._check_X(X, y, reset=True)
    problem = model._problem(X, model._encode(y, None, first=True), None, None)
    return problem, aligned_zeros(problem.n_columns * (problem.rows.n_features + 1))
