"""Means and variances of the columns, without a copy of X."""

import numpy as np
import scipy.sparse as sp

from .._core import grams

BLOCK_BYTES = 1 << 20  # what stays in the cache of a core


def moments(X, sample_weight=None):
    """Weighted mean and variance of each column.

    Parameters
    ----------
    X : ndarray or CSR of shape (n, d)
    sample_weight : ndarray of shape (n,) or None

    Returns
    -------
    mean, variance : float64 ndarray of shape (d,)
    """
    if sp.issparse(X):
        total, table = grams.sparse_column_sums(
            X.data, X.indices, X.indptr, X.shape[1], sample_weight
        )
        first, weight, above, square = table.T
        above = above / np.where(weight > 0, weight, 1.0)
        mean = first + above  # of what is not zero
        variance = square - weight * above**2 + weight * (1.0 - weight / total) * mean**2
        return weight / total * mean, np.maximum(variance / total, 0.0)
    n, d = X.shape
    step = max(1, BLOCK_BYTES // (8 * d))
    # about the first row, so that a large common offset costs no digits
    offset = X[0].astype(np.float64)
    total, square = np.zeros(d), np.zeros(d)
    for first in range(0, n, step):
        part = slice(first, first + step)
        weight = None if sample_weight is None else sample_weight[part]
        sums, squares = grams.column_sums(X[part], offset, weight)
        total += sums
        square += squares
    weight_sum = n if sample_weight is None else sample_weight.sum()
    mean = total / weight_sum
    return offset + mean, np.maximum(square / weight_sum - mean * mean, 0.0)
