from .columns cimport Columns
from .rows cimport Rule as Loop


cdef class Rule:
    cdef readonly object slots
    cdef readonly bint plain, varying
    cdef public bint touched_only
    cdef int look_ahead(self, Columns columns) except -1 nogil
    cdef int step(self, Columns columns, double* G, const double* rates, Py_ssize_t t,
                  double* steps, const unsigned char* active) except -1 nogil
    cdef int settle(self, Columns columns) except -1 nogil


cdef class Compiled(Rule):
    cdef readonly object settings, kernel
    cdef const double[:, ::1] settings_, intercept_settings
    cdef double* slot[3]
    cdef Loop loop
    cdef double* slot_at(self, int k, Py_ssize_t offset) noexcept nogil
    cdef int prepare(self, Py_ssize_t m, int array, double rate, Py_ssize_t t,
                     const double* settings, double* numbers) except -1 nogil
    cdef int step_intercepts(self, Columns columns, Py_ssize_t m, const double* gb, double rate,
                             Py_ssize_t t) except -1 nogil


cdef class SGD(Compiled):
    cdef readonly bint heavy, climbs


cdef class Adagrad(Compiled):
    pass


cdef class NAdam(Compiled):
    cdef float[:, ::1] product


cdef class Ftrl(Compiled):
    cdef double[:, ::1] rate


cdef class Callback(Rule):
    cdef readonly object optimizer, undecayed
    cdef readonly object states


cdef class Clipped(Rule):
    cdef readonly Rule inner
    cdef readonly double limit
    cdef readonly object scope
    cdef bint by_value, joint
    cdef double[::1] clipped
    cdef void clip(self, Columns columns, Py_ssize_t m, const double* G,
                   double* values) noexcept nogil
    cdef void scale(self, const double* G, double* values, Py_ssize_t first, Py_ssize_t n,
                    double share) noexcept nogil


cdef class Preconditioned(Rule):
    cdef readonly Rule inner
    cdef double[::1] scale, shift, centre
    cdef void move(self, Columns columns, int way) noexcept nogil
