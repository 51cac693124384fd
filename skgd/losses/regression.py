r"""Losses of a number: functions of the residual :math:`r = z - y`, then those with a log link.

On a kink the slope is 0 wherever 0 is a subgradient: a perfect prediction asks for no step.
"""

from numbers import Real

import numpy as np

from .._compat import Interval
from .base import Loss, shares


def weighted_quantile(y, quantile, sample_weight=None):
    """The smallest y that at least the share `quantile` of the weight doesn't exceed."""
    if sample_weight is None:  # needs no sort
        rank = int(np.ceil(quantile * len(y))) - 1
        return float(np.partition(y, rank)[rank])
    order = np.argsort(y)
    below = np.cumsum(sample_weight[order])
    return float(y[order[np.searchsorted(below, quantile * below[-1])]])


class SquaredError(Loss, name="squared_error"):
    r"""Half the squared error :math:`\tfrac12 (z - y)^2`.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import SquaredError
    >>> SquaredError().value(np.array([1.0]), np.array([4.0]))
    array([4.5])

    References
    ----------
    A.-M. Legendre, "Nouvelles méthodes pour la détermination des orbites des comètes", 1805.
    """

    kernel = "squared_error"
    least = 0.0
    curvature = 1.0

    def value(self, y, z):
        return 0.5 * (z - y) ** 2

    def slope(self, y, z):
        return z - y

    def best_intercept(self, y, sample_weight=None, n_columns=None):
        return float(shares(y, sample_weight) @ y)


class AbsoluteError(Loss, name="absolute_error"):
    r"""Absolute error :math:`|z - y|`, whose best constant is the median.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import AbsoluteError
    >>> AbsoluteError().value(np.array([1.0]), np.array([4.0]))
    array([3.])

    References
    ----------
    P. Bloomfield and W. L. Steiger, "Least Absolute Deviations", Birkhäuser, 1983.
    """

    task = "regression"
    kernel = "absolute_error"
    least = 0.0
    smooth = False
    bounded_slope = True

    def value(self, y, z):
        return np.abs(z - y)

    def slope(self, y, z):
        return np.sign(z - y)

    def best_intercept(self, y, sample_weight=None, n_columns=None):
        return weighted_quantile(y, 0.5, sample_weight)


class Quantile(Loss, name="quantile"):
    r"""Pinball loss :math:`\max\{(1 - q)(z - y),\; q(y - z)\}`, whose best constant is a quantile.

    Parameters
    ----------
    quantile : float, default=0.5
        The quantile q to predict, in (0, 1). At 0.5 the loss is half the absolute error.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import Quantile
    >>> Quantile(0.75).value(np.array([4.0, 1.0]), np.array([1.0, 4.0]))
    array([2.25, 0.75])

    References
    ----------
    R. Koenker and G. Bassett, "Regression quantiles", Econometrica 46(1), 1978.
    """

    _parameter_constraints = {"quantile": [Interval(Real, 0, 1, closed="neither")]}

    task = "regression"
    kernel = "quantile"
    least = 0.0
    smooth = False
    bounded_slope = True

    def __init__(self, quantile=0.5):
        self.quantile = quantile

    def kernel_parameter(self):
        return float(self.quantile)

    def value(self, y, z):
        r = z - y
        return np.maximum((1 - self.quantile) * r, -self.quantile * r)

    def slope(self, y, z):
        return np.heaviside(z - y, self.quantile) - self.quantile

    def best_intercept(self, y, sample_weight=None, n_columns=None):
        return weighted_quantile(y, self.quantile, sample_weight)


class Huber(Loss, name="huber"):
    r"""Half the squared error near the target, linear further out.

    .. math:: \ell = \tfrac12 r^2 \text{ for } |r| \le \varepsilon, \quad
              \varepsilon(|r| - \tfrac12\varepsilon) \text{ beyond}

    Parameters
    ----------
    epsilon : float, default=0.1
        Where the loss becomes linear, in the units of y. In an estimator, use the estimator's
        own `epsilon` with ``loss="huber"``.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import Huber
    >>> Huber(epsilon=1.0).value(np.zeros(2), np.array([0.5, 3.0]))
    array([0.125, 2.5  ])

    References
    ----------
    P. J. Huber, "Robust estimation of a location parameter", Ann. Math. Statist. 35(1), 1964.
    """

    _parameter_constraints = {"epsilon": [Interval(Real, 0, None, closed="neither")]}

    kernel = "huber"
    least = 0.0
    curvature = 1.0
    bounded_slope = True

    def __init__(self, epsilon=0.1):
        self.epsilon = epsilon

    def kernel_parameter(self):
        return float(self.epsilon)

    def value(self, y, z):
        r = np.abs(z - y)
        inner = np.minimum(r, self.epsilon)
        return inner * (r - 0.5 * inner)

    def slope(self, y, z):
        return np.clip(z - y, -self.epsilon, self.epsilon)


class EpsilonInsensitive(Loss, name="epsilon_insensitive"):
    r"""Absolute error less what is tolerated, :math:`\max(0, |z - y| - \varepsilon)`.

    Parameters
    ----------
    epsilon : float, default=0.1
        The error that costs nothing, in the units of y. In an estimator, use the estimator's
        own `epsilon` with ``loss="epsilon_insensitive"``.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import EpsilonInsensitive
    >>> EpsilonInsensitive(epsilon=1.0).value(np.zeros(2), np.array([0.5, 3.0]))
    array([0., 2.])

    References
    ----------
    V. Vapnik, "The Nature of Statistical Learning Theory", Springer, 1995, chapter 6.
    """

    _parameter_constraints = {"epsilon": [Interval(Real, 0, None, closed="left")]}

    kernel = "epsilon_insensitive"
    least = 0.0
    smooth = False
    bounded_slope = True

    def __init__(self, epsilon=0.1):
        self.epsilon = epsilon

    def kernel_parameter(self):
        return float(self.epsilon)

    def value(self, y, z):
        return np.maximum(np.abs(z - y) - self.epsilon, 0)

    def slope(self, y, z):
        r = z - y
        return np.sign(r) * (np.abs(r) > self.epsilon)

    def best_intercept(self, y, sample_weight=None, n_columns=None):
        # The loss is (|z - (y - epsilon)| + |z - (y + epsilon)|) / 2 - epsilon: a median.
        edges = np.concatenate([y - self.epsilon, y + self.epsilon])
        twice = None if sample_weight is None else np.concatenate([sample_weight] * 2)
        return weighted_quantile(edges, 0.5, twice)


class SquaredEpsilonInsensitive(Loss, name="squared_epsilon_insensitive"):
    r"""Square of the error that isn't tolerated, :math:`\max(0, |z - y| - \varepsilon)^2`.

    Parameters
    ----------
    epsilon : float, default=0.1
        The error that costs nothing, in the units of y. In an estimator, use the estimator's
        own `epsilon` with ``loss="squared_epsilon_insensitive"``.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import SquaredEpsilonInsensitive
    >>> SquaredEpsilonInsensitive(epsilon=1.0).value(np.zeros(2), np.array([0.5, 3.0]))
    array([0., 4.])

    References
    ----------
    C.-H. Ho and C.-J. Lin, "Large-scale linear support vector regression", JMLR 13, 2012.
    """

    _parameter_constraints = {"epsilon": [Interval(Real, 0, None, closed="left")]}

    kernel = "squared_epsilon_insensitive"
    least = 0.0
    curvature = 2.0

    def __init__(self, epsilon=0.1):
        self.epsilon = epsilon

    def kernel_parameter(self):
        return float(self.epsilon)

    def value(self, y, z):
        return np.maximum(np.abs(z - y) - self.epsilon, 0) ** 2

    def slope(self, y, z):
        r = z - y
        return 2 * np.sign(r) * np.maximum(np.abs(r) - self.epsilon, 0)


class LogLink(Loss):
    r"""Half deviances of the exponential family with mean :math:`e^z` and variance mean\ :sup:`p`.

    What doesn't depend on z is left out. For every power p

    .. math:: \frac{d\ell}{dz} = e^{(2-p)z} - y\,e^{(1-p)z}

    and the loss is its antiderivative, so the best constant mean is always the mean of y.
    """

    task = "regression"

    def kernel_parameter(self):
        return float(self.power)

    def link(self, z):
        with np.errstate(over="ignore"):  # a mean beyond the floats is infinite, as it should be
            return np.exp(z)

    def value(self, y, z):
        p = self.power
        with np.errstate(over="ignore"):
            return self._antiderivative(2 - p, z) - y * self._antiderivative(1 - p, z)

    def slope(self, y, z):
        p, z = self.power, self._in_range(z)
        with np.errstate(over="ignore"):
            return np.exp((2 - p) * z) - y * np.exp((1 - p) * z)

    def _antiderivative(self, a, z):
        return z if a == 0 else np.exp(a * self._in_range(z)) / a

    def _in_range(self, z):
        """z, held where both antiderivatives are floats: 0 * inf and inf - inf can't arise."""
        largest = np.log(np.finfo(np.result_type(z, 0.0)).max) - 1  # e^1: room to divide by a
        end = largest / max(abs(2 - self.power), abs(1 - self.power))
        return np.clip(z, -float(end), float(end))

    def best_intercept(self, y, sample_weight=None, n_columns=None):
        mean = shares(y, sample_weight) @ y
        return float(np.log(max(mean, np.finfo(float).tiny)))

    def check_target(self, y):
        if self.power >= 2 and np.min(y) <= 0:
            self._refuse(y, "y > 0", "loss='poisson', which takes zeros, or 'squared_error'")
        if self.power >= 1 and np.min(y) < 0:
            self._refuse(y, "y >= 0", "loss='squared_error', or a shifted target")
        if np.any(np.sum(y, axis=0) <= 0):  # the best mean would be exp(-inf)
            self._refuse(y, "y with a positive sum", "loss='squared_error'")

    def _refuse(self, y, expected, remedy):
        raise ValueError(
            f"got a target y between {np.min(y):g} and {np.max(y):g}, expected {expected} for "
            f"the {self.name} loss of power {self.power:g}, try {remedy}"
        )


class Poisson(LogLink, name="poisson"):
    r"""Half Poisson deviance with log link, :math:`e^z - y z` with :math:`y \ge 0`.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import Poisson
    >>> Poisson().slope(np.array([3.0]), np.array([0.0]))
    array([-2.])

    References
    ----------
    P. McCullagh and J. A. Nelder, "Generalized Linear Models", 2nd edition, 1989, chapter 6.
    """

    kernel = "poisson"
    power = 1.0


class Gamma(LogLink, name="gamma"):
    r"""Half gamma deviance with log link, :math:`z + y e^{-z}` with :math:`y > 0`.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import Gamma
    >>> Gamma().slope(np.array([3.0]), np.array([0.0]))
    array([-2.])

    References
    ----------
    P. McCullagh and J. A. Nelder, "Generalized Linear Models", 2nd edition, 1989, chapter 8.
    """

    kernel = "gamma"
    power = 2.0


class Tweedie(LogLink, name="tweedie"):
    r"""Half Tweedie deviance with log link, for targets that are positive or exactly zero.

    .. math:: \ell = \frac{e^{(2-p)z}}{2-p} - y\,\frac{e^{(1-p)z}}{1-p}

    At p = 1 it is `Poisson` and at p = 2 `Gamma`; at p = 0 it is the squared error of
    :math:`e^z`. It is convex for p in [1, 2] only.

    Parameters
    ----------
    power : float, default=1.5
        The power p of the mean that the variance is proportional to: 0, or at least 1.
        Between 1 and 2 the target may have a mass at zero; from 2 on it must be positive.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.losses import Tweedie
    >>> Tweedie(power=1.5).value(np.array([3.0]), np.array([0.0]))
    array([8.])

    References
    ----------
    B. Jørgensen, "Exponential dispersion models", JRSS B 49(2), 1987.
    """

    _parameter_constraints = {"power": [Interval(Real, 0, None, closed="left")]}

    kernel = "tweedie"

    def __init__(self, power=1.5):
        self.power = power

    def check(self):
        super().check()
        if 0 < self.power < 1:
            raise ValueError(
                f"got power={self.power}, expected 0 or at least 1, as no distribution has a "
                "power between 0 and 1, try 1 (Poisson)"
            )
        return self
