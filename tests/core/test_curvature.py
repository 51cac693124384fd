"""What Newton's method and whitened coordinates are made of, held to plain formulas."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize

from skgd import GDClassifier, GDRegressor
from skgd.data import gram as grams
from skgd.data.gram import gram, softmax_gram, squares
from skgd.losses import Loss, Multinomial
from skgd.metric import Metric
from skgd.suboptimality import least
from skgd.whitening import digits_for, sample

PLACE = np.linspace(-1, 1, 6), np.linspace(0.5, 2, 6)  # shift, scale


def rows(dtype=np.float64, density=0.2):
    rng = np.random.default_rng(1)
    return np.where(rng.random((40, 6)) < density, rng.random((40, 6)), 0.0).astype(dtype)


def standardised(X, shift, scale):
    return np.column_stack([(X - shift) / scale, np.ones(len(X))])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array, sp.csr_matrix])
def test_a_gram_matrix_is_its_sum(dtype, container):
    X, picked = rows(dtype), np.array([3, 5, 30, 39], dtype=np.uint32)
    weight = np.arange(1.0, 5.0)
    u = standardised(X[picked].astype(float), *PLACE)
    np.testing.assert_allclose(
        gram(container(X), picked, weight, *PLACE), u.T @ (u * weight[:, np.newaxis]), atol=1e-12
    )
    np.testing.assert_allclose(
        squares(container(X), *PLACE), np.sum(standardised(X, *PLACE)[:, :-1] ** 2, axis=1),
        rtol=1e-6,
    )  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_columns", [1, 3, 4, 7, 8, 38, 63, 64, 90])
def test_a_gram_matrix_is_its_sum_whatever_loop_takes_it(n_columns, dtype):
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(101, n_columns)) + 3.0).astype(dtype)
    shift, scale = rng.normal(size=n_columns), rng.uniform(0.5, 2.0, n_columns)
    for n_rows in (1, 8, 61):
        picked = rng.choice(101, n_rows, replace=False).astype(np.uint32)
        weight = rng.uniform(0, 1, n_rows)
        u = standardised(X[picked].astype(float), shift, scale)
        found = gram(X, picked, weight, shift, scale)
        np.testing.assert_allclose(found, u.T @ (u * weight[:, np.newaxis]), rtol=1e-11, atol=1e-11)
        np.testing.assert_array_equal(found, found.T)


def test_pairs_of_classes_and_columns_make_the_gram_matrix_of_a_softmax(monkeypatch):
    rng = np.random.default_rng(0)
    X, p = rng.normal(size=(700, 6)), rng.dirichlet(np.ones(5), size=700)
    picked, weight = rng.permutation(700)[:600].astype(np.uint32), rng.uniform(0, 1, 600)
    by_pairs = softmax_gram(X, picked, weight, p[picked], *PLACE)
    monkeypatch.setattr(grams, "NARROW", 0)
    plain = softmax_gram(X, picked, weight, p[picked], *PLACE)
    np.testing.assert_allclose(by_pairs, plain, rtol=0, atol=1e-12 * np.abs(plain).max())


@pytest.mark.parametrize("classes, n_columns", [(4, 6), (4, 90), (None, 90)])
def test_single_precision_loses_less_of_a_gram_matrix_than_a_penalty_adds(classes, n_columns):
    rng = np.random.default_rng(0)
    X = rng.lognormal(sigma=2.0, size=(900, n_columns))
    place = X.mean(axis=0), X.std(axis=0)
    weight = rng.dirichlet(np.ones(900))
    metric, l2 = Metric(place[1], place[0]), 1e-4 * place[1].max() ** 2
    model = GDClassifier()
    problem = model._problem(X, model._encode(np.arange(900) % 2, None, True), None, None)
    every = np.arange(900, dtype=np.uint32)
    assert digits_for(problem, every[::2], metric, l2, 1.0) is np.float32
    assert digits_for(problem, every, metric, l2, 1.0) is np.float64
    assert digits_for(problem, every[::2], metric, 1e-4 * l2, 1.0) is np.float64
    assert digits_for(problem, every[::2], metric, 0.0, 1.0) is np.float64
    args = X, every, weight
    made = gram
    if classes:
        made, args = softmax_gram, (*args, rng.dirichlet(np.ones(classes), size=900))
    exact = made(*args, *place)
    lost = np.linalg.norm(made(*args, *place, np.float32) - exact, 2)
    assert 0 < lost < 0.1 * np.min(l2 / place[1] ** 2)


def test_the_gram_matrix_of_a_softmax_is_its_hessian():
    X, K = rows(), 3
    rng = np.random.default_rng(4)
    z = rng.normal(size=(40, K))
    p, weight = Multinomial().predict_proba(z), rng.uniform(0, 1, 40)
    found = softmax_gram(X, np.arange(40, dtype=np.uint32), weight, p, *PLACE).reshape(K, 7, K, 7)
    u, h = standardised(X, *PLACE), 1e-5
    for k in range(K):
        nudge = h * np.eye(K)[k]
        y = np.zeros(40)
        bent = (Multinomial().slope(y, z + nudge) - Multinomial().slope(y, z - nudge)) / (2 * h)
        alike = np.mean(p * (1 - p), axis=1)
        for other in range(K):
            own = weight * (bent[:, other] + alike / K)
            np.testing.assert_allclose(
                found[k, :, other], u.T @ (u * own[:, np.newaxis]), atol=1e-8
            )


SMOOTH = sorted(name for name, loss in Loss.registry.items() if loss().smooth)


@pytest.mark.parametrize("loss", [*SMOOTH, "multinomial"])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_a_product_with_the_hessian_is_a_difference_of_gradients(loss, container):
    X, rng = rows(density=0.6), np.random.default_rng(2)
    y = np.arange(40) % (3 if loss == "multinomial" else 2) + (loss == "gamma")
    weight = rng.uniform(0.5, 2.0, 40)
    made = loss
    if loss == "multinomial":
        made, kind = "log_loss", GDClassifier
    else:
        kind = GDRegressor if Loss.registry[loss]().task == "regression" else GDClassifier
    model = kind(made, alpha=0.1)
    model._validate_params()
    X_, y_ = model._check_X(container(X), y, reset=True)
    problem = model._problem(X_, model._encode(y_, weight, True), weight / weight.mean(), None)
    flat = rng.normal(size=problem.n_columns * 7)
    direction = rng.normal(size=flat.shape)
    parts = problem.curvature(problem.bends(flat), problem.sample_weight)
    product, _ = problem.gradient(direction, parts=parts)
    h = 1e-5
    up, down = (problem.gradient(flat + side * direction)[0] for side in (h, -h))
    np.testing.assert_allclose(product, (up - down) / (2 * h), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("alike", [1.0, 1e-2, 1e-4])
@pytest.mark.parametrize("seed", range(8))
def test_a_parabola_with_thresholds_and_bounds_is_minimised(alike, seed):
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(8, 1)) + alike * rng.normal(size=(8, 5))
    H, g, start = factor.T @ factor, rng.normal(size=5) * 5, rng.normal(size=5)
    l1 = np.array([0.0, 0.5, 5.0, 0.5, 0.0])
    low, high = np.array([-np.inf, -np.inf, -np.inf, 0.0, -0.1]), np.full(5, np.inf)
    start[3:] = 0.1, 0.2
    step, descent = least(H, g, start, l1, low, high)

    def parabola(v):
        return g @ (v - start) + (v - start) @ H @ (v - start) / 2 + l1 @ np.abs(v)

    end = start + step
    # the parabola is so much larger than its changes where columns are alike
    slope, digits, rounding = g + H @ step, 1e-9 / alike, 1e-9
    if alike < 1:
        rounding = 1e-6 * descent
    assert descent == pytest.approx(parabola(start) - parabola(end), abs=rounding)
    inside = (end != 0) & (end > low)
    np.testing.assert_allclose((slope + l1 * np.sign(end))[inside], 0, atol=digits)
    assert np.all(np.abs(slope[(end == 0) & (low < 0)]) <= l1[(end == 0) & (low < 0)] + digits)
    assert np.all(slope[end == low] >= -l1[end == low] - digits)
    bounds = [*zip(low, high, strict=True)]
    other = minimize(parabola, np.maximum(end, low), bounds=bounds, method="Nelder-Mead").fun
    assert parabola(end) <= other + rounding


def test_rows_that_alone_show_something_of_a_column_are_in_the_sample():
    X = np.random.default_rng(0).normal(size=(20_000, 60))
    X[:, 0] = 0.0
    X[[7, 9999], 0] = 1.0
    model = GDRegressor(random_state=0)
    model._validate_params()
    y = np.zeros(len(X))
    problem = model._problem(X, y, None, None)
    problem.loss = Loss.registry["poisson"]()
    session = GDRegressor("squared_error", precondition="diagonal", max_iter=1, tol=None).fit(X, y)
    picked, weight = sample(problem, X, session._session.recipe.metric)
    assert len(picked) < 10_000
    assert {7, 9999} <= set(picked.tolist())
    assert weight.sum() == pytest.approx(1)
    mean = weight @ X[picked]
    np.testing.assert_allclose(mean[1:], X.mean(axis=0)[1:], atol=0.1)
