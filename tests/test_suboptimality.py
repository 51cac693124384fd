"""What conjugate gradients say of what they have not found."""

import numpy as np
import pytest
import scipy.sparse as sp

from skgd import GDClassifier, GDRegressor
from skgd.metric import Metric
from skgd.suboptimality import Coordinates, conjugate_gradients, flattest_of


def run(H, gradient, enough, probe=None):
    """(descent missed, what was said of it, products) once no more than enough is said."""

    def claimed(gained, missing):
        return 0.5 * missing <= enough

    def done(n_products, gained, shrunk, missing):
        return claimed(gained, missing)

    _, gained, missing, n_products = conjugate_gradients(
        lambda v: H @ v, gradient.copy(), done, claimed, probe, least=0.0, most=500
    )
    most = 0.5 * gradient @ np.linalg.solve(H, gradient)
    return most - 0.5 * gained, 0.5 * missing, n_products


def turned(eigenvalues, along, rng):
    """(Hessian, gradient) with these eigenvalues and components along their vectors."""
    turn, _ = np.linalg.qr(rng.standard_normal((len(eigenvalues), len(eigenvalues))))
    return turn @ np.diag(eigenvalues) @ turn.T, turn @ along


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("seed", range(5))
def test_no_more_is_missing_than_they_say_where_eigenvalues_fall_like_a_power(power, seed):
    rng = np.random.default_rng(seed)
    eigenvalues = np.arange(1.0, 201.0) ** -power
    H, gradient = turned(eigenvalues, np.sqrt(eigenvalues) * rng.standard_normal(200), rng)
    missed, said, n_products = run(H, gradient, 1e-2)
    assert missed <= said + 1e-12 <= 1e-2
    assert n_products < 200


@pytest.mark.parametrize("strong", [3, 20])
@pytest.mark.parametrize("flat", [1e-6, 1e-8])
@pytest.mark.parametrize("seed", range(5))
def test_a_probe_shows_flat_directions_below_a_few_strong_ones(strong, flat, seed):
    rng = np.random.default_rng(seed)
    eigenvalues = np.concatenate([rng.uniform(0.5, 1.0, strong), np.full(400, flat)])
    share = np.where(eigenvalues > flat, 1.0 / strong, 1.0 / 400)
    H, gradient = turned(eigenvalues, np.sqrt(2.0 * eigenvalues * share), rng)  # descents of 1 each
    missed, said, _ = run(H, gradient, 1e-2, lambda: rng.standard_normal(len(gradient)))
    assert missed <= said + 1e-9 <= 1e-2


def test_a_probe_that_overflows_leaves_all_to_be_missed():
    H, gradient = np.diag([1.0, 1.0, 2.0]), np.array([1.0, 1.0, 0.0])
    steep = np.array([0.0, 0.0, 1.0])

    def product(v):
        return np.full(3, np.inf) if np.array_equal(v, steep) else H @ v

    def done(*_):
        return True

    with np.errstate(all="ignore"):  # as a fit has it
        _, gained, missing, _ = conjugate_gradients(product, gradient, done, done, steep.copy)
    assert gained > 0.0
    assert not missing < np.inf


@pytest.mark.parametrize("size", [1, 5])
def test_a_probe_ends_where_no_direction_is_left(size):
    missed, said, _ = run(2.0 * np.eye(size), np.ones(size), 1e-2, lambda: np.ones(size))
    assert abs(missed) < 1e-12
    assert said <= 1e-2


def test_the_least_eigenvalue_of_a_singular_matrix_is_above_zero_and_so_is_its_square():
    least, last = flattest_of([1.0, 1.0], [1.0])
    assert 0 < least**2 < 1e-30
    assert abs(last) == pytest.approx(np.sqrt(0.5))


def coordinates(model, y, weight=None, container=np.asarray, concave=False):
    """(Coordinates somewhere, product with the Hessian there, the Hessian in the coordinates)."""
    rng = np.random.default_rng(0)
    X = rng.lognormal(sigma=1.5, size=(len(y), 6)) * (rng.random((len(y), 6)) < 0.5)
    model = model.set_params(alpha=1e-3)
    encoded = model._encode(y, None, True)
    problem = model._problem(container(X), encoded, weight, None)
    metric = Metric.diagonal(container(X), weight, problem.fit_intercept, 1e-3)
    flat = 0.1 * rng.standard_normal(7 * problem.n_columns)
    inside = Coordinates(problem, flat, metric)
    bends = problem.bends(flat)
    if concave:
        bends[::2] *= -1.0
    product = inside.hessian(problem, bends, weight, 1)
    return inside, product, np.array([product(row) for row in np.eye(len(flat))])


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("kind", ["two classes", "squares", "outputs", "hinges"])
def test_nothing_is_missing_above_the_ceiling(kind, fit_intercept, weighted, container):
    rng = np.random.default_rng(1)
    n = 60
    made, y = {
        "two classes": (GDClassifier, np.arange(n) % 2),
        "squares": (GDRegressor, rng.standard_normal(n)),
        "outputs": (GDRegressor, rng.standard_normal((n, 3))),
        "hinges": (GDClassifier, np.arange(n) % 3),
    }[kind]
    loss = {"hinges": "squared_hinge", "two classes": "log_loss"}.get(kind, "squared_error")
    weight = n * rng.dirichlet(np.ones(n)) if weighted else None
    model = made(loss, fit_intercept=fit_intercept)
    inside, product, H = coordinates(model, y, weight, container)
    above, n_products = inside.ceiling(product)
    assert n_products == (fit_intercept and kind in ("two classes", "hinges"))
    moves = np.abs(H).sum(axis=0) > 0  # without an intercept its coordinate is none
    for gradient in (*np.eye(len(H))[moves], *rng.standard_normal((20, len(H))) * moves):
        missing = gradient[moves] @ np.linalg.solve(H[np.ix_(moves, moves)], gradient[moves])
        assert missing <= (1 + 1e-9) * above(gradient)
    first = np.eye(len(H))[0]  # along a coefficient it is what the penalty alone allows
    assert above(first) == pytest.approx(inside.metric.scale[0] ** 2 / inside.l2)


@pytest.mark.parametrize("case", ["a softmax", "no penalty", "concave"])
def test_there_is_no_ceiling_where_none_is_known(case):
    model = GDClassifier(penalty=None if case == "no penalty" else "l2")
    y = np.arange(60) % (3 if case == "a softmax" else 2)
    inside, product, _ = coordinates(model, y, concave=case == "concave")
    assert inside.ceiling(product) == (None, 0)


def test_a_ceiling_ends_the_search_without_a_probe():
    rng = np.random.default_rng(0)
    H, gradient = turned(np.concatenate([np.full(5, 1.0), np.full(300, 1e-3)]), np.ones(305), rng)
    calls = []

    def done(n_products, gained, shrunk, missing):
        return missing <= 1e-6

    def ceiling(product):
        calls.append("ceiling")
        return (lambda r: r @ r / 1e-3), 0

    _, gained, missing, _ = conjugate_gradients(
        lambda v: H @ v,
        gradient,
        done,
        lambda gained, missing: True,
        lambda: calls.append("probe"),
        ceiling,
    )
    assert calls == ["ceiling"]
    assert gradient @ np.linalg.solve(H, gradient) - gained <= missing + 1e-9 <= 2e-6
