"""Schedules made of cosines, as PyTorch has them."""

from numbers import Real

import numpy as np

from .._compat import Interval
from .base import COUNT, PER, RATE, RATE_OR_ZERO, Schedule


def _half_cosine(start, end, share):
    """From start, at share 0, to end, at share 1."""
    return end + 0.5 * (start - end) * (1.0 + np.cos(np.pi * share))


class Cosine(Schedule, name="cosine"):
    r"""Half a wave of a cosine.

    .. math:: \eta_t = \eta_T + \tfrac12 (\eta_0 - \eta_T) (1 + \cos(\pi t / T))

    Parameters
    ----------
    initial : float
        The first rate.
    total : int
        The count T at which the rate is `final`. It rises again after, as in PyTorch.
    final : float, default=0.0
        The lowest rate.
    per : {"step", "epoch"}, default="step"
        What t counts.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.schedules import Cosine
    >>> Cosine(0.1, total=2)(np.arange(4)).round(6)
    array([0.1 , 0.05, 0.  , 0.05])

    References
    ----------
    I. Loshchilov and F. Hutter, "SGDR", ICLR 2017, equation 5, without restarts; PyTorch,
    ``torch.optim.lr_scheduler.CosineAnnealingLR``.
    """

    _parameter_constraints = {
        "initial": RATE,
        "total": COUNT,
        "final": RATE_OR_ZERO,
        "per": PER,
    }
    rate_arguments = ("initial", "final")

    def __init__(self, initial, total, *, final=0.0, per="step"):
        self.initial = initial
        self.total = total
        self.final = final
        self.per = per

    def __call__(self, t):
        return _half_cosine(self.initial, self.final, np.asarray(t) / self.total)


class CosineRestarts(Schedule, name="cosine_restarts"):
    r"""A cosine that starts anew after each period, each period longer than the last.

    .. math::

        \eta_t = \eta_T + \tfrac12 (\eta_0 - \eta_T) (1 + \cos(\pi (t - s_i) / T_i)), \qquad
        T_i = T_0 m^i,\; s_i = \sum_{j < i} T_j \le t < s_{i+1}

    Parameters
    ----------
    initial : float
        The first rate of each period.
    period : int
        Counts of the first period, :math:`T_0`.
    multiplier : int, default=1
        How many times as long as the last period the next one is, m.
    final : float, default=0.0
        The rate that a period falls towards, :math:`\eta_T`.
    per : {"step", "epoch"}, default="step"
        What t counts.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.schedules import CosineRestarts
    >>> CosineRestarts(0.1, period=2, multiplier=2)(np.arange(7)).round(4)
    array([0.1   , 0.05  , 0.1   , 0.0854, 0.05  , 0.0146, 0.1   ])

    References
    ----------
    I. Loshchilov and F. Hutter, "SGDR", ICLR 2017, equation 5; PyTorch,
    ``torch.optim.lr_scheduler.CosineAnnealingWarmRestarts``.
    """

    _parameter_constraints = {
        "initial": RATE,
        "period": COUNT,
        "multiplier": COUNT,
        "final": RATE_OR_ZERO,
        "per": PER,
    }
    rate_arguments = ("initial", "final")

    def __init__(self, initial, period, multiplier=1, *, final=0.0, per="step"):
        self.initial = initial
        self.period = period
        self.multiplier = multiplier
        self.final = final
        self.per = per

    def __call__(self, t):
        t = np.asarray(t)
        share = t % self.period / self.period if self.multiplier == 1 else self._share(t)
        return _half_cosine(self.initial, self.final, share)

    def _share(self, t):
        """How much of its period has passed at t, where periods grow."""
        starts = [0, self.period]
        while starts[-1] <= np.max(t, initial=0):
            starts.append(starts[-1] + (starts[-1] - starts[-2]) * self.multiplier)
        starts = np.array(starts)
        cycle = np.searchsorted(starts, t, side="right") - 1
        return (t - starts[cycle]) / (starts[cycle + 1] - starts[cycle])


class OneCycle(Schedule, name="one_cycle"):
    r"""A half cosine up to the maximum, then one down to almost nothing.

    .. math::

        \eta_t = \begin{cases}
            h(\hat\eta / d,\; \hat\eta,\; t / p) & t \le p = q T - 1 \\
            h(\hat\eta,\; \hat\eta / (d f),\; (t - p) / (T - 1 - p)) & p < t \le T - 1
        \end{cases}, \qquad
        h(a, b, u) = b + \tfrac12 (a - b)(1 + \cos \pi u)

    and it stays where it is at T - 1.

    Parameters
    ----------
    maximum : float
        The highest rate, :math:`\hat\eta`.
    total : int
        Number of counts of the whole cycle, T.
    pct_start : float, default=0.3
        Share of the cycle that rises, q.
    div_factor : float, default=25
        Ratio of the maximum to the first rate, d.
    final_div_factor : float, default=1e4
        Ratio of the first rate to the last, f.
    per : {"step", "epoch"}, default="step"
        What t counts.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.schedules import OneCycle
    >>> OneCycle(0.1, total=9)(np.arange(9)).round(4)
    array([0.004 , 0.0651, 0.0994, 0.0899, 0.0706, 0.0463, 0.0229, 0.0061,
           0.    ])

    References
    ----------
    L. N. Smith and N. Topin, "Super-convergence", 2018, section 3; PyTorch,
    ``torch.optim.lr_scheduler.OneCycleLR`` with ``cycle_momentum=False``.
    """

    _parameter_constraints = {
        "maximum": RATE,
        "total": COUNT,
        "pct_start": [Interval(Real, 0, 1, closed="both")],
        "div_factor": RATE,
        "final_div_factor": RATE,
        "per": PER,
    }
    rate_arguments = ("maximum",)

    def __init__(
        self,
        maximum,
        total,
        *,
        pct_start=0.3,
        div_factor=25.0,
        final_div_factor=1e4,
        per="step",
    ):
        self.maximum = maximum
        self.total = total
        self.pct_start = pct_start
        self.div_factor = div_factor
        self.final_div_factor = final_div_factor
        self.per = per

    def __call__(self, t):
        first = self.maximum / self.div_factor
        last = first / self.final_div_factor
        top, end = self.pct_start * self.total - 1.0, self.total - 1.0
        t = np.minimum(t, end)
        rising = _half_cosine(first, self.maximum, t / top if top > 0 else 1.0)
        falling = _half_cosine(self.maximum, last, (t - top) / (end - top) if end > top else 1.0)
        return np.where((t <= top) if top > 0 else (t < top), rising, falling)[()]
