"""F0 and F* of a smooth objective on raw rows, by a solver that shares nothing with the package.

L-BFGS of SciPy in the coordinates of the standardised columns, or of the whitened ones up to 1000
columns, with the penalty of the raw coefficients. The formulas are written out here.
"""

import numpy as np
import scipy.sparse as sp
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.special import expit, logsumexp

MOST_WHITENED = 1000
BLOCK = 20_000  # rows


class Objective:
    """Weighted mean loss + alpha / 2 ||coef||^2 over raw rows."""

    def __init__(self, loss, X, y, sample_weight=None, alpha=1e-4, fit_intercept=True):
        self.loss, self.alpha, self.fit_intercept = loss, alpha, fit_intercept
        self.X = X.tocsr().astype(np.float64) if sp.issparse(X) else np.asarray(X, np.float64)
        self.n, self.d = X.shape
        share = np.ones(self.n) if sample_weight is None else sample_weight
        self.share = share / share.sum()
        classes, labels = np.unique(y, return_inverse=True)
        self.n_columns = len(classes) if loss == "log_loss" and len(classes) > 2 else 1
        self.y = labels if loss == "log_loss" else np.asarray(y, np.float64)

    def losses(self, z):
        """(mean loss, its gradient in the scores)."""
        if self.n_columns > 1:
            rows = np.arange(self.n)
            total = logsumexp(z, axis=1)
            slope = np.exp(z - total[:, np.newaxis])
            slope[rows, self.y] -= 1.0
            value = total - z[rows, self.y]
        else:
            s = z[:, 0]
            if self.loss == "log_loss":
                side = 2.0 * self.y - 1.0
                value, slope = np.logaddexp(0.0, -side * s), -side * expit(-side * s)
            elif self.loss == "poisson":
                mean = np.exp(np.minimum(s, 50.0))
                value, slope = mean - self.y * s, mean - self.y
            else:
                value, slope = 0.5 * (s - self.y) ** 2, s - self.y
            slope = slope[:, np.newaxis]
        return float(self.share @ value), slope * self.share[:, np.newaxis]

    def value(self, coef, intercept):
        """F at raw coefficients."""
        coef = np.atleast_2d(np.asarray(coef, np.float64))
        z = self.X @ coef.T + np.asarray(intercept, np.float64)
        return self.losses(z)[0] + self.alpha / 2 * np.sum(coef**2)

    def start(self):
        """F0: no coefficients, the best intercept."""

        def at(b):
            value, slope = self.losses(np.broadcast_to(b, (self.n, self.n_columns)).copy())
            return value, slope.sum(axis=0)

        zero = np.zeros(self.n_columns)
        if not self.fit_intercept:
            return at(zero)[0]
        if self.loss == "squared_error":
            return at(np.array([self.share @ self.y]))[0]
        return min(at(zero)[0], minimize(at, zero, jac=True, tol=1e-12).fun)

    def value_at_best_intercept(self, coef):
        """The least F at raw coefficients of one score, over intercepts."""
        z = self.X @ np.asarray(coef, np.float64).reshape(-1, 1)

        def at(b):
            value, slope = self.losses(z + b)
            return value, slope.sum(axis=0)

        found = minimize(at, np.zeros(1), jac=True, tol=1e-12)
        return found.fun + self.alpha / 2 * np.sum(np.square(coef))

    def optimum(self, ftol=0.0):
        """F*; with `ftol`, to that share of it and in less time."""
        sparse = sp.issparse(self.X)
        mean = np.asarray(self.share @ self.X) * self.fit_intercept
        square = self.X.multiply(self.X) if sparse else self.X**2
        variance = np.asarray(self.share @ square) - mean**2
        scale = np.sqrt(np.where(variance > 1e-12 * mean**2, variance, 1.0))
        if sparse:
            Z, shift = self.X @ sp.diags_array(1 / scale), mean / scale
        else:
            Z, shift = (self.X - mean) / scale, np.zeros(self.d)
        penalty = self.alpha / scale**2
        factor = self.factor(Z, shift, penalty) if self.d <= MOST_WHITENED else None

        def leave(U):
            return U if factor is None else solve_triangular(factor, U.T, lower=True, trans="T").T

        def value_and_gradient(flat):
            U, c = np.split(flat.reshape(self.n_columns, -1), [-1], axis=1)
            V, c = leave(U), c[:, 0] * self.fit_intercept
            value, slope = self.losses(Z @ V.T - V @ shift + c)
            by_V = (Z.T @ slope).T - np.outer(slope.sum(axis=0), shift) + penalty * V
            by_U = by_V if factor is None else solve_triangular(factor, by_V.T, lower=True).T
            by_c = slope.sum(axis=0) * self.fit_intercept
            return value + np.sum(penalty * V * V) / 2, np.column_stack([by_U, by_c]).ravel()

        flat = np.zeros(self.n_columns * (self.d + 1))
        for _ in range(2):  # the second time from a fresh memory
            found = minimize(
                value_and_gradient, flat, jac=True, method="L-BFGS-B",
                options={
                    "maxiter": 6000, "maxfun": 8000, "maxcor": 30, "ftol": ftol, "gtol": 1e-12,
                },
            )  # fmt: skip
            flat = found.x
        return found.fun

    def factor(self, Z, shift, penalty):
        """Cholesky factor of the curvature where all scores are alike."""
        gram = np.zeros((self.d, self.d))
        for first in range(0, self.n, BLOCK):
            block = Z[first : first + BLOCK]
            block = block.toarray() if sp.issparse(block) else block
            gram += (block * self.share[first : first + BLOCK, np.newaxis]).T @ block
        gram -= np.outer(shift, shift)
        bend = {"log_loss": 0.25, "poisson": self.share @ self.y}.get(self.loss, 1.0)
        matrix = bend * gram + np.diag(penalty)
        matrix[np.diag_indices(self.d)] += 1e-9 * np.trace(matrix) / self.d
        return cholesky(matrix, lower=True)
