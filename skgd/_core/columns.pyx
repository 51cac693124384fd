# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""The parameters: columns, the models they belong to, and how both lie in memory.

A column is one linear score: coefficients ``coef[c]`` and an intercept ``intercept[c]``, views of
one flat buffer that holds all coefficients and then all intercepts. The columns
``model_start[m]:model_start[m + 1]`` are model m. Coefficients lie by column, (n_columns,
n_features), for dense rows, and by feature, (n_features, n_columns), for sparse rows.
"""

import numpy as np


def aligned_zeros(n):
    """Zeros that begin at a cache line, which vector registers are loaded from at full speed."""
    buffer = np.zeros(n + 8)
    first = -buffer.ctypes.data // 8 % 8
    return buffer[first:first + n]


cdef class Columns:
    """Views of a parameter buffer.

    Parameters
    ----------
    buffer : float64 ndarray of shape (n_columns * (n_features + 1),)
    n_columns, n_features : int
    model_start : int32 ndarray of shape (n_models + 1,)
    by_feature : bool
        How the coefficients lie in the buffer.
    fit_intercept : bool
    """

    def __init__(self, buffer, n_columns, n_features, model_start, by_feature, fit_intercept):
        cdef Py_ssize_t m
        self.buffer = buffer
        self.data = buffer
        self.n_columns = n_columns
        self.n_features = n_features
        self.model_start = np.ascontiguousarray(model_start, dtype=np.int32)
        self.starts = self.model_start
        self.n_models = len(self.model_start) - 1
        self.model = np.empty(n_columns, dtype=np.int32)
        for m in range(self.n_models):
            self.model[self.starts[m]:self.starts[m + 1]] = <int32_t> m
        self.by_feature = by_feature
        self.fit_intercept = fit_intercept
        self.coef, self.intercept = self.split(buffer)
        self.stride = n_columns if by_feature else n_features
        self.W = &self.data[0]
        self.b = &self.data[n_columns * n_features]
        # where several models share a feature's line, a model is one short segment a feature
        split = by_feature and self.n_models > 1
        self.n_segments = n_features if split else 1
        self.segment_step = n_columns if split else 0

    def split(self, flat):
        """The views (coef, intercept) of a buffer laid out like this one."""
        n_weights = self.n_columns * self.n_features
        if self.by_feature:
            coef = flat[:n_weights].reshape(self.n_features, self.n_columns).T
        else:
            coef = flat[:n_weights].reshape(self.n_columns, self.n_features)
        return coef, flat[n_weights:]

    cdef Py_ssize_t segment_length(self, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
        """Length of a segment of the columns first:last."""
        return last - first if self.n_segments > 1 else (last - first) * self.n_features
