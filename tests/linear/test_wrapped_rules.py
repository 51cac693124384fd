"""`Clipped` and `Averaged` in the estimators: rates, averages; rules that change between calls."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone

from skgd import GDClassifier, GDRegressor
from skgd.optimizers import SGD, Adadelta, Adam, Averaged, Clipped, RMSprop
from skgd.schedules import Adaptive, Chain, Constant, Exponential, MultiStep, Plateau


def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 5)) * (rng.random((40, 5)) < 0.7)
    return X, X @ rng.normal(size=5) + 0.3 * rng.normal(size=40)


def wrapped(rule):
    return Clipped(rule, max_norm=1e9), Averaged(rule), Averaged(Clipped(rule, max_value=1e9))


@pytest.mark.parametrize("rule", [SGD(), SGD(momentum=0.5), Adadelta(), Adam(), Adam(0.02)])
def test_a_wrapper_changes_no_rate(rule):
    X, y = data()
    model = GDRegressor(tol=None, max_iter=2, random_state=0)
    rate = clone(model).set_params(optimizer=rule).fit(X, 100 * y).learning_rate_
    for optimizer in wrapped(rule):
        fitted = clone(model).set_params(optimizer=optimizer).fit(X, 100 * y)
        assert fitted.learning_rate_ == rate
        assert optimizer.unit_free == rule.unit_free
    assert Averaged(rule).linear == rule.linear
    assert not Clipped(rule, max_norm=1.0).linear


# ---- averages ----


@pytest.mark.parametrize("after", [0, 7])
@pytest.mark.parametrize("batch_size", [1, 8, "full"])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("rule", [SGD(), SGD(momentum=0.5), RMSprop(sparse_updates="lazy")])
def test_polyak_s_average_is_that_of_the_estimator(rule, container, batch_size, after):
    X, y = data()
    model = GDRegressor(
        penalty="l1", learning_rate=0.05, batch_size=batch_size, tol=None, max_iter=4,
        random_state=0,
    )  # fmt: skip
    own = clone(model).set_params(optimizer=rule, average=after + 1).fit(container(X), y)
    found = clone(model).set_params(optimizer=Averaged(rule, after=after)).fit(container(X), y)
    np.testing.assert_array_equal(found.coef_, own.coef_)
    np.testing.assert_array_equal(found.intercept_, own.intercept_)


@pytest.mark.parametrize("after", [0, 7, 1000])
@pytest.mark.parametrize("batch_size", [1, 8, "full"])
@pytest.mark.parametrize("penalty", ["l2", "l1"])
@pytest.mark.parametrize(
    "rule", [SGD(), SGD(momentum=0.5), RMSprop(sparse_updates="lazy"), Clipped(Adam(), 0.1)]
)
def test_an_average_that_forgets(rule, penalty, batch_size, after):
    X, y = data()
    exact = rule.with_settings(rule.settings() | {"sparse_updates": "exact"})
    model = GDRegressor(
        penalty=penalty, alpha=0.01, learning_rate=0.05, batch_size=batch_size, shuffle=False,
        tol=None, max_iter=4, optimizer=exact,
    )  # fmt: skip
    walk, size = clone(model), {"full": 40}.get(batch_size, batch_size)
    mean, count = None, 0
    for _ in range(4):
        for first in range(0, 40, size):
            rows = slice(first, first + size)
            walk.apply_gradients(walk.compute_gradients(X[rows], y[rows]))
            begun, count = count > after, count + 1
            mean = 0.9 * mean + 0.1 * walk.coef_ if begun else walk.coef_
    model.set_params(optimizer=Averaged(rule, decay=0.9, after=after))
    for rows in (X, sp.csr_array(X)):
        np.testing.assert_allclose(clone(model).fit(rows, y).coef_, mean, rtol=0, atol=1e-12)


def test_the_average_inside_of_another_wrapper_is_found():
    X, y = data()
    model = GDRegressor(learning_rate=0.1, tol=None, max_iter=4, random_state=0)
    outside, inside = (
        clone(model).set_params(optimizer=optimizer).fit(X, y)
        for optimizer in (
            Averaged(Clipped(SGD(), max_norm=0.2), decay=0.5),
            Clipped(Averaged(SGD(), decay=0.5), max_norm=0.2),
        )
    )
    np.testing.assert_array_equal(inside.coef_, outside.coef_)


def test_one_average_is_enough():
    X, y = data()
    with pytest.raises(ValueError, match="expected one average; try average=False"):
        GDRegressor(optimizer=Averaged(SGD()), learning_rate=0.1, average=3).fit(X, y)


# ---- what is kept when arguments change ----


def start(learning_rate):
    X, y = data()
    model = GDRegressor(learning_rate=learning_rate, warm_start=True, tol=None, max_iter=6)
    return X, y, model.fit(X, y)


def test_a_new_schedule_has_no_memory():
    X, y, model = start(Chain(Constant(0.01), Exponential(0.01, 0.9), after=3))
    model.set_params(learning_rate__second=Plateau(0.02)).fit(X, y)
    np.testing.assert_array_equal(model.history_["learning_rate"], 0.02)

    X, y, model = start(Plateau(0.01, 0.5, patience=0, threshold=0.9))
    assert model.history_["learning_rate"][-1] < 0.01
    model.set_params(learning_rate__initial=0.02, max_iter=1).fit(X, y)
    assert model.history_["learning_rate"][0] == 0.02

    X, y, model = start(Adaptive(0.1))
    for _ in range(3):
        model.end_epoch(stalled=True)
    model.set_params(learning_rate=Adaptive(0.2)).fit(X, y)
    assert model.history_["learning_rate"][0] == 0.2


def test_the_same_schedule_keeps_its_memory():
    X, y, model = start(Adaptive(0.1))
    model.end_epoch(stalled=True)
    for keywords in ({"learning_rate": Adaptive(0.1)}, {"alpha": 0.1}, {"max_iter": 2}):
        model.set_params(**keywords).fit(X, y)
        np.testing.assert_allclose(model.history_["learning_rate"], 0.02)


def test_a_late_milestone_may_change():
    """Whatever a repr would leave out."""
    milestones = list(range(10, 110))
    X, y, model = start(MultiStep(0.01, milestones, 0.5))
    milestones = [*milestones[:50], 61, *milestones[51:]]
    model.set_params(learning_rate__milestones=milestones).fit(X, y)
    assert model.learning_rate_.milestones == milestones


# ---- streams ----


@pytest.mark.parametrize("batch_size", ["auto", "full", 10, 500])
def test_only_an_automatic_batch_size_changes_on_a_stream(batch_size):
    rng = np.random.default_rng(0)
    model = GDClassifier(batch_size=batch_size, random_state=0)
    for _ in range(4):
        X = rng.normal(size=(300, 3))
        model.partial_fit(X, X[:, 0] > 0, classes=[False, True])
    assert model.batch_size_ == {"auto": 256, "full": 300, 10: 10, 500: 300}[batch_size]
    steps = {"auto": 1 + 3 * 2, "full": 4, 10: 4 * 30, 500: 4}
    assert model.t_ == steps[batch_size]
    assert type(model.optimizer_) is Adam
    assert model.score(X, X[:, 0] > 0) > 0.9
