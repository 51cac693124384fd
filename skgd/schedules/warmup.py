"""A slow start in front of another schedule."""

import numpy as np
from sklearn.base import clone

from .base import COUNT, PER, Schedule, as_schedule, check_same_count


class Warmup(Schedule, name="warmup"):
    r"""Rise in a straight line to the first rate of another schedule, then follow it.

    .. math::

        \eta_t = \frac{t + 1}{T}\, s(0) \text{ for } t < T, \qquad
        \eta_t = s(t - T) \text{ from } T \text{ on.}

    Parameters
    ----------
    total : int
        The counts T of the rise.
    schedule : Schedule
        What follows; written ``Warmup(total).then(schedule)``, it may also be a number or a
        function.
    per : {"step", "epoch"}, default="step"
        What t counts; it must be what `schedule` counts.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.schedules import Cosine, Warmup
    >>> Warmup(4).then(Cosine(0.1, total=2))(np.arange(7)).round(4)
    array([0.025, 0.05 , 0.075, 0.1  , 0.1  , 0.05 , 0.   ])

    References
    ----------
    P. Goyal et al., "Accurate, large minibatch SGD", 2017, section 2.2.
    """

    _parameter_constraints = {"total": COUNT, "schedule": [Schedule, None], "per": PER}

    def __init__(self, total, schedule=None, *, per="step"):
        self.total = total
        self.schedule = schedule
        self.per = per

    def then(self, schedule, *, after=None):
        """The schedule to rise to; with `after`, what follows the whole, as for any other."""
        if after is not None:
            return super().then(schedule, after=after)
        return Warmup(self.total, as_schedule(schedule), per=self.per)

    def check(self):
        super().check()
        if self.schedule is None:
            raise ValueError(
                f"got {self!r} with nothing to rise to, expected a schedule after it; "
                f"write Warmup({self.total}).then(Constant(0.1))"
            )
        self.schedule.check()
        check_same_count(self, self.schedule)
        return self

    def __call__(self, t):
        t = np.asarray(t)
        rise = self._share(t) * self.schedule(0)
        return np.where(t < self.total, rise, self.schedule(np.maximum(t - self.total, 0)))[()]

    def _share(self, counts):
        return np.minimum(counts + 1.0, self.total) / self.total

    @property
    def base_rate(self):
        return self.schedule.base_rate

    def scaled(self, factor):
        return clone(self).set_params(schedule=self.schedule.scaled(factor))

    def complete(self, loss, alpha):
        return clone(self).set_params(schedule=self.schedule.complete(loss, alpha))

    def init(self):
        return self.schedule.init()

    def rates(self, t, epoch, memory):
        t = np.asarray(t)
        counts = t if self.per == "step" else np.full(len(t), epoch)
        rise = self._share(counts) * self.schedule.rates(t[:1] * 0, 0, memory)
        since = np.maximum(t - self.total, 0), max(epoch - self.total, 0)
        return np.where(counts < self.total, rise, self.schedule.rates(*since, memory))

    def observe(self, memory, objective, stalled):
        return self.schedule.observe(memory, objective, stalled)
