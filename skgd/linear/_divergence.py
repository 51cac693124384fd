"""When a fit has left all bounds, and a rate at which it would not have."""

import math
from dataclasses import replace

import numpy as np

from ..exceptions import DivergenceError
from ..schedules import Constant
from ..train import State, train

FAR_NOW = 1e4  # times the start, while training: no way back where steps grow with the slope
FAR_AT_END = 10.0
FAR_AT_END_BOUNDED = 1e3  # a loss of bounded slope can't grow exponentially, and may return
TRIES = 40
TRIAL_EPOCHS = 20
ENOUGH = 0.5  # of the descent at the next lower rate


class Watch:
    """Says whether a fit has diverged.

    Diverged means a parameter or objective that is not finite or, for smooth losses, an
    objective far above that of zero weights and the best intercept.

    Parameters
    ----------
    problem : Problem
    start : float
        The objective at zero weights and the best intercept.
    intercept : ndarray
        The best intercepts.
    optimizer : Optimizer
    size : float
        The measure of the rows of earlier calls: a few rows alone may have none.
    """

    def __init__(self, problem, start, intercept, optimizer, size):
        self.problem, self.start, self.optimizer = problem, start, optimizer
        loss = problem.loss
        self.explodes = loss.smooth and not loss.bounded_slope and optimizer.linear
        # where an intercept alone fits well, the start is no measure, nor where it is near zero
        self.size = max(size, abs(start), abs(problem.objective_of_intercept(0.0 * intercept)))
        if problem.loss.power is not None:
            y, weight = problem.targets_of(0)
            slope = problem.loss.slope(y, np.full(len(y), intercept[0]))
            self.size = max(self.size, float(np.average(np.abs(slope), weights=weight)))
        self.size = max(self.size, np.finfo(float).tiny)

    def above(self, objective):
        """How far an objective is above the start, in units of the start."""
        return (objective - self.start) / self.size

    def diverged(self, objective, state):
        """Whether training has gone beyond return."""
        # a sum is quicker, and not finite where one of them isn't
        flat = state.parameters
        if not math.isfinite(np.add.reduce(flat)) and not np.isfinite(flat).all():
            return True
        if self.optimizer.recovers:
            return False
        if not math.isfinite(objective):
            return True
        return self.explodes and self.above(objective) > FAR_NOW

    def ended_far_off(self, objective, state):
        """Whether a fit that ends now would return rubbish."""
        loss = self.problem.loss
        limit = FAR_AT_END_BOUNDED if loss.bounded_slope else FAR_AT_END
        if not loss.smooth or self.above(objective) <= limit:
            return False
        with np.errstate(all="ignore"):
            _, now = self.problem.gradient(state.parameters)
        return not self.above(now) <= limit


def divergence_error(problem, recipe, watch, begun, epoch, learning_rate):
    """The error to raise, with a rate at which the same fit runs.

    Parameters
    ----------
    problem : Problem
    recipe : Recipe
    watch : Watch
    begun : tuple (ndarray, dict)
        The parameters and the state of the generator with which the fit began.
    epoch : int
    learning_rate : float
        The last rate.
    """
    stable = stable_rate(problem, recipe, watch, begun)
    if stable is None:
        advice = (
            "no smaller rate helped, so the rate is not the cause: look for extreme values in "
            "X, y or the weights, or scale the columns with StandardScaler"
        )
    else:
        rate = f"learning_rate={stable:.3g}"
        if type(recipe.schedule) is not Constant:
            rate = f"a first rate of {stable:.3g}"
        advice = (
            f"{rate} ran without diverging; or scale the columns with StandardScaler, or let the "
            "package choose with learning_rate='auto'"
        )
    return DivergenceError(
        f"the fit diverged in epoch {epoch} at the learning rate {learning_rate:.3g}: {advice}",
        epoch,
        learning_rate,
        stable,
    )


def stable_rate(problem, recipe, watch, begun):
    """The first of rate/4, rate/16, ... at which the same fit runs, descends, and not much less
    than at the next two, or None."""
    found = []
    for power in range(1, TRIES + 1):
        schedule = scaled(recipe.schedule, 0.25**power)
        descent = descent_at(schedule, problem, recipe, watch, begun)
        if found or descent > 0:
            found.append((descent, schedule.base_rate))
        if len(found) > 2:
            if found[0][0] >= ENOUGH * max(found)[0]:
                break
            del found[0]
    return found[0][1] if found and found[0][0] > 0 else None


def scaled(schedule, factor):
    """The schedule at a share of its rates."""
    if schedule.rate_arguments:
        return schedule.scaled(factor)
    return Constant(schedule.base_rate * factor)  # no argument to scale: the user writes a number


def descent_at(schedule, problem, recipe, watch, begun):
    """By how much a fit at this schedule lowers the objective in a few epochs, or -inf if it
    does not stay in bounds or ends above zero coefficients and the best intercept."""
    recipe = replace(recipe, schedule=schedule)
    parameters, drawn = begun
    state = State.begin(problem, recipe, np.random.default_rng())
    state.generator.bit_generator.state = drawn
    state.parameters[:] = parameters
    with np.errstate(all="ignore"):
        _, first = problem.gradient(parameters)
        for epoch, record in enumerate(train(problem, recipe, state), start=1):
            if watch.diverged(record.objective, state):
                return -np.inf
            if epoch == TRIAL_EPOCHS:
                break
        _, now = problem.gradient(state.parameters)
    return first - now if now <= max(first, watch.start) else -np.inf
