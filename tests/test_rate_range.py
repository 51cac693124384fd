"""The learning-rate range test, against a grid search."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    make_classification,
    make_regression,
)
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import scale

from skgd import DivergenceError, GDClassifier, GDRegressor, learning_rate_range
from skgd.optimizers import Adam
from skgd.schedules import Exponential


def counts(**_):
    """Counts whose mean is exponential in the columns."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 8))
    return X, rng.poisson(np.exp(0.5 * X[:, 0] - 0.3 * X[:, 1] + 1.0)).astype(float)


SETS = {
    "cancer": (GDClassifier, load_breast_cancer),
    "digits": (GDClassifier, load_digits),
    "diabetes": (GDRegressor, load_diabetes),
    "noise": (GDRegressor, lambda **_: make_regression(2000, 20, noise=50.0, random_state=0)),
    "counts": (lambda **keywords: GDRegressor("poisson", **keywords), counts),
    "hard": (GDClassifier, lambda **_: make_classification(4000, 20, flip_y=0.2, random_state=0)),
}


def halves(name):
    """An estimator, rows to train on and rows to score."""
    estimator, load = SETS[name]
    X, y = load(return_X_y=True)
    return estimator, train_test_split(scale(X), y, random_state=0)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("optimizer", ["auto", Adam()], ids=repr)
@pytest.mark.parametrize("name", SETS)
def test_the_suggestion_is_as_good_as_a_grid_search(name, optimizer):
    estimator, (X, X_test, y, y_test) = halves(name)
    model = estimator(optimizer=optimizer, random_state=0)
    found = learning_rate_range(model, X, y)

    def score(rate):
        try:
            fitted = clone(model).set_params(learning_rate=float(rate)).fit(X, y)
        except DivergenceError:
            return -np.inf
        return fitted.score(X_test, y_test)

    best = max(map(score, np.geomspace(found.rates[0], found.rates[-1], 13)))
    assert score(found.suggestion) > best - 0.01


def test_what_it_returns():
    _, (X, _, y, _) = halves("diabetes")
    model = GDRegressor(random_state=0)
    before = repr(model)
    found = learning_rate_range(model, X, y)
    assert found.rates.shape == found.objectives.shape == (25,)
    np.testing.assert_allclose(np.diff(np.log10(found.rates)), 0.25)
    assert found.objectives[found.rates < found.suggestion].min() > found.objectives.min()
    assert np.isinf(found.objectives[-1]) and np.isfinite(found.objectives[0])
    assert repr(model) == before and not hasattr(model, "coef_")


def test_rates_of_a_schedule_are_its_first_ones():
    _, (X, _, y, _) = halves("cancer")
    model = GDClassifier(learning_rate=Exponential(1.0, 0.5, per="epoch"), random_state=0)
    found = learning_rate_range(model, X, y, rates=[0.01, 0.1], max_iter=3)
    single = clone(model).set_params(learning_rate__initial=0.1, max_iter=3, tol=None).fit(X, y)
    assert found.objectives[1] == single.loss_curve_[-1]


def test_no_rate_that_runs_is_a_sentence():
    X, y = make_regression(50, 5, random_state=0)
    with pytest.raises(ValueError, match=r"diverges at every rate from 1e\+06 .* smaller rates"):
        learning_rate_range(GDRegressor(), 1e6 * X, y, rates=[1e6, 1e7])
