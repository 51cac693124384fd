"""The schedules that look at the history of the fit, once an epoch.

Their memory holds ``scale``, by which the rate has been multiplied so far.
"""

import math
from numbers import Integral, Real

from .._compat import Interval
from .base import PER, RATE, Constant

STALLED_RATE = 1e-6


class Adaptive(Constant, name="adaptive"):
    r"""A constant rate, divided by `factor` each time the fit stalls.

    .. math:: \eta_t = \eta_0 f^{-k}

    after k stalls. Stalled means what the estimator says: ``n_iter_no_change`` epochs without
    progress. Once the rate is at most 1e-6 it is left alone, and the fit stops.

    Parameters
    ----------
    initial : float, default=0.01
        The first rate.
    factor : float, default=5
        What the rate is divided by, f above 1.
    per : {"step", "epoch"}, default="step"
        What t counts; the rate depends on the history only.

    Examples
    --------
    >>> from skgd.schedules import Adaptive
    >>> schedule = Adaptive(0.1)
    >>> memory = schedule.init()
    >>> schedule.observe(memory, objective=0.7, stalled=True)
    True
    >>> schedule.rates([0], 0, memory)
    array([0.02])

    References
    ----------
    scikit-learn, ``SGDClassifier(learning_rate="adaptive")``.
    """

    _parameter_constraints = {
        "initial": RATE,
        "factor": [Interval(Real, 1, None, closed="neither")],
        "per": PER,
    }

    def __init__(self, initial=0.01, factor=5, *, per="step"):
        self.initial = initial
        self.factor = factor
        self.per = per

    def init(self):
        return {"scale": 1.0}

    def observe(self, memory, objective, stalled):
        if not stalled or self.initial * memory["scale"] <= STALLED_RATE:
            return False
        memory["scale"] /= self.factor
        return True


class Plateau(Constant, name="plateau"):
    r"""A constant rate, multiplied by `factor` when the objective has stopped falling.

    .. math:: \eta \leftarrow \max(f \eta, \eta_{\min})

    after more than `patience` bad epochs in a row, unless that is a change of at most `eps`. An
    epoch is bad unless its objective is below ``best * (1 - threshold)``; after a change, bad
    epochs don't count for `cooldown` epochs.

    Parameters
    ----------
    initial : float, default=0.01
        The first rate.
    factor : float, default=0.1
        What the rate is multiplied by, f in (0, 1).
    patience : int, default=10
        Bad epochs that are forgiven.
    threshold : float, default=1e-4
        Relative progress that makes an epoch good.
    cooldown : int, default=0
        Epochs after a change in which bad ones don't count.
    min_rate : float, default=0
        The lowest rate, :math:`\eta_{\min}`.
    eps : float, default=1e-8
        The smallest change of the rate that is made.
    per : {"step", "epoch"}, default="step"
        What t counts; the rate depends on the history only.

    Examples
    --------
    >>> from skgd.schedules import Plateau
    >>> schedule = Plateau(0.1, patience=1)
    >>> memory = schedule.init()
    >>> [schedule.observe(memory, objective, False) for objective in (1.0, 1.0, 1.0)]
    [False, False, True]
    >>> schedule.rates([0], 0, memory).round(6)
    array([0.01])

    References
    ----------
    PyTorch, ``torch.optim.lr_scheduler.ReduceLROnPlateau`` in mode "min", threshold "rel".
    """

    _parameter_constraints = {
        "initial": RATE,
        "factor": [Interval(Real, 0, 1, closed="neither")],
        "patience": [Interval(Integral, 0, None, closed="left")],
        "threshold": [Interval(Real, 0, 1, closed="left")],
        "cooldown": [Interval(Integral, 0, None, closed="left")],
        "min_rate": [Interval(Real, 0, None, closed="left")],
        "eps": [Interval(Real, 0, None, closed="left")],
        "per": PER,
    }
    rate_arguments = ("initial", "min_rate")

    def __init__(
        self,
        initial=0.01,
        factor=0.1,
        patience=10,
        *,
        threshold=1e-4,
        cooldown=0,
        min_rate=0.0,
        eps=1e-8,
        per="step",
    ):
        self.initial = initial
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.cooldown = cooldown
        self.min_rate = min_rate
        self.eps = eps
        self.per = per

    def init(self):
        return {"scale": 1.0, "best": math.inf, "bad": 0, "cooldown": 0}

    def observe(self, memory, objective, stalled):
        good = objective < memory["best"] * (1.0 - self.threshold)
        memory["best"] = objective if good else memory["best"]
        memory["bad"] = 0 if good else memory["bad"] + 1
        if memory["cooldown"] > 0:
            memory["cooldown"] -= 1
            memory["bad"] = 0
        if memory["bad"] <= self.patience:
            return False
        memory["cooldown"] = self.cooldown
        memory["bad"] = 0
        old = self.initial * memory["scale"]
        new = max(old * self.factor, self.min_rate)
        if old - new <= self.eps:
            return False
        memory["scale"] = new / self.initial
        return True
