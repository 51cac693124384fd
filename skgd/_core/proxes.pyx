# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""Penalties: their smooth part enters the gradient, the rest is a proximal step.

`smooth` turns the sum of slopes into the gradient of the smooth objective; `apply` is
``W = prox of the non-smooth penalty``, with the step sizes of the rule as its metric.
"""

import numpy as np

from .rows cimport vector_loops


cdef class Prox:
    """The penalty of every model."""

    cdef int smooth(self, Columns columns, double* G, double scale, const unsigned char* active,
                    double* value) except -1 nogil:
        """G = scale * G + gradient of the smooth part; adds each model's penalty to value."""
        return -1

    cdef int apply(self, Columns columns, const double* rates, const double* steps,
                   const unsigned char* active) except -1 nogil:
        """The proximal step; steps holds the step size of each coefficient, or is NULL where
        all of a model step by its rate."""
        return -1


cdef class Separable(Prox):
    """l2, l1 and bounds of each model: strengths (n_models, 4) holds l2, l1, lower, upper."""

    def __init__(self, strengths):
        self.strengths = self.strengths_ = np.ascontiguousarray(strengths, dtype=np.float64)
        s = self.strengths
        self.bounded = bool(np.isfinite(s[:, 2:]).any())
        self.proximal = self.bounded or bool(s[:, 1].any())
        self.loops = vector_loops()

    cdef int smooth(self, Columns columns, double* G, double scale, const unsigned char* active,
                    double* value) except -1 nogil:
        cdef Py_ssize_t m, k, offset, n
        for m in range(columns.n_models):
            n = columns.segment_length(columns.starts[m], columns.starts[m + 1])
            for k in range(columns.n_segments):
                offset = segment_offset(columns, m, k)
                self.loops.combine(G + offset, columns.W + offset, scale,
                                   self.strengths_[m, 0], n)
            value[m] += self.value(columns, m)
        return 0

    cdef double value(self, Columns columns, Py_ssize_t m) noexcept nogil:
        """The penalty of a model."""
        cdef Py_ssize_t k, n = columns.segment_length(columns.starts[m], columns.starts[m + 1])
        cdef double square = 0.0, absolute = 0.0
        if self.strengths_[m, 0] != 0 or self.strengths_[m, 1] != 0:
            for k in range(columns.n_segments):
                self.loops.norms(columns.W + segment_offset(columns, m, k), n, &square, &absolute)
        return 0.5 * self.strengths_[m, 0] * square + self.strengths_[m, 1] * absolute

    cdef int apply(self, Columns columns, const double* rates, const double* steps,
                   const unsigned char* active) except -1 nogil:
        cdef Py_ssize_t m, k, offset, n
        for m in range(columns.n_models):
            if not active[m]:
                continue
            n = columns.segment_length(columns.starts[m], columns.starts[m + 1])
            for k in range(columns.n_segments):
                offset = segment_offset(columns, m, k)
                self.loops.prox(columns.W + offset, steps + offset if steps != NULL else NULL,
                                rates[m], self.strengths_[m, 1], self.strengths_[m, 2],
                                self.strengths_[m, 3], n)
        return 0


cdef Py_ssize_t segment_offset(Columns columns, Py_ssize_t m, Py_ssize_t k) noexcept nogil:
    """Where segment k of model m starts among the coefficients."""
    if columns.by_feature:
        return columns.starts[m] + k * columns.segment_step
    return columns.starts[m] * columns.n_features


cdef class Callback(Prox):
    """A penalty with NumPy methods only, called once a batch; alpha (n_models,)."""

    def __init__(self, penalty, alpha):
        self.penalty = penalty
        self.alpha = alpha
        self.proximal = not penalty.smooth

    cdef int smooth(self, Columns columns, double* G, double scale, const unsigned char* active,
                    double* value) except -1 nogil:
        with gil:
            n = columns.n_columns * columns.n_features
            gradient, _ = columns.split(np.asarray(<double[:n]> G))
            self.add(columns, gradient, scale, np.asarray(<double[:columns.n_models]> value))
        return 0

    cdef int apply(self, Columns columns, const double* rates, const double* steps,
                   const unsigned char* active) except -1 nogil:
        with gil:
            n = columns.n_columns * columns.n_features
            rate = np.asarray(<double[:columns.n_models]> <double*> rates)
            step = None
            if steps != NULL:
                step, _ = columns.split(np.asarray(<double[:n]> <double*> steps))
            self.move(columns, rate, step,
                      np.asarray(<unsigned char[:columns.n_models]> <unsigned char*> active))
        return 0

    def add(self, columns, gradient, scale, value):
        gradient *= scale
        for m, (start, stop) in enumerate(zip(columns.model_start, columns.model_start[1:])):
            w = columns.coef[start:stop]
            gradient[start:stop] += self.alpha[m] * self.penalty.gradient(w)
            value[m] += self.alpha[m] * np.sum(self.penalty.value(w))

    def move(self, columns, rate, step, active):
        for m, (start, stop) in enumerate(zip(columns.model_start, columns.model_start[1:])):
            if active[m]:
                size = rate[m] if step is None else step[start:stop]
                w = columns.coef[start:stop]
                w[...] = self.penalty.prox(w, self.alpha[m] * size)
