r"""Losses of a class: functions of the margin :math:`m = yz`, positive where the side is right.

Targets are -1 and +1. On a kink the slope is scikit-learn's: a hinge is still pushed.
"""

import numpy as np
from scipy.special import expit, logit

from .base import Loss, shares
from .multinomial import Multinomial

TINY = np.finfo(float).eps


def lead(y, sample_weight):
    """Share of the positive class less that of the negative one."""
    return float(shares(y, sample_weight) @ np.sign(y))


def normalised(positive):
    """One-against-rest probabilities (n, K), scaled so that each row sums to 1.

    B. Zadrozny and C. Elkan, "Transforming classifier scores into accurate multiclass
    probability estimates", KDD 2002.
    """
    nobody = ~positive.any(axis=1, keepdims=True)  # no class wants the row: all are as likely
    positive = positive + nobody
    return positive / positive.sum(axis=1, keepdims=True)


class LogLoss(Loss, name="log_loss"):
    r"""Logistic loss :math:`\log(1 + e^{-yz})`; softmax where there are more than two classes.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import LogLoss
    >>> LogLoss().value(np.array([1.0, -1.0]), np.array([0.0, 1000.0])).round(4)
    array([6.931e-01, 1.000e+03])

    References
    ----------
    D. R. Cox, "The regression analysis of binary sequences", JRSS B 20(2), 1958.
    """

    task = "classification"
    kernel = "log_loss"
    least = 0.0
    curvature = 0.25
    bounded_slope = True

    def value(self, y, z):
        return np.logaddexp(0, -y * z)

    def slope(self, y, z):
        return -y * expit(-y * z)

    def best_intercept(self, y, sample_weight=None, n_columns=None):
        # one class alone would have its best score at infinity
        share = min(max((1 + lead(y, sample_weight)) / 2, TINY), 1 - TINY)
        return float(logit(share))

    def for_classes(self, n_classes):
        return Multinomial() if n_classes > 2 else self

    def predict_proba(self, z):
        if z.ndim == 1:
            return expit(np.column_stack([-z, z]))
        return normalised(expit(z))


class Hinge(Loss, name="hinge"):
    r"""Hinge loss :math:`\max(0, 1 - yz)` of the support vector machine.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import Hinge
    >>> Hinge().value(np.array([1.0, -1.0]), np.array([0.5, 0.5]))
    array([0.5, 1.5])

    References
    ----------
    C. Cortes and V. Vapnik, "Support-vector networks", Machine Learning 20, 1995.
    """

    task = "classification"
    kernel = "hinge"
    least = 0.0
    smooth = False
    bounded_slope = True
    threshold = 1.0

    def kernel_parameter(self):
        return self.threshold

    def value(self, y, z):
        return np.maximum(self.threshold - y * z, 0)

    def slope(self, y, z):
        return -y * (y * z <= self.threshold)

    def best_intercept(self, y, sample_weight=None, n_columns=None):
        return self.threshold * float(np.sign(lead(y, sample_weight)))


class Perceptron(Hinge, name="perceptron"):
    r"""Perceptron loss :math:`\max(0, -yz)`: the hinge without a margin.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import Perceptron
    >>> Perceptron().value(np.array([1.0, -1.0]), np.array([0.5, 0.5]))
    array([0. , 0.5])

    References
    ----------
    F. Rosenblatt, "The perceptron: a probabilistic model for information storage and
    organization in the brain", Psychological Review 65(6), 1958.
    """

    kernel = "perceptron"
    least = 0.0
    threshold = 0.0


class SquaredHinge(Loss, name="squared_hinge"):
    r"""Squared hinge loss :math:`\max(0, 1 - yz)^2`.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import SquaredHinge
    >>> SquaredHinge().value(np.array([1.0, -1.0]), np.array([0.5, 0.5]))
    array([0.25, 2.25])

    References
    ----------
    C.-J. Hsieh et al., "A dual coordinate descent method for large-scale linear SVM",
    ICML 2008.
    """

    task = "classification"
    kernel = "squared_hinge"
    least = 0.0
    curvature = 2.0

    def value(self, y, z):
        return np.maximum(1 - y * z, 0) ** 2

    def slope(self, y, z):
        return -2 * y * np.maximum(1 - y * z, 0)

    def best_intercept(self, y, sample_weight=None, n_columns=None):
        return lead(y, sample_weight)  # both classes are within reach of their squares


class ModifiedHuber(Loss, name="modified_huber"):
    r"""Squared hinge that is linear on the far side, and a model of probabilities.

    .. math:: \ell = \max(0, 1 - yz)^2 \text{ for } yz \ge -1, \quad -4yz \text{ beyond}

    The best score of a point is P(y = 1) - P(y = -1), which gives the probabilities.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import ModifiedHuber
    >>> ModifiedHuber().value(np.array([1.0, -1.0]), np.array([0.5, 3.0]))
    array([ 0.25, 12.  ])
    >>> ModifiedHuber().predict_proba(np.array([0.5]))
    array([[0.25, 0.75]])

    References
    ----------
    T. Zhang, "Solving large scale linear prediction problems using stochastic gradient
    descent algorithms", ICML 2004.
    """

    task = "classification"
    kernel = "modified_huber"
    least = 0.0
    curvature = 2.0
    bounded_slope = True

    def value(self, y, z):
        gap = np.maximum(1 - y * z, 0)
        inner = np.minimum(gap, 2)
        return inner * (2 * gap - inner)

    def slope(self, y, z):
        return -2 * y * np.clip(1 - y * z, 0, 2)

    def best_intercept(self, y, sample_weight=None, n_columns=None):
        return lead(y, sample_weight)

    def predict_proba(self, z):
        positive = (np.clip(z, -1, 1) + 1) / 2
        if z.ndim == 1:
            return np.column_stack([1 - positive, positive])
        return normalised(positive)
