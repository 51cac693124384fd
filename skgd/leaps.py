r"""Newton's leaps, for a fit that descent alone would take too long to end.

Where the coordinates of the steps stay those of the start, because there are too many coefficients
to take their curvature anew, accelerated descent comes near the optimum and then hardly nearer.
From there Newton's steps lead on, by conjugate gradients with products of the Hessian.

A row of a softmax that is far on the wrong side has a slope but no curvature, and one far on the
right side has neither, though a step may lead it across: Newton's step knows no measure. So scores
z are divided by a temperature,

.. math:: H_i = \tfrac{1}{\tau_i} \bigl(\mathrm{diag}(p) - p p^\top\bigr), \qquad
          p = \mathrm{softmax}(z / \tau_i), \qquad
          \tau_i = \max\bigl(1,\; c\, \bigl|z_y - \max_{k \ne y} z_k\bigr|\bigr) ,

which is about the mean curvature on the way to where the row is as near to one class as to another.
The caution c grows where a leap leads far less down than a parabola would, falls with those that do
not, and ends at 0: then these are Newton's steps.
"""

import numpy as np

from .suboptimality import (
    BENT,
    FORCING,
    LEAST_WHITENED,
    Coordinates,
    bound,
    conjugate_gradients,
)
from .train import go_on_from
from .whitening import of_each_score

SHARES = 1.0, 0.5, 0.25, 0.1, 0.03, 0.01  # of a leap, that are tried
STRAIGHT = 0.1  # a descent from that of a parabola, as a share of it, if that is to be believed
RIGHT = 0.7  # of the descent of a parabola, which shows that a share was right
CAUTION, LEAST_CAUTION, MORE, LESS = 0.25, 0.01, 4.0, 0.4
RENEWED = 3  # leaps from one taking of the coordinates to the next


class Leaps:
    """Looks at how far a fit is from its optimum, each of which leads on.

    Parameters
    ----------
    problem : Problem
        With a smooth loss and no more than an l2 penalty.
    state : State
        In whitened coordinates, those of the start; its parameters go where leaps lead.
    n_threads : int
    """

    def __init__(self, problem, state, n_threads=1):
        self.problem, self.state, self.n_threads = problem, state, n_threads
        self.caution = CAUTION if problem.loss.rowwise else 0.0
        self.metric, self.age = None, RENEWED

    def look(self, enough):
        """Estimate F - F* and leap.

        Parameters
        ----------
        enough : float
            An estimate above this need not be exact.

        Returns
        -------
        gap, objective, doubtful, n_passes
            As `newton_gap` has them.
        """
        problem, flat = self.problem, self.state.parameters.copy()
        gradient, objective = problem.gradient(flat, self.n_threads)
        bends, weight, tempered = self.curvature(flat)
        inside = Coordinates(problem, flat, self.coordinates(bends, weight))
        product = inside.hessian(problem, bends, weight, self.n_threads)

        def done(n_products, gained, shrunk, missing):
            if 0.5 * gained > enough:
                return shrunk <= FORCING
            return n_products >= LEAST_WHITENED and claimed(gained, missing)

        def claimed(gained, missing):
            return bound(gained, missing) <= enough

        step, gained, missing, n_products = conjugate_gradients(
            product, inside.pulled(gradient), done, claimed, inside.any_direction
        )
        gap, way, foreseen = bound(gained, missing), inside.left(step), 0.5 * gained
        falls, share = self.leap(flat, way, objective, foreseen) if gained > 0 else ([], 1.0)
        straight = not falls or abs(falls[0] / foreseen - 1.0) <= STRAIGHT
        doubtful = 1.0 if straight else BENT
        if gap <= enough and tempered:  # of another curvature: the next look tells
            gap, self.caution = np.inf, 0.0
        elif share == 1.0:
            self.caution = self.caution * LESS if self.caution > LEAST_CAUTION else 0.0
        elif share < 0.5 and problem.loss.rowwise:
            self.caution = min(max(MORE * self.caution, CAUTION), 1.0)
        if tempered and not self.caution:
            self.age = RENEWED  # coordinates of another curvature would hide flat directions
        return gap, objective, doubtful, n_products + len(falls) + 1

    def leap(self, flat, way, objective, foreseen):
        """Go to the best of some shares of the way: (how far F falls along those tried, the best
        share, 0 if none leads down)."""
        falls, best = [], (0.0, 0.0)
        for share in SHARES:
            fall = objective - self.problem.gradient(flat + share * way, self.n_threads)[1]
            falls.append(fall)
            if fall > best[0]:
                best = fall, share
            elif best[1]:
                break
            if fall >= RIGHT * foreseen:
                break
        if best[1]:
            go_on_from(self.problem, self.state, flat + best[1] * way)
        return falls, best[1]

    def curvature(self, flat):
        """(curvatures of the scores, as `Problem.bends` has them, weights of the rows, whether any
        has another temperature than 1)."""
        problem = self.problem
        weight = problem.sample_weight
        if not self.caution:
            return problem.bends(flat), weight, False
        z, y = problem.scores(flat), problem.of_kept(problem.y)[:, 0].astype(np.intp)
        rows = np.arange(len(z))
        own = z[rows, y]  # a copy
        z[rows, y] = -np.inf
        margin = own - z.max(axis=1)
        z[rows, y] = own
        heat = np.maximum(1.0, self.caution * np.abs(margin))
        z /= heat[:, np.newaxis]
        weight = np.ones(len(problem.y)) if weight is None else weight.copy()
        weight[slice(None) if problem.kept is None else problem.kept] /= heat
        return problem.loss.predict_proba(z), weight, bool((heat > 1.0).any())

    def coordinates(self, bends, weight):
        """Those of each score by itself, taken anew every few leaps, or those of the steps."""
        if self.age == RENEWED:
            self.metric, self.age = None, 0  # before there is another
            self.metric = of_each_score(self.problem, self.state.metric, bends, weight)
        self.age += 1
        return self.metric or self.state.metric
