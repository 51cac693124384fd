"""Gram matrix of standardised rows, without a copy of X."""

import numpy as np
import scipy.sparse as sp

from .moments import BLOCK_BYTES


def gram(X, rows, sample_weight, shift, scale):
    r"""Weighted mean over some rows of :math:`u u^\top`, where :math:`u = (x - shift) / scale`.

    Parameters
    ----------
    X : ndarray or CSR of shape (n, d)
    rows : ndarray of int
    sample_weight : ndarray of shape (n,) or None
    shift, scale : ndarray of shape (d,)

    Returns
    -------
    float64 ndarray of shape (d, d)
    """  # fmt: skip
    d = X.shape[1]
    total, weight_sum = np.zeros((d, d)), 0.0
    step = max(d, BLOCK_BYTES // (8 * d))
    for first in range(0, len(rows), step):
        picked = rows[first : first + step]
        block = X[picked].toarray() if sp.issparse(X) else X[picked]
        block = (block - shift) / scale
        weight = np.ones(len(picked)) if sample_weight is None else sample_weight[picked]
        block *= np.sqrt(weight)[:, np.newaxis]
        total += block.T @ block
        weight_sum += weight.sum()
    return total / weight_sum
