# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""Gram matrix of sparse rows, the products of what is not zero only."""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint32_t

ctypedef fused real:
    float
    double

ctypedef fused index:
    int32_t
    int64_t


def sparse_gram(const real[::1] data, const index[::1] indices, const index[::1] indptr,
                const uint32_t[::1] rows, const double[::1] weight, Py_ssize_t d):
    """(sum of w_i x_i x_i', sum of w_i x_i) over the rows that `rows` names; the lower triangle of
    the first, as each row's indices ascend."""
    total, sums = np.zeros((d, d)), np.zeros(d)
    cdef double[:, ::1] G = total
    cdef double[::1] s = sums
    cdef Py_ssize_t k, a, b, first, last
    cdef double value
    with nogil:
        for k in range(rows.shape[0]):
            first, last = indptr[rows[k]], indptr[rows[k] + 1]
            for a in range(first, last):
                value = weight[k] * data[a]
                s[indices[a]] += value
                for b in range(first, a + 1):
                    G[indices[a], indices[b]] += value * data[b]
    return total, sums
