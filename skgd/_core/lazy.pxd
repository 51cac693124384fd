from .columns cimport Columns
from .epoch cimport Plan
from .proxes cimport Separable
from .rows cimport Lazy, SparseRows
from .slopes cimport Slopes


cdef class Course:
    cdef void at(self, Py_ssize_t k, Py_ssize_t n, Py_ssize_t m, double* decay,
                 double* shrink) noexcept nogil


cdef class Table:
    cdef double[:, :, ::1] steps
    cdef double[:, ::1] scales
    cdef double[::1] penalty
    cdef Columns columns
    cdef Separable prox
    cdef Py_ssize_t longest
    cdef Lazy lazy
    cdef Py_ssize_t fill(self, Plan plan, Course course, Py_ssize_t first, bint summed,
                         bint* eager) noexcept nogil
    cdef void report(self, Plan plan)


cdef bint pays(SparseRows rows, Separable prox, Columns columns, Py_ssize_t batch_size,
               double share)
cdef Py_ssize_t longest_chunk(SparseRows rows, Plan plan)
cdef void prefetch(SparseRows rows, Slopes slopes, Plan plan, Py_ssize_t start,
                   Py_ssize_t size) noexcept nogil
cdef int combine(Plan plan, double[::1] total) except -1
