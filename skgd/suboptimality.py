r"""How far a smooth fit is from its optimum, in units of the objective.

Near the optimum :math:`F(w) - F^* \approx \tfrac12 g^\top H^{-1} g`, the Newton decrement. The
quadratic form is summed by conjugate gradients in standardised coordinates; its partial sums
grow towards the limit, so a sum beyond what is asked for ends the search at once. Products with
H are differences of gradients: one pass over the data each.

S. Boyd and L. Vandenberghe, "Convex optimization", 2004, section 9.5.1; M. Hestenes and
E. Stiefel, "Methods of conjugate gradients for solving linear systems", 1952.
"""

import numpy as np

from ._core import epoch as core
from .losses import SquaredError
from .metric import Whitened

NUDGE = 1e-4
MOST_PRODUCTS = 100
ENOUGH = 0.002
SAFETY = 3.0  # where a loss has an exponential tail the decrement is half the gap
LEAST_PRODUCTS, LEAST_WHITENED = 4, 2
LEAST_TAIL = 10.0
LEAST_SHARE, MOST_SHARE = 0.75, 1.33  # of the descent that a parabola foresees
BENT = 4.0


def newton_gap(problem, flat, metric, enough=None, n_threads=1, most_curved=np.inf):
    """Estimate F - F* at `flat`.

    Parameters
    ----------
    problem : Problem
        With a smooth loss and a separable penalty.
    flat : ndarray
        The parameters.
    metric : Metric
        Standardised coordinates.
    enough : float or None
        An estimate above this need not be exact, nor one far below; None asks for all digits.
    n_threads : int
    most_curved : float
        No direction is more curved than this in the coordinates.

    Returns
    -------
    gap : float
    objective : float
        F.
    n_passes : int
        Passes over the data that this took.
    """
    too_much, little = (np.inf, 0.0) if enough is None else (enough, enough)
    gradient, objective = problem.gradient(flat, n_threads)
    free, residual = free_gradient(problem, flat, gradient)
    split = problem.columns(flat).split

    def pulled(g):
        """A gradient in standardised coordinates, of those that can move, in place."""
        metric.pull(*split(g))
        return np.multiply(g, free, out=g)

    def left(direction):
        """A direction in standardised coordinates as one of the parameters, a new buffer."""
        step = direction.copy()
        metric.leave(*split(step))
        if not problem.fit_intercept:
            split(step)[1][...] = 0.0
        return step

    def product(direction):
        """H times a direction in standardised coordinates."""
        size = NUDGE / np.linalg.norm(direction)
        nudged, _ = problem.gradient(flat + size * left(direction), n_threads)
        return pulled((nudged - gradient) / size)

    r = pulled(residual)
    p, step, total, previous, small = r.copy(), np.zeros_like(r), 0.0, np.inf, 0
    rr, missing = r @ r, 0.0
    if 0.5 * rr / most_curved > too_much:  # no less than this is left
        return 0.5 * rr / most_curved, objective, 1
    least = LEAST_WHITENED if isinstance(metric, Whitened) else LEAST_PRODUCTS
    k = -1
    for k in range(MOST_PRODUCTS if rr > 0 else 0):
        Hp = product(p)
        curvature = p @ Hp
        if not curvature > 0:  # flat to rounding: no more to gain this way
            break
        length = rr / curvature
        step -= length * p
        added = length * rr
        total += added
        if 0.5 * total > too_much:
            break
        # were the next additions to fall as slowly as 1 / k^2
        missing = max(LEAST_TAIL, 4.0 * k) * max(added, previous)
        if k + 1 >= least and 0.5 * SAFETY * (total + missing) <= little:
            break
        previous, missing = added, 0.0
        small = small + 1 if added < ENOUGH * total else 0
        if small == 5:
            break
        r = r - length * Hp
        rr, before = r @ r, rr
        if rr == 0:
            break
        p = r + rr / before * p
    gap = 0.5 * SAFETY * (total + missing)
    if gap <= too_much and total > 0 and not isinstance(problem.loss, SquaredError):
        _, there = problem.gradient(flat + left(step), n_threads)
        share = 2.0 * (objective - there) / total
        if not LEAST_SHARE <= share <= MOST_SHARE:  # no parabola as far as the optimum
            gap *= BENT
    return gap, objective, k + 2


def over_kinks(problem, flat):
    """How far the mean loss rises where it is averaged over the problem's reach."""
    if problem.reach == 0:
        return 0.0
    z = core.scores(problem.rows, problem.columns(flat), problem.order())
    y, weight = problem.of_kept(problem.y), problem.of_kept(problem.sample_weight)
    total = 0.0
    for c in range(problem.n_columns):
        target = problem.target_in(c, y)
        rise = -problem.loss.value(target, z[:, c])
        for point, share in zip(*np.polynomial.legendre.leggauss(8), strict=True):
            rise += 0.5 * share * problem.loss.value(target, z[:, c] + point * problem.reach)
        total += float(np.average(rise, weights=weight))
    return max(total, 0.0)


def free_gradient(problem, flat, gradient):
    """(which coordinates can move, the smallest subgradient): a zero that l1 holds, or a
    coefficient that a bound holds, can't."""
    _, l1, lower, upper = problem.strengths()
    residual, free = gradient.copy(), np.ones_like(gradient)
    w, _ = problem.columns(flat).split(flat)
    g, _ = problem.columns(residual).split(residual)
    can_move, _ = problem.columns(free).split(free)
    up, down = g + l1, g - l1  # slopes to the right and to the left of zero
    at_zero = np.where(up < 0, up, np.where(down > 0, down, 0.0))
    slope = np.where(w == 0, at_zero, g + l1 * np.sign(w))
    held = ((w <= lower) & (slope > 0)) | ((w >= upper) & (slope < 0))
    g[...] = np.where(held, 0.0, slope)
    can_move[...] = g != 0
    if l1 == 0 and not held.any():
        can_move[...] = 1.0
    return free, residual
