# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""One epoch: the five phases of a step, once for every batch, without Python in between.

`run` serves every combination of rows, losses, rules and penalties. A few pairings have a loop of
their own, as profiling says they must: plain gradient steps on one dense row at a time
(`stochastic`, here), and on sparse rows the rules whose effect on coefficients that no row touches
has a closed form (``lazy.pyx``, ``lazy_momentum.pyx``, ``lazy_rules.pyx``). They give what the
phases give, unless a rule asks to leave such coefficients alone. `path` says which loop it is.
"""

from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

import numpy as np

from . import lazy, lazy_momentum, lazy_rules
from .columns import aligned_zeros
from .proxes cimport Prox, Separable
from .rows cimport (
    PREFETCH, PREFETCH_LATER, STRIDE, DenseLoops, DenseRows, Rows, SparseRows, dense_loops,
    vector_loops
)
from .rules cimport Rule
from .slopes cimport Slopes

cdef enum:
    AHEAD = 8192  # bytes of rows that are asked for before they are needed
    SHORT = 32  # features of a row
    DEFERRED = 64  # rows whose losses are summed together


cdef class Plan:
    """What one epoch does: which rows, in which order, at which rates.

    Parameters
    ----------
    n_rows, batch_size : int
        Rows of the epoch and of a batch; the last batch may be shorter.
    rates : float64 ndarray of shape (n_steps, n_models)
    order : uint32 ndarray of shape (n_rows,) or None
        Row numbers; None is 0, 1, ...
    t : int
        Updates done before this epoch.
    active : uint8 ndarray of shape (n_models,) or None
        Models that still move.
    average : float64 ndarray, the size of the parameters, or None
        Mean of the parameters after updates average_start, average_start + 1, ...
    average_start : int
    average_decay : float or None
        How much of the average an update keeps; None gives all updates equal weights.

    Attributes
    ----------
    objective : float64 ndarray of shape (n_models,)
        Mean over the rows of the objective of their batch before its update.
    gradient : float64 ndarray, the size of the parameters
        Gradient of the last batch, where phases were run.
    path : callable
        The loop that did the epoch.
    """

    def __init__(self, n_rows, batch_size, rates, order=None, t=0, active=None, average=None,
                 average_start=1, average_decay=None):
        self.n_rows = n_rows
        self.batch_size = batch_size
        self.rates = self.rates_ = rates
        self.n_steps = -(-n_rows // batch_size)
        if len(rates) != self.n_steps:
            raise ValueError(f"got {len(rates)} rates, expected {self.n_steps}, one a step")
        self.order = order
        self.order_ = order_of(order)
        self.t = t
        n_models = rates.shape[1]
        if active is None:
            active = np.zeros(n_models, np.uint8)
            active.fill(1)
        self.active = self.active_ = active
        self.average = average
        self.average_ = average
        self.average_start = average_start
        self.fading = average_decay is not None
        self.average_decay = average_decay if self.fading else 0.0
        self.objective = self.objective_ = np.zeros(n_models)
        self.gradient = self.path = None

    cdef Py_ssize_t rows_of(self, Py_ssize_t k) noexcept nogil:
        """Number of rows of batch k; 0 after the last."""
        return max(<Py_ssize_t> 0, min(self.batch_size, self.n_rows - k * self.batch_size))

    cdef void take_in(self, Columns columns, Py_ssize_t t) noexcept nogil:
        """Average the parameters after update t, the k-th of those averaged."""
        cdef Py_ssize_t k = t + 2 - self.average_start
        if self.average_ is not None and k >= 1:
            vector_loops().average(
                &self.average_[0], &columns.data[0],
                1.0 - self.average_decay if self.fading and k > 1 else 1.0 / k,
                columns.n_columns * (columns.n_features + 1))


def path(Rows rows, Rule rule, Prox prox, Columns columns, Plan plan):
    """The loop that does an epoch of these: `phases`, or a faster one where there is one."""
    if not isinstance(prox, Separable):
        return phases
    if isinstance(rows, DenseRows):
        return stochastic if rule.plain and plan.batch_size == 1 else phases
    if plan.fading and plan.average is not None:
        return phases
    for loop in (lazy_rules, lazy, lazy_momentum):
        if loop.serves(rows, rule, prox, columns, plan):
            return loop.run
    return phases


def run(Rows rows, Slopes slopes, Rule rule, Prox prox, Columns columns, Plan plan):
    """Do one epoch in place and return the plan, its results filled in."""
    if rows.by_feature != columns.by_feature:
        raise ValueError("the parameters must be laid out for these rows")
    plan.path = path(rows, rule, prox, columns, plan)
    plan.path(rows, slopes, rule, prox, columns, plan)
    plan.objective /= plan.n_rows
    return plan


def phases(Rows rows, Slopes slopes, Rule rule, Prox prox, Columns columns, Plan plan):
    """The five phases for every batch."""
    cdef Py_ssize_t k, first, size, n_weights = columns.n_columns * columns.n_features
    cdef Py_ssize_t n_params = n_weights + columns.n_columns
    plan.gradient = plan.gradient_ = aligned_zeros(n_params)
    steps = np.empty(n_params) if rule.varying and prox.proximal else None
    cdef double[::1] steps_view = steps
    cdef double* G = &plan.gradient_[0]
    cdef double* step_sizes = &steps_view[0] if steps is not None else NULL
    cdef const unsigned char* active = &plan.active_[0]
    cdef double[::1] value = np.zeros(columns.n_models)
    cdef double* Z = <double*> malloc(2 * rows.block_rows * columns.n_columns * sizeof(double))
    if Z == NULL:
        raise MemoryError
    cdef bint hooks = not rule.plain
    try:
        with nogil:
            for k in range(plan.n_steps):
                size = plan.rows_of(k)
                if hooks:
                    rule.look_ahead(columns)
                memset(G, 0, n_params * sizeof(double))
                first = k * plan.batch_size
                accumulate(rows, slopes, columns, plan.order_, first, size,
                           plan.n_rows - first - size, Z, G, &plan.objective_[0], NULL)
                finish(rule, prox, columns, plan, k, G, &value[0], step_sizes, active)
    finally:
        free(Z)


cdef int accumulate(Rows rows, Slopes slopes, Columns columns, const uint32_t* order,
                    Py_ssize_t first, Py_ssize_t n, Py_ssize_t later, double* Z, double* G,
                    double* loss, double* kept) except -1 nogil:
    """Scores, slopes and gradient sums of n rows, which `later` rows follow, block by block, each
    block read once from memory. Z holds scores and slopes of a block; `kept`, if not NULL, gets the
    scores of all."""
    cdef Py_ssize_t done = 0, size, rest
    cdef double* D = Z + rows.block_rows * columns.n_columns
    cdef double* gb = G + columns.n_columns * columns.n_features
    if kept == NULL and slopes.straight and rows.straight(order, first, n, &slopes.line, columns,
                                                          G, gb, loss):
        return 0
    while done < n:
        size = min(rows.block_rows, n - done)
        rest = n - done - size + later
        rows.scores(order, first + done, size, rest, columns, Z)
        if kept != NULL:
            memcpy(kept + done * columns.n_columns, Z, size * columns.n_columns * sizeof(double))
        slopes.compute(order, first + done, size, Z, D, loss)
        rows.gradient(order, first + done, size, rest, D, columns, G, gb)
        done += size
    return 0


cdef int finish(Rule rule, Prox prox, Columns columns, Plan plan, Py_ssize_t k, double* G,
                double* value, double* steps, const unsigned char* active) except -1 nogil:
    """From the sums over batch k to the new parameters."""
    cdef Py_ssize_t m, c, n_weights = columns.n_columns * columns.n_features
    cdef Py_ssize_t size = plan.rows_of(k), t = plan.t + k
    cdef const double* rates = &plan.rates_[k, 0]
    for m in range(columns.n_models):
        value[m] = 0.0
    for c in range(columns.n_columns):
        G[n_weights + c] = G[n_weights + c] / size if columns.fit_intercept else 0.0
    prox.smooth(columns, G, 1.0 / size, active, value)
    for m in range(columns.n_models):
        plan.objective_[m] += size * value[m]
    rule.step(columns, G, rates, t, steps, active)
    if prox.proximal:
        prox.apply(columns, rates, steps, active)
    if not rule.plain:
        rule.settle(columns)
    plan.take_in(columns, t)
    return 0


cdef const uint32_t* order_of(order) except? NULL:
    """Address of row numbers (uint32), or NULL."""
    return NULL if order is None else <const uint32_t*> <size_t> (
        order.__array_interface__["data"][0])


def scores(Rows rows, Columns columns, order=None):
    """Scores (n, n_columns) of all rows, or of the rows that `order` (uint32) names."""
    cdef Py_ssize_t n = rows.n_rows if order is None else len(order)
    out = np.empty((n, columns.n_columns))
    cdef double[:, ::1] Z = out
    cdef const uint32_t* order_ = order_of(order)
    if n:
        with nogil:
            rows.scores(order_, 0, n, 0, columns, &Z[0, 0])
    return out


def sums(Rows rows, Slopes slopes, Columns columns, Py_ssize_t first, Py_ssize_t n, order=None,
         double[:, ::1] kept=None):
    """(gradient sums, loss sums) over rows first:first + n: what threads do of a full batch; their
    scores go to the rows of `kept`, if given."""
    cdef const uint32_t* order_ = order_of(order)
    gradient = aligned_zeros(columns.n_columns * (columns.n_features + 1))
    loss = np.zeros(columns.n_models)
    cdef double[::1] G = gradient, L = loss
    cdef double* to = &kept[first, 0] if kept is not None and n else NULL
    cdef double* Z = <double*> malloc(2 * rows.block_rows * columns.n_columns * sizeof(double))
    if Z == NULL:
        raise MemoryError
    try:
        with nogil:
            accumulate(rows, slopes, columns, order_, first, n, 0, Z, &G[0], &L[0], to)
    finally:
        free(Z)
    return gradient, loss


def look_ahead(Rule rule, Columns columns):
    """Move to where the rule wants the gradient."""
    rule.look_ahead(columns)


def smooth(Prox prox, Columns columns, double[::1] gradient, Py_ssize_t n_rows):
    """Turn gradient sums over n_rows rows into the gradient of the smooth objective, in place;
    return the penalty of each model."""
    value = np.zeros(columns.n_models)
    cdef double[::1] value_ = value
    cdef unsigned char[::1] active = np.ones(columns.n_models, np.uint8)
    cdef Py_ssize_t c, n_weights = columns.n_columns * columns.n_features
    for c in range(columns.n_columns):
        gradient[n_weights + c] = gradient[n_weights + c] / n_rows if columns.fit_intercept else 0
    prox.smooth(columns, &gradient[0], 1.0 / n_rows, &active[0], &value_[0])
    return value


def step(Rule rule, Prox prox, Columns columns, double[::1] gradient, Plan plan):
    """One update from a gradient of the smooth objective: the rule, then the proximal step."""
    cdef unsigned char[::1] active = np.ones(columns.n_models, np.uint8)
    cdef Py_ssize_t n = columns.n_columns * (columns.n_features + 1)
    sizes = np.empty(n) if rule.varying and prox.proximal else None
    cdef double[::1] steps = sizes
    cdef double* step_sizes = &steps[0] if sizes is not None else NULL
    rule.step(columns, &gradient[0], &plan.rates_[0, 0], plan.t, step_sizes, &active[0])
    if prox.proximal:
        prox.apply(columns, &plan.rates_[0, 0], step_sizes, &active[0])
    if not rule.plain:
        rule.settle(columns)
    plan.take_in(columns, plan.t)


cdef const void* taken(DenseRows rows, Py_ssize_t row, double* buffer) noexcept nogil:
    """A row as `stochastic` takes it: a short one in double, as ends of floats are dear."""
    cdef const char* x = rows.data + row * rows.row_bytes
    return rows.loops.widen(x, rows.n_features, buffer) if rows.n_features < SHORT else x


def stochastic(DenseRows rows, Slopes slopes, Rule rule, Separable prox, Columns columns,
               Plan plan):
    """Plain gradient steps, one dense row at a time: slopes, then gradient, penalty, step and the
    products with the next row in a single pass over the coefficients."""
    cdef Py_ssize_t C = columns.n_columns, d = columns.n_features, k, c, m, line, row, waiting
    cdef Py_ssize_t ahead = min(8, max(2, AHEAD // max(rows.row_bytes, 1)))
    cdef Py_ssize_t at_once = rows.row_bytes // max(d, 1) * min(d, STRIDE)
    cdef const char* later
    cdef const void* x
    cdef const void* following
    cdef double[:, ::1] widened = np.zeros((2, SHORT))  # this row and the next
    cdef double[:, ::1] scores = np.zeros((DEFERRED, C)), buffer = np.zeros((6, C))
    cdef double* Z
    cdef double* D = &buffer[0, 0]
    cdef double* square = &buffer[1, 0]
    cdef double* absolute = &buffer[2, 0]
    cdef double* product = &buffer[3, 0]  # of the coefficients with the row to come
    cdef double* decay = &buffer[4, 0]
    cdef double* gain = &buffer[5, 0]
    cdef const VectorLoops* loops = vector_loops()
    cdef const DenseLoops* dense = dense_loops(True) if d < SHORT else rows.loops
    cdef const double[:, ::1] strengths = prox.strengths_
    cdef const uint32_t* order = plan.order_
    cdef double rate, l2, l1
    cdef double* w
    row = order[0] if order != NULL else 0
    following = taken(rows, row, &widened[0, 0])
    for c in range(C):
        loops.norms(columns.W + c * d, d, &square[c], &absolute[c])
        product[c] = dense.dot(columns.W + c * d, following, d)
    with nogil:
        for k in range(plan.n_rows):
            later = NULL
            if order != NULL and k + ahead < plan.n_rows:
                later = rows.data + order[k + ahead] * rows.row_bytes
                for line in range(0, at_once, 64):
                    PREFETCH_LATER(later + line)
                PREFETCH_LATER(later + at_once - 1)
                PREFETCH(slopes.values + order[k + ahead] * slopes.n_targets)
            x = following
            if k + 1 < plan.n_rows:
                row = order[k + 1] if order != NULL else k + 1
                following = taken(rows, row, &widened[(k + 1) % 2, 0])
            waiting = k % DEFERRED if slopes.deferred else 0
            Z = &scores[waiting, 0]
            for c in range(C):
                Z[c] = columns.b[c] + product[c]
            if not slopes.deferred:
                slopes.compute(order, k, 1, Z, D, &plan.objective_[0])
            else:
                slopes.row(order[k] if order != NULL else k, Z, D)
                if waiting == DEFERRED - 1 or k == plan.n_rows - 1:
                    slopes.losses(order, k - waiting, waiting + 1, &scores[0, 0],
                                  &plan.objective_[0])
            for c in range(C):
                m = columns.model[c]
                l2, l1 = strengths[m, 0], strengths[m, 1]
                plan.objective_[m] += 0.5 * l2 * square[c] + l1 * absolute[c]
                rate = plan.rates_[k, m] if plan.active_[m] else 0.0
                decay[c], gain[c] = 1.0 - rate * l2, -rate * D[c] if rate != 0 else 0.0
                if columns.fit_intercept:
                    columns.b[c] += gain[c]
            dense.steps(columns.W, x, following, later, decay, gain, C, d, square, product)
            for c in range(C if prox.proximal else 0):
                m = columns.model[c]
                w = columns.W + c * d
                if plan.active_[m]:
                    loops.prox(w, NULL, plan.rates_[k, m], strengths[m, 1], strengths[m, 2],
                               strengths[m, 3], d)
                    square[c] = absolute[c] = 0.0
                    loops.norms(w, d, &square[c], &absolute[c])
                    product[c] = dense.dot(w, following, d)
            plan.take_in(columns, plan.t + k)
