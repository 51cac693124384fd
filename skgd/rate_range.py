"""The learning-rate range test: what a few epochs make of each rate."""

import warnings

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Bunch

from .exceptions import DivergenceError
from .schedules import Schedule

DECADES, A_DECADE = 3, 4  # to both sides of the rate where the test begins
LEAST_EPOCHS, LEAST_UPDATES = 5, 100
ENOUGH = 0.98  # of the best descent
TOO_HIGH = 2  # rates in a row that diverge: higher ones will too


def learning_rate_range(estimator, X, y, *, rates=None, max_iter=None, sample_weight=None):
    """Train a few epochs at each of many rates and suggest one that comes far.

    Parameters
    ----------
    estimator : GDClassifier or GDRegressor
        Not changed. Where its `learning_rate` is a schedule, the rates are first rates of that
        schedule; else they are constant. An `optimizer` that is ``"auto"`` is plain SGD.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
    rates : array-like of float, default=None
        Ascending. None is 25 rates in six decades around the one that ``learning_rate="auto"``
        would choose for the optimizer.
    max_iter : int or None, default=None
        Epochs at each rate; None is as many as make 100 updates, and at least 5.
    sample_weight : array-like of shape (n_samples,), default=None

    Returns
    -------
    sklearn.utils.Bunch
        ``rates`` and ``objectives``, ndarrays of one shape: the objective in the last epoch at
        each rate, infinite where the fit diverged; and ``suggestion``, the lowest rate that made
        98 % of the best descent. Higher ones only bring noise, or barely run.

    Raises
    ------
    ValueError
        If the fit diverged at every rate.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import scale
    >>> from skgd import GDClassifier, learning_rate_range
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDClassifier(random_state=0)
    >>> found = learning_rate_range(model, scale(X), y)
    >>> model.set_params(learning_rate=found.suggestion).fit(scale(X), y)
    GDClassifier(...)
    >>> print(f"{model.score(scale(X), y):.2f}")
    0.99

    References
    ----------
    L. Smith, "Cyclical learning rates for training neural networks", WACV 2017, section 3.3. Here
    each rate starts anew, so that no rate inherits what another one made.
    """
    probe = at(estimator, "auto", max_iter=1).fit(X, y, sample_weight=sample_weight)
    rates = around(probe.learning_rate_) if rates is None else np.asarray(rates)
    max_iter = max(LEAST_EPOCHS, -(-LEAST_UPDATES // probe.t_)) if max_iter is None else max_iter
    objectives = np.full(len(rates), np.inf)
    for k, rate in enumerate(rates):
        objectives[k] = objective_after(estimator, X, y, sample_weight, float(rate), max_iter)
        if k + 1 >= TOO_HIGH and np.isinf(objectives[k + 1 - TOO_HIGH : k + 1]).all():
            break
    if not np.isfinite(objectives).any():
        raise ValueError(
            f"got a fit that diverges at every rate from {rates[0]:.3g} to {rates[-1]:.3g}, "
            "expected one that runs at the first; try smaller rates, or scale the columns with "
            "StandardScaler"
        )
    descent = max(probe.loss_curve_[0], objectives[0]) - objectives
    suggestion = rates[np.argmax(descent >= ENOUGH * descent.max())]
    return Bunch(rates=rates, objectives=objectives, suggestion=float(suggestion))


def at(estimator, rate, max_iter):
    """The estimator at another rate, for a few epochs."""
    rule = estimator.optimizer
    keywords = {"tol": None, "max_iter": max_iter, "early_stopping": False, "warm_start": False}
    keywords["optimizer"] = "sgd" if isinstance(rule, str) and rule == "auto" else rule
    return clone(estimator).set_params(learning_rate=rate, **keywords)


def around(rate):
    """Rates around the one that the package would choose."""
    middle = rate.base_rate if isinstance(rate, Schedule) else rate
    return middle * 10.0 ** (np.arange(-DECADES * A_DECADE, DECADES * A_DECADE + 1) / A_DECADE)


def objective_after(estimator, X, y, sample_weight, rate, max_iter):
    """The objective of the last epoch at a rate, or infinity where the fit diverges."""
    given = estimator.learning_rate
    if isinstance(given, Schedule):
        rate = given.scaled(rate / given.base_rate)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = at(estimator, rate, max_iter).fit(X, y, sample_weight=sample_weight)
    except DivergenceError:
        return np.inf
    return float(model.loss_curve_[-1])
