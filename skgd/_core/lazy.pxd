from .columns cimport Columns
from .epoch cimport Plan
from .proxes cimport Separable
from .rows cimport LazyStep, SparseRows
from .slopes cimport Slopes


cdef class Course:
    cdef void at(self, Py_ssize_t k, Py_ssize_t m, double* decay, double* shrink) noexcept nogil


cdef bint pays(SparseRows rows, Separable prox, Columns columns, Py_ssize_t batch_size,
               double share)
cdef Py_ssize_t longest_chunk(SparseRows rows, Plan plan)
cdef Py_ssize_t tabulate(Plan plan, Course course, Py_ssize_t M, Py_ssize_t first,
                         Py_ssize_t longest, bint summed, LazyStep* table, double* scales,
                         bint* eager) noexcept nogil
cdef void prefetch(SparseRows rows, Slopes slopes, Plan plan, Py_ssize_t start,
                   Py_ssize_t size) noexcept nogil
cdef int combine(Plan plan, double[::1] total) except -1
