r"""The metric of the steps: coordinates of centred, scaled columns.

With the score :math:`z = w^\top x + b` and columns of mean :math:`\mu` and scale s, the
coordinates are :math:`u_j = s_j w_j` and :math:`c = b + w^\top \mu`. The scores are the same,
:math:`z = \sum_j u_j (x_j - \mu_j) / s_j + c`, and so is the objective; only the geometry of the
steps changes, and neither X nor the coefficients are stored otherwise.

A proximal step in u with step size :math:`\eta` is one in w with :math:`\eta / s_j^2`. It is
taken at fixed c, so b is then set to what c and the new w say.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dtrtrs

from .data.moments import moments
from .optimizers.wrappers import Wrapper

JITTER = 1e-12
CONSTANT = 1e-20  # a smaller variance, as a share of the squared mean, is what rounding leaves


@dataclass
class Metric:
    """Scale and shift of each column, both of shape (n_features,)."""

    name = "diagonal"
    scale: np.ndarray
    shift: np.ndarray

    def __deepcopy__(self, memo):
        return self  # it never changes

    @classmethod
    def diagonal(cls, X, sample_weight, fit_intercept, ridge):
        """Columns scaled to one curvature: their variance plus `ridge`, the l2 strength in units
        of the curvature of the loss. Without an intercept nothing is centred."""
        mean, variance = moments(X, sample_weight)
        if not fit_intercept:
            variance, mean = variance + mean * mean, np.zeros_like(mean)
        variance[variance <= CONSTANT * mean * mean] = 0.0
        square = variance + ridge
        square[square == 0.0] = 1.0
        return cls(np.sqrt(square), mean)

    def leave(self, coef, intercept):
        """From (u, c) to (w, b), in place."""
        coef /= self.scale
        intercept -= coef @ self.shift

    def pull(self, coef, intercept):
        """Gradient in (u, c) from the one in (w, b), in place."""
        coef -= np.multiply.outer(intercept, self.shift)
        coef /= self.scale

    def centre(self, coef, intercept):
        """Make a gradient in (u, c) one that sums to zero over the scores, in place."""
        coef -= coef.mean(axis=0)
        intercept -= intercept.mean()


@dataclass
class Whitened(Metric):
    r"""Coordinates in which the objective is as curved in every direction:
    :math:`v = L^\top u`, where :math:`L L^\top` is its curvature in (u, c) at some point.

    There is no proximal step for l1 or for bounds in v; but see `proximal_step`.

    Attributes
    ----------
    factor : ndarray of shape (n_blocks, q, q)
        L, lower triangular, for (u, c) of all columns, one after the other and cut into pieces of
        length q: the same for every column, one for each, or one for all together.
    bend : float
        Mean curvature of the loss in a score at that point.
    """

    name = "whiten"
    factor: np.ndarray
    bend: float

    @classmethod
    def of(cls, diagonal, matrices, bend):
        """From standardised coordinates and the curvature in them, (n_blocks, q, q), which is
        changed."""
        factors = np.array([lifted_factor(matrix) for matrix in matrices])
        return cls(diagonal.scale, diagonal.shift, factors, bend)

    def blocks(self, coef, intercept):
        """(u, c) of all columns as (n_blocks, pieces, q), a copy."""
        both = np.empty((len(coef), coef.shape[1] + 1))
        both[:, :-1], both[:, -1] = coef, intercept
        return both.reshape(len(self.factor), -1, self.factor.shape[1])

    @property
    def matrices(self):
        """The curvatures that this metric is of, over its bend: (n_blocks, q, q)."""
        return self.factor @ self.factor.transpose(0, 2, 1)

    def put(self, blocks, coef, intercept):
        both = blocks.reshape(len(coef), -1)
        coef[...], intercept[...] = both[:, :-1], both[:, -1]

    def solved(self, coef, intercept, transposed):
        """Solve L x = (u, c), or L' x = (u, c), in place."""
        blocks = self.blocks(coef, intercept)
        for block, factor in zip(blocks, self.factor, strict=True):
            # L is Fortran's L', which is upper; SciPy's own functions take longer than small solves
            block[...] = dtrtrs(factor.T, block.T, trans=not transposed)[0].T
        self.put(blocks, coef, intercept)

    def enter(self, coef, intercept):
        """From (w, b) to v, in place."""
        intercept += coef @ self.shift
        coef *= self.scale
        self.put(self.blocks(coef, intercept) @ self.factor, coef, intercept)

    def leave(self, coef, intercept):
        self.solved(coef, intercept, transposed=True)
        super().leave(coef, intercept)

    def pull(self, coef, intercept):
        super().pull(coef, intercept)
        self.solved(coef, intercept, transposed=False)

    def centre(self, coef, intercept):
        blocks = self.blocks(coef, intercept)
        for block, factor in zip(blocks, self.factor, strict=True):
            block[...] = block @ factor.T
        self.put(blocks, coef, intercept)
        super().centre(coef, intercept)
        self.solved(coef, intercept, transposed=False)


def lifted_factor(matrix):
    """Cholesky factor of a curvature, which is first lifted a little, in place, so that there are
    digits enough where columns depend on each other."""
    own = np.einsum("jj->j", matrix)
    own += JITTER * (own + own.mean()) + np.finfo(np.float32).tiny
    return np.linalg.cholesky(matrix)


class Within(Wrapper):
    """An optimizer whose steps are taken in the coordinates of a metric.

    Parameters
    ----------
    optimizer, undecayed : Optimizer
        The rule, and the rule for the intercepts.
    metric : Whitened
    """

    def __init__(self, optimizer, undecayed, metric):
        self.optimizer = optimizer
        self.undecayed = undecayed
        self.metric = metric

    def look_ahead(self, params, state):
        self.metric.enter(*pair(params))
        self.optimizer.look_ahead(params, state)
        self.metric.leave(*pair(params))

    def restart(self, params, state):
        self.metric.enter(*pair(params))
        self.optimizer.restart(params, state)
        self.metric.leave(*pair(params))

    def step(self, params, grads, state, rate):
        grads = [g.copy() for g in grads]
        self.metric.enter(*pair(params))
        self.metric.pull(*pair(grads))
        if self.undecayed is self.optimizer:
            self.optimizer.step(params, grads, state, rate)
        else:
            self.optimizer.step(params[:1], grads[:1], state[:1], rate)
            self.undecayed.step(params[1:], grads[1:], state[1:], rate)
        self.metric.leave(*pair(params))

    def settle(self, params, state):
        self.metric.enter(*pair(params))
        self.optimizer.settle(params, state)
        self.metric.leave(*pair(params))


def pair(arrays):
    """(coefficients, intercepts), where there may be no intercepts."""
    return arrays if len(arrays) == 2 else (*arrays, np.zeros(len(arrays[0])))
