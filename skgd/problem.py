"""What is minimised: an objective over data, its gradient and its curvature."""

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np

from ._core import epoch as core
from ._core import proxes, slopes
from ._core.columns import Columns
from ._threads import shared_out
from .data.gram import SLOWER
from .losses import Loss, SquaredError
from .penalties import Penalty

LEAST_WORK = 1_000_000  # products of an epoch, about a millisecond
BLOCK = 20_000  # rows
NUDGE = 1e-4  # in scores, as a share of their spread
SHARP = 0.12  # how curved a loss is in the mean, as a share of the most, if it is all but a kink


def second_derivative(loss, y, z, reach):
    """Mean second derivative of a loss over scores within a reach of z."""
    return (loss.slope(y, z + reach) - loss.slope(y, z - reach)) / (2.0 * reach)


def of_its_class(component, name, default=None):
    """What the very class of a component says; a subclass may compute something else."""
    return type(component).__dict__.get(name, default)


def mean(values, weight):
    """Weighted mean; `np.average` takes longer than the sums over few values do."""
    if weight is None:
        return float(values.mean())
    return float((values * weight).sum() / weight.sum())


def compiled(component):
    """Name of the compiled version of a component, or None; a subclass does not inherit it."""
    return of_its_class(component, "kernel")


@dataclass
class Problem:
    """An objective over data: weighted mean of the losses + alpha * penalty.

    Attributes
    ----------
    rows : Rows
    y : float64 ndarray of shape (n, n_targets)
    sample_weight : float64 ndarray of shape (n,) with mean 1, or None
    loss, penalty : Loss, Penalty
    alpha : float
    positive : bool
        Whether coefficients must not be negative.
    fit_intercept : bool
    n_columns : int
    classes : float64 ndarray of shape (n_columns,) or None
        For one score a class, the value of y that is the positive one of each column.
    kept : uint32 ndarray or None
        The rows to train on, in ascending order; None is all. Others are never read.
    labels : float64 ndarray or None
        The distinct values of y, ascending, where it is a class.
    reach : float
        Slopes are those of the loss averaged over scores this far to both sides, if above 0.
    samples : dict
        Rows that curvatures are taken from, as they were needed.
    """

    rows: object
    y: np.ndarray
    sample_weight: np.ndarray | None
    loss: Loss
    penalty: Penalty
    alpha: float
    positive: bool
    fit_intercept: bool
    n_columns: int
    classes: np.ndarray | None = None
    kept: np.ndarray | None = None
    labels: np.ndarray | None = None
    reach: float = 0.0
    samples: dict = field(default_factory=dict, repr=False)

    @property
    def n_rows(self):
        return self.rows.n_rows if self.kept is None else len(self.kept)

    @property
    def products(self):
        """Multiplications that the scores of all rows take, those of sparse rows as many as dense
        ones do in the same time."""
        width = self.rows.n_features
        if self.rows.by_feature:
            width = min(width, SLOWER * self.rows.n_nonzero / max(self.rows.n_rows, 1))
        return self.n_rows * width * self.n_columns

    def order(self, shuffled_rows=None):
        """Row numbers in the given order of the kept rows; None is 0, 1, ..."""
        if self.kept is None or shuffled_rows is None:
            return self.kept if shuffled_rows is None else shuffled_rows
        return self.kept[shuffled_rows]

    @property
    def row_numbers(self):
        """Numbers of the kept rows."""
        return np.arange(len(self.y), dtype=np.uint32) if self.kept is None else self.kept

    def of_kept(self, array):
        """The entries of the kept rows in an array of all rows, or None for None."""
        return array if array is None or self.kept is None else array[self.kept]

    def columns(self, flat, own=slice(None)):
        """Parameters of all columns, or of some, in a buffer that holds just these."""
        n_columns = len(range(self.n_columns)[own])
        return Columns(
            flat,
            n_columns,
            self.rows.n_features,
            [0, n_columns],
            self.rows.by_feature,
            self.fit_intercept,
        )

    def column_target(self):
        """The column of y of each score."""
        if self.y.shape[1] > 1:
            return np.arange(self.n_columns)
        return np.zeros(self.n_columns, dtype=int)

    def slopes(self, own=slice(None)):
        target = self.column_target()[own]
        classes = None if self.classes is None else self.classes[own]
        shared = (self.y, self.sample_weight, [0, len(target)], target)
        kernel = compiled(self.loss)
        if kernel == "softmax":
            return slopes.Softmax(*shared)
        if kernel is None:
            made = slopes.Callback(*shared, classes, self.loss)
        else:
            kind = slopes.Logistic if kernel == "log_loss" else slopes.Elementwise
            made = kind(*shared, classes, kernel, self.loss.kernel_parameter())
        made.reach = self.reach
        return made

    def strengths(self):
        """(l2, l1, lower, upper) with alpha and positivity, or None if a callback is needed."""
        strengths = self.penalty.strengths()
        if strengths is None:
            return None
        l2, l1, lower, upper = strengths
        lower = max(lower, 0.0) if self.positive else lower
        return np.array([self.alpha * l2, self.alpha * l1, lower, upper])

    @property
    def unconstrained(self):
        """Whether the penalty is smooth, so that there is no proximal step."""
        strengths = self.strengths()
        if strengths is None:
            return self.penalty.smooth and not self.positive
        return np.array_equal(strengths[1:], [0.0, -np.inf, np.inf])

    def prox(self):
        strengths = self.strengths()
        if strengths is None:
            return proxes.Callback(self.penalty, [self.alpha])
        return proxes.Separable(strengths[np.newaxis])

    @cached_property
    def merged(self):
        """(y, weights) of the kept rows; rows of one class are merged into one."""
        y, weight = self.of_kept(self.y), self.of_kept(self.sample_weight)
        if self.labels is None:
            return y, weight
        weight = np.ones(len(y)) if weight is None else weight
        totals = [weight @ (y[:, 0] == label) for label in self.labels]
        return self.labels[:, np.newaxis], np.array(totals)

    def targets_of(self, column):
        """Targets of one score, as the loss takes them, and weights; classes merged."""
        y, weight = self.merged
        return self.target_in(column, y), weight

    def target_in(self, column, y):
        """The targets of one score in rows of y, as the loss takes them."""
        y = y[:, self.column_target()[column]]
        return y if self.classes is None else np.where(y == self.classes[column], 1.0, -1.0)

    @cached_property
    def spread(self):
        """Typical size of the scores: of the targets, for a regression; else 1."""
        if self.classes is not None or self.loss.task == "classification":
            return 1.0
        if self.loss.power is not None:  # scores are logarithms, whatever the unit of y
            return 1.0
        y, weight = self.of_kept(self.y), self.of_kept(self.sample_weight)
        centre = np.average(y, axis=0, weights=weight) if self.fit_intercept else 0.0
        deviation = np.average((y - centre) ** 2, axis=0, weights=weight)
        return float(np.sqrt(np.mean(deviation))) or 1.0

    @property
    def least(self):
        """No objective is below this, if no penalty is below zero."""
        least = of_its_class(self.loss, "least", -np.inf)
        return least * (1 if self.loss.rowwise else self.n_columns)

    @cached_property
    def jump(self):
        """How much the slope of the loss changes from far below to far above."""
        y, _ = self.targets_of(0)
        far = 1e6 * (np.abs(y).max() + 1.0)
        return float(np.max(self.loss.slope(y, y + far) - self.loss.slope(y, y - far)))

    @cached_property
    def kinks(self):
        """Whether slopes jump, or turn within a small part of the spread of the scores."""
        if self.loss.rowwise or isinstance(self.loss, SquaredError):
            return False
        most = self.loss.curvature
        sharp = most is not None and self.jump / (2.0 * self.spread) < SHARP * most
        return sharp or not self.loss.smooth

    @cached_property
    def flat(self):
        """Whether the loss has no curvature in some row two spreads from where a fit starts."""
        for c in range(0 if self.loss.rowwise else self.n_columns):
            y, _ = self.targets_of(c)
            for far in (-2.0 * self.spread, 2.0 * self.spread):
                z = np.full(len(y), self.start[0][c] + far)
                if not np.all(second_derivative(self.loss, y, z, NUDGE * self.spread) > 0):
                    return True
        return False

    @cached_property
    def start(self):
        """(best intercepts where all coefficients are zero, the objective there)."""
        intercept = np.zeros(self.n_columns)
        if self.fit_intercept:
            if self.loss.rowwise:
                intercept += self.loss.best_intercept(*self.targets_of(0), self.n_columns)
            else:
                for c in range(self.n_columns):
                    intercept[c] = self.loss.best_intercept(*self.targets_of(c))
        return intercept, self.objective_of_intercept(intercept)

    def objective_of_intercept(self, intercept):
        """The objective where all coefficients are zero; costs no look at X."""
        if self.loss.rowwise:
            y, weight = self.targets_of(0)
            scores = np.broadcast_to(intercept, (len(y), self.n_columns))
            return mean(self.loss.value(y, scores), weight)
        total = 0.0
        for c in range(self.n_columns):
            y, weight = self.targets_of(c)
            total += mean(self.loss.value(y, np.full(len(y), intercept[c])), weight)
        return total

    def gradient(self, flat, n_threads=1, parts=None):
        """(gradient of the smooth objective at `flat`, the objective): one pass over X.

        `parts` stand in for the slopes of the loss.
        """
        columns, parts = self.columns(flat), parts or self.slopes()
        gradient, loss = full_sums(self, parts, columns, n_threads)
        penalty = core.smooth(self.prox(), columns, gradient, self.n_rows)
        return gradient, float(loss[0] / self.n_rows + penalty[0])

    def curvature(self, bends, weight):
        """Slopes that make `gradient` the product of the Hessian with a direction, of rows that are
        curved as `bends` says and weigh so much."""
        target = self.column_target()
        return slopes.Curvature(self.y, weight, [0, len(target)], target, bends, self.loss.rowwise)

    def scores(self, flat):
        """Scores (n_rows, n_columns) at `flat`."""
        return core.scores(self.rows, self.columns(flat), self.order())

    def bends(self, flat, scores=None):
        """Second derivatives of the loss in each score of the rows at `flat`; of a softmax the
        probabilities, which give them; None where all are 1. They take the place of the scores, if
        these are there already."""
        if isinstance(self.loss, SquaredError):
            return None
        bends = self.scores(flat) if scores is None else scores
        y, h = self.of_kept(self.y), NUDGE * self.spread
        for first in range(0, len(bends), BLOCK):
            z, part = bends[first : first + BLOCK], y[first : first + BLOCK]
            if self.loss.rowwise:
                z[...] = self.loss.predict_proba(z)
                continue
            for c, score in enumerate(z.T):
                score[...] = second_derivative(self.loss, self.target_in(c, part), score, h)
        return bends


def enough_for_threads(problem):
    """Whether an epoch is long enough to be worth the threads."""
    return problem.products >= LEAST_WORK


def full_sums(problem, parts, columns, n_threads=1, kept=None):
    """Gradient and loss sums over all rows, the rows shared out among threads; `kept`, if given, of
    shape (n_rows, n_columns), gets the scores."""
    n = problem.n_rows
    order = problem.order()
    if n_threads == 1 or not enough_for_threads(problem):
        return core.sums(problem.rows, parts, columns, 0, n, order, kept)
    edges = np.linspace(0, n, n_threads + 1).astype(int)

    def sums_of(share):
        first, last = share
        return core.sums(problem.rows, parts, columns, first, last - first, order, kept)

    found = shared_out(sums_of, pairwise(edges))
    return sum(gradient for gradient, _ in found), sum(loss for _, loss in found)
