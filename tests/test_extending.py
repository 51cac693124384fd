"""An optimizer and a schedule of the user's own, as docs/extending.md writes them."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize, rosen, rosen_der
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import scale

from skgd import GDClassifier
from skgd.optimizers import SGD, Optimizer
from skgd.schedules import Exponential, Schedule

X, y = load_breast_cancer(return_X_y=True)
X = scale(X)


class HeavyBall(Optimizer):
    """What SGD(momentum=...) does, so that there is something to compare with."""

    slots = ("velocity",)

    def __init__(self, learning_rate=0.01, friction=0.1):
        self.learning_rate = learning_rate
        self.friction = friction

    def update(self, w, g, slots, t, rate):
        velocity = slots["velocity"]
        velocity *= 1 - self.friction
        velocity += g
        w -= rate * velocity

    def step_size(self, w, slots, t, rate):
        return rate / self.friction


class Halving(Schedule):
    """What Exponential(initial, 0.5 ** (1 / half_life)) does."""

    def __init__(self, initial, half_life=10, *, per="step"):
        self.initial = initial
        self.half_life = half_life
        self.per = per

    def __call__(self, t):
        return self.initial * 0.5 ** (np.asarray(t) / self.half_life)


MINE = {"optimizer": HeavyBall(friction=0.2), "learning_rate": Halving(0.1, 40)}
KNOWN = {"optimizer": SGD(momentum=0.8), "learning_rate": Exponential(0.1, 0.5 ** (1 / 40))}
FIXED = {"max_iter": 5, "tol": None, "random_state": 0}


@pytest.mark.parametrize("penalty", [None, "l2", "l1"])
@pytest.mark.parametrize("batch_size", [1, 32, "full"])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array], ids=["dense", "sparse"])
def test_a_fit_is_that_of_the_same_rule_in_the_package(container, batch_size, penalty):
    shared = FIXED | {"batch_size": batch_size, "penalty": penalty, "alpha": 0.01}
    mine = GDClassifier(**MINE, **shared).fit(container(X), y)
    known = GDClassifier(**KNOWN, **shared).fit(container(X), y)
    np.testing.assert_allclose(mine.coef_, known.coef_, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(mine.loss_curve_, known.loss_curve_, rtol=1e-9)
    np.testing.assert_array_equal(mine.coef_ == 0, known.coef_ == 0)


def test_it_resumes_where_it_was_pickled():
    whole = GDClassifier(**MINE, **FIXED)
    parts = clone(whole).set_params(warm_start=True, max_iter=2).fit(X, y)
    whole.fit(X, y)
    parts = pickle.loads(pickle.dumps(parts)).set_params(max_iter=3).fit(X, y)
    np.testing.assert_array_equal(parts.coef_, whole.coef_)


def test_its_arguments_can_be_searched():
    grid = {"optimizer__friction": [0.5, 0.05], "learning_rate__half_life": [1, 40]}
    search = GridSearchCV(GDClassifier(**MINE, **FIXED), grid, cv=3).fit(X, y)
    best = search.best_estimator_
    assert len(set(search.cv_results_["mean_test_score"])) > 1
    assert best.optimizer.friction == search.best_params_["optimizer__friction"]
    assert best.history_["learning_rate"][-1] < 0.1


def test_it_minimises_through_scipy():
    found = minimize(
        rosen, [0.5, 0.5], jac=rosen_der, method=HeavyBall(2e-3), options={"maxiter": 20_000}
    )
    np.testing.assert_allclose(found.x, 1.0, atol=1e-5)
