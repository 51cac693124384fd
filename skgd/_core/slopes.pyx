# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""Slopes: the derivative of the loss by each score, times the weight of the row.

``D = dloss/dz (y, Z) * w / mean(w)``; the weighted loss of each model is summed on the way.
A loss is one scalar function (y, z) -> slope that also stores the value, or a class of its own
(`Logistic`, `Softmax`), or any object with NumPy methods, called once a block. Formulas and
behaviour on kinks are those of ``skgd.losses``, where they are documented.
"""

from libc.math cimport exp, fabs
from libc.string cimport memcpy

import numpy as np

from .rows cimport PREFETCH, vector_loops


# ---- one scalar a loss; on return value holds the loss, the result is its slope in z ----


cdef double squared_error(double y, double z, double p, double* value) noexcept nogil:
    cdef double r = z - y
    value[0] = 0.5 * r * r
    return r


cdef double absolute_error(double y, double z, double p, double* value) noexcept nogil:
    cdef double r = z - y
    value[0] = fabs(r)
    return r if r != r else <double> ((r > 0) - (r < 0))


cdef double huber(double y, double z, double epsilon, double* value) noexcept nogil:
    cdef double r = z - y, size = fabs(r)
    if size <= epsilon:
        value[0] = 0.5 * r * r
        return r
    value[0] = epsilon * size - 0.5 * epsilon * epsilon
    return r if r != r else (epsilon if r > 0 else -epsilon)


cdef double epsilon_insensitive(double y, double z, double epsilon, double* value) noexcept nogil:
    cdef double r = z - y, beyond = fabs(r) - epsilon
    value[0] = beyond if not beyond <= 0 else 0.0
    if r > epsilon:
        return 1.0
    if r < -epsilon:
        return -1.0
    return 0.0 if r == r else r


cdef double squared_epsilon_insensitive(double y, double z, double epsilon,
                                        double* value) noexcept nogil:
    cdef double r = z - y, beyond = fabs(r) - epsilon
    if beyond <= 0:
        value[0] = 0.0
        return 0.0
    value[0] = beyond * beyond
    return 2.0 * beyond if r > 0 else -2.0 * beyond


cdef double quantile(double y, double z, double q, double* value) noexcept nogil:
    cdef double r = z - y
    value[0] = (1.0 - q) * r if r > 0 else -q * r
    if r > 0:
        return 1.0 - q
    if r < 0:
        return -q
    return r


cdef double poisson(double y, double z, double p, double* value) noexcept nogil:
    cdef double mean = exp(z)
    value[0] = mean - y * z
    return mean - y


cdef double gamma(double y, double z, double p, double* value) noexcept nogil:
    cdef double ratio = y * exp(-z)
    value[0] = z + ratio
    return 1.0 - ratio


cdef double tweedie(double y, double z, double power, double* value) noexcept nogil:
    if power == 1.0:
        return poisson(y, z, power, value)
    if power == 2.0:
        return gamma(y, z, power, value)
    cdef double a = exp((2.0 - power) * z)
    cdef double b = y * exp((1.0 - power) * z) if y != 0 else 0.0
    value[0] = a / (2.0 - power) - b / (1.0 - power)
    return a - b


cdef double hinge(double y, double z, double p, double* value) noexcept nogil:
    cdef double short = 1.0 - y * z
    value[0] = short if not short < 0 else 0.0
    return -y if not y * z > 1.0 else 0.0


cdef double squared_hinge(double y, double z, double p, double* value) noexcept nogil:
    cdef double short = 1.0 - y * z
    if short <= 0:
        value[0] = 0.0
        return 0.0
    value[0] = short * short
    return -2.0 * y * short


cdef double modified_huber(double y, double z, double p, double* value) noexcept nogil:
    cdef double margin = y * z
    if margin >= 1.0:
        value[0] = 0.0
        return 0.0
    if margin >= -1.0:
        value[0] = (1.0 - margin) * (1.0 - margin)
        return -2.0 * y * (1.0 - margin)
    value[0] = -4.0 * margin
    return -4.0 * y


cdef double perceptron(double y, double z, double p, double* value) noexcept nogil:
    cdef double margin = y * z
    value[0] = -margin if not margin > 0 else 0.0
    return -y if not margin > 0 else 0.0


cdef Scalar scalar_of(str kernel) except NULL:
    """The scalar function of a kernel; the only place that knows them by name."""
    if kernel == "squared_error": return squared_error
    if kernel == "absolute_error": return absolute_error
    if kernel == "huber": return huber
    if kernel == "epsilon_insensitive": return epsilon_insensitive
    if kernel == "squared_epsilon_insensitive": return squared_epsilon_insensitive
    if kernel == "quantile": return quantile
    if kernel == "poisson": return poisson
    if kernel == "gamma": return gamma
    if kernel == "tweedie": return tweedie
    if kernel == "hinge": return hinge
    if kernel == "squared_hinge": return squared_hinge
    if kernel == "modified_huber": return modified_huber
    if kernel == "perceptron": return perceptron
    raise ValueError(f"no compiled loss {kernel!r}")


# ---- a block of rows ----


cdef class Slopes:
    """Targets and weights of all rows; `compute` takes a block.

    Parameters
    ----------
    y : float64 ndarray of shape (n, n_targets)
    sample_weight : float64 ndarray of shape (n,) or None
        Already divided by its mean.
    model_start : int32 ndarray of shape (n_models + 1,)
    column_target : int32 ndarray of shape (n_columns,)
        The column of y that a score is fitted to.
    positive : float64 ndarray of shape (n_columns,) or None
        If given, the target of column c is +1 where y equals ``positive[c]``, else -1.

    Attributes
    ----------
    reach : float
        If above 0, slopes are those of the loss averaged over scores within this distance,
        ``(loss(z + reach) - loss(z - reach)) / (2 reach)``, which have no jumps; the loss that is
        summed is the loss itself. Only for losses of one score.
    """

    def __init__(self, y, sample_weight, model_start, column_target, positive=None):
        cdef Py_ssize_t m
        self.y = self.y_ = y
        self.values = <const double*> <size_t> y.__array_interface__["data"][0]
        self.n_targets = y.shape[1]
        self.sample_weight = sample_weight
        self.weight = NULL if sample_weight is None else <const double*> <size_t> (
            sample_weight.__array_interface__["data"][0])
        self.starts = np.ascontiguousarray(model_start, dtype=np.int32)
        self.n_models = len(model_start) - 1
        self.model = np.zeros(len(column_target), dtype=np.int32)
        for m in range(self.n_models):
            self.model[self.starts[m]:self.starts[m + 1]] = <int32_t> m
        self.column_target = self.target = np.ascontiguousarray(column_target, dtype=np.int32)
        self.n_columns = len(column_target)
        self.one_against_rest = positive is not None
        self.positive = positive
        self.label = np.zeros(self.n_columns) if positive is None else positive

    cdef int row(self, Py_ssize_t row, double* z, double* d) except -1 nogil:
        """Slopes of one row, without the loss, and in place of the scores what `losses` takes; only
        where `deferred` says that it pays to sum the losses of many rows later."""
        return -1

    cdef int losses(self, const uint32_t* order, Py_ssize_t first, Py_ssize_t n,
                    const double* margin, double* loss) except -1 nogil:
        """Add the weighted losses of rows that `row` has seen, margins in their order."""
        return -1

    cdef int compute(self, const uint32_t* order, Py_ssize_t first, Py_ssize_t n,
                     const double* Z, double* D, double* loss) except -1 nogil:
        """Fill D (n, n_columns) and add the weighted loss of each model to `loss`."""
        return -1


cdef inline double target_of(Slopes self, Py_ssize_t row, Py_ssize_t column) noexcept nogil:
    """The target of a score of a row."""
    cdef double y = self.values[row * self.n_targets + self.target[column]]
    if self.one_against_rest:
        return 2.0 * (y == self.label[column]) - 1.0  # without a branch, which labels mislead
    return y


cdef enum:
    BLOCK = 64


cdef class Elementwise(Slopes):
    """A compiled loss of one score: its kernel and the one number it takes.

    Scores lie row after row, those of one row side by side; BLOCK of them go together.
    """

    def __init__(self, y, sample_weight, model_start, column_target, positive, kernel, parameter):
        super().__init__(y, sample_weight, model_start, column_target, positive)
        self.scalar = scalar_of(kernel) if type(self) is Elementwise else NULL
        if self.scalar == squared_error and self.n_targets == 1 and not self.one_against_rest:
            self.straight = True
            self.line = Straight(NULL, self.values, self.weight)
        self.parameter = parameter

    cdef void block(self, Py_ssize_t n, const double* y, const double* z, double* slope,
                    double* value) noexcept nogil:
        """Slopes and losses of n scores."""
        cdef Py_ssize_t k
        cdef double above = 0.0, below = 0.0
        if self.scalar == squared_error:  # in vector registers, and the same over any reach
            for k in range(n):
                slope[k] = z[k] - y[k]
                value[k] = 0.5 * slope[k] * slope[k]
            return
        for k in range(n):
            slope[k] = self.scalar(y[k], z[k], self.parameter, &value[k])
            if self.reach > 0:
                self.scalar(y[k], z[k] + self.reach, self.parameter, &above)
                self.scalar(y[k], z[k] - self.reach, self.parameter, &below)
                slope[k] = (above - below) / (2.0 * self.reach)

    cdef int compute(self, const uint32_t* order, Py_ssize_t first, Py_ssize_t n,
                     const double* Z, double* D, double* loss) except -1 nogil:
        cdef Py_ssize_t start, size, k, n_scores = n * self.n_columns
        cdef double[BLOCK] y, weight, value
        for start in range(0, n_scores, 64):  # BLOCK, which must be a number here
            size = min(<Py_ssize_t> BLOCK, n_scores - start)
            self.gather(order, first, n, start, size, y, weight)
            self.block(size, y, Z + start, D + start, value)
            if self.weight != NULL:
                for k in range(size):
                    D[start + k] *= weight[k]
                    value[k] *= weight[k]
            self.add(start, size, value, loss)
        return 0

    cdef int losses(self, const uint32_t* order, Py_ssize_t first, Py_ssize_t n,
                    const double* values, double* loss) except -1 nogil:
        cdef Py_ssize_t start, size, k, row, C = self.n_columns
        cdef double[BLOCK] value
        for start in range(0, n * C, 64):
            size = min(<Py_ssize_t> BLOCK, n * C - start)
            for k in range(size):
                row = first + (start + k) // C
                value[k] = values[start + k] * (self.weight[order[row] if order != NULL else row]
                                                if self.weight != NULL else 1.0)
            self.add(start, size, value, loss)
        return 0

    cdef void gather(self, const uint32_t* order, Py_ssize_t first, Py_ssize_t n,
                     Py_ssize_t start, Py_ssize_t size, double* y, double* weight) noexcept nogil:
        """Targets, and weights if there are any, of scores start:start + size of n rows."""
        cdef Py_ssize_t C = self.n_columns, i = start // C, c = start % C, k, row = 0
        cdef const double* values
        if C == 1 and order == NULL and self.n_targets == 1:
            values = self.values + first + start
            for k in range(size):
                y[k] = values[k]
            if self.one_against_rest:
                for k in range(size):
                    y[k] = 2.0 * (y[k] == self.label[0]) - 1.0
            if self.weight != NULL:
                for k in range(size):
                    weight[k] = self.weight[first + start + k]
            return
        for k in range(size):
            if c == 0 or k == 0:
                row = first + i
                if order != NULL:
                    if i + 16 < n:
                        PREFETCH(self.values + order[row + 16] * self.n_targets)
                    row = order[row]
            y[k] = target_of(self, row, c)
            if self.weight != NULL:
                weight[k] = self.weight[row]
            c += 1
            if c == C:
                c, i = 0, i + 1

    cdef void add(self, Py_ssize_t start, Py_ssize_t n, const double* value,
                  double* loss) noexcept nogil:
        """Add the losses of scores start:start + n to those of their models."""
        cdef Py_ssize_t column, k, C = self.n_columns
        cdef double total
        for column in range(min(C, n)):  # numbers of one column lie C apart
            total, k = 0.0, column
            while k < n:
                total += value[k]
                k += C
            loss[self.model[(start + column) % C]] += total


cdef class Logistic(Elementwise):
    """log(1 + exp(-yz)), in vector registers; the parameter of the kernel is not used."""

    def __init__(self, y, sample_weight, model_start, column_target, positive=None, kernel=None,
                 parameter=0.0):
        super().__init__(y, sample_weight, model_start, column_target, positive, kernel, parameter)
        self.loops = vector_loops()
        self.deferred = True

    cdef int row(self, Py_ssize_t row, double* z, double* d) except -1 nogil:
        cdef Py_ssize_t c
        cdef double y, margin, small, weight = self.weight[row] if self.weight != NULL else 1.0
        for c in range(self.n_columns):
            # without branches: on hard data the sign of the margin can't be predicted
            y = target_of(self, row, c)
            margin = y * z[c]
            small = exp(-fabs(margin))
            d[c] = -weight * y * (small if margin > 0 else 1.0) / (1.0 + small)
            z[c] = margin
        return 0

    cdef int losses(self, const uint32_t* order, Py_ssize_t first, Py_ssize_t n,
                    const double* margin, double* loss) except -1 nogil:
        cdef Py_ssize_t start, size, k, row, C = self.n_columns
        cdef double[BLOCK] slope, value
        for start in range(0, n * C, 64):
            size = min(<Py_ssize_t> BLOCK, n * C - start)
            self.loops.logistic(margin + start, size, slope, value)
            if self.weight != NULL:
                for k in range(size):
                    row = first + (start + k) // C
                    value[k] *= self.weight[order[row] if order != NULL else row]
            self.add(start, size, value, loss)
        return 0

    cdef void block(self, Py_ssize_t n, const double* y, const double* z, double* slope,
                    double* value) noexcept nogil:
        cdef Py_ssize_t k
        cdef double[BLOCK] margin
        for k in range(n):
            margin[k] = y[k] * z[k]
        self.loops.logistic(margin, n, slope, value)
        for k in range(n):
            slope[k] *= y[k]


cdef class Softmax(Slopes):
    """Multinomial log-loss, in vector registers; y holds class indices, a model's columns are its
    classes."""

    def __init__(self, y, sample_weight, model_start, column_target, positive=None):
        super().__init__(y, sample_weight, model_start, column_target, positive)
        self.loops = vector_loops()

    cdef int compute(self, const uint32_t* order, Py_ssize_t first, Py_ssize_t n,
                     const double* Z, double* D, double* loss) except -1 nogil:
        cdef Py_ssize_t begin, size, i, c, m, row, start, stop, label, C = self.n_columns
        cdef double weight = 1.0
        cdef double[BLOCK] largest, above
        cdef double* d
        for begin in range(0, n, 64):  # BLOCK, which must be a number here
            size = min(<Py_ssize_t> BLOCK, n - begin)
            for m in range(self.n_models):
                start, stop = self.starts[m], self.starts[m + 1]
                self.loops.softmax(Z + begin * C + start, size, stop - start, C,
                                   D + begin * C + start, largest, above)
                for i in range(size):
                    row = first + begin + i
                    if order != NULL:
                        row = order[row]
                    d = D + (begin + i) * C
                    label = start + <Py_ssize_t> self.values[row * self.n_targets
                                                             + self.target[start]]
                    if self.weight != NULL:
                        weight = self.weight[row]
                        for c in range(start, stop):
                            d[c] *= weight
                    d[label] -= weight
                    loss[m] += weight * (largest[i] - Z[(begin + i) * C + label] + above[i])
        return 0


cdef class Curvature(Slopes):
    """The second derivative times the scores, in place of a slope: a gradient with it is a product
    with the Hessian.

    Parameters
    ----------
    bends : ndarray of shape (n, n_columns) or None
        Second derivatives in each score, of the rows in the order they come, None if all are 1; or,
        where `joint`, probabilities p, the derivative being diag(p) - pp'.
    joint : bool
    """

    def __init__(self, y, sample_weight, model_start, column_target, bends, joint):
        super().__init__(y, sample_weight, model_start, column_target)
        self.bends, self.joint = bends, joint
        if not joint:
            self.straight = True
            self.line = Straight(NULL, NULL, self.weight)
            if bends is not None:
                self.line.bend = &self.bends[0, 0]

    cdef int compute(self, const uint32_t* order, Py_ssize_t first, Py_ssize_t n,
                     const double* Z, double* D, double* loss) except -1 nogil:
        cdef Py_ssize_t i, c, m, k, row, start, stop, C = self.n_columns
        cdef double mean
        cdef const double* bend = NULL
        if self.bends is not None:
            bend = &self.bends[first, 0]
        if bend == NULL:
            memcpy(D, Z, n * C * sizeof(double))
        elif not self.joint:
            for k in range(n * C):
                D[k] = bend[k] * Z[k]
        else:
            for i in range(n):
                for m in range(self.n_models):
                    start, stop = i * C + self.starts[m], i * C + self.starts[m + 1]
                    mean = 0.0
                    for c in range(start, stop):
                        mean += bend[c] * Z[c]
                    for c in range(start, stop):
                        D[c] = bend[c] * (Z[c] - mean)
        if self.weight != NULL:
            for i in range(n):
                row = order[first + i] if order != NULL else first + i
                for c in range(C):
                    D[i * C + c] *= self.weight[row]
        return 0


def averaged_slope(loss, y, z, reach):
    """Slope of a loss averaged over scores within `reach`; of the loss itself for 0."""
    if reach == 0:
        return loss.slope(y, z)
    return (loss.value(y, z + reach) - loss.value(y, z - reach)) / (2.0 * reach)


cdef class Callback(Slopes):
    """A loss with NumPy methods only, called once a block."""

    def __init__(self, y, sample_weight, model_start, column_target, positive, loss):
        super().__init__(y, sample_weight, model_start, column_target, positive)
        self.loss = loss

    cdef int compute(self, const uint32_t* order, Py_ssize_t first, Py_ssize_t n,
                     const double* Z, double* D, double* loss) except -1 nogil:
        with gil:
            if order != NULL:
                rows = np.asarray(<uint32_t[:n]> <uint32_t*> (order + first))
            else:
                rows = slice(first, first + n)
            z = np.asarray(<double[:n, :self.n_columns]> <double*> Z)
            d = np.asarray(<double[:n, :self.n_columns]> D)
            self.call(rows, z, d, np.asarray(<double[:self.n_models]> loss))
        return 0

    def call(self, rows, z, d, loss):
        """Fill d (n, n_columns) and add to loss (n_models,); rows is a slice or an index."""
        target = np.asarray(self.y_)[rows][:, np.asarray(self.target)]
        if self.one_against_rest:
            target = np.where(target == np.asarray(self.label), 1.0, -1.0)
        weight = None if self.sample_weight is None else self.sample_weight[rows]
        for m in range(self.n_models):
            columns = slice(self.starts[m], self.starts[m + 1])
            y, score = target[:, columns], z[:, columns]
            if self.loss.rowwise:
                y = y[:, 0]
            elif score.shape[1] == 1:
                y, score = y[:, 0], score[:, 0]
            value = np.asarray(self.loss.value(y, score), dtype=np.float64)
            slope = np.asarray(averaged_slope(self.loss, y, score, self.reach), dtype=np.float64)
            self.check_shape("slope", slope, score.shape)
            value = value.reshape(len(y), -1).sum(axis=1)
            slope = slope.reshape(len(y), -1)
            if weight is not None:
                value = weight * value
                slope = weight[:, None] * slope
            d[:, columns] = slope
            loss[m] += value.sum()

    def check_shape(self, method, got, expected):
        if got.shape != expected:
            raise ValueError(
                f"{type(self.loss).__name__}.{method} returned shape {got.shape}, expected "
                f"{expected}, the shape of z"
            )
