"""What a loss is: a function of a target y and a linear score z, and its derivative in z.

Convention: y and z have the same shape, and so have `value` and `slope`, except for
row-wise losses (softmax), where y is ``(n,)`` class indices and z is ``(n, K)``.
Classification targets are -1 and +1. Losses never see X, weights or penalties.
"""

import numpy as np

from .._component import Component

ENOUGH_ROWS = 10_000


def shares(y, sample_weight=None):
    """Weights of the rows of y that sum to 1, so that a mean is ``shares @ values``."""
    if sample_weight is None:
        return np.full(len(y), 1.0 / len(y))
    return sample_weight / np.sum(sample_weight)


class Loss(Component):
    r"""Base class of losses :math:`\ell(y, z)`.

    A new loss is one class with `value` and `slope`::

        class LogCosh(Loss, name="log_cosh"):
            task = "regression"
            smooth = True
            curvature = 1.0

            def value(self, y, z):
                return np.logaddexp(z - y, y - z) - np.log(2)

            def slope(self, y, z):
                return np.tanh(z - y)

    It then works in the estimators by its name or as an object, is called once a batch, and
    can be searched. A compiled kernel (`kernel`) is an optional gift of speed.

    Attributes
    ----------
    task : {"regression", "classification", "both"}
        The estimators that accept the loss.
    smooth : bool
        Whether the slope is continuous.
    curvature : float or None
        The largest second derivative in z, or None if there is no bound.
    bounded_slope : bool
        Whether the slope is bounded, so that a fit can't grow exponentially.
    least : float
        No value is below this; minus infinity where that is not known. It belongs to the class that
        names it, as `kernel` does.
    rowwise : bool
        Whether all scores of a row enter one loss (softmax).
    power : float or None
        The Tweedie power whose D² is the score, or None for R².
    kernel : str or None
        Name of the compiled version in ``skgd._core.slopes``. It belongs to the class that
        names it; a subclass without its own `kernel` is called through NumPy.
    """

    task = "both"
    smooth = True
    curvature = None
    bounded_slope = False
    least = -np.inf
    rowwise = False
    power = None
    kernel = None

    def value(self, y, z):
        """Loss of each score."""
        raise NotImplementedError

    def slope(self, y, z):
        """Derivative of the loss by each score; on a kink, one of the subgradients."""
        raise NotImplementedError

    def link(self, z):
        """Map scores to predictions."""
        return z

    def check_target(self, y):
        """Raise a ValueError in one sentence if y is outside the domain of the loss."""

    def for_classes(self, n_classes):
        """The loss to train when the target has `n_classes` > 2 classes.

        The loss itself means one score a class, each against the rest.
        """
        return self

    def predict_proba(self, z):
        """Probabilities of the classes, (n, K), or None if the loss models none.

        z is (n,) for two classes, else (n, K).
        """
        return None

    @property
    def has_proba(self):
        """Whether `predict_proba` gives probabilities."""
        return type(self).predict_proba is not Loss.predict_proba

    def kernel_parameter(self):
        """The one number that the compiled kernel takes."""
        return 0.0

    def best_intercept(self, y, sample_weight=None, n_columns=None):
        """The score that minimises the weighted mean loss where all rows share one score.

        A loss with a closed form overrides this search, which halves an interval until the
        mean slope changes sign in it.

        Parameters
        ----------
        y : ndarray of shape (n,)
        sample_weight : ndarray of shape (n,) or None
            Not negative, with a positive sum.
        n_columns : int or None
            The number of scores in a row; only row-wise losses need it.

        Returns
        -------
        float, or for row-wise losses ndarray of shape (n_columns,)
        """
        if len(y) > ENOUGH_ROWS:  # a scale of the objective, not a result: a part will do
            stride = -(-len(y) // ENOUGH_ROWS)
            part = slice(None, None, stride)
            if sample_weight is None or np.any(sample_weight[part]):
                y = y[part]
                sample_weight = None if sample_weight is None else sample_weight[part]
        share = shares(y, sample_weight)

        def mean_slope(z):
            with np.errstate(all="ignore"):  # the search may look where the loss overflows
                return share @ self.slope(y, np.full(len(y), z))

        low, high = float(np.min(y)), float(np.max(y))
        reach = max(high - low, 1.0)
        for _ in range(10):  # a minimum further out is as good as one at infinity
            too_high, too_low = mean_slope(low) > 0, mean_slope(high) < 0
            if not (too_high or too_low):
                break
            low, high = low - reach * too_high, high + reach * too_low
            reach *= 2
        for _ in range(60):
            middle = low + (high - low) / 2
            low, high = (low, middle) if mean_slope(middle) > 0 else (middle, high)
        return low + (high - low) / 2
