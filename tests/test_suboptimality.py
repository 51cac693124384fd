"""What conjugate gradients say of what they have not found."""

import numpy as np
import pytest

from skgd.suboptimality import conjugate_gradients, flattest_of


def run(H, gradient, enough, probe=None):
    """(descent missed, what was said of it, products) once no more than enough is said."""

    def claimed(gained, missing):
        return 0.5 * missing <= enough

    def done(n_products, gained, missing, shrunk):
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
