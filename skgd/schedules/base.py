"""What a schedule is: a function from the count of updates, from 0, to the learning rate.

Convention: a schedule is a recipe, pure and vectorised. The few that look at the history of a
fit keep what they saw in a `memory` that the caller owns, once an epoch.
"""

from numbers import Integral, Real

import numpy as np
from sklearn.base import clone

from .._compat import Interval, StrOptions
from .._component import Component

RATE = [Interval(Real, 0, None, closed="neither")]
RATE_OR_ZERO = [Interval(Real, 0, None, closed="left")]
FACTOR = [Interval(Real, 0, None, closed="neither")]
COUNT = [Interval(Integral, 1, None, closed="left")]
PER = [StrOptions({"step", "epoch"})]


class Schedule(Component):
    """Base class of learning-rate schedules.

    A new schedule is one class with `__call__`::

        class SquareRoot(Schedule, name="square_root"):
            def __init__(self, initial, *, per="step"):
                self.initial = initial
                self.per = per

            def __call__(self, t):
                return self.initial / np.sqrt(1.0 + np.asarray(t))

    Attributes
    ----------
    per : {"step", "epoch"}
        Whether t counts updates or epochs. A class without the argument counts updates.
    rate_arguments : tuple of str
        The arguments that are themselves learning rates, the one that scales the schedule
        first. Class attribute; empty where no argument is.
    """

    per = "step"
    rate_arguments = ()

    def __call__(self, t):
        """Learning rates at the counts t.

        Parameters
        ----------
        t : int or ndarray of int
            Number of updates (or epochs, see `per`) done before.

        Returns
        -------
        float or ndarray of float64, shaped as t
        """
        raise NotImplementedError

    @property
    def base_rate(self):
        """The number that scales the whole schedule."""
        if self.rate_arguments:
            return float(getattr(self, self.rate_arguments[0]))
        return float(self(0))

    def scaled(self, factor):
        """A new schedule whose rates are those of this one times `factor`."""
        if not self.rate_arguments:
            return Scaled(clone(self), factor)
        rates = {name: factor * getattr(self, name) for name in self.rate_arguments}
        return clone(self).set_params(**rates)

    def then(self, schedule, *, after):
        """This schedule for `after` counts, then the other one, whose count starts at 0."""
        return Chain(clone(self), as_schedule(schedule), after)

    def complete(self, loss, alpha):
        """The schedule with what it takes from the problem filled in; by default itself."""
        return self

    def init(self):
        """Memory of a fit that begins: a dict that can be pickled, empty for a pure schedule."""
        return {}

    def rates(self, t, epoch, memory):
        """Rates of the updates t (array) that are all done in one epoch."""
        counts = t if self.per == "step" else np.full(len(t), epoch)
        scale = memory.get("scale", 1.0)
        return self(counts) if scale == 1.0 else scale * self(counts)

    def observe(self, memory, objective, stalled):
        """Look at an epoch that has ended and update the memory.

        Parameters
        ----------
        memory : dict
            From `init`, changed in place.
        objective : float
            The objective of the epoch.
        stalled : bool
            Whether the fit has stopped making progress.

        Returns
        -------
        bool
            True if the rate has been changed, so that a stalled fit should go on.
        """
        return False


class Constant(Schedule, name="constant"):
    r"""The same rate at every update: :math:`\eta_t = \eta_0`.

    Parameters
    ----------
    initial : float, default=0.01
        The rate. Zero is legal and leaves the parameters where they are.
    per : {"step", "epoch"}, default="step"
        What t counts.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.schedules import Constant
    >>> Constant(0.1)(np.arange(3))
    array([0.1, 0.1, 0.1])

    References
    ----------
    scikit-learn, ``SGDClassifier(learning_rate="constant")``.
    """

    _parameter_constraints = {"initial": RATE_OR_ZERO, "per": PER}
    rate_arguments = ("initial",)

    def __init__(self, initial=0.01, *, per="step"):
        self.initial = initial
        self.per = per

    def __call__(self, t):
        return np.full(np.shape(t), float(self.initial))[()]


class FromCallable(Schedule, name="callable"):
    """Any function of one count t, called once a count.

    For a schedule that is evaluated on whole arrays, subclass `Schedule`.

    Parameters
    ----------
    function : callable
        Maps an int, from 0, to a finite rate that isn't negative. A lambda can't be pickled.
    per : {"step", "epoch"}, default="step"
        What t counts.

    Raises
    ------
    ValueError
        When called, if the function returns something else.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.schedules import FromCallable
    >>> FromCallable(lambda t: 0.1 if t < 2 else 0.05)(np.arange(4))
    array([0.1 , 0.1 , 0.05, 0.05])
    """

    _parameter_constraints = {"function": [callable], "per": PER}

    def __init__(self, function, *, per="step"):
        self.function = function
        self.per = per

    def __call__(self, t):
        t = np.asarray(t)
        rates = np.array([float(self.function(int(count))) for count in t.ravel()])
        bad = ~(np.isfinite(rates) & (rates >= 0))
        if bad.any():
            raise ValueError(
                f"got the learning rate {rates[bad][0]} at t={t.ravel()[bad][0]} from "
                f"{self.function!r}, expected a finite number that is not negative"
            )
        return rates.reshape(t.shape)[()]


class Scaled(Schedule, name="scaled"):
    r"""Another schedule times a number: :math:`\eta_t = f s(t)`.

    It is what `Schedule.scaled` falls back on.

    Parameters
    ----------
    schedule : Schedule
        The schedule s, which also says what t counts.
    factor : float
        The number f, above 0.

    Examples
    --------
    >>> from skgd.schedules import FromCallable
    >>> float(FromCallable(lambda t: 0.1 / (1 + t)).scaled(0.5)(1))
    0.025
    """

    _parameter_constraints = {"schedule": [Schedule], "factor": FACTOR}

    def __init__(self, schedule, factor):
        self.schedule = schedule
        self.factor = factor

    @property
    def per(self):
        return self.schedule.per

    def check(self):
        super().check()
        self.schedule.check()
        return self

    def __call__(self, t):
        return self.factor * self.schedule(t)

    def scaled(self, factor):
        return clone(self).set_params(factor=self.factor * factor)

    def complete(self, loss, alpha):
        return Scaled(self.schedule.complete(loss, alpha), self.factor)

    def init(self):
        return self.schedule.init()

    def rates(self, t, epoch, memory):
        return self.factor * self.schedule.rates(t, epoch, memory)

    def observe(self, memory, objective, stalled):
        return self.schedule.observe(memory, objective, stalled)


class Chain(Schedule, name="chain"):
    """One schedule after another, written ``first.then(second, after=100)``.

    Parameters
    ----------
    first, second : Schedule
        Both must count the same (`per`). The second one's count starts at 0.
    after : int
        Number of counts that belong to the first.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.schedules import Constant, Exponential
    >>> Constant(0.1).then(Exponential(0.1, 0.5), after=2)(np.arange(5))
    array([0.1  , 0.1  , 0.1  , 0.05 , 0.025])
    """

    _parameter_constraints = {"first": [Schedule], "second": [Schedule], "after": COUNT}

    def __init__(self, first, second, after):
        self.first = first
        self.second = second
        self.after = after

    @property
    def per(self):
        return self.first.per

    def check(self):
        super().check()
        self.first.check()
        self.second.check()
        check_same_count(self.first, self.second)
        return self

    def __call__(self, t):
        t = np.asarray(t)
        early = self.first(np.minimum(t, self.after - 1))
        late = self.second(np.maximum(t - self.after, 0))
        return np.where(t < self.after, early, late)[()]

    @property
    def base_rate(self):
        return self.first.base_rate

    def scaled(self, factor):
        return Chain(self.first.scaled(factor), self.second.scaled(factor), self.after)

    def complete(self, loss, alpha):
        return Chain(
            self.first.complete(loss, alpha), self.second.complete(loss, alpha), self.after
        )

    def init(self):
        return {"first": self.first.init(), "second": self.second.init(), "late": False}

    def rates(self, t, epoch, memory):
        t = np.asarray(t)
        late = (t if self.per == "step" else np.full(len(t), epoch)) >= self.after
        memory["late"] = bool(late[-1])  # only the schedule in force looks at the epoch's end
        before = np.minimum(t, self.after - 1), min(epoch, self.after - 1)
        since = np.maximum(t - self.after, 0), max(epoch - self.after, 0)
        early = self.first.rates(*before, memory["first"])
        return np.where(late, self.second.rates(*since, memory["second"]), early)

    def observe(self, memory, objective, stalled):
        if memory["late"]:
            return self.second.observe(memory["second"], objective, stalled)
        return self.first.observe(memory["first"], objective, stalled)


def check_same_count(first, second):
    """Raise a sentence if two schedules that belong together count differently."""
    if first.per != second.per:
        raise ValueError(
            f"got {first!r} that counts each {first.per} before {second!r} that counts each "
            f"{second.per}, expected the same `per`; give both per={second.per!r}"
        )


def as_schedule(spec):
    """The schedule that a user means by a number, a function of t or a schedule.

    Parameters
    ----------
    spec : float, callable or Schedule
        A number, or an array that holds one, is a constant rate; a schedule is cloned.

    Returns
    -------
    Schedule
        A new instance with checked arguments.

    Raises
    ------
    ValueError
        If a number is negative or not finite, or an argument of a schedule out of its range.
    TypeError
        If it is none of these.

    Examples
    --------
    >>> from skgd.schedules import as_schedule
    >>> as_schedule(0.1)
    Constant(initial=0.1)
    """
    if isinstance(spec, Schedule):
        return clone(spec).check()
    if isinstance(spec, np.ndarray) and spec.size == 1 and spec.dtype.kind in "fiu":
        spec = spec.item()
    if isinstance(spec, Real):
        return Constant(float(spec)).check()
    if isinstance(spec, type):
        raise TypeError(
            f"got the class {spec.__name__} as a learning rate, expected an object; "
            f"write {spec.__name__}(...)"
        )
    if callable(spec) and not isinstance(spec, Component):
        return FromCallable(spec).check()
    raise TypeError(
        f"got the learning rate {spec!r} of type {type(spec).__name__}, expected a number, a "
        "function of the count of updates or a Schedule, such as Exponential(0.1, 0.99)"
    )
