# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""Rows of X: the only place that sees the data. Two phases, scores and gradient.

A block is n rows: rows ``order[first:first + n]``, or ``first:first + n`` where order is NULL.
`later` rows after these are yet to come, so that some can be asked for.
"""

import numpy as np
import scipy.sparse as sp

cdef Py_ssize_t SHORT = 32  # non-zeros a row


cdef class Rows:
    """Rows to take scores and gradients of."""

    cdef int scores(self, const uint32_t* order, Py_ssize_t first, Py_ssize_t n,
                    Py_ssize_t later, Columns columns, double* Z) except -1 nogil:
        """Z[i, c] = x_i . w_c + b_c, Z of shape (n, n_columns)."""
        return -1

    cdef int gradient(self, const uint32_t* order, Py_ssize_t first, Py_ssize_t n,
                      Py_ssize_t later, const double* D, Columns columns, double* G,
                      double* gb) except -1 nogil:
        """Add D' X to G, laid out as the coefficients, and the column sums of D to gb."""
        return -1

    cdef bint straight(self, const uint32_t* order, Py_ssize_t first, Py_ssize_t n,
                       const Straight* slopes, Columns columns, double* G, double* gb,
                       double* loss) noexcept nogil:
        """Both phases in one where slopes are straight lines, the loss half their product with
        what is squared: whether it was done, which is where it is faster."""
        return False


cdef const void* address(array) except NULL:
    return <const void*> <size_t> array.__array_interface__["data"][0]


cdef class DenseRows(Rows):
    """Rows of a C-contiguous float32 or float64 array, which is not copied."""

    def __init__(self, X):
        if not (X.flags.c_contiguous and X.dtype in (np.float32, np.float64)):
            raise TypeError("expected a C-contiguous float32 or float64 array")
        self.X = X
        self.n_rows, self.n_features = X.shape
        self.data = <const char*> address(X)
        self.row_bytes = X.itemsize * X.shape[1]
        self.loops = dense_loops(X.dtype == np.float64)
        self.by_feature = False
        # a block is read twice, for scores and for the gradient, while the next one is fetched:
        # both should find room in the first cache
        self.block_rows = min(256, max(8, (1 << 14) // max(self.row_bytes, 1) // 8 * 8))

    cdef int scores(self, const uint32_t* order, Py_ssize_t first, Py_ssize_t n,
                    Py_ssize_t later, Columns columns, double* Z) except -1 nogil:
        self.loops.scores(self.data, order, first, n, later, self.n_features, columns.W,
                          columns.b, columns.n_columns, Z)
        return 0

    cdef int gradient(self, const uint32_t* order, Py_ssize_t first, Py_ssize_t n,
                      Py_ssize_t later, const double* D, Columns columns, double* G,
                      double* gb) except -1 nogil:
        self.loops.gradient(self.data, order, first, n, later, self.n_features, D,
                            columns.n_columns, G, gb)
        return 0


cdef class SparseRows(Rows):
    """Rows of a canonical CSR matrix or array, which is not copied."""

    def __init__(self, X):
        if not (sp.issparse(X) and X.format == "csr" and X.dtype in (np.float32, np.float64)):
            raise TypeError("expected a float32 or float64 CSR matrix")
        indices, indptr = X.indices, X.indptr
        if indices.dtype not in (np.int32, np.int64) or indices.dtype != indptr.dtype:
            indices, indptr = indices.astype(np.int64), indptr.astype(np.int64)
        data = np.ascontiguousarray(X.data)
        indices, indptr = np.ascontiguousarray(indices), np.ascontiguousarray(indptr)
        self.X = X
        self.arrays = (data, indices, indptr)
        self.n_rows, self.n_features = X.shape
        self.n_nonzero = int(indptr[self.n_rows])
        self.data, self.indices, self.indptr = address(data), address(indices), address(indptr)
        self.loops = sparse_loops(data.dtype == np.float64, indices.dtype == np.int64)
        self.by_feature = True
        self.block_rows = 256

    cdef int scores(self, const uint32_t* order, Py_ssize_t first, Py_ssize_t n,
                    Py_ssize_t later, Columns columns, double* Z) except -1 nogil:
        self.loops.scores(self.data, self.indices, self.indptr, order, first, n, columns.W,
                          columns.b, columns.n_columns, Z)
        return 0

    cdef int gradient(self, const uint32_t* order, Py_ssize_t first, Py_ssize_t n,
                      Py_ssize_t later, const double* D, Columns columns, double* G,
                      double* gb) except -1 nogil:
        self.loops.gradient(self.data, self.indices, self.indptr, order, first, n, D,
                            columns.n_columns, G, gb, NULL, NULL, NULL)
        return 0

    cdef bint straight(self, const uint32_t* order, Py_ssize_t first, Py_ssize_t n,
                       const Straight* slopes, Columns columns, double* G, double* gb,
                       double* loss) noexcept nogil:
        if columns.n_columns > 1 or self.n_nonzero > SHORT * self.n_rows:
            return False
        loss[0] += self.loops.straight(
            self.data, self.indices, self.indptr, order, first, n, columns.W, columns.b,
            slopes.aim, NULL if slopes.bend == NULL else slopes.bend + first, slopes.weight, G, gb)
        return True
