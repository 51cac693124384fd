# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
r"""Plain gradient steps on sparse rows at the cost of their non-zeros.

A step multiplies every coefficient by :math:`a_s = 1 - \eta_s \lambda`, :math:`\lambda` the sum of
l2 and of the weight decay of the rule, and then thresholds it by :math:`\eta_s l_1`, whether or not the batch touched it. Write :math:`w_s = S_s v_s` with
:math:`S_s = \prod_{r \le s} a_r`. In v a decay is nothing, a threshold is
:math:`\eta_s l_1 / S_s`, and thresholds without a gradient between them add up:

.. math:: |v_t| = \max(|v_s| - (u_t - u_s), 0), \qquad u_t = \sum_{r \le t} \eta_r l_1 / S_r .

What is kept of a coefficient is :math:`B = v_s + \mathrm{sign}(v_s)\, u_s`, s the step of its last
gradient, from which :math:`v_t = B - \min(\max(B, -u_t), u_t)` follows at any time: nothing has to be
brought up to date. The sum of states that are averaged, :math:`\sum_s a_s w_s`, and the penalty of
the loss curve are telescoped. As long as B stays,

.. math:: \sum_{s < r \le t} a_r S_r v_r = h_t(B) - h_s(B), \qquad
          h_t(B) = \mathrm{sign}(B) \Big(|B| \sum_{r \le t} a_r S_r - \sum_{r \le t} a_r S_r u_r\Big) ,

so that a gradient at step t adds :math:`h_t(B) - h_t(B')`, the end of the steps h(B), and a
coefficient that has become zero meanwhile h(B) at the step before it did. The sums over
:math:`S_s, S_s u_s, S_s^2, ...` depend on the rates alone and are tabulated before the steps are
taken. Bounds act only right after a gradient, because later a coefficient just nears zero.

Where there are no thresholds and bounds, B is v, and the sum of its squares is followed. A step of
one row adds k x to v, which is `walk`: the squares grow by
:math:`2 k\, v \cdot x + k^2\, x \cdot x`, and where there are thresholds, for one column,
:math:`\sum |B|` and :math:`\sum B^2` by what follows from this, from :math:`\sum |v|` and from the
count of those that are not 0.

A table covers a chunk of steps: it ends where S has become so small that differences of sums
would lose digits. A step with :math:`a_s < 1/100` is a chunk of its own and decays eagerly.

B. Carpenter, "Lazy sparse stochastic gradient descent for regularized multinomial logistic
regression", 2008; J. Duchi and Y. Singer, "Efficient online and batch learning using forward
backward splitting", JMLR 10, 2009, section 5.
"""

import numpy as np

from .epoch cimport Plan
from .proxes cimport Separable
from .rows cimport PREFETCH, Lazy, LazyStep, SparseRows, Walk, vector_loops
from .rules cimport SGD
from .slopes cimport Elementwise, Slopes

cdef enum:
    LONGEST = 1 << 14  # steps of a chunk
    DEFERRED = 64  # rows whose losses are summed together
    AHEAD = 6  # rows that are asked for before they are needed, at least

cdef double SHARE = 4.0


cdef class Course:
    """What the steps do to a coefficient that no row touches: w = soft(decay * w, shrink).

    This one leaves it alone.
    """

    cdef void at(self, Py_ssize_t k, Py_ssize_t n, Py_ssize_t m, double* decay,
                 double* shrink) noexcept nogil:
        """Decays and thresholds of model m in the n steps of the epoch from step k on."""
        cdef Py_ssize_t s
        for s in range(n):
            decay[s], shrink[s] = 1.0, 0.0


cdef class Plain(Course):
    """Gradient steps: the penalty's l2 and the rule's weight decay, and l1."""
    cdef const double[:, ::1] rates
    cdef const unsigned char[::1] active
    cdef const double[::1] decay, l1

    def __init__(self, plan, rule, prox):
        self.rates, self.active = plan.rates, plan.active
        self.decay = prox.strengths[:, 0] + rule.settings[:, 0]
        self.l1 = prox.strengths[:, 1].copy()

    cdef void at(self, Py_ssize_t k, Py_ssize_t n, Py_ssize_t m, double* decay,
                 double* shrink) noexcept nogil:
        cdef double own = self.decay[m] if self.active[m] else 0.0
        cdef double l1 = self.l1[m] if self.active[m] else 0.0
        cdef Py_ssize_t s
        for s in range(n):
            decay[s] = 1.0 - self.rates[k + s, m] * own
            shrink[s] = self.rates[k + s, m] * l1


cdef bint pays(SparseRows rows, Separable prox, Columns columns, Py_ssize_t batch_size,
               double share):
    """Whether batches have fewer non-zeros than `share` of the coefficients, which is measured,
    and bounds allow it."""
    cdef double nonzero = rows.n_nonzero / <double> max(rows.n_rows, 1)
    strengths = prox.strengths
    at_zero = bool((strengths[:, 2] <= 0).all() and (strengths[:, 3] >= 0).all())
    return at_zero and batch_size * nonzero < share * columns.n_features


cdef Py_ssize_t longest_chunk(SparseRows rows, Plan plan):
    """Steps of a chunk, at most: it ends with a look at all coefficients, so let its rows touch
    many more than there are."""
    cdef Py_ssize_t many = 64 * rows.n_features * rows.n_rows // max(rows.n_nonzero, 1)
    return min(plan.n_steps, max(1024, min(<Py_ssize_t> LONGEST, many)))


def serves(SparseRows rows, rule, Separable prox, Columns columns, Plan plan):
    """Whether `run` gives what the phases give, and sooner."""
    return (isinstance(rule, SGD) and not (rule.heavy or rule.climbs)
            and pays(rows, prox, columns, plan.batch_size, SHARE))


def run(SparseRows rows, Slopes slopes, SGD rule, Separable prox, Columns columns, Plan plan):
    """One epoch of gradient steps without momentum."""
    cdef Py_ssize_t C = columns.n_columns, d = columns.n_features, k = 0, n, j, c, m
    cdef Py_ssize_t longest = min(plan.n_steps, <Py_ssize_t> LONGEST)
    if prox.proximal:
        longest = longest_chunk(rows, plan)
    cdef bint averaging = plan.average_ is not None, lags = prox.proximal
    cdef Plain course = Plain(plan, rule, prox)
    cdef bint decays = bool(np.any(course.decay))
    cdef double[::1] total = np.zeros(C * (d + 1) if averaging else C)
    cdef double[:, ::1] block = np.zeros((2, max(min(plan.batch_size, plan.n_rows), DEFERRED) * C))
    cdef double[:, ::1] room = np.zeros((8, C))
    cdef int[:, ::1] lists = np.zeros((2, d + 1 if prox.bounded else 1), np.int32)
    cdef bint eager
    cdef Table table = Table(columns, prox, longest, total if averaging else None)
    cdef Lazy* z = &table.lazy
    z.room = &room[0, 0]
    cdef bint walks = (plan.batch_size == 1 and not prox.bounded and (C == 1 or not lags)
                       and isinstance(slopes, Elementwise) and slopes.reach == 0)
    cdef double[:, ::1] of_rows = np.empty((6, (DEFERRED + 1) * C if walks else 1))
    cdef double[::1] held = np.empty(2 * d if walks and lags else 1)
    cdef Walk w
    if walks:
        w.scalar, w.parameter = (<Elementwise> slopes).scalar, (<Elementwise> slopes).parameter
        w.held, w.b, w.b_sum = &held[0], columns.b, &total[total.shape[0] - C]
        w.longest, w.b_moves = d, columns.fit_intercept
    with nogil:
        while k < plan.n_steps:
            n = table.fill(plan, course, k, lags, &eager)
            if k == 0 or not lags:
                start_penalty(columns, &room[0, 0], &room[1, 0])
            if k == 0 and lags:
                for c in range(C):
                    m = columns.model[c]
                    z.penalty[m] += plan.rows_of(0) * (
                        0.5 * prox.strengths_[m, 0] * room[0, c]
                        + prox.strengths_[m, 1] * room[1, c])
            if walks and not eager:
                walk(rows, <Elementwise> slopes, columns, plan, k, n, lags, z, &w, &of_rows[0, 0])
            else:
                chunk(rows, slopes, prox, columns, plan, course, k, n, eager, lags, z, &lists[0, 0],
                      &lists[1, 0], &block[0, 0], &block[1, 0], &total[0] + C * d)
            if lags:
                vector_loops().open(NULL, d, n, z)
            for j in range(d if decays or averaging else 0):
                for c in range(C):
                    m = columns.model[c] * z.n_table + n
                    if averaging and not lags:
                        total[j * C + c] += columns.W[j * C + c] * z.table[m].a
                    columns.W[j * C + c] *= z.scale[m]
            k += n
    table.report(plan)
    if averaging:
        combine(plan, total)
    return 0


cdef void start_penalty(Columns columns, double* square, double* absolute) noexcept nogil:
    """Sums of squares and of absolute values of each column."""
    cdef Py_ssize_t j, c
    cdef double w
    for c in range(columns.n_columns):
        square[c] = absolute[c] = 0.0
    for j in range(columns.n_features):
        for c in range(columns.n_columns):
            w = columns.W[j * columns.n_columns + c]
            square[c] += w * w
            absolute[c] += w if w > 0 else -w


cdef class Table:
    """What the steps of a chunk do to coefficients without a gradient, and the `Lazy` that has it.

    Attributes
    ----------
    lazy : Lazy
        Of all coefficients, at step 0 of a chunk.
    """

    def __init__(self, Columns columns, Separable prox, longest, total):
        cdef double[::1] total_ = total
        # so that steps of several models don't compete for the same places in the cache
        shape = columns.n_models, (longest + 64) // 64 * 64 + 40
        self.steps, self.scales = np.zeros((*shape, 8)), np.zeros(shape)
        self.penalty = np.zeros(columns.n_models)
        self.columns, self.prox = columns, prox  # which `lazy` points into
        self.longest = longest
        self.lazy.v = columns.W
        self.lazy.sum = &total_[0] if total is not None else NULL
        self.lazy.table = <const LazyStep*> &self.steps[0, 0, 0]
        self.lazy.scale = &self.scales[0, 0]
        self.lazy.n_table, self.lazy.n_columns = shape[1], columns.n_columns
        self.lazy.model = <const int*> &columns.model[0]
        self.lazy.strengths = &prox.strengths_[0, 0]
        self.lazy.penalty = &self.penalty[0]

    cdef Py_ssize_t fill(self, Plan plan, Course course, Py_ssize_t first, bint summed,
                         bint* eager) noexcept nogil:
        """Tabulate from step `first` on, the sums but that of the average where they are wanted: up
        to a step that must be eager, or at which some scale gets too small. Returns the number
        of steps."""
        cdef double smallest = 1e-3 if summed or self.lazy.sum != NULL else 1e-60, least = 1.0
        cdef Py_ssize_t M = self.scales.shape[0], longest = min(self.longest, plan.n_steps - first)
        cdef Py_ssize_t n, m, s, size
        cdef bint averaged
        cdef double* scale
        cdef double[DEFERRED] shrink
        cdef LazyStep* x
        eager[0] = False
        for m in range(M):
            self.scales[m, 0] = 1.0
            self.steps[m, 0, :] = 0.0
        for n in range(longest):
            averaged = plan.t + first + n + 1 >= plan.average_start
            for m in range(M if n % DEFERRED == 0 else 0):
                size = min(<Py_ssize_t> DEFERRED, longest - n)
                course.at(first + n, size, m, &self.scales[m, n + 1], shrink)
                for s in range(size if summed else 0):
                    self.steps[m, n + 1 + s, 0] = shrink[s]
            for m in range(M):
                if not self.scales[m, n + 1] >= 0.01:
                    eager[0] = True
            if eager[0] and n > 0:
                eager[0] = False  # this step starts the next chunk
                return n
            for m in range(M):
                scale = &self.scales[m, n + 1]
                scale[0] = scale[-1] * (1.0 if eager[0] else scale[0])
                least = min(least, scale[0])
                if summed or self.lazy.sum != NULL:
                    x = <LazyStep*> &self.steps[m, n + 1, 0]
                    x.a = x[-1].a + averaged * scale[0]
                if summed:
                    add_sums(x, x - 1, scale[0], averaged, plan.rows_of(first + n + 1))
            if eager[0] or least < smallest:
                return n + 1
        return longest

    cdef void report(self, Plan plan):
        """Add the penalties to the objective of the plan."""
        plan.objective += np.asarray(self.penalty)


cdef inline void add_sums(LazyStep* step, LazyStep* before, double scale, bint averaged,
                          double n_rows) noexcept nogil:
    """The sums up to a step whose parameters are averaged or not, and are those that the
    next n_rows rows see."""
    cdef double u = before.shrink + step.shrink / scale, seen = n_rows * scale
    step.shrink = u
    step.au = before.au + averaged * scale * u
    step.p = before.p + seen
    step.pu = before.pu + seen * u
    seen *= scale
    step.q = before.q + seen
    step.qu = before.qu + seen * u
    step.quu = before.quu + seen * u * u


cdef int walk(SparseRows rows, Elementwise slopes, Columns columns, Plan plan, Py_ssize_t first,
              Py_ssize_t n, bint lags, const Lazy* z, Walk* w, double* of_rows) except -1 nogil:
    """Steps first:first + n of the epoch, a row each."""
    cdef Py_ssize_t C = columns.n_columns, s, k, c, m, size
    cdef Py_ssize_t apart = (DEFERRED + 1) * C
    cdef double* y = of_rows
    cdef double* rates = of_rows + apart
    cdef double* weight = of_rows + 2 * apart
    cdef double* scale = of_rows + 3 * apart
    cdef double* share = of_rows + 4 * apart
    w.value, w.y, w.rates, w.scale, w.share = of_rows + 5 * apart, y, rates, scale, share
    w.first_averaged = plan.average_start - 1 - plan.t - first
    for s in range(0, n, 64):  # DEFERRED, which must be a number here
        size = min(<Py_ssize_t> DEFERRED, n - s)
        slopes.gather(plan.order_, first + s, plan.n_rows - first - s, 0, size * C, y, weight)
        for c in range(C):
            m = columns.model[c]
            for k in range(size):
                rates[k * C + c] = plan.rates_[first + s + k, m] if plan.active_[m] else 0.0
            if C == 1:
                w.scale = z.scale + s
                break
            for k in range(size + 1):
                scale[k * C + c] = z.scale[m * z.n_table + s + k]
            if z.sum != NULL:
                for k in range(size):
                    share[k * C + c] = -z.table[m * z.n_table + s + k].a
        if slopes.weight != NULL:
            for k in range(size * C):
                rates[k] *= weight[k]
        rows.loops.walk(rows.data, rows.indices, rows.indptr, plan.order_, first + s, size,
                        plan.n_rows, s, lags, z, w)
        slopes.losses(plan.order_, first + s, size, w.value, &plan.objective_[0])
    return 0


cdef int chunk(SparseRows rows, Slopes slopes, Separable prox, Columns columns, Plan plan,
               Plain course, Py_ssize_t first, Py_ssize_t n, bint eager, bint lags, const Lazy* z,
               int* seen, int* list, double* block, double* D, double* intercept_sum) except -1 nogil:
    """Steps first:first + n of the epoch."""
    cdef Py_ssize_t C = columns.n_columns, s, i, c, m, j, start, size, count = 0
    cdef Py_ssize_t waiting = 0
    cdef const int* touched = NULL
    # `walk` sums the losses of its rows itself, and leaves no more than eager steps to this
    cdef bint deferred = slopes.deferred and plan.batch_size == 1 and (lags and C > 1 or prox.bounded)
    cdef double* Z = block
    cdef double rate, slope, scale, decay, shrink
    for s in range(n):
        start = (first + s) * plan.batch_size
        size = plan.rows_of(first + s)
        if deferred:
            waiting = start % DEFERRED
            Z = block + waiting * C
        prefetch(rows, slopes, plan, start, size)
        if C > 1 and plan.order_ != NULL and start + size < plan.n_rows:
            rows.loops.prefetch_coefficients(rows.indices, rows.indptr,
                                             plan.order_[start + size], columns.W, C * 8)
        if lags:
            rows.loops.lazy_scores(rows.data, rows.indices, rows.indptr, plan.order_, start, size,
                                   s, z, Z)
        else:
            rows.loops.scores(rows.data, rows.indices, rows.indptr, plan.order_, start, size,
                              columns.W, NULL, C, Z)
        for c in range(C):
            m = columns.model[c]
            scale = z.scale[m * z.n_table + s]
            for i in range(size):
                Z[i * C + c] = scale * Z[i * C + c] + columns.b[c]
            if not lags:
                plan.objective_[m] += size * 0.5 * prox.strengths_[m, 0] * scale * scale * z.room[c]
        if not deferred:
            slopes.compute(plan.order_, start, size, Z, D, &plan.objective_[0])
        else:
            slopes.row(plan.order_[start] if plan.order_ != NULL else start, Z, D)
        if prox.bounded:
            touched, count = NULL, columns.n_features  # which may begin out of bounds
            if first + s > 0 and not eager:
                touched = list
                count = rows.loops.touched(rows.indices, rows.indptr, plan.order_, start, size,
                                           seen, first + s, list)
            vector_loops().open(touched, count, s, z)
        if eager:
            for c in range(C):
                course.at(first + s, 1, columns.model[c], &decay, &shrink)
                for j in range(columns.n_features):
                    columns.W[j * columns.n_columns + c] *= decay
        for c in range(C):
            m = columns.model[c]
            rate = plan.rates_[first + s, m] / size if plan.active_[m] else 0.0
            scale = -rate / z.scale[m * z.n_table + s + 1]
            slope = 0.0
            for i in range(size):
                slope += D[i * C + c]
                D[i * C + c] *= scale
            if columns.fit_intercept:
                columns.b[c] -= rate * slope
            if z.sum != NULL and plan.t + first + s + 1 >= plan.average_start:
                intercept_sum[c] += columns.b[c]
        if lags and not prox.bounded:
            rows.loops.lazy_gradient(rows.data, rows.indices, rows.indptr, plan.order_, start,
                                     size, D, s, z)
        else:
            for c in range(C if z.sum != NULL else 0):
                z.room[C + c] = -z.table[columns.model[c] * z.n_table + s].a
            rows.loops.gradient(rows.data, rows.indices, rows.indptr, plan.order_, start, size, D,
                                C, columns.W, NULL, NULL if lags else z.room,
                                NULL if lags else z.sum, z.room + C)
        if prox.bounded:
            vector_loops().shut(touched, count, s, z)
        if deferred and (waiting == DEFERRED - 1 or start == plan.n_rows - 1):
            slopes.losses(plan.order_, start - waiting, waiting + 1, block, &plan.objective_[0])
    return 0


cdef void prefetch(SparseRows rows, Slopes slopes, Plan plan, Py_ssize_t start,
                   Py_ssize_t size) noexcept nogil:
    """Ask for as many rows as the batch has that starts at `start`, AHEAD rows or a batch later,
    for their targets, and for where later ones begin."""
    cdef Py_ssize_t ahead = max(<Py_ssize_t> AHEAD, size), first = start + ahead, i, row
    if plan.order_ != NULL:
        for i in range(first, min(first + size, plan.n_rows)):
            row = plan.order_[i]
            rows.loops.prefetch(rows.data, rows.indices, rows.indptr, row,
                                plan.order_[min(i + ahead, plan.n_rows - 1)])
            PREFETCH(slopes.values + row * slopes.n_targets)
            if slopes.weight != NULL:
                PREFETCH(slopes.weight + row)


cdef int combine(Plan plan, double[::1] total) except -1:
    """Mean of the steps averaged before this epoch and of those in it."""
    cdef Py_ssize_t before = max(0, plan.t + 1 - plan.average_start)
    cdef Py_ssize_t after = max(0, plan.t + plan.n_steps + 1 - plan.average_start)
    if after > before:
        average, added = np.asarray(plan.average_), np.asarray(total)
        average *= before / <double> after  # of C ints, a quotient is cut
        average += added / after
    return 0
