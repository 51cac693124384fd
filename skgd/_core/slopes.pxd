from libc.stdint cimport int32_t, uint32_t

from .rows cimport Scalar, Straight, VectorLoops


cdef class Slopes:
    cdef readonly object y, sample_weight, column_target, positive
    cdef const double[:, ::1] y_
    cdef const double* values
    cdef Py_ssize_t n_targets
    cdef const double* weight
    cdef Straight line
    cdef bint straight
    cdef const int32_t[::1] target
    cdef const double[::1] label
    cdef int32_t[::1] starts
    cdef int32_t[::1] model
    cdef readonly Py_ssize_t n_columns, n_models
    cdef readonly bint one_against_rest, deferred
    cdef public double reach
    cdef int row(self, Py_ssize_t row, double* z, double* d) except -1 nogil
    cdef int losses(self, const uint32_t* order, Py_ssize_t first, Py_ssize_t n,
                    const double* margin, double* loss) except -1 nogil
    cdef int compute(self, const uint32_t* order, Py_ssize_t first, Py_ssize_t n,
                     const double* Z, double* D, double* loss) except -1 nogil


cdef class Elementwise(Slopes):
    cdef Scalar scalar
    cdef double parameter
    cdef void block(self, Py_ssize_t n, const double* y, const double* z, double* slope,
                    double* value) noexcept nogil
    cdef void gather(self, const uint32_t* order, Py_ssize_t first, Py_ssize_t n,
                     Py_ssize_t start, Py_ssize_t size, double* y, double* weight) noexcept nogil
    cdef void add(self, Py_ssize_t start, Py_ssize_t n, const double* value,
                  double* loss) noexcept nogil


cdef class Logistic(Elementwise):
    cdef const VectorLoops* loops


cdef class Softmax(Slopes):
    cdef const VectorLoops* loops


cdef class Curvature(Slopes):
    cdef const double[:, ::1] bends
    cdef bint joint


cdef class Callback(Slopes):
    cdef object loss
