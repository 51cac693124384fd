"""What a newcomer tries first: the defaults on streams, trivial optima, rates far too high."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import scale

from skgd import GDClassifier, GDRegressor
from skgd.problem import LEAST_WORK


def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return scale(X), y


@pytest.mark.parametrize("rows", [1, 10, 50])
def test_a_stream_of_few_rows_at_the_defaults_learns(rows):
    X, y = cancer()
    model = GDClassifier()
    for first in range(0, len(y), rows):
        chunk = slice(first, first + rows)
        model.partial_fit(X[chunk], y[chunk], classes=[0, 1])
    assert model.score(X, y) > 0.85 > np.mean(y)


def test_a_stream_of_numbers_at_the_defaults_stays_in_bounds():
    X, y = load_diabetes(return_X_y=True)
    X = scale(X)
    model = GDRegressor()
    for first in range(0, len(y), 20):
        model.partial_fit(X[first : first + 20], y[first : first + 20])
    assert model.score(X, y) > 0


def test_the_same_rows_again_keep_the_method_of_fit():
    X, y = cancer()
    model = GDClassifier()
    for _ in range(4):
        model.partial_fit(X, y, classes=[0, 1])
    whole = GDClassifier(max_iter=4, tol=None).fit(X, y)
    np.testing.assert_array_equal(model.coef_, whole.coef_)


@pytest.mark.parametrize(
    "model, X, y",
    [
        (GDRegressor(penalty="l1", alpha=10), *load_diabetes(return_X_y=True)),
        (GDClassifier(penalty="l1", alpha=1), *cancer()),
        (GDRegressor(), np.ones((20, 2)), np.arange(20.0)),
    ],
    ids=["lasso", "l1 log-loss", "constant columns"],
)
def test_a_fit_that_begins_at_its_optimum_ends_soon(model, X, y):
    model.fit(X, y)
    assert model.n_iter_ < 20
    assert "optimum" in model.stop_reason_
    np.testing.assert_allclose(model.coef_, 0, atol=1e-9)


def test_a_model_worse_than_none_is_not_returned_in_silence():
    X, y = load_breast_cancer(return_X_y=True)
    with pytest.warns(ConvergenceWarning, match="above the 0.66.* of zero coefficients"):
        GDClassifier(learning_rate=1e-3, random_state=0).fit(X, y)


def test_several_outputs_of_a_deviance_have_a_score():
    X, y = load_diabetes(return_X_y=True)
    one = GDRegressor("poisson").fit(X, y).score(X, y)
    two = GDRegressor("poisson").fit(X, np.c_[y, y]).score(X, np.c_[y, y])
    assert one == pytest.approx(two, abs=1e-2)


def test_tiny_fits_use_no_threads():
    X, y = cancer()
    assert X.size < LEAST_WORK
    one, two = (GDClassifier(n_jobs=n, max_iter=5, tol=None).fit(X, y) for n in (1, 2))
    np.testing.assert_array_equal(one.coef_, two.coef_)
