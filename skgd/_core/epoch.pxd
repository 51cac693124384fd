from libc.stdint cimport uint32_t

from .columns cimport Columns
from .rows cimport VectorLoops


cdef class Plan:
    cdef readonly object order, rates, active, average, gradient, objective, path
    cdef const uint32_t* order_
    cdef const double[:, ::1] rates_
    cdef const unsigned char[::1] active_
    cdef double[::1] average_, gradient_, objective_
    cdef readonly Py_ssize_t n_rows, batch_size, n_steps, t, average_start
    cdef readonly double average_decay
    cdef readonly bint fading  # whether the average forgets
    cdef Py_ssize_t rows_of(self, Py_ssize_t k) noexcept nogil
    cdef void take_in(self, Columns columns, Py_ssize_t t) noexcept nogil
