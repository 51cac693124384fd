r"""The curvature of an objective as a metric: where a fit starts, and anew on the way.

Where the scores are z, the objective is about as curved as

.. math:: \sum_i w_i\, h_i\; u_i u_i^\top + \text{l2},\qquad
          h_i = \frac{\ell'(z_i + r) - \ell'(z_i - r)}{2 r}

with u the standardised rows and r how far the scores may be from the best ones: a mean over
scores near z, so that it holds for a step that long. For softmax it is the curvature itself, of
all scores at once. In coordinates where this is the identity a gradient step is one of Newton's,
and the accelerated method makes up for what the curvature of a sample of rows leaves out.

Where a loss has kinks the curvature is all within reach of them, and a step may lead far beyond.
With the largest h over all longer r, :math:`J / 2 |u|` for a kink at a distance u where the slope
jumps by J, the parabola lies above the loss and no step leads up; a share of it, the caution,
is taken, which grows with each step that did.

S. Boyd and L. Vandenberghe, "Convex optimization", 2004, section 9.5; D. Hunter and K. Lange,
"Quantile regression via an MM algorithm", J. Comput. Graph. Stat. 9(1), 2000.
"""

from dataclasses import dataclass

import numpy as np

from ._core import epoch as core
from .data.gram import cost, gram, softmax_gram, squares
from .losses import SquaredError
from .metric import JITTER, Metric, Whitened, lifted_factor
from .problem import NUDGE, second_derivative

MOST_WHITENED = 1000  # columns of a Gram matrix
MOST_ENTRIES = 2_000_000  # of all of them
MOST_SINGLE = 6_500_000  # of those of `of_each_score`, half as large a number
CURVED = 0.999  # of the curvature of a score, in standardised coordinates
LEAST_ROWS, ROWS_A_COLUMN, ROWS_A_COORDINATE = 5_000, 30, 12
PASSES = 0.1  # that a Gram matrix may cost, if it needs no more
PASSES_EXACT = 4.0  # where it may be of all rows, and Newton's step solves a squared error
PASSES_ONCE = 1.0  # where there is only one, or where only rows near a kink are curved
ALL_AT_ONCE = 3.0  # how much longer small matrices, one for each pair of scores, take
WORTH = 0.6  # epochs between two renewals, for each pass that one costs
SMALL = 64  # coordinates, up to which it costs next to nothing
LOST = 4.0  # times the rounding of one product
GRID = 2.0**-10  # of the spread of the scores
RESOLVED = 1e4  # times what a curvature is lifted by
STEP_AND_BACK = 2.0  # a step may lead as far beyond the best scores
FLOOR = 1e-3  # of the curvature of a loss with kinks, where rows are far from them


def at_start(problem, X, diagonal, ridge):
    """Coordinates in which columns are uncorrelated; `ridge` is l2 over the bend of the loss."""
    rows, weight = sample(problem, X, diagonal)
    digits = digits_for(problem, rows, diagonal, ridge, 1.0)
    total = gram(X, rows, weight, diagonal.shift, diagonal.scale, digits)
    if not np.isfinite(total).all():
        return diagonal
    total = centred_if(problem, total)
    return Whitened.of(diagonal, [with_penalty(total, ridge, diagonal)], 1.0)


def digits_for(problem, rows, diagonal, l2, curvature):
    """The precision that products of standardised rows need: single for a sample of them, where all
    that its digits lose of their sum, by the sum of its eigenvalues, is less than the penalty adds
    to each.

    Parameters
    ----------
    problem : Problem
    rows : ndarray
        The sample.
    diagonal : Metric
    l2 : float
        Strength of the penalty.
    curvature : float or None
        A bound on that of the loss.
    """
    if curvature is None or problem.kinks or len(rows) == problem.n_rows:
        return np.float64
    lost = LOST * np.finfo(np.float32).eps * curvature * (len(diagonal.scale) + 1)
    return np.float32 if lost < np.min(l2 / diagonal.scale**2) else np.float64


def is_exact(problem, metric):
    """Whether coordinates that `at_start` made are of the curvature itself: not of a sample's, nor
    of one that was lifted by as much as the flattest directions are curved."""
    if not (isinstance(problem.loss, SquaredError) and isinstance(metric, Whitened)):
        return False
    resolved = np.diag(metric.factor[0]).min() ** 2 > RESOLVED * JITTER
    return resolved and len(problem.samples[1][0]) == problem.n_rows


def with_penalty(total, l2, diagonal):
    q = len(diagonal.scale) + 1
    penalty = np.append(l2 / diagonal.scale**2, 0.0)
    total[np.diag_indices(len(total))] += np.tile(penalty, len(total) // q)
    return total


def centred_if(problem, total):
    """Without an intercept its coordinate is on its own."""
    if not problem.fit_intercept:
        q = problem.rows.n_features + 1
        own = np.arange(q - 1, len(total), q)
        total[own] = total[:, own] = 0.0
        total[own, own] = 1.0
    return total


def sample(problem, X, diagonal, n_coordinates=1):
    """(some rows, their shares of the weight): as many as cost about a pass over all, but no
    fewer than a Gram matrix needs.

    Half of them are taken with equal chances and half by the square of their length in
    standardised coordinates, so that rows which alone show something of a column are there. A
    row counts for one over its chance. P. Drineas, R. Kannan and M. Mahoney, "Fast Monte Carlo
    algorithms for matrices I", SIAM J. Computing 36(1), 2006, section 4.
    """
    if n_coordinates in problem.samples:
        return problem.samples[n_coordinates]
    n, d = problem.n_rows, problem.rows.n_features
    width = (d + 1) * n_coordinates
    squared = isinstance(problem.loss, SquaredError)
    passes = PASSES_ONCE if squared or problem.kinks else PASSES
    rows_a_pass = 2 * problem.products / (cost(X) * n_coordinates**2)
    if squared and n <= PASSES_EXACT * rows_a_pass:
        passes = PASSES_EXACT
    wanted = max(
        passes * rows_a_pass,
        LEAST_ROWS,
        ROWS_A_COLUMN * d,
        ROWS_A_COORDINATE * width,
    )
    rows = problem.row_numbers
    chance = 1.0
    if wanted < n:
        square = problem.of_kept(squares(X, diagonal.shift, diagonal.scale))
        chance = np.minimum(1.0, 0.5 * wanted * (1.0 / n + square / square.sum()))
        picked = np.random.default_rng(0).random(n) < chance
        rows, chance = rows[picked], chance[picked]
    weight = np.ones(len(rows)) if problem.sample_weight is None else problem.sample_weight[rows]
    weight = weight / chance
    problem.samples[n_coordinates] = rows, weight / weight.sum()
    return problem.samples[n_coordinates]


@dataclass
class Renewal:
    """When the metric of a fit is taken anew, and how.

    Parameters
    ----------
    diagonal : Metric
    bend : float
        Curvature of the loss in a score that the metric of the start was taken at.
    n_coordinates : int
        Scores that one Gram matrix is of.
    wait : float
        Updates from one to the next.
    """

    diagonal: object
    bend: float
    n_coordinates: int
    wait: float

    @classmethod
    def of(cls, problem, X, metric, bend):
        """The renewals that pay for a problem, or None."""
        d, K = problem.rows.n_features, problem.n_columns
        together = K if problem.loss.rowwise else 1
        width = together * (d + 1)
        if (
            isinstance(problem.loss, SquaredError)  # as curved everywhere
            or not isinstance(metric, Whitened)
            or width > MOST_WHITENED
            or (K // together) * width**2 > MOST_ENTRIES
        ):
            return None
        rows, _ = sample(problem, X, metric, together)
        passes = len(rows) * cost(X) * K * together / max(1.0, 2 * problem.products)
        passes *= ALL_AT_ONCE if together > 1 else 1.0
        return cls(metric, bend, together, WORTH * passes if width > SMALL else 1.0)

    def due(self, state, risen):
        """Whether it is time; not where the objective has risen, which may be left again."""
        if risen:
            return False
        return state.renewed < 0 or state.t - state.renewed >= max(1.0, self.wait)

    def reach(self, problem, gap):
        """How far scores may be from the best ones, where the objective is by the gap."""
        far = STEP_AND_BACK * np.sqrt(2.0 * gap / self.bend)
        return float(np.clip(far, NUDGE * problem.spread, problem.spread))

    def metric(self, problem, flat, reach, caution=0.0):
        """The coordinates at some parameters, from curvatures over a reach of the scores."""
        X, diagonal = problem.rows.X, self.diagonal
        rows, weight = sample(problem, X, diagonal, self.n_coordinates)
        z = core.scores(problem.rows, problem.columns(flat), rows)
        l2 = problem.strengths()[0]
        digits = digits_for(problem, rows, diagonal, l2, problem.loss.curvature)
        if digits is np.float32:  # which would show what z lost by rounding, and so who summed it
            z = GRID * problem.spread * np.round(z / (GRID * problem.spread))
        place = diagonal.shift, diagonal.scale, digits
        if self.n_coordinates > 1:
            mean = self.bend
            matrices = [softmax_gram(X, rows, weight, problem.loss.predict_proba(z), *place)]
        else:
            bends = self.bends(problem, problem.y[rows], z, reach)
            mean = float((weight * bends).sum())
            if problem.kinks:
                above = self.most_bent(problem, problem.y[rows], z, reach, bends)
                bends = np.maximum(bends, caution * above) + FLOOR * self.bend
            curved = weight * bends
            matrices = [gram(X, rows, w, *place) for w in curved]
        if not np.isfinite(matrices).all():
            return None
        return Whitened.of(
            diagonal,
            [with_penalty(centred_if(problem, m), l2, diagonal) / self.bend for m in matrices],
            mean,
        )

    def bends(self, problem, y, z, reach):
        """Curvatures of the loss near the scores of some rows, a row a score."""
        found = []
        for c, score in enumerate(z.T):
            found.append(second_derivative(problem.loss, problem.target_in(c, y), score, reach))
        return np.array(found)

    def most_bent(self, problem, y, z, reach, found):
        """The largest curvatures over all reaches from this one, of which they are `found`, to a
        factor of 2."""
        farthest = problem.spread + np.abs(z).max() + np.abs(y).max()
        while (reach := 2.0 * reach) < 2.0 * farthest:
            found = np.maximum(found, self.bends(problem, y, z, reach))
        return found


def mean_above(metric, reach):
    """How far the mean of a loss over a reach is above it, about.

    Where slopes jump by J it is :math:`J r / 4 (1 - u)^2` at a distance of u r from the kink, so
    :math:`h r^2 / 6` in the mean over rows, h being their mean curvature.
    """
    return metric.bend * reach**2 / 6.0


def of_each_score(problem, metric, bends, weight):
    """Coordinates of the curvature in each score by itself, whatever one bends with another, or
    None where they are too many, or curvatures are not finite.

    A class is curved in few rows, those that are neither far in it nor far from it: only rows that
    make nearly all of the curvature are looked at. A sample of them shows flat directions badly.

    Parameters
    ----------
    problem : Problem
    metric : Metric
        Standardised coordinates.
    bends : ndarray of shape (n_rows, n_columns)
        As `Problem.bends` has them.
    weight : ndarray of shape (len(problem.y),) or None
    """
    X, place = problem.rows.X, (metric.shift, metric.scale)
    q, K = problem.rows.n_features + 1, problem.n_columns
    if K * q**2 > MOST_SINGLE:
        return None
    rows = problem.row_numbers
    length = 1.0 + problem.of_kept(squares(X, *place))
    diagonal, l2 = Metric(metric.scale, metric.shift), problem.strengths()[0]
    factor = np.empty((K, q, q), np.float32)  # in these a fit takes no steps
    for c in range(K):
        share = np.maximum(bends[:, c], 0.0) / len(rows)  # where a loss bends down, none
        if problem.loss.rowwise:
            share *= 1.0 - bends[:, c]
        if weight is not None:
            share *= problem.of_kept(weight)
        by_size = np.argsort(-share * length, kind="stable")
        total = np.cumsum((share * length)[by_size])
        most = by_size[: np.searchsorted(total, CURVED * total[-1]) + 1]
        matrix = gram(X, rows[most], share[most], *place)
        if not np.isfinite(matrix).all():
            return None
        factor[c] = lifted_factor(with_penalty(centred_if(problem, matrix), l2, diagonal))
    return Whitened(metric.scale, metric.shift, factor, 1.0)
