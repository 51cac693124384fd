"""Statistics of the columns, against NumPy's on a copy."""

import numpy as np
import pytest
import scipy.sparse as sp

from skgd.data.gram import squares
from skgd.data.moments import moments


def rows(n, d, dtype):
    """Columns with offsets and sizes of their own."""
    rng = np.random.default_rng(0)
    return (rng.normal(size=(n, d)) * np.geomspace(1e-3, 1e3, d) + 50.0).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 3), (7, 1), (1003, 17), (70_001, 20)])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("zeros", [None, 0.0, 0.5, 1.0])
def test_mean_and_variance_of_each_column(dtype, shape, weighted, zeros):
    X = rows(*shape, dtype)
    weight = np.random.default_rng(1).random(shape[0]) if weighted else None
    if zeros:
        X *= np.random.default_rng(2).random(shape) >= zeros
    mean, variance = moments(X if zeros is None else sp.csr_array(X), weight)
    exact = X.astype(np.float64)
    centre = np.average(exact, axis=0, weights=weight)
    spread = np.average((exact - centre) ** 2, axis=0, weights=weight)
    np.testing.assert_allclose(mean, centre, rtol=1e-12)
    np.testing.assert_allclose(variance, spread, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_constant_column_has_no_variance(container, weighted):
    X = np.full((1001, 2), [0.1, 1e9])
    weight = np.random.default_rng(1).random(1001) if weighted else None
    mean, variance = moments(container(X), weight)
    np.testing.assert_allclose(mean, [0.1, 1e9], rtol=1e-12)
    assert not variance.any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_squared_lengths_of_standardised_rows(dtype, container):
    X = rows(301, 19, dtype)
    shift, scale = np.linspace(-1.0, 60.0, 19), np.geomspace(1e-3, 1e3, 19)
    exact = (((X - shift) / scale) ** 2).sum(axis=1)
    np.testing.assert_allclose(squares(container(X), shift, scale), exact, rtol=1e-9)
