"""The loss of a row of scores, one a class: y is ``(n,)`` class indices and z is ``(n, K)``."""

import numpy as np

from .base import Loss, shares


def below_best(z):
    """z less the best of its row: exponentials can't overflow, probabilities are the same."""
    return z - z.max(axis=1, keepdims=True)


class Multinomial(Loss):
    r"""Softmax cross-entropy :math:`\log\sum_k e^{z_k} - z_y`.

    It has no name of its own: ``"log_loss"`` is this loss where there are more than two
    classes. The slope :math:`\mathrm{softmax}(z) - e_y` sums to 0 over the classes; the
    curvature is the largest eigenvalue of a row's Hessian.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import Multinomial
    >>> Multinomial().value(np.array([2]), np.array([[0.0, 0.0, np.log(2)]])).round(4)
    array([0.6931])

    References
    ----------
    D. Böhning, "Multinomial logistic regression algorithm", Ann. Inst. Statist. Math. 44(1),
    1992: the bound of the curvature.
    """

    task = "classification"
    kernel = "softmax"
    least = 0.0
    curvature = 0.5
    bounded_slope = True
    rowwise = True

    def value(self, y, z):
        z = below_best(z)
        return np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), y.astype(np.intp)]

    def slope(self, y, z):
        slope = self.predict_proba(z)
        slope[np.arange(len(z)), y.astype(np.intp)] -= 1
        return slope

    def best_intercept(self, y, sample_weight=None, n_columns=None):
        """Log shares of the classes, centred, as a constant added to a row changes nothing."""
        prior = np.bincount(
            y.astype(np.intp), weights=shares(y, sample_weight), minlength=n_columns or 0
        )
        z = np.log(np.maximum(prior, np.finfo(float).eps))  # a class may have no rows
        return z - z.mean()

    def predict_proba(self, z):
        odds = np.exp(below_best(z))
        return odds / odds.sum(axis=1, keepdims=True)
