# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""Rules: how a gradient changes the parameters, ``W = rule(W, G, slots, rate, t)``.

G is laid out as the parameters, coefficients and then intercepts, and so is every slot. A rule
may ask for the gradient at another point (`look_ahead`, before the scores) and have a last word
after the proximal step (`settle`). Formulas are documented in ``skgd.optimizers``.
"""

from libc.math cimport fabs, fmin, pow, sqrt
from libc.string cimport memcpy

import numpy as np

from .proxes cimport segment_offset
from .rows cimport VectorLoops, vector_loops


cdef class Rule:
    """One optimizer for all models.

    Attributes
    ----------
    slots : dict of ndarray
        Buffers by name, changed in place.
    plain : bool
        Whether it is the plain gradient step, which the fused loops know.
    varying : bool
        Whether its step size differs from the rate, so that a proximal step needs `steps`.
    touched_only : bool
        Whether coefficients that no row of a batch touches are to be left alone.
    """

    cdef int look_ahead(self, Columns columns) except -1 nogil:
        """Move to the point at which the gradient is wanted."""
        return 0

    cdef int step(self, Columns columns, double* G, const double* rates, Py_ssize_t t,
                  double* steps, const unsigned char* active) except -1 nogil:
        """Update coefficients and, where they are fitted, intercepts; steps, where not NULL,
        receives the step size of each coefficient."""
        return -1

    cdef int settle(self, Columns columns) except -1 nogil:
        """Put right what the proximal step changed."""
        return 0

    def on(self, slots, columns):
        """The same rule for other columns, with slots of their own."""
        raise NotImplementedError


cdef Loop loop_of(str kernel) except NULL:
    """The compiled loop of a rule; the only place that knows them by name."""
    cdef const VectorLoops* loops = vector_loops()
    if kernel == "sgd": return loops.sgd
    if kernel == "adam": return loops.adam
    if kernel == "adamw": return loops.adamw
    if kernel == "adagrad": return loops.adagrad
    if kernel == "adadelta": return loops.adadelta
    if kernel == "rmsprop": return loops.rmsprop
    if kernel == "nadam": return loops.nadam
    if kernel == "radam": return loops.radam
    if kernel == "adamax": return loops.adamax
    if kernel == "lion": return loops.lion
    if kernel == "ftrl": return loops.ftrl
    raise ValueError(f"no compiled optimizer {kernel!r}")


cdef class Compiled(Rule):
    """A rule that treats each coordinate by itself.

    Parameters
    ----------
    kernel : str
    settings : array of shape (n_models, n_settings)
        weight_decay, maximize and then what the rule takes; see ``rule_loops.h``.
    intercept_settings : array of shape (n_models, n_settings)
        The same for intercepts, which do not decay.
    slots : dict of ndarray
        Buffers shaped as the parameters, in the order of the rule, and (n_models, 2) scalars.
    """

    def __init__(self, kernel, settings, intercept_settings, slots):
        self.settings = self.settings_ = np.ascontiguousarray(settings, dtype=np.float64)
        self.intercept_settings = np.ascontiguousarray(intercept_settings, dtype=np.float64)
        self.slots = slots
        self.kernel = kernel
        self.loop = loop_of(kernel)
        buffers = [flat for flat in slots.values() if flat.ndim == 1]
        for k, buffer in enumerate(buffers):
            self.slot[k] = <double*> <size_t> buffer.__array_interface__["data"][0]
        for k in range(len(buffers), 3):
            self.slot[k] = NULL
        self.varying = True

    def on(self, slots, columns):
        return compiled(self.kernel, self.settings, self.intercept_settings, slots)

    cdef int prepare(self, Py_ssize_t m, int array, double rate, Py_ssize_t t,
                     const double* settings, double* numbers) except -1 nogil:
        """Compute the numbers of this step, once for the coefficients (array 0) and once for
        the intercepts (1) of a model."""
        return 0

    cdef double* slot_at(self, int k, Py_ssize_t offset) noexcept nogil:
        return self.slot[k] + offset if self.slot[k] != NULL else NULL

    cdef int step(self, Columns columns, double* G, const double* rates, Py_ssize_t t,
                  double* steps, const unsigned char* active) except -1 nogil:
        cdef Py_ssize_t m, k, n, at, start, intercepts = columns.n_columns * columns.n_features
        cdef const double* settings
        cdef double[2] numbers
        for m in range(columns.n_models):
            if not active[m]:
                continue
            settings = &self.settings_[m, 0]
            self.prepare(m, 0, rates[m], t, settings, numbers)
            start = columns.starts[m]
            n = columns.segment_length(start, columns.starts[m + 1])
            for k in range(columns.n_segments):
                at = segment_offset(columns, m, k)
                self.loop(columns.W + at, G + at, self.slot_at(0, at), self.slot_at(1, at),
                          self.slot_at(2, at), steps + at if steps != NULL else NULL, n,
                          rates[m], t, settings, numbers)
            if columns.fit_intercept:
                self.step_intercepts(columns, m, G + intercepts, rates[m], t)
        return 0

    cdef int step_intercepts(self, Columns columns, Py_ssize_t m, const double* gb, double rate,
                             Py_ssize_t t) except -1 nogil:
        """Update the intercepts of a model."""
        cdef Py_ssize_t start = columns.starts[m]
        cdef Py_ssize_t at = columns.n_columns * columns.n_features + start
        cdef const double* settings = &self.intercept_settings[m, 0]
        cdef double[2] numbers
        self.prepare(m, 1, rate, t, settings, numbers)
        self.loop(columns.b + start, gb + start, self.slot_at(0, at), self.slot_at(1, at),
                  self.slot_at(2, at), NULL, columns.starts[m + 1] - start, rate, t, settings,
                  numbers)
        return 0


cdef class SGD(Compiled):
    """Gradient descent, which without momentum, decay and maximising is the plain step."""

    def __init__(self, kernel, settings, intercept_settings, slots):
        super().__init__(kernel, settings, intercept_settings, slots)
        weight_decay, maximize, momentum = self.settings.T[:3]
        self.varying = bool(momentum.any())
        self.heavy, self.climbs = bool(momentum.any()), bool(maximize.any())
        self.plain = not (self.heavy or self.climbs or weight_decay.any())


cdef class Adagrad(Compiled):
    """Each coordinate divided by the root of the sum of its squared gradients."""


cdef class NAdam(Compiled):
    """Adam with Nesterov momentum: keeps the product of its momenta."""

    def __init__(self, kernel, settings, intercept_settings, slots):
        super().__init__(kernel, settings, intercept_settings, slots)
        self.product = slots["mu_product"]

    cdef int prepare(self, Py_ssize_t m, int array, double rate, Py_ssize_t t,
                     const double* settings, double* numbers) except -1 nogil:
        cdef double mu = settings[2] * (1.0 - 0.5 * pow(0.96, (t + 1) * settings[5]))
        cdef double following = settings[2] * (1.0 - 0.5 * pow(0.96, (t + 2) * settings[5]))
        # PyTorch keeps the product in single precision
        cdef float product = self.product[m, array] * <float> mu
        self.product[m, array] = product
        numbers[0] = (1.0 - mu) / (1.0 - product)
        numbers[1] = following / (1.0 - product * following)
        return 0


cdef class Ftrl(Compiled):
    """Follow the regularised leader: keeps the last rate."""

    def __init__(self, kernel, settings, intercept_settings, slots):
        super().__init__(kernel, settings, intercept_settings, slots)
        self.rate = slots["rate"]

    cdef int prepare(self, Py_ssize_t m, int array, double rate, Py_ssize_t t,
                     const double* settings, double* numbers) except -1 nogil:
        numbers[0] = self.rate[m, array]
        if rate != 0:
            self.rate[m, array] = rate
        return 0


SPECIAL = {"sgd": SGD, "adagrad": Adagrad, "nadam": NAdam, "ftrl": Ftrl}


def compiled(kernel, settings, intercept_settings, slots):
    """The compiled rule of a kernel's name."""
    return SPECIAL.get(kernel, Compiled)(kernel, settings, intercept_settings, slots)


cdef class Callback(Rule):
    """An optimizer with NumPy methods only, called once a batch for each model.

    `undecayed` is the same rule without weight decay, for the intercepts; where there is no
    decay it is the optimizer itself, which then sees both arrays in one call.
    """

    def __init__(self, optimizer, undecayed, slots, columns):
        self.optimizer = optimizer
        self.undecayed = undecayed
        self.slots = slots
        self.varying = True
        starts = columns.model_start
        self.states = []
        for m in range(columns.n_models):
            own = slice(starts[m], starts[m + 1])
            self.states.append([
                {name: columns.split(slots[name])[k][own] for name in optimizer.slots}
                | {name: slots[name][m, k, ...] for name in optimizer.scalars}
                for k in (0, 1)
            ])

    def on(self, slots, columns):
        return Callback(self.optimizer, self.undecayed, slots, columns)

    def each(self, columns):
        """(model, its arrays, their states) for every model."""
        starts = columns.model_start
        n_arrays = 1 + columns.fit_intercept
        for m, state in enumerate(self.states):
            own = slice(starts[m], starts[m + 1])
            yield m, own, [columns.coef[own], columns.intercept[own]][:n_arrays], state[:n_arrays]

    cdef int look_ahead(self, Columns columns) except -1 nogil:
        with gil:
            for _, _, params, state in self.each(columns):
                self.optimizer.look_ahead(params, state)
        return 0

    cdef int step(self, Columns columns, double* G, const double* rates, Py_ssize_t t,
                  double* steps, const unsigned char* active) except -1 nogil:
        with gil:
            n = columns.n_columns * (columns.n_features + 1)
            step = None if steps == NULL else columns.split(np.asarray(<double[:n]> steps))[0]
            self.update(
                columns, columns.split(np.asarray(<double[:n]> G)),
                np.asarray(<double[:columns.n_models]> <double*> rates), t, step,
                np.asarray(<unsigned char[:columns.n_models]> <unsigned char*> active))
        return 0

    cdef int settle(self, Columns columns) except -1 nogil:
        with gil:
            for _, _, params, state in self.each(columns):
                self.optimizer.settle(params, state)
        return 0

    def update(self, columns, gradient, rates, t, step, active):
        for m, own, params, state in self.each(columns):
            if active[m]:
                for slots in state:
                    slots["t"] = t
                grads = [g[own] for g in gradient][: len(params)]
                if self.undecayed is self.optimizer:
                    self.optimizer.step(params, grads, state, rates[m])
                else:
                    self.optimizer.step(params[:1], grads[:1], state[:1], rates[m])
                    self.undecayed.step(params[1:], grads[1:], state[1:], rates[m])
                if step is not None:
                    step[own] = self.optimizer.step_size(params[0], state[0], t, rates[m])


cdef inline double kept(double size, double limit) noexcept nogil:
    """The share of something of that size that is kept."""
    return limit / size if size > limit else 1.0


cdef class Clipped(Rule):
    """Another rule, which sees clipped gradients.

    Parameters
    ----------
    inner : Rule
    limit : float
    scope : {"value", "array", "global"}
        What the limit holds for: each value, the norm of the coefficients and that of the
        intercepts of a model, or one norm of both.
    columns : Columns
    """

    def __init__(self, Rule inner, limit, scope, columns):
        self.inner, self.slots = inner, inner.slots
        self.limit, self.scope = limit, scope
        self.by_value, self.joint = scope == "value", scope == "global"
        self.varying = True
        self.clipped = np.zeros(columns.n_columns * (columns.n_features + 1))

    def on(self, slots, columns):
        return Clipped(self.inner.on(slots, columns), self.limit, self.scope, columns)

    cdef int look_ahead(self, Columns columns) except -1 nogil:
        return self.inner.look_ahead(columns)

    cdef int step(self, Columns columns, double* G, const double* rates, Py_ssize_t t,
                  double* steps, const unsigned char* active) except -1 nogil:
        cdef Py_ssize_t m
        memcpy(&self.clipped[0], G, columns.n_columns * (columns.n_features + 1) * sizeof(double))
        for m in range(columns.n_models):
            self.clip(columns, m, G, &self.clipped[0])
        self.inner.step(columns, &self.clipped[0], rates, t, steps, active)
        if steps != NULL:  # they go along the share of the gradient that was kept
            for m in range(columns.n_models):
                self.clip(columns, m, G, steps)
        return 0

    cdef void clip(self, Columns columns, Py_ssize_t m, const double* G,
                   double* values) noexcept nogil:
        """Multiply values of a model by the share of the gradient G that is kept."""
        cdef Py_ssize_t first = columns.starts[m], width = columns.starts[m + 1] - first, k
        cdef Py_ssize_t n = columns.segment_length(first, first + width)
        cdef double coef = 0.0, intercept = 0.0, absolute = 0.0
        first += columns.n_columns * columns.n_features
        if not self.by_value:
            for k in range(columns.n_segments):
                vector_loops().norms(G + segment_offset(columns, m, k), n, &coef, &absolute)
            vector_loops().norms(G + first, width, &intercept, &absolute)
            if self.joint:  # as PyTorch has it
                coef = intercept = fmin(1.0, self.limit / (sqrt(coef + intercept) + 1e-6))
            else:
                coef, intercept = kept(sqrt(coef), self.limit), kept(sqrt(intercept), self.limit)
        for k in range(columns.n_segments):
            self.scale(G, values, segment_offset(columns, m, k), n, coef)
        self.scale(G, values, first, width, intercept)

    cdef void scale(self, const double* G, double* values, Py_ssize_t first, Py_ssize_t n,
                    double share) noexcept nogil:
        cdef Py_ssize_t i
        if self.by_value:
            for i in range(first, first + n):
                values[i] *= kept(fabs(G[i]), self.limit)
        else:
            for i in range(first, first + n):
                values[i] *= share

    cdef int settle(self, Columns columns) except -1 nogil:
        return self.inner.settle(columns)


cdef class Preconditioned(Rule):
    """Another rule, taken in the coordinates u = scale * w, c = b + w . shift.

    See ``skgd.metric`` for the derivation.
    """

    def __init__(self, Rule inner, scale, shift, columns):
        self.inner = inner
        self.slots = inner.slots
        self.varying = True
        self.scale = np.ascontiguousarray(scale, dtype=np.float64)
        self.shift = np.ascontiguousarray(shift, dtype=np.float64)
        self.centre = np.zeros(columns.n_columns)

    cdef void move(self, Columns columns, int way) noexcept nogil:
        """Into the coordinates (way 1), out of them (-1), or out at the kept centre (0)."""
        cdef Py_ssize_t c, j, d = columns.n_features
        cdef Py_ssize_t by_c = 1 if columns.by_feature else d
        cdef Py_ssize_t by_j = columns.n_columns if columns.by_feature else 1
        cdef double total
        cdef double* w
        for c in range(columns.n_columns):
            w = columns.W + c * by_c
            total = 0.0
            if way == -1:
                for j in range(d):
                    w[j * by_j] /= self.scale[j]
            for j in range(d):
                total += w[j * by_j] * self.shift[j]
            if way == 1:
                for j in range(d):
                    w[j * by_j] *= self.scale[j]
            if not columns.fit_intercept:
                continue
            if way == 1:
                columns.b[c] += total
            else:
                if way == -1:
                    self.centre[c] = columns.b[c]
                columns.b[c] = self.centre[c] - total

    cdef int look_ahead(self, Columns columns) except -1 nogil:
        self.move(columns, 1)
        self.inner.look_ahead(columns)
        self.move(columns, -1)
        return 0

    cdef int step(self, Columns columns, double* G, const double* rates, Py_ssize_t t,
                  double* steps, const unsigned char* active) except -1 nogil:
        cdef Py_ssize_t c, j, k, d = columns.n_features, C = columns.n_columns
        cdef Py_ssize_t by_c = 1 if columns.by_feature else d
        cdef Py_ssize_t by_j = C if columns.by_feature else 1
        cdef const double* gb = G + C * d
        self.move(columns, 1)
        for c in range(C):
            for j in range(d):
                k = c * by_c + j * by_j
                G[k] = (G[k] - gb[c] * self.shift[j]) / self.scale[j]
        self.inner.step(columns, G, rates, t, steps, active)
        if steps != NULL:
            for c in range(C):
                for j in range(d):
                    k = c * by_c + j * by_j
                    if not self.inner.varying:
                        steps[k] = rates[columns.model[c]]
                    steps[k] /= self.scale[j] * self.scale[j]
        for c in range(C):
            for j in range(d):
                k = c * by_c + j * by_j
                G[k] = G[k] * self.scale[j] + gb[c] * self.shift[j]
        self.move(columns, -1)
        return 0

    cdef int settle(self, Columns columns) except -1 nogil:
        self.move(columns, 0)
        if not self.inner.plain:
            self.move(columns, 1)
            self.inner.settle(columns)
            self.move(columns, -1)
        return 0
