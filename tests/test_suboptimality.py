"""What conjugate gradients say of what they have not found."""

import numpy as np
import pytest

from skgd.suboptimality import conjugate_gradients, least_eigenvalue


def run(H, gradient, enough):
    """(descent missed, what was said of it, products) once no more than enough is said."""

    def done(n_products, gained, missing, shrunk):
        return 0.5 * missing <= enough

    _, gained, missing, n_products = conjugate_gradients(
        lambda v: H @ v, gradient.copy(), done, least=0.0, most=500
    )
    most = 0.5 * gradient @ np.linalg.solve(H, gradient)
    return most - 0.5 * gained, 0.5 * missing, n_products


def parabola(eigenvalues, rng):
    turn, _ = np.linalg.qr(rng.standard_normal((len(eigenvalues), len(eigenvalues))))
    return turn @ np.diag(eigenvalues) @ turn.T, turn


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("seed", range(5))
def test_no_more_is_missing_than_they_say_where_eigenvalues_fall_like_a_power(power, seed):
    rng = np.random.default_rng(seed)
    eigenvalues = np.arange(1.0, 201.0) ** -power
    H, turn = parabola(eigenvalues, rng)
    gradient = turn @ (np.sqrt(eigenvalues) * rng.standard_normal(200))
    missed, said, n_products = run(H, gradient, 1e-2)
    assert missed <= said + 1e-12 <= 1e-2
    assert n_products < 200


def test_the_least_eigenvalue_of_a_singular_matrix_is_above_zero_and_so_is_its_square():
    assert 0 < least_eigenvalue([1.0, 1.0], [1.0]) ** 2 < 1e-30
