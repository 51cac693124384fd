# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
r"""Momentum on sparse rows at the cost of their non-zeros.

A step takes every coefficient w and its buffer b to

.. math:: (w, b) \leftarrow M_t (w, b) + e_t g_t,

g the gradient of the batch, which is 0 for most of them. The 2x2 matrix M and the vector e depend
on rate, momentum, dampening and decay (the penalty's l2 plus the rule's weight decay), and so are
the same for all coefficients. Let the columns of :math:`Q_t = M_t \cdots M_1 Q_0` be s and f, and
write

.. math:: (w, b) = p\, s_t + q\, f_t .

A step without a gradient changes neither p nor q, a score is :math:`x \cdot (s_w p + f_w q)`, and
a gradient adds :math:`g\, Q_{t+1}^{-1} e` to (p, q). Nothing has to be brought up to date.

The product shrinks one direction much faster than the other: its condition is about
:math:`\mu^{-t}`, and digits would be lost soon. They are not if s and f are graded: f is the
direction that decays fast, found by going backward from the last step, where it is the one that
grows; s is any other one, found by going forward. Their angle stays away from 0 even after a
thousand steps; it is checked, and the chunk of steps that the table covers is halved until it
does. A chunk ends where the determinant gets close to what floating point holds.

A state at step t is in the sum of the averaged ones with :math:`p \sum_{r \ge t} s_w +
q \sum_{r \ge t} f_w`, sums from the end that are known beforehand: the start and every gradient
add their share to it at once. The squares of the loss curve's penalty follow from the sums of
:math:`p^2`, pq and :math:`q^2`.

A step whose M is nearly singular, as the first one is (:math:`b_0 = g_0`), is a chunk of its own
and acts on all coefficients.
"""

from libc.math cimport fabs, fmax, fmin, sqrt

import numpy as np

from .columns cimport Columns
from .epoch cimport Plan
from .lazy cimport combine, longest_chunk, pays, prefetch
from .proxes cimport Separable
from .rows cimport SparseRows
from .rules cimport SGD
from .slopes cimport Slopes

cdef double SHARE = 0.3
cdef double SINGULAR = 1e-3  # determinant of a step that acts on all coefficients
cdef double SMALLEST = 1e-100  # determinant of a chunk: squares of its inverse must fit
cdef double FLATTEST = 1e-3  # sine of the angle between s and f

cdef struct Step:  # w = ww w + wb b + gw g, b = bw w + bb b + gb g
    double ww, wb, bw, bb, gw, gb

cdef struct Base:  # where step t begins
    double sw, sb, fw, fb  # s and f
    double s_sum, f_sum  # of s_w and f_w over this and all later averaged states

cdef struct Work:  # of one chunk
    Step* steps  # (n_models, longest)
    Base* bases  # (n_models, longest + 1)
    double* records  # (d, n_columns, width) p, q and, where averaged, the sum
    double* squares  # (n_columns, 3) sums of p^2, p q, q^2; NULL where there is no l2
    double* mix  # (n_columns, 2)
    double* gain  # (n_columns, 3)
    double* slope  # (n_columns,) gradient of the intercepts
    double* Z
    double* D
    double* total  # what is averaged
    double* buffer  # the momentum
    Py_ssize_t longest, width


def serves(SparseRows rows, rule, Separable prox, Columns columns, Plan plan):
    """Whether `run` gives what the phases give, and sooner."""
    if not isinstance(rule, SGD) or prox.proximal:
        return False
    momentum = rule.settings[:, 2]
    at_once = (momentum != 0) & (momentum < 0.01)  # nearly no memory: M is nearly singular
    return not at_once.any() and pays(rows, prox, columns, plan.batch_size, SHARE)


def run(SparseRows rows, Slopes slopes, SGD rule, Separable prox, Columns columns, Plan plan):
    """One epoch of gradient steps with momentum."""
    cdef Py_ssize_t C = columns.n_columns, d = columns.n_features, M = columns.n_models
    cdef Py_ssize_t k = 0, n
    cdef bint averaging = plan.average_ is not None, eager
    cdef Work work
    work.longest = longest_chunk(rows, plan)
    work.width = 3 if averaging else 2
    cdef double[:, ::1] steps = np.zeros((M * work.longest, sizeof(Step) // sizeof(double)))
    cdef double[:, ::1] bases = np.zeros((M * (work.longest + 1), sizeof(Base) // sizeof(double)))
    cdef double[::1] records = np.zeros(d * C * work.width)
    cdef double[::1] total = np.zeros(C * (d + 1) if averaging else 1)
    cdef double[:, ::1] block = np.zeros((2, min(plan.batch_size, plan.n_rows) * C))
    cdef double[:, ::1] small = np.zeros((9, C))
    work.steps, work.bases = <Step*> &steps[0, 0], <Base*> &bases[0, 0]
    work.records, work.total, work.buffer = &records[0], &total[0], rule.slot[0]
    work.Z, work.D = &block[0, 0], &block[1, 0]
    work.slope, work.mix, work.gain = &small[0, 0], &small[1, 0], &small[3, 0]
    work.squares = &small[6, 0] if prox.strengths[:, 0].any() else NULL
    with nogil:
        while k < plan.n_steps:
            n = tabulate(rule, prox, plan, M, k, &work, &eager)
            begin(columns, &work)
            if eager:
                step(rows, slopes, rule, prox, columns, plan, k, 0, True, &work)
            else:
                for s in range(n):
                    step(rows, slopes, rule, prox, columns, plan, k, s, False, &work)
            end(columns, n, &work)
            k += n
    if averaging:
        combine(plan, total)


# ---- the table ----


cdef void fill_step(Step* x, const double* settings, double l2, double rate,
                    bint first) noexcept nogil:
    """M and e of one step; see ``rule_loops.h`` for the settings and the order of operations."""
    cdef double sign = -1.0 if settings[1] != 0 else 1.0, momentum = settings[2]
    cdef double decay = settings[0] + sign * l2
    cdef double keep = 0.0 if first else momentum, damp = 1.0 if first else 1.0 - settings[3]
    cdef double share = damp, held = keep  # of the slope and of the buffer in the step
    if momentum == 0:
        share, held, keep, damp = 1.0, 0.0, 1.0, 0.0  # the buffer is left alone
    elif settings[4] != 0:
        share, held = 1.0 + momentum * damp, momentum * keep
    x.ww, x.wb, x.gw = 1.0 - rate * share * decay, -rate * held, -rate * share * sign
    x.bw, x.bb, x.gb = damp * decay, keep, damp * sign


cdef double determinant(const Step* x) noexcept nogil:
    return x.ww * x.bb - x.wb * x.bw


cdef Py_ssize_t tabulate(SGD rule, Separable prox, Plan plan, Py_ssize_t M, Py_ssize_t first,
                         Work* work, bint* eager) noexcept nogil:
    """Fill the tables from step `first` on; returns the number of steps they cover."""
    cdef Py_ssize_t n = fill_steps(rule, prox, plan, M, first, work), m
    cdef double flattest
    eager[0] = n == 0
    while not eager[0]:
        flattest = 1.0
        for m in range(M):
            flattest = fmin(flattest, fill_bases(work.steps + m * work.longest,
                                                 work.bases + m * (work.longest + 1), n,
                                                 longest_rate(plan, m, first, n)))
        if flattest >= FLATTEST:
            break
        n //= 2
        eager[0] = n == 0
    if eager[0]:
        n = 1
    for m in range(M):
        if eager[0]:
            unit(work.bases + m * (work.longest + 1), 2)
        sum_from_end(work.bases + m * (work.longest + 1), n, plan.t + first, plan.average_start,
                     work.width == 3)
    return n


cdef Py_ssize_t fill_steps(SGD rule, Separable prox, Plan plan, Py_ssize_t M, Py_ssize_t first,
                           Work* work) noexcept nogil:
    """The matrices up to a singular one, or to where their product gets too small; 0 where the
    first is singular."""
    cdef Py_ssize_t s, m
    cdef Step* x
    cdef double size, left = 1.0
    cdef bint singular = False
    for s in range(min(work.longest, plan.n_steps - first)):
        size = left
        for m in range(M):
            x = work.steps + m * work.longest + s
            if plan.active_[m]:
                fill_step(x, &rule.settings_[m, 0], prox.strengths_[m, 0],
                          plan.rates_[first + s, m], plan.t + first + s == 0)
            else:
                x.ww = x.bb = 1.0
                x.wb = x.bw = x.gw = x.gb = 0.0
            if not fabs(determinant(x)) >= SINGULAR:
                singular = True
            left = fmin(left, size * fmin(1.0, fabs(determinant(x))))
        if singular:
            return s
        if left < SMALLEST:
            return s + 1
    return min(work.longest, plan.n_steps - first)


cdef double longest_rate(Plan plan, Py_ssize_t m, Py_ssize_t first, Py_ssize_t n) noexcept nogil:
    """The largest rate of the steps: a buffer times it is comparable to a coefficient."""
    cdef double largest = 0.0
    cdef Py_ssize_t s
    for s in range(n):
        largest = fmax(largest, fabs(plan.rates_[first + s, m]))
    return largest if largest > 0 else 1.0


cdef double fill_bases(const Step* steps, Base* bases, Py_ssize_t n, double h) noexcept nogil:
    """s and f before each of n steps and after the last; returns the smallest sine of their
    angle, in units in which a buffer counts h times."""
    cdef Base* x
    cdef Base* last = bases + n
    cdef Py_ssize_t t
    cdef double size, sine, smallest = 1.0
    last.fw, last.fb = 0.0, 1.0
    backward(steps, bases, n)
    # begin at a right angle to what decays fast
    size = sqrt(bases.fw * bases.fw + h * h * bases.fb * bases.fb)
    bases.sw, bases.sb = h * bases.fb / size, -bases.fw / size / h
    for t in range(n):
        x = bases + t
        x[1].sw = steps[t].ww * x.sw + steps[t].wb * x.sb
        x[1].sb = steps[t].bw * x.sw + steps[t].bb * x.sb
    # and end at a right angle to what does not
    last.fw, last.fb = -h * h * last.sb, last.sw
    backward(steps, bases, n)
    for t in range(n + 1):
        x = bases + t
        size = sqrt((x.sw * x.sw + h * h * x.sb * x.sb) * (x.fw * x.fw + h * h * x.fb * x.fb))
        sine = fabs(x.sw * x.fb - x.sb * x.fw) * h / size
        if not sine >= smallest:
            smallest = sine if sine == sine else 0.0
    return smallest


cdef void backward(const Step* steps, Base* bases, Py_ssize_t n) noexcept nogil:
    """f before each step from f after the last one."""
    cdef Py_ssize_t t
    cdef double size
    cdef Base* x
    for t in range(n - 1, -1, -1):
        x = bases + t
        size = determinant(steps + t)
        x.fw = (steps[t].bb * x[1].fw - steps[t].wb * x[1].fb) / size
        x.fb = (steps[t].ww * x[1].fb - steps[t].bw * x[1].fw) / size


cdef void unit(Base* bases, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t t
    for t in range(n):
        bases[t].sw = bases[t].fb = 1.0
        bases[t].sb = bases[t].fw = 0.0


cdef void sum_from_end(Base* bases, Py_ssize_t n, Py_ssize_t t, Py_ssize_t average_start,
                       bint averaging) noexcept nogil:
    """The sums over averaged states; the state before the first step is none of them."""
    cdef Py_ssize_t s
    cdef double averaged
    cdef Base* x
    bases[n].s_sum = bases[n].f_sum = 0.0
    for s in range(n, -1, -1):
        x = bases + s
        averaged = 1.0 if averaging and s > 0 and t + s >= average_start else 0.0
        x.s_sum = (x[1].s_sum if s < n else 0.0) + averaged * x.sw
        x.f_sum = (x[1].f_sum if s < n else 0.0) + averaged * x.fw


# ---- the coefficients ----


cdef void begin(Columns columns, Work* work) noexcept nogil:
    """From (w, b) to (p, q)."""
    cdef Py_ssize_t C = columns.n_columns, j, c
    cdef double w, b, p, q, size
    cdef const Base* x
    cdef double* v = work.records
    if work.squares != NULL:
        for c in range(3 * C):
            work.squares[c] = 0.0
    for j in range(columns.n_features):
        for c in range(C):
            x = work.bases + columns.model[c] * (work.longest + 1)
            size = x.sw * x.fb - x.sb * x.fw
            w, b = columns.W[j * C + c], work.buffer[j * C + c]
            p, q = (x.fb * w - x.fw * b) / size, (x.sw * b - x.sb * w) / size
            v[0], v[1] = p, q
            if work.width == 3:
                v[2] = p * x.s_sum + q * x.f_sum
            if work.squares != NULL:
                work.squares[3 * c] += p * p
                work.squares[3 * c + 1] += p * q
                work.squares[3 * c + 2] += q * q
            v += work.width


cdef void end(Columns columns, Py_ssize_t n, Work* work) noexcept nogil:
    """From (p, q) to (w, b)."""
    cdef Py_ssize_t C = columns.n_columns, j, c
    cdef const Base* x
    cdef const double* v = work.records
    for j in range(columns.n_features):
        for c in range(C):
            x = work.bases + columns.model[c] * (work.longest + 1) + n
            columns.W[j * C + c] = x.sw * v[0] + x.fw * v[1]
            work.buffer[j * C + c] = x.sb * v[0] + x.fb * v[1]
            if work.width == 3:
                work.total[j * C + c] += v[2]
            v += work.width


cdef void act_on_all(Columns columns, Work* work) noexcept nogil:
    """A step of all coefficients, less what the gradient does; s and f are unit vectors."""
    cdef Py_ssize_t C = columns.n_columns, j, c
    cdef double w, b
    cdef const Step* x
    cdef const Base* after
    cdef double* v = work.records
    for j in range(columns.n_features):
        for c in range(C):
            x = work.steps + columns.model[c] * work.longest
            after = work.bases + columns.model[c] * (work.longest + 1) + 1
            w, b = v[0], v[1]
            v[0], v[1] = x.ww * w + x.wb * b, x.bw * w + x.bb * b
            if work.width == 3:
                v[2] = v[0] * after.s_sum
            v += work.width


cdef int step(SparseRows rows, Slopes slopes, SGD rule, Separable prox, Columns columns,
              Plan plan, Py_ssize_t first, Py_ssize_t s, bint eager, Work* work) except -1 nogil:
    """Step s of the chunk that starts with step `first` of the epoch."""
    cdef Py_ssize_t C = columns.n_columns, k = first + s, start = k * plan.batch_size
    cdef Py_ssize_t size = plan.rows_of(k), i, c, m
    cdef const Base* x
    prefetch(rows, slopes, plan, start, size)
    for c in range(C):
        m = columns.model[c]
        x = work.bases + m * (work.longest + 1) + s
        work.mix[2 * c], work.mix[2 * c + 1] = x.sw, x.fw
        if work.squares != NULL:
            plan.objective_[m] += size * 0.5 * prox.strengths_[m, 0] * square(
                x, work.squares + 3 * c)
        fill_gain(work.steps + m * work.longest + s, x + 1, size, work.gain + 3 * c)
    rows.loops.pair_scores(rows.data, rows.indices, rows.indptr, plan.order_, start, size,
                           work.records, work.mix, C, work.width, work.Z)
    for c in range(C):
        work.slope[c] = 0.0
        for i in range(size):
            work.Z[i * C + c] += columns.b[c]
    slopes.compute(plan.order_, start, size, work.Z, work.D, &plan.objective_[0])
    if eager:
        act_on_all(columns, work)
    rows.loops.pair_gradient(rows.data, rows.indices, rows.indptr, plan.order_, start, size,
                             work.D, work.gain, C, work.width, work.records, work.squares)
    if columns.fit_intercept:
        for i in range(size):
            for c in range(C):
                work.slope[c] += work.D[i * C + c] / size
        for m in range(columns.n_models):
            if plan.active_[m]:
                rule.step_intercepts(columns, m, work.slope, plan.rates_[k, m], plan.t + k)
    if work.width == 3 and plan.t + k + 1 >= plan.average_start:
        for c in range(C):
            work.total[C * columns.n_features + c] += columns.b[c]
    return 0


cdef double square(const Base* x, const double* sums) noexcept nogil:
    """Sum of the squares of w."""
    return x.sw * x.sw * sums[0] + 2 * x.sw * x.fw * sums[1] + x.fw * x.fw * sums[2]


cdef void fill_gain(const Step* x, const Base* after, Py_ssize_t n_rows,
                    double* gain) noexcept nogil:
    """What a unit of the gradient sum over n_rows rows adds to p, q and the averaged sum."""
    cdef double size = n_rows * (after.sw * after.fb - after.sb * after.fw)
    gain[0] = (after.fb * x.gw - after.fw * x.gb) / size
    gain[1] = (after.sw * x.gb - after.sb * x.gw) / size
    gain[2] = gain[0] * after.s_sum + gain[1] * after.f_sum
