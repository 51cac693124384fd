# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""Parabolas with soft thresholds and bounds, coordinate by coordinate."""

import numpy as np


def minimise(const double[:, ::1] H, const double[::1] gradient, const double[::1] start,
             const double[::1] l1, const double[::1] lower, const double[::1] upper,
             Py_ssize_t sweeps, double enough):
    """(step d, its descent, largest change) to lower g'd + d'Hd / 2 + sum_j l1_j |v_j|, where
    v = start + d within bounds.

    Cyclic coordinate descent, until a sweep changes no coordinate by more than `enough`, measured
    by what it brings, or `sweeps` are done.
    """
    cdef Py_ssize_t n = gradient.shape[0], j, k, sweep
    end, slope = np.array(start), np.array(gradient)
    cdef double[::1] v = end, r = slope
    cdef double h, new, change, largest = 0.0
    with nogil:
        for sweep in range(sweeps):
            largest = 0.0
            for j in range(n):
                h = H[j, j]
                if not h > 0:
                    continue
                new = v[j] - r[j] / h
                new = new - l1[j] / h if new > l1[j] / h else (
                    new + l1[j] / h if new < -l1[j] / h else 0.0 if l1[j] > 0 else new)
                new = min(max(new, lower[j]), upper[j])
                change = new - v[j]
                if change == 0:
                    continue
                v[j] = new
                for k in range(n):
                    r[k] += change * H[j, k]
                largest = max(largest, change * change * h)
            if largest <= enough:
                break
    step = end - np.asarray(start)
    absolute = np.asarray(l1) @ (np.abs(start) - np.abs(end))
    # g'd + d'Hd / 2 = (g + r)'d / 2
    return step, float(absolute - 0.5 * ((np.asarray(gradient) + slope) @ step)), largest
