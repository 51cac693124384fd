from .columns cimport Columns
from .rows cimport VectorLoops


cdef class Prox:
    cdef readonly bint proximal
    cdef const VectorLoops* loops
    cdef int smooth(self, Columns columns, double* G, double scale, const unsigned char* active,
                    double* value) except -1 nogil
    cdef int apply(self, Columns columns, const double* rates, const double* steps,
                   const unsigned char* active) except -1 nogil


cdef class Separable(Prox):
    cdef readonly object strengths
    cdef readonly bint bounded
    cdef const double[:, ::1] strengths_
    cdef double value(self, Columns columns, Py_ssize_t m) noexcept nogil


cdef class Callback(Prox):
    cdef readonly object penalty, alpha


cdef Py_ssize_t segment_offset(Columns columns, Py_ssize_t m, Py_ssize_t k) noexcept nogil
