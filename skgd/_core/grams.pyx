# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""What coordinates take of the rows: moments, standardised blocks, lengths, sparse products."""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint32_t

from .columns import aligned_zeros

cdef extern from "vector.h" nogil:
    ctypedef struct StatisticLoops:
        void (*column_sums)(const void*, Py_ssize_t, Py_ssize_t, const double*, const double*,
                            double*, double*) noexcept nogil
        void (*row_squares)(const void*, Py_ssize_t, Py_ssize_t, const double*, const double*,
                            double*) noexcept nogil
        void (*gram)(const void*, const uint32_t*, Py_ssize_t, Py_ssize_t, const double*,
                     const double*, const double*, double*, double*, Py_ssize_t) noexcept nogil

    const StatisticLoops* statistic_loops(int)


ctypedef fused real:
    float
    double

ctypedef fused digits:
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


def standardise(const real[:, ::1] X, const uint32_t[::1] rows, const double[::1] shift,
                const double[::1] scale, const double[::1] factor, digits[:, ::1] u):
    """Fill u with the rows ((x - shift) / scale, 1) * factor of those that `rows` names."""
    inverse = 1.0 / np.asarray(scale)
    cdef const double[::1] by = inverse
    cdef Py_ssize_t k, j, row, d = X.shape[1]
    with nogil:
        for k in range(rows.shape[0]):
            row = rows[k]
            for j in range(d):
                u[k, j] = <digits>(X[row, j] - shift[j]) * <digits>by[j] * <digits>factor[k]
            u[k, d] = <digits>factor[k]


def gram(const real[:, ::1] X, const uint32_t[::1] rows, const double[::1] shift,
         const double[::1] scale, const double[::1] factor):
    """Sum of u u' over the rows u that `standardise` gives."""
    cdef Py_ssize_t d = X.shape[1], q = (d + 8) // 8 * 8  # with the last, in whole registers
    total, inverse = aligned_zeros(q * q), 1.0 / np.asarray(scale)
    cdef double[::1] G = total, u = aligned_zeros(4 * q)
    cdef const double[::1] by = inverse
    with nogil:
        statistic_loops(real is double).gram(
            &X[0, 0], &rows[0], rows.shape[0], d, &shift[0], &by[0], &factor[0], &u[0], &G[0], q)
    lower = np.tril(total.reshape(q, q)[:d + 1, :d + 1])
    return lower + np.tril(lower, -1).T


def column_sums(const real[:, ::1] X, const double[::1] shift, const double[::1] weight=None):
    """(weighted sum of x - shift, of its square) of each column."""
    total, squared = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    cdef double[::1] sums = total, squares_ = squared
    with nogil:
        statistic_loops(real is double).column_sums(
            &X[0, 0], X.shape[0], X.shape[1], &shift[0],
            &weight[0] if weight is not None else NULL, &sums[0], &squares_[0])
    return total, squared


def sparse_column_sums(const real[::1] data, const index[::1] indices, const index[::1] indptr,
                       Py_ssize_t d, const double[::1] weight=None):
    """(weight of all rows, a table of the non-zeros of each column): the first one, their weight,
    and the weighted sums of what they are above the first and of its square."""
    table = np.zeros((d, 4))
    cdef double[:, ::1] columns = table
    cdef Py_ssize_t i, k
    cdef double w = 1.0, total = 0.0, above
    cdef double* column
    with nogil:
        for i in range(indptr.shape[0] - 1):
            if weight is not None:
                w = weight[i]
            total += w
            for k in range(indptr[i], indptr[i + 1]):
                column = &columns[indices[k], 0]
                if column[1] == 0.0:
                    column[0] = data[k]
                above = data[k] - column[0]
                column[1] += w
                column[2] += w * above
                column[3] += w * above * above
    return total, table


def squares(const real[:, ::1] X, const double[::1] shift, const double[::1] scale):
    """Squared lengths of the rows (x - shift) / scale."""
    found, inverse = np.empty(X.shape[0]), 1.0 / np.asarray(scale)
    cdef double[::1] out = found
    cdef const double[::1] by = inverse
    with nogil:
        statistic_loops(real is double).row_squares(
            &X[0, 0], X.shape[0], X.shape[1], &shift[0], &by[0], &out[0])
    return found


def sparse_squares(const real[::1] data, const index[::1] indices, const index[::1] indptr,
                   const double[::1] shift, const double[::1] scale):
    """`squares` of sparse rows."""
    cdef Py_ssize_t n = indptr.shape[0] - 1, i, k
    centre = np.asarray(shift) / np.asarray(scale)
    found = np.full(n, centre @ centre)
    inverse = 1.0 / np.asarray(scale)
    cdef double[::1] out = found
    cdef const double[::1] by = inverse, at = centre
    cdef double value
    with nogil:
        for i in range(n):
            for k in range(indptr[i], indptr[i + 1]):
                value = data[k] * by[indices[k]]
                out[i] += value * (value - 2.0 * at[indices[k]])
    return found
