"""Gram matrices of standardised rows, without a copy of X."""

import numpy as np
import scipy.sparse as sp

from .._core import grams
from .._threads import in_order
from .moments import BLOCK_BYTES

NARROW = 64  # columns, up to which products of matrices take longer than a loop of our own
FASTER = 30.0  # a product of dense matrices than other loops, a multiplication
SLOWER = 4.0  # an entry of sparse rows than one of dense rows


def cost(X):
    """Multiplications of a Gram matrix, a row, as many as other loops do in the same time."""
    n, d = X.shape
    if not sp.issparse(X):
        return d**2 / FASTER
    return min(d**2 / FASTER, SLOWER * max(X.nnz, 1) ** 2 / n**2 / 2)


def by_blocks(product, X, rows, shift, scale, factor, dtype):
    """A function of each block of some rows, in order: it is told which part of `rows` it is, and
    :math:`((x - shift) / scale, 1)` by a factor."""
    d = X.shape[1]
    step = max(d, BLOCK_BYTES // (8 * d))

    def of_block(first):
        part = slice(first, min(first + step, len(rows)))
        picked = rows[part]
        block = X
        if sp.issparse(X):
            block, picked = X[picked].toarray(), np.arange(len(picked), dtype=np.uint32)
        u = np.empty((len(picked), d + 1), dtype)
        grams.standardise(block, picked, shift, scale, factor[part], u)
        return product(part, u)

    return in_order(of_block, range(0, len(rows), step))


def gram(X, rows, weight, shift, scale, dtype=np.float64):
    r"""Sum over some rows of :math:`w_i u_i u_i^\top`, where :math:`u = ((x - shift) / scale, 1)`.

    Parameters
    ----------
    X : ndarray or CSR of shape (n, d)
    rows : uint32 ndarray of shape (m,)
    weight : ndarray of shape (m,)
    shift, scale : ndarray of shape (d,)
    dtype : dtype
        The digits that products of many columns need; they are added up in float64.

    Returns
    -------
    float64 ndarray of shape (d + 1, d + 1)
    """  # fmt: skip
    d = X.shape[1]
    if sp.issparse(X) and cost(X) < d**2 / FASTER:
        return sparse_gram(X, rows, weight, shift, scale)
    factor = np.sqrt(weight)
    if d < NARROW and not sp.issparse(X):
        return grams.gram(X, rows, shift, scale, factor)
    dtype = np.float64 if d < NARROW else dtype
    total = np.zeros((d + 1, d + 1))
    for part in by_blocks(lambda _, u: u.T @ u, X, rows, shift, scale, factor, dtype):
        total += part
    return total


def sparse_gram(X, rows, weight, shift, scale):
    """`gram` by the products of what is not zero, centred at the end."""
    d = X.shape[1]
    product, sums = grams.sparse_gram(X.data, X.indices, X.indptr, rows, weight, d)
    product += np.tril(product, -1).T
    mass = weight.sum()
    product += mass * np.outer(shift, shift) - np.outer(sums, shift) - np.outer(shift, sums)
    total = np.empty((d + 1, d + 1))
    total[:d, :d] = product / np.outer(scale, scale)
    total[:d, d] = total[d, :d] = (sums - mass * shift) / scale
    total[d, d] = mass
    return total


def softmax_gram(X, rows, weight, probabilities, shift, scale, dtype=np.float64):
    r"""The curvature of a softmax: sum of
    :math:`w_i (\mathrm{diag}(p_i) - p_i p_i^\top + \tfrac1K 1 1^\top \sum_k p_k (1 - p_k) / K)
    \otimes u_i u_i^\top`.

    The last part gives the direction in which all scores move alike, and the loss does not
    change, the mean curvature of the others.

    Parameters
    ----------
    X, rows, weight, shift, scale, dtype
        As for `gram`.
    probabilities : ndarray of shape (m, K)

    Returns
    -------
    float64 ndarray of shape (K (d + 1), K (d + 1))
    """
    K, q = probabilities.shape[1], X.shape[1] + 1
    if q <= min(NARROW, 8 * K):
        return softmax_gram_by_pairs(X, rows, weight, probabilities, shift, scale, dtype)

    def products(part, u):
        p = probabilities[part].astype(dtype)
        both = (p[:, :, np.newaxis] * u[:, np.newaxis]).reshape(len(u), K * q)
        own = [(u * share[:, np.newaxis]).T @ u for share in p.T]
        return both.T @ both, own, (u * (p * (1.0 - p)).mean(axis=1)[:, np.newaxis]).T @ u

    total = np.zeros((K, q, K, q))
    for both, own, alike in by_blocks(products, X, rows, shift, scale, np.sqrt(weight), dtype):
        total -= both.reshape(total.shape)
        total += alike[:, np.newaxis] / K
        for k in range(K):
            total[k, :, k] += own[k]
    return total.reshape(K * q, K * q)


def softmax_gram_by_pairs(X, rows, weight, probabilities, shift, scale, dtype):
    """`softmax_gram` of few columns: as it is symmetric in columns as well as in classes, by the
    products of pairs of classes with pairs of columns, which are a quarter of its entries."""
    K, q = probabilities.shape[1], X.shape[1] + 1
    (a, b), (i, j) = np.triu_indices(K), np.triu_indices(q)
    sums = np.zeros((len(a) + K + 1, len(i)))
    step = max(1, min(256, 2 * BLOCK_BYTES // (8 * sum(sums.shape))))

    def products(part, u):
        total = np.zeros_like(sums)
        for first in range(0, len(u), step):
            p = np.ascontiguousarray(probabilities[part][first : first + step].T, dtype)
            v = np.ascontiguousarray(u[first : first + step].T)
            left = np.concatenate([-p[a] * p[b], p, (p * (1.0 - p)).mean(axis=0, keepdims=True)])
            total += left @ (v[i] * v[j]).T
        return total

    for part in by_blocks(products, X, rows, shift, scale, np.sqrt(weight), dtype):
        sums += part
    blocks = np.empty((len(sums), q, q))
    blocks[:, i, j] = blocks[:, j, i] = sums
    total = np.empty((K, q, K, q))
    total[a, :, b] = total[b, :, a] = blocks[: len(a)]
    own = np.arange(K)
    total[own, :, own] += blocks[len(a) : -1]
    total += blocks[-1][:, np.newaxis] / K
    return total.reshape(K * q, K * q)


def squares(X, shift, scale):
    """Squared lengths of the rows, :math:`\\lVert (x - shift) / scale \\rVert^2`."""
    if sp.issparse(X):
        return grams.sparse_squares(X.data, X.indices, X.indptr, shift, scale)
    return grams.squares(X, shift, scale)
