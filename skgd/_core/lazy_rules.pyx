# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
r"""Any rule on the coefficients that a batch touches, at the cost of its non-zeros.

The touched features are gathered, with their slots and their gradient, into small buffers that
look like the parameters of a smaller problem; the rule and the proximal step act on these as they
always do; the result is scattered. What is left is what happens to the others (`Course`):

nothing
    if the rule says so (``sparse_updates="lazy"``), which changes the result, or if it is the
    truth: Adagrad and Ftrl do not move where the gradient is 0, without a decay.
thresholds
    Adagrad's proximal step has the size :math:`\eta'_s / r`, r the root of the accumulator, which
    only a gradient changes, and :math:`\eta'_s = \eta_s / (1 + s \kappa)`. Between two gradients

    .. math:: |r w_t| = \max(|r w_s| - l_1 (R_t - R_s), 0), \qquad R_t = \sum_{u \le t} \eta'_u .
thresholds and a scale
    Ftrl keeps z, so that :math:`w = -z \eta_s / r` follows the rate, :math:`r = n^{-p}`; its step
    size is :math:`\eta_s / r`. So :math:`v = r w / \eta` shrinks by :math:`l_1` a step.

These are the decays and thresholds of ``lazy.pyx``, in w times a root: its table serves here too.
Bounds that hold at the start hold throughout, because an untouched coefficient of Adagrad nears
zero; Ftrl's may grow with the rate, and with bounds it is left to the phases.
"""

import numpy as np

from .columns cimport Columns
from .epoch cimport Plan
from .lazy cimport Course, Table, combine, longest_chunk, pays, prefetch
from .proxes cimport Separable
from .rows cimport Lazy, SparseRows, vector_loops
from .rules cimport Adagrad, Compiled, Ftrl, Rule
from .slopes cimport Slopes

cdef double SHARE = 0.5


cdef class Thresholds(Course):
    """Decays and thresholds of every step, both (n_steps, n_models)."""
    cdef const double[:, ::1] decay, shrink

    def __init__(self, decay, shrink):
        self.decay, self.shrink = decay, shrink

    cdef void at(self, Py_ssize_t k, Py_ssize_t n, Py_ssize_t m, double* decay,
                 double* shrink) noexcept nogil:
        cdef Py_ssize_t s
        for s in range(n):
            decay[s], shrink[s] = self.decay[k + s, m], self.shrink[k + s, m]


# ---- who is served ----


def serves(SparseRows rows, Rule rule, Separable prox, Columns columns, Plan plan):
    """Whether `run` gives what the phases give, and sooner, or the rule leaves untouched
    coefficients alone."""
    if rule.touched_only:
        return True
    if prox.strengths[:, 0].any() or not pays(rows, prox, columns, plan.batch_size, SHARE):
        return False
    if isinstance(rule, Adagrad):
        return not rule.settings[:, 0].any() and adagrad_has_roots(rule, prox, columns)
    if isinstance(rule, Ftrl):
        return not rule.settings[:, [0, 3]].any() and ftrl_keeps_pace(rule, prox, columns, plan)
    return False


def adagrad_has_roots(rule, prox, Columns columns):
    """Whether all step sizes are finite, and bounds hold."""
    accumulator = columns.split(rule.slots["accumulator"])[0]
    rooted = (accumulator.T > 0) | (rule.settings[:, 3] > 0)[np.asarray(columns.model)]
    lower, upper = prox.strengths[np.asarray(columns.model), 2:].T[..., np.newaxis]
    held = (columns.coef >= lower) & (columns.coef <= upper)
    return bool(rooted.all() and held.all())


def ftrl_keeps_pace(rule, prox, Columns columns, plan):
    """Whether there are no bounds, z stands for w, and no rate is far below the last one."""
    begun = bool(rule.slots["rate"][:, 0].all()) or not columns.coef.any()
    decay = rates_followed(rule, plan)[1]
    return begun and not np.isfinite(prox.strengths[:, 2:]).any() and bool((decay > 0.01).all())


def rates_followed(rule, plan):
    """The rate that Ftrl has after every step, and its ratio to the one before."""
    rates = np.where(plan.active, plan.rates, 0.0)
    rates = np.vstack([rule.slots["rate"][:, 0], rates])
    latest = np.where(rates != 0, np.arange(len(rates))[:, np.newaxis], 0)
    kept = np.take_along_axis(rates, np.maximum.accumulate(latest, axis=0), axis=0)
    before, after = kept[: len(kept) - 1], kept[1:]
    decay = np.divide(after, before, out=np.ones_like(after), where=before != 0)
    return rates[1:], np.ascontiguousarray(decay)


def course_of(Rule rule, Separable prox, Plan plan):
    """(what happens to untouched coefficients, power and epsilon of the roots or None)."""
    l1 = prox.strengths[:, 1]
    if rule.touched_only or (isinstance(rule, Adagrad) and not l1.any()):
        return Course(), None
    if isinstance(rule, Adagrad):
        t = plan.t + np.arange(plan.n_steps)[:, np.newaxis]
        rates = np.where(plan.active, plan.rates, 0.0) / (1.0 + t * rule.settings[:, 2])
        roots = np.column_stack([np.full(len(l1), 0.5), rule.settings[:, 3]])
        return Thresholds(np.ones_like(rates), np.ascontiguousarray(rates * l1)), roots
    rates, decay = rates_followed(rule, plan)
    roots = np.column_stack([-rule.settings[:, 4], np.zeros(len(l1))])
    return Thresholds(decay, np.ascontiguousarray(rates * l1)), roots if l1.any() else None


# ---- the touched coefficients ----


cdef class Gathered:
    """Some features of the parameters, of the slots of a rule and of a gradient.

    Attributes
    ----------
    columns : Columns
        The gathered parameters.
    rule : Rule
        The rule for them.
    """
    cdef Columns whole, columns
    cdef Rule whole_rule, rule
    cdef object parameters, slots
    cdef size_t[::1] ours, theirs
    cdef double[::1] gradient, steps
    cdef bint called

    def __init__(self, Rule rule, Columns columns):
        size = columns.n_columns * (columns.n_features + 1)
        self.whole, self.whole_rule = columns, rule
        self.called = not isinstance(rule, Compiled)
        self.gradient, self.steps = np.zeros(size), np.zeros(size)
        self.parameters = np.zeros(size)
        self.slots = {
            name: np.zeros(size) if flat.ndim == 1 else flat for name, flat in rule.slots.items()
        }
        whole = [flat for flat in rule.slots.values() if flat.ndim == 1]
        own = [flat for flat in self.slots.values() if flat.ndim == 1]
        self.theirs, self.ours = (
            np.array([a.__array_interface__["data"][0] for a in arrays], dtype=np.uintp)
            for arrays in ([columns.buffer, *whole], [self.parameters, *own])
        )
        self.resize(columns.n_features)

    def resize(self, n):
        """Make columns and rule for n features."""
        size = self.whole.n_columns * (n + 1)
        slots = {
            name: flat[:size] if flat.ndim == 1 else flat for name, flat in self.slots.items()
        }
        self.columns = Columns(
            self.parameters[:size], self.whole.n_columns, n, self.whole.model_start, True,
            self.whole.fit_intercept,
        )
        self.rule = self.whole_rule.on(slots, self.columns)

    cdef int take(self, const int* list, Py_ssize_t n, double* G) except -1 nogil:
        """Gather the n features listed; their gradient is cleared in G."""
        cdef Py_ssize_t C = self.whole.n_columns, i, k, c
        cdef const double* source
        cdef double* target
        if self.called:
            with gil:
                self.resize(n)
        self.columns.n_features = n
        self.columns.b = self.columns.W + C * n
        if self.columns.n_models > 1:
            self.columns.n_segments = n
        for k in range(self.ours.shape[0]):
            target, source = <double*> self.ours[k], <double*> self.theirs[k]
            for i in range(n):
                for c in range(C):
                    target[i * C + c] = source[list[i] * C + c]
            for c in range(C):
                target[n * C + c] = source[C * self.whole.n_features + c]
        for i in range(n):
            for c in range(C):
                self.gradient[i * C + c] = G[list[i] * C + c]
                G[list[i] * C + c] = 0.0
        return 0

    cdef void give_back(self, const int* list, Py_ssize_t n) noexcept nogil:
        """Scatter them."""
        cdef Py_ssize_t C = self.whole.n_columns, i, k, c
        cdef const double* source
        cdef double* target
        for k in range(self.ours.shape[0]):
            source, target = <double*> self.ours[k], <double*> self.theirs[k]
            for i in range(n):
                for c in range(C):
                    target[list[i] * C + c] = source[i * C + c]
            for c in range(C):
                target[C * self.whole.n_features + c] = source[n * C + c]


# ---- the steps ----


def run(SparseRows rows, Slopes slopes, Rule rule, Separable prox, Columns columns, Plan plan):
    """One epoch of a rule on the coefficients that its batches touch."""
    cdef Py_ssize_t C = columns.n_columns, d = columns.n_features, M = columns.n_models
    cdef Py_ssize_t k = 0, n, s, j, m, longest = longest_chunk(rows, plan)
    cdef bint averaging = plan.average_ is not None, penal = bool(prox.strengths[:, :2].any())
    cdef Gathered near = Gathered(rule, columns)
    cdef Course course
    course, roots = course_of(rule, prox, plan)
    cdef bint moves = isinstance(course, Thresholds), lags = moves or averaging or penal, eager
    cdef int[::1] last = np.zeros(d, np.int32), seen = np.zeros(d, np.int32)
    cdef int[::1] touched = np.zeros(d + 1, np.int32)
    cdef double[::1] total = np.zeros(C * (d + 1) if averaging else 1)
    cdef double[::1] G = np.zeros(C * (d + 1))
    cdef double[:, ::1] block = np.zeros((2, min(plan.batch_size, plan.n_rows) * C))
    cdef double[:, ::1] powers = roots
    cdef Table table = Table(columns, prox, longest, total if averaging else None)
    cdef Lazy* z = &table.lazy
    z.last = &last[0]
    z.root = (<Compiled> rule).slot[0] if roots is not None else NULL
    z.power = &powers[0, 0] if roots is not None else NULL
    with nogil:
        while k < plan.n_steps:
            n = table.fill(plan, course, k, lags, &eager)
            for m in range(M if k == 0 else 0):
                z.penalty[m] += plan.rows_of(0) * prox.value(columns, m)
            for s in range(n):
                step(rows, slopes, prox, columns, plan, k + s, s, lags, near, z, &seen[0],
                     &touched[0], &block[0, 0], &block[1, 0], &G[0])
                if averaging and plan.t + k + s + 1 >= plan.average_start:
                    for j in range(C):
                        total[C * d + j] += columns.b[j]
            if lags:
                vector_loops().bring(NULL, d, n, z)
                for j in range(d):
                    last[j] = 0
            k += n
    table.report(plan)
    if averaging:
        combine(plan, total)


cdef int step(SparseRows rows, Slopes slopes, Separable prox, Columns columns, Plan plan,
              Py_ssize_t k, Py_ssize_t s, bint lags, Gathered near, const Lazy* z,
              int* seen, int* touched, double* Z, double* D, double* G) except -1 nogil:
    """Step k of the epoch, s of its chunk."""
    cdef Py_ssize_t C = columns.n_columns, start = k * plan.batch_size, size = plan.rows_of(k)
    cdef Py_ssize_t count, i, c
    cdef double* steps = &near.steps[0] if near.rule.varying and prox.proximal else NULL
    cdef double* slopes_of_b = G + C * columns.n_features
    cdef const unsigned char* active = &plan.active_[0]
    prefetch(rows, slopes, plan, start, size)
    count = rows.loops.touched(rows.indices, rows.indptr, plan.order_, start, size, seen, k + 1,
                               touched)
    if lags:
        vector_loops().bring(touched, count, s, z)
    rows.scores(plan.order_, start, size, 0, columns, Z)
    slopes.compute(plan.order_, start, size, Z, D, &plan.objective_[0])
    for c in range(C):
        slopes_of_b[c] = 0.0
    rows.gradient(plan.order_, start, size, 0, D, columns, G, slopes_of_b)
    near.take(touched, count, G)
    for c in range(C):
        near.gradient[count * C + c] = slopes_of_b[c] / size if columns.fit_intercept else 0.0
    scale_gradient(prox, near, count, 1.0 / size)
    if not near.rule.plain:
        near.rule.look_ahead(near.columns)
    near.rule.step(near.columns, &near.gradient[0], &plan.rates_[k, 0], plan.t + k, steps, active)
    if prox.proximal:
        prox.apply(near.columns, &plan.rates_[k, 0], steps, active)
    if not near.rule.plain:
        near.rule.settle(near.columns)
    near.give_back(touched, count)
    if lags:
        record(prox, near, touched, count, s + 1, plan.t + k + 1 >= plan.average_start,
               plan.rows_of(k + 1), z)
    return 0


cdef void scale_gradient(Separable prox, Gathered near, Py_ssize_t count,
                         double scale) noexcept nogil:
    """From gradient sums to the gradient of the smooth objective."""
    cdef Py_ssize_t C = near.columns.n_columns, i, c
    cdef double l2
    for c in range(C):
        l2 = prox.strengths_[near.columns.model[c], 0]
        for i in range(count):
            near.gradient[i * C + c] = (scale * near.gradient[i * C + c]
                                        + l2 * near.columns.W[i * C + c])


cdef void record(Separable prox, Gathered near, const int* touched, Py_ssize_t count,
                 Py_ssize_t t, bint averaged, Py_ssize_t n_rows, const Lazy* z) noexcept nogil:
    """The touched coefficients are current at step t: they enter the average, and the penalty
    that the next n_rows rows see."""
    cdef Py_ssize_t C = z.n_columns, i, c, m
    for m in range(near.columns.n_models):
        z.penalty[m] += n_rows * prox.value(near.columns, m)
    for i in range(count):
        z.last[touched[i]] = <int> t
        if averaged and z.sum != NULL:
            for c in range(C):
                z.sum[touched[i] * C + c] += near.columns.W[i * C + c]
