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
from scipy.linalg import cholesky, solve_triangular

from .data.gram import gram
from .data.moments import moments
from .optimizers.wrappers import Wrapper

UNSEEN = 1e-9  # of a variance: what rounding leaves of a column without any
JITTER = 1e-8


@dataclass
class Metric:
    """Scale and shift of each column, both of shape (n_features,)."""

    name = "diagonal"
    scale: np.ndarray
    shift: np.ndarray

    @classmethod
    def diagonal(cls, X, sample_weight, fit_intercept, ridge):
        """Columns scaled to one curvature: their variance plus `ridge`, the l2 strength in units
        of the curvature of the loss. Without an intercept nothing is centred."""
        mean, variance = moments(X, sample_weight)
        if not fit_intercept:
            variance, mean = variance + mean * mean, np.zeros_like(mean)
        # what rounding leaves of a constant column is no variance
        variance[variance <= 1e-12 * mean * mean] = 0.0
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


@dataclass
class Whitened(Metric):
    r"""Coordinates in which the columns are uncorrelated too: :math:`u = L^\top (s \circ w)`.

    L is the Cholesky factor of the correlation matrix of the columns, the ridge included. Where
    the loss has one curvature the objective is then as curved in every direction, and its
    gradient points to the optimum. There is no proximal step for l1 or for bounds in u.

    Attributes
    ----------
    factor : ndarray of shape (n_features, n_features)
        L, lower triangular.
    """

    name = "whiten"
    factor: np.ndarray

    @classmethod
    def of(cls, X, rows, sample_weight, diagonal, ridge):
        """Standardised coordinates and the correlations that some rows show in them.

        The variances are those of all rows, also of a column that these rows do not show.
        """
        covariance = gram(X, rows, sample_weight, diagonal.shift, diagonal.scale)
        if not np.isfinite(covariance).all():
            return diagonal
        seen = np.diag(covariance)
        # of the square of a column's unit, the share that is variance
        share = np.maximum(1.0 - ridge / diagonal.scale**2, 0.0)
        factor = np.sqrt(np.where(seen > UNSEEN, share / np.maximum(seen, UNSEEN), 0.0))
        correlation = covariance * np.outer(factor, factor)
        np.fill_diagonal(correlation, 1.0 + JITTER)
        return cls(diagonal.scale, diagonal.shift, cholesky(correlation, lower=True))

    def enter(self, coef, intercept):
        intercept += coef @ self.shift
        coef[...] = (coef * self.scale) @ self.factor

    def leave(self, coef, intercept):
        coef[...] = solve_triangular(self.factor, coef.T, lower=True, trans="T").T
        super().leave(coef, intercept)

    def pull(self, coef, intercept):
        super().pull(coef, intercept)
        coef[...] = solve_triangular(self.factor, coef.T, lower=True).T


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
