r"""How far a smooth fit is from its optimum, in units of the objective.

Near the optimum :math:`F(w) - F^* \approx \tfrac12 g^\top H^{-1} g`, the Newton decrement. The
quadratic form is summed by conjugate gradients in standardised coordinates; its partial sums
grow towards the limit, so a sum beyond what is asked for ends the search at once. Products with
H take one pass over the data each.

S. Boyd and L. Vandenberghe, "Convex optimization", 2004, section 9.5.1; M. Hestenes and
E. Stiefel, "Methods of conjugate gradients for solving linear systems", 1952.
"""

from functools import partial

import numpy as np
from scipy.linalg import eigh_tridiagonal, solve

from ._core import epoch as core
from ._core import quadratics
from .losses import SquaredError
from .metric import Metric, Whitened

NUDGE = 1e-4
MOST_PRODUCTS, MOST_EXACT = 100, 2000
ENOUGH = 0.002
SAFETY = 3.0  # where a loss has an exponential tail the decrement is half the gap
LEAST_PRODUCTS, LEAST_WHITENED = 4, 2
LEAST_PROBES, SOME_PROBES, MOST_PROBES = 3, 20, 40
LEAST_TAIL, LEAST_POWER, LATELY = 10.0, 0.25, 5
OFF = 0.25, 0.4  # a descent from what a parabola foresees, as a share of it
SLOW = 0.1, 0.3  # what a step leaves, as a share of what was left before it
BENT, KINKED = 4.0, 10.0
ROUNDING = 1e-12
BARELY = 0.01  # what rounding may bend down, as a share of the penalty
FLAT = 1e-6
FORCING, FORCING_AT_END = 0.25, 1e-4
MOST_WORK, ROUNDS = 300_000_000, (5, 200)
SWEEPS, DIGITS = 50, 1e-10


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
    doubtful : float
        How many times as much may be left, see `doubt`.
    n_passes : int
        Passes over the data that this took.
    """
    too_much, little = (np.inf, 0.0) if enough is None else (enough, enough)
    gradient, objective = problem.gradient(flat, n_threads)
    free, residual = free_gradient(problem, flat, gradient)
    inside = Coordinates(problem, flat, metric, free)

    def product(direction):
        """H times a direction, in coordinates."""
        size = NUDGE / np.linalg.norm(direction)
        nudged, _ = problem.gradient(flat + size * inside.left(direction), n_threads)
        return inside.pulled((nudged - gradient) / size)

    r = inside.pulled(residual)
    lowest = 0.5 * (r @ r) / most_curved
    if lowest > too_much:  # no less than this is left
        return lowest, objective, 1.0, 1
    least = LEAST_WHITENED if isinstance(metric, Whitened) else LEAST_PRODUCTS

    def done(n_products, gained, shrunk, missing):
        return 0.5 * gained > too_much or (n_products >= least and claimed(gained, missing))

    def claimed(gained, missing):
        return bound(gained, missing) <= little

    even = isinstance(metric, Whitened)  # about as curved in all directions
    probe = None if even else inside.any_direction
    step, gained, missing, n_products = conjugate_gradients(product, r, done, claimed, probe)
    gap = bound(gained, missing) * (1.0 if problem.loss.smooth else BENT)
    doubtful = 1.0
    if gap <= too_much and gained > 0 and not isinstance(problem.loss, SquaredError):
        _, there = problem.gradient(flat + inside.left(step), n_threads)
        doubtful = doubt(objective - there, 0.5 * gained)
        n_products += 1
    return gap, objective, doubtful, n_products + 1


def newton_step(problem, flat, gradient, metric, gained_before, tol, n_threads=1, scores=None):
    """Newton's step by conjugate gradients, and an estimate of F - F*: before it, or after it where
    F is a parabola.

    Parameters
    ----------
    problem : Problem
        With a smooth loss and an l2 penalty.
    flat, gradient : ndarray
        The parameters, and the gradient there.
    metric : Metric
        Standardised coordinates.
    gained_before : float
        By how much F fell since the start of the fit.
    tol : float
        Where no more than this share of what is gained seems to be left, it is found out.
    n_threads : int
    scores : ndarray of shape (n_rows, n_columns) or None
        Those of the parameters, which are lost, if they are known.

    Returns
    -------
    step : ndarray
    descent : float
        By how much the parabola falls.
    gap : float
    """
    inside = Coordinates(problem, flat, metric)
    bends = problem.bends(flat, scores)
    product = inside.hessian(problem, bends, problem.sample_weight, n_threads)
    exact = isinstance(problem.loss, SquaredError)

    def done(n_products, gained, shrunk, missing):
        known = claimed(gained, missing)
        if exact:
            return shrunk <= FORCING and known
        known |= left(gained, 0.0) > tol * gained_before
        return shrunk <= (FORCING if known else FORCING_AT_END)

    def claimed(gained, missing):
        enough = tol * (gained_before + (0.5 * gained if exact else 0.0))
        return left(gained, missing) <= enough

    def left(gained, missing):
        return 0.5 * missing if exact else bound(gained, missing)

    limits = (0.0, MOST_EXACT) if exact else (ENOUGH, MOST_PRODUCTS)
    others = inside.any_direction, inside.ceiling
    args = inside.pulled(gradient.copy()), done, claimed, *others, *limits
    step, gained, missing, _ = conjugate_gradients(product, *args)
    return inside.left(step), 0.5 * gained, left(gained, missing)


def proximal_step(problem, flat, gradient, metric, bend):
    """Newton's step where there are soft thresholds or bounds, and its descent.

    Parameters
    ----------
    problem : Problem
    flat, gradient : ndarray
        The parameters, and the gradient of the smooth part there.
    metric : Whitened
        Of the curvature over `bend`.
    bend : float
        Above what the curvature is, where that is known of a sample only.

    Returns
    -------
    step : ndarray
    descent : float
        By how much the parabola with the thresholds falls.
    """
    if problem.unconstrained:
        inside = Coordinates(problem, flat, metric)
        down = inside.pulled(gradient.copy()) / bend
        return inside.left(-down), 0.5 * bend * float(down @ down)
    _, l1, lower, upper = problem.strengths()
    n_columns, scale = problem.n_columns, metric.scale
    none = np.zeros(n_columns)
    inside = Coordinates(problem, flat, Metric(scale, metric.shift))

    def pieces(coef, intercept):
        return metric.blocks(np.broadcast_to(coef, (n_columns, len(scale))), intercept)

    # an intercept has neither threshold nor bound
    start = pieces(inside.split(flat)[0] * scale, none)
    slopes = metric.blocks(*inside.split(inside.pulled(gradient.copy())))
    thresholds, low, high = (
        pieces(l1 / scale, none),
        pieces(lower * scale, none - np.inf),
        pieces(upper * scale, none + np.inf),
    )
    steps, descent = np.zeros_like(start), 0.0
    for block, H in enumerate(metric.matrices * bend):
        for piece in range(start.shape[1]):
            at = block, piece
            steps[at], down = least(H, slopes[at], start[at], thresholds[at], low[at], high[at])
            descent += down
    step = np.zeros_like(flat)
    metric.put(steps, *inside.split(step))
    return inside.left(step), descent


def least(H, gradient, start, l1, lower, upper):
    """(step, descent) of a parabola with soft thresholds and bounds: coordinate by coordinate, and
    by sets of them where they depend on each other so much that this takes long."""
    H, shape = np.ascontiguousarray(H), (l1, lower, upper)
    step, descent, first = quadratics.minimise(H, gradient, start, *shape, 1, 0.0)
    enough = DIGITS**2 * first
    args = gradient + H @ step, start + step, *shape
    more, down, change = quadratics.minimise(H, *args, SWEEPS, enough)
    step, descent = step + more, descent + down
    if change > enough:
        args = gradient + H @ step, start + step, *shape
        more, down = by_sets(H, *args, enough)
        step, descent = step + more, descent + down
    return step, descent


def by_sets(H, gradient, start, l1, lower, upper, enough):
    """(step, descent) from the least value over the coordinates that are free to move, neither zero
    nor at a bound, to that over these and the one that promises most, and so on.

    C. Lawson and R. Hanson, "Solving least squares problems", 1974, chapter 23.
    """
    v, r, own = start.copy(), gradient.copy(), np.diag(H)
    sign = np.sign(v) * (l1 > 0)
    free = ((v != 0) | (l1 == 0)) & (v > lower) & (v < upper) & (own > 0)
    for _ in range(int(np.clip(MOST_WORK / len(H) ** 3, *ROUNDS))):
        while free.any():
            within = H[np.ix_(free, free)]
            way = -solve(within, (r + l1 * sign)[free], assume_a="pos", check_finite=False)
            low = np.where(sign > 0, np.maximum(lower, 0.0), lower)[free]
            high = np.where(sign < 0, np.minimum(upper, 0.0), upper)[free]
            room = np.full(len(way), np.inf)
            np.divide(np.where(way < 0, low, high) - v[free], way, out=room, where=way != 0)
            share = min(1.0, room.min())
            there = room <= share
            v[free] = np.where(there, np.where(way < 0, low, high), v[free] + share * way)
            r = gradient + H @ (v - start)
            if share == 1.0:
                break
            free[np.flatnonzero(free)[there]] = False
        # what lies at zero or at a bound, and would lead down from there
        up, down = r + l1 * np.where(v < 0, -1.0, 1.0), r - l1 * np.where(v > 0, -1.0, 1.0)
        pull = np.where((up < 0) & (v < upper), -up, np.where((down > 0) & (v > lower), -down, 0.0))
        pull = np.where(free | (own <= 0), 0.0, pull)
        gain = pull**2 / np.where(own > 0, own, 1.0)
        best = int(gain.argmax())
        if gain[best] <= enough:
            break
        free[best], sign[best] = True, np.sign(pull[best]) * (l1[best] > 0)
        if v[best] != 0:  # at a bound, from which it leaves towards zero
            sign[best] = np.sign(v[best]) * (l1[best] > 0)
    step = v - start
    absolute = l1 @ (np.abs(start) - np.abs(v))
    return step, float(absolute - 0.5 * ((gradient + r) @ step))


class Coordinates:
    """Gradients and directions of the parameters in the coordinates of a metric.

    Parameters
    ----------
    problem : Problem
    flat : ndarray
        The parameters.
    metric : Metric
    free : ndarray or float
        1 where a coordinate can move, else 0.
    """

    def __init__(self, problem, flat, metric, free=1.0):
        self.metric, self.free, self.fit_intercept = metric, free, problem.fit_intercept
        self.split, self.size = problem.columns(flat).split, len(flat)
        self.l2, self.straight, self.downward = 0.0, False, np.inf  # known once there is a Hessian
        self.alike = problem.loss.rowwise  # all intercepts by as much change nothing
        # and all coefficients of a column by as much change no more than the penalty
        self.centred = self.alike and problem.unconstrained

    def pulled(self, gradient):
        """A gradient in the coordinates, of those that can move, in place."""
        self.metric.pull(*self.split(gradient))
        if self.alike:
            intercept = self.split(gradient)[1]
            intercept -= intercept.mean()
        gradient *= self.free
        return gradient

    def any_direction(self):
        """A random direction in the coordinates, as likely along one as along another."""
        direction = np.random.default_rng(0).standard_normal(self.size)
        coef, intercept = self.split(direction)
        if self.alike:
            self.metric.centre(coef, intercept)
            intercept -= intercept.mean()
        intercept *= self.fit_intercept
        return direction * self.free

    def ceiling(self, product):
        r"""(a function from r to more than :math:`r^\top H^{-1} r` or None, the products that it
        took), H being the Hessian.

        Beside the curvature of the loss, which is nowhere negative, there is R of the penalty. With
        b for how the loss bends coefficients with the intercept, and m for the intercept alone,

        .. math:: r^\top H^{-1} r \le \frac{c^2}{m} + \sum_j \frac{(u_j - b_j c / m)^2}{R_j}

        where r is (u, c): without the intercept H would be R + A - bb'/m, and A - bb'/m is nowhere
        negative.
        """
        penalty = self.l2 / self.metric.scale**2
        if type(self.metric) is not Metric or self.alike or not np.min(penalty) > 0:
            return None, 0
        if self.downward * self.size > BARELY * np.min(penalty):
            return None, 0
        if self.straight or not self.fit_intercept:  # of centred columns b is 0
            b, m, n_products = 0.0, 1.0, 0
        else:
            intercepts = np.zeros(self.size)
            self.split(intercepts)[1][...] = 1.0
            b, m = self.split(product(intercepts))
            n_products = 1

        def above(r):
            u, c = self.split(r)
            share = c / m
            return c @ share + np.sum((u - b * share[:, np.newaxis]) ** 2 / penalty)

        return (above if np.all(m > 0) else None), n_products

    def left(self, direction):
        """A direction in the coordinates as one of the parameters, a new buffer."""
        step = direction.copy()
        self.metric.leave(*self.split(step))
        if self.centred:
            for part in self.split(step):
                part -= part.mean(axis=0)
        if not self.fit_intercept:
            self.split(step)[1][...] = 0.0
        return step

    def hessian(self, problem, bends, weight, n_threads):
        """A function from a direction to its product with the Hessian, both in the coordinates, of
        rows that are curved as `bends` says and weigh so much."""
        curvature, strengths = problem.curvature(bends, weight), problem.strengths()
        self.l2 = 0.0 if strengths is None else strengths[0]
        self.straight = bends is None
        self.downward = 0.0 if self.straight else max(0.0, -float(bends.min()))
        return lambda direction: self.pulled(
            problem.gradient(self.left(direction), n_threads, curvature)[0]
        )


def doubt(descent, foreseen, fell=0.0):
    """How many times as much may be left as a parabola says: more if the objective fell otherwise,
    or if the last step hardly lowered what is left."""
    off = np.interp(abs(descent / foreseen - 1.0), OFF, (0.0, 1.0))
    slow = np.interp(fell, SLOW, (0.0, 1.0))
    return float(BENT ** max(off, slow))


def bound(gained, missing):
    """How far F is from its least, on the safe side."""
    return 0.5 * SAFETY * (gained + missing)


def conjugate_gradients(
    product,
    gradient,
    done,
    claimed,
    probe=None,
    ceiling=None,
    least=ENOUGH,
    most=MOST_PRODUCTS,
):
    """Minimise the parabola with a gradient and a Hessian.

    Parameters
    ----------
    product : callable
        The Hessian times a direction.
    gradient : ndarray
    done : callable
        Told the products so far, twice the descent, the size of the residual as a share of the
        first, and twice what may be missing of the descent, says whether to stop; if so, then also
        were less missing.
    claimed : callable
        Told twice the descent and twice what may be missing of it, says whether to stop would be
        to claim that no more is missing. A ceiling or a probe comes before that.
    probe : callable or None
        Returns a random direction, to learn from how flat those are that the search has not seen.
    ceiling : callable or None
        See `Coordinates.ceiling`: more than what is missing.
    least : float
        After five products in a row that add less than this share the search ends.
    most : int
        Products.

    Returns
    -------
    step : ndarray
    gained, missing : float
        Twice the descent of the parabola, and twice what may be missing of it.
    n_products : int
    """
    r = gradient
    p, step, gained, missing, small = r.copy(), np.zeros_like(r), 0.0, None, 0
    rr = first = r @ r
    seen, n_others, above, patience = Seen(rr), 0, None, LEAST_PROBES if ceiling else 0
    for _ in range(most if rr > 0 else 0):
        Hp = product(p)
        curvature = p @ Hp
        if not 0 < curvature < np.inf:  # down without end, or flat to rounding and no more to gain
            missing = np.inf if rr > FLAT * first else 0.0
            break
        length = rr / curvature
        step -= length * p
        added = length * rr
        gained += added
        r = r - length * Hp
        rr, before = r @ r, rr
        seen.take_in(length, rr)
        ends = partial(done, len(seen.added), gained, np.sqrt(rr / first))
        if ceiling and ends(0.0) and claimed(gained, 0.0):
            (above, n_others), ceiling = ceiling(product), None
            patience = LEAST_PROBES if above else 0
        if above and ends(above(r)):
            missing = above(r)
            break
        if ends(seen.tail()) and ends(seen.missing()):
            if probe is None or not claimed(gained, seen.missing()):
                break
            if patience == 0:
                n_others += seen.probe(product, probe())
                probe = None
                if ends(seen.missing()):
                    break
            patience -= 1
        if rr == 0:
            missing = 0.0
            break
        small = small + 1 if added < least * gained else 0
        if small == 5:
            break
        p = r + rr / before * p
    if missing is None:
        missing = seen.missing() if seen.added else 0.0
    return step, gained, missing, len(seen.added) + n_others


class Seen:
    """What the products of conjugate gradients have shown of a parabola.

    Parameters
    ----------
    rr : float
        Square of the first residual.

    Attributes
    ----------
    added, squares : list of float
        What each product added to twice the descent, and the squares of the residuals.
    diagonal, beside : list of float
        Of a tridiagonal matrix whose eigenvalues are the curvatures seen
        (G. Golub and C. Van Loan, "Matrix computations", 2013, section 11.3).
    hidden : float
        The smallest curvature along directions that the residuals have hardly had a share of, see
        `probe`.
    """

    def __init__(self, rr):
        self.added, self.squares, self.hidden = [], [rr], np.inf
        self.diagonal, self.beside, self.carried = [], [], 0.0

    def take_in(self, length, rr):
        """One more product: how long its step was, and the square of the residual after it."""
        ratio = rr / self.squares[-1]
        self.added.append(length * self.squares[-1])
        self.squares.append(rr)
        self.diagonal.append(1.0 / length + self.carried)
        self.beside.append(np.sqrt(ratio) / length)
        self.carried = ratio / length

    def flattest(self, n_products):
        """The smallest curvature seen after some products."""
        return flattest_of(self.diagonal[:n_products], self.beside[:n_products])[0]

    def tail(self):
        """Twice what later products may add, if they go on falling like the power of the products
        that they fell like."""
        k = len(self.added)
        if k == 1:
            return np.inf
        lately, half = max(self.added[-2:]), max(self.added[max((k - 1) // 2 - 1, 0) :][:2])
        power = max(np.log2(half / lately) - 1.0, LEAST_POWER) if lately > 0 else np.inf
        return max(LEAST_TAIL, k / power) * lately

    def missing(self):
        """Twice what may be missing of the descent.

        It is the sum of two guesses: the `tail`, and that the residual, or the largest of late
        where it rose, lies along directions flatter than the flattest seen: half as curved, or by
        as much flatter as that has become of late, or what a probe found.
        """
        k = len(self.added)
        if k == 1:
            return np.inf
        last = self.squares[-LATELY:]
        square = max(last[1:]) if max(np.diff(last)) > 0 else last[-1]
        flattest = self.flattest(k)
        flatter = min(0.5, flattest / self.flattest(max(k - LATELY, 1)))
        return self.tail() + square / min(flatter * flattest, self.hidden)

    def probe(self, product, direction):
        """Learn how flat the flattest of many directions are, by Lanczos' process from a random
        one, until that is known to half or no longer falls fast: the products that it took.

        Where a few directions are far more curved than all others, residuals become small long
        before they show any of the rest, which may be nearly all there is to gain.
        """
        v, before, beside = direction / np.linalg.norm(direction), 0.0, []
        diagonal, coupling, fell = [], 0.0, 0.0
        while len(diagonal) < (MOST_PROBES if fell < 0.5 else SOME_PROBES):
            w = product(v) - coupling * before
            diagonal.append(v @ w)
            w -= diagonal[-1] * v
            if not np.isfinite(w).all():  # curved beyond the floats, of which nothing can be said
                self.hidden = np.finfo(float).tiny
                break
            (flattest, last), steeper = flattest_of(diagonal, beside), self.hidden
            self.hidden, fell = flattest, flattest / steeper
            before, coupling = v, np.linalg.norm(w)
            known = len(diagonal) >= LEAST_PROBES and coupling * abs(last) <= 0.5 * flattest
            if known or coupling <= ROUNDING * max(diagonal):  # no direction is left
                return len(diagonal)
            beside.append(coupling)
            v = w / coupling
        self.hidden *= min(0.5, fell)
        return len(diagonal)


def flattest_of(diagonal, beside):
    """(least eigenvalue, the last entry of its vector) of a symmetric tridiagonal matrix, which is
    positive but for rounding."""
    if not np.isfinite([*diagonal, *beside]).all():
        return np.finfo(float).tiny, 1.0
    values, vectors = eigh_tridiagonal(
        diagonal, beside[: len(diagonal) - 1], select="i", select_range=(0, 0)
    )
    return max(values[0], np.finfo(float).eps * max(diagonal)), vectors[-1, 0]


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
