"""A loop written with `compute_gradients`, `apply_gradients` and `end_epoch`."""

import copy

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skgd import GDClassifier, GDRegressor
from skgd.schedules import Adaptive, Exponential, Plateau


def data(n_classes=None):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    score = X @ [1.0, -2.0, 0.5, 0.0] + 0.3 * rng.normal(size=60)
    return X, score if n_classes is None else np.digitize(score, [-1.0, 1.0][: n_classes - 1])


@pytest.mark.parametrize("model", [GDClassifier(), GDRegressor()], ids=repr)
def test_gradients_alone_make_no_model(model):
    X, y = data(2 if isinstance(model, GDClassifier) else None)
    model = clone(model)
    for call in (model.end_epoch, lambda: model.apply_gradients((np.zeros(4), np.zeros(1)))):
        with pytest.raises(NotFittedError):
            call()
    gradients = model.compute_gradients(X, y)
    model.end_epoch()
    for call in (model.predict, lambda X: model.score(X, y), lambda X: model.sparsify()):
        with pytest.raises(NotFittedError):
            call(X)
    model.apply_gradients(gradients).predict(X)


def test_a_fit_after_gradients_begins_anew():
    X, y = data(2)
    for kwargs in ({}, {"warm_start": True}):
        model = GDClassifier(max_iter=5, tol=None, random_state=0, **kwargs)
        expected = clone(model).fit(X, y).coef_
        model.compute_gradients(X[:10, :2], y[:10])
        np.testing.assert_array_equal(model.fit(X, y).coef_, expected)
    model = GDClassifier()
    model.compute_gradients(X, y)
    model.partial_fit(X, y, classes=[0, 1, 2])
    assert model.coef_.shape == (3, 4)


@pytest.mark.parametrize("steps", [0, 2])
def test_a_rate_that_is_set_between_gradient_and_step_is_used(steps):
    X, y = data()
    model = GDRegressor(learning_rate=0.1)
    for _ in range(steps):
        model.apply_gradients(model.compute_gradients(X, y))
    before = model.coef_ if steps else 0.0
    gradients = model.compute_gradients(X, y)
    model.set_params(learning_rate=1e-3).apply_gradients(gradients)
    np.testing.assert_allclose(model.coef_, before - 1e-3 * gradients[0], rtol=1e-12)
    assert model.learning_rate_ == 1e-3


def test_what_is_settled_from_rows_waits_for_rows():
    X, y = data()
    model = GDRegressor(precondition="diagonal")
    gradients = model.compute_gradients(X, y)
    twin = copy.deepcopy(model).apply_gradients(gradients)
    model.set_params(alpha=0.5).apply_gradients(gradients)
    np.testing.assert_array_equal(model.coef_, twin.coef_)
    rate = model.learning_rate_
    model.apply_gradients(model.compute_gradients(X, y))
    assert model.learning_rate_ < rate


def test_a_first_batch_need_not_have_all_labels():
    X, y = data(3)
    first = y == 1
    model = GDClassifier(learning_rate=0.1)
    with pytest.raises(ValueError, match="compute_gradients take classes"):
        model.compute_gradients(X[first], y[first])
    gradients = model.compute_gradients(X[first], y[first], classes=[0, 1, 2])
    model.apply_gradients(gradients)
    model.apply_gradients(model.compute_gradients(X, y))
    assert model.coef_.shape == (3, 4)
    with pytest.raises(ValueError, match=r"expected array.* as in the first call"):
        model.compute_gradients(X, y, classes=[0, 1])
    some = GDClassifier()
    some.compute_gradients(X[y < 2], y[y < 2])
    with pytest.raises(ValueError, match="compute_gradients"):
        some.compute_gradients(X, y)


def test_the_end_of_an_epoch_moves_the_rate():
    X, y = data()
    model = GDRegressor(learning_rate=Exponential(0.1, 0.5, per="epoch"))
    model.compute_gradients(X, y)
    assert not model.end_epoch()
    gradients = model.compute_gradients(X, y)
    model.apply_gradients(gradients)
    np.testing.assert_allclose(model.coef_, -0.05 * gradients[0], rtol=1e-12)

    for schedule, told in (
        (Adaptive(0.1, factor=2), {"stalled": True}),
        (Plateau(0.1, 0.5, patience=0), {"objective": np.inf}),
    ):
        model = GDRegressor(learning_rate=schedule)
        gradients = model.compute_gradients(X, y)
        assert not model.end_epoch()
        other = copy.copy(model)
        assert model.end_epoch(**told)
        model.apply_gradients(gradients)
        np.testing.assert_allclose(model.coef_, -0.05 * gradients[0], rtol=1e-12)
        other.apply_gradients(gradients)
        np.testing.assert_allclose(other.coef_, -0.1 * gradients[0], rtol=1e-12)
