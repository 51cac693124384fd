"""The loop: a problem, a recipe and a state go in, one record an epoch comes out.

`Problem` is what is minimised, `Recipe` how, `State` where the fit stands; only the state
changes. `train` is a generator, so that whoever consumes it decides when to stop, what to
record and what to show. Nothing here knows of estimators.
"""

import time
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

import numpy as np

from ._core import epoch as core
from ._core import rules
from ._core.columns import aligned_zeros
from ._core.order import shuffled
from ._threads import shared_out
from .losses import SquaredError
from .metric import Metric, Whitened, Within
from .optimizers import Optimizer
from .problem import NUDGE, compiled, enough_for_threads, full_sums
from .schedules import Schedule
from .suboptimality import bound, newton_step, proximal_step
from .whitening import Renewal, mean_above

EPOCHS_TO_HALVE = 5  # the reach over kinks
LEAST_REACH = 1e-9  # as a share of the first
CAUTION, LESS, MORE, LEAST_CAUTION = 0.1, 0.7, 4.0, 0.03
LEAST_DESCENT = 0.1  # as a share of what was foreseen


@dataclass
class Recipe:
    """How a problem is minimised.

    Attributes
    ----------
    optimizer, schedule : Optimizer, Schedule
    batch_size : int, float or None
        Rows of a batch; a share of the rows; None is all of them.
    shuffle : bool
    average_start : int
        Parameters are averaged after this many updates; 0 is never.
    average_decay : float or None
        How much of the average an update keeps; None is the plain mean.
    metric : Metric or None
        Coordinates of the steps where the fit starts; None is the plain ones.
    n_threads : int
    reach : float
        Distance that a loss with kinks is averaged over in the first epoch; 0 where it is not.
    renewal : Renewal or None
        When to take the coordinates anew.
    bend : float
        Curvature of the loss in a score, that whitened coordinates where the fit starts are of;
        for Newton's steps a little more, if that is known of a sample only.
    curved : bool
        Whether the coordinates are those of the curvature where the fit stands.
    exact : bool
        Whether that is the curvature of all rows and everywhere, so that a step solves the problem.
    """

    optimizer: Optimizer
    schedule: Schedule
    batch_size: int | float | None
    shuffle: bool = True
    average_start: int = 0
    metric: Metric | None = None
    n_threads: int = 1
    average_decay: float | None = None
    reach: float = 0.0
    renewal: Renewal | None = None
    bend: float = 1.0
    curved: bool = False
    exact: bool = False

    @property
    def knows_gap(self):
        """Whether steps say how far the objective is from its least."""
        return self.optimizer.plans or (self.optimizer.recovers and self.curved)

    def wants_scores(self, problem, metric):
        """Whether a step wants the scores beside the gradient, to know how the loss is curved."""
        by_products = self.knows_gap and not isinstance(metric, Whitened)
        return by_products and not isinstance(problem.loss, SquaredError)

    def less_reach(self, reach):
        """The distance to average a loss with kinks over once that over a larger one is solved."""
        return max(0.5 * reach, LEAST_REACH * self.reach)

    def rows_of_batch(self, n):
        """Rows of a batch out of n."""
        if self.batch_size is None:
            return n
        if isinstance(self.batch_size, float):
            return max(1, round(self.batch_size * n))
        return min(self.batch_size, n)


@dataclass
class State:
    """Where a fit stands: all that is pickled, resumed and copied.

    Attributes
    ----------
    parameters : float64 ndarray of shape (n_columns * (n_features + 1),)
        Coefficients, then intercepts; see `skgd._core.columns` for how they lie.
    slots : dict of ndarray
        What the optimizer keeps: buffers shaped as the parameters, and (1, 2) arrays.
    t, epoch : int
        Updates and epochs done.
    generator : numpy.random.Generator
    average : ndarray or None
        Mean of the parameters, shaped as they are.
    average_start : int
        The number of updates from which on there is one.
    memory : dict
        What the schedule keeps.
    by_feature : bool
    metric : Metric or None
        Coordinates of the steps.
    renewed : int
        Updates done when they were taken; -1 calls for others.
    reach : float
        Distance that a loss with kinks is averaged over in the next epoch.
    reach_before : float
        The same of the last epoch.
    caution : float
        Share of the curvature with which a parabola lies above such a loss.
    """

    parameters: np.ndarray
    slots: dict
    generator: np.random.Generator
    memory: dict
    by_feature: bool
    average: np.ndarray | None = None
    average_start: int = 0
    t: int = 0
    epoch: int = 0
    metric: Metric | None = None
    renewed: int = 0
    reach: float = 0.0
    caution: float = CAUTION
    reach_before: float = 0.0

    @classmethod
    def begin(cls, problem, recipe, generator, intercept=None):
        """The state before the first update: zeros, or the given intercepts."""
        n_weights = problem.n_columns * problem.rows.n_features
        parameters = aligned_zeros(n_weights + problem.n_columns)
        if intercept is not None:
            parameters[n_weights:] = intercept
        columns = problem.columns(parameters)
        slots = {name: aligned_zeros(len(parameters)) for name in recipe.optimizer.slots}
        for k, w in enumerate((columns.coef, columns.intercept)):
            for name in recipe.optimizer.slots:
                columns.split(slots[name])[k][...] = recipe.optimizer.start(name, w)
            for name in recipe.optimizer.scalars:
                number = recipe.optimizer.start(name, w)
                slots.setdefault(name, np.zeros((1, 2), number.dtype))[0, k] = number
        return cls(
            parameters,
            slots,
            generator,
            recipe.schedule.init(),
            problem.rows.by_feature,
            np.zeros_like(parameters) if recipe.average_start else None,
            recipe.average_start,
            metric=recipe.metric,
            reach=recipe.reach,
        )

    def buffers(self):
        """The arrays that are laid out as the parameters, by name."""
        found = {"parameters": self.parameters, "average": self.average} | self.slots
        return {
            name: flat
            for name, flat in found.items()
            if flat is not None and flat.shape == self.parameters.shape
        }

    def lay_out(self, n_columns, by_feature, *others):
        """Lay coefficients out by feature, for sparse rows, or by column, for dense ones; so
        too in other buffers like the parameters."""
        if by_feature != self.by_feature and n_columns > 1:
            for flat in (*self.buffers().values(), *others):
                weights = flat[:-n_columns]
                shape = (n_columns, -1) if by_feature else (-1, n_columns)
                weights[:] = weights.reshape(shape).T.ravel()
        self.by_feature = by_feature

    @property
    def result(self):
        """The parameters that a user gets: the average once there is one."""
        begun = self.average is not None and self.t >= self.average_start
        return self.average if begun else self.parameters


@dataclass
class Epoch:
    """What happened in one epoch.

    Attributes
    ----------
    objective : float
        Mean over its batches of the objective before the update.
    learning_rate : float
        Rate of the last update.
    seconds : float
    exact_objective, gradient_norm : float
        Objective, and norm of the gradient of its smooth part, at the parameters before the
        update; NaN where no full gradient was taken.
    gradient : ndarray or None
        That gradient.
    """

    objective: float
    learning_rate: float
    seconds: float
    exact_objective: float = np.nan
    gradient_norm: float = np.nan
    gradient: np.ndarray | None = field(default=None, repr=False)


def undecayed(optimizer):
    """The same rule without weight decay, which intercepts are spared."""
    settings = optimizer.settings()
    if not settings.get("weight_decay"):
        return optimizer
    return optimizer.with_settings(settings | {"weight_decay": 0.0})


def rule_of(optimizer, slots, columns, metric=None):
    """The compiled rule of an optimizer, or one that calls its NumPy methods, in a metric."""
    kernel = compiled(optimizer)
    both = optimizer, undecayed(optimizer)
    if isinstance(metric, Whitened):
        kernel, both = None, [Within(*both, metric)] * 2
    if kernel is None:
        rule = rules.Callback(*both, slots, columns)
    elif kernel == "clipped":
        inner = optimizer.optimizer
        own = {name: slots[name] for name in (*inner.slots, *inner.scalars)}
        inner = rule_of(inner, own, columns)
        rule = rules.Clipped(inner, *optimizer.kernel_settings(), columns)
    else:
        settings = [[one.kernel_settings()] * columns.n_models for one in both]
        rule = rules.compiled(kernel, *settings, slots)
    rule.touched_only = optimizer.sparse_updates == "lazy"
    if type(metric) is Metric:
        rule = rules.Preconditioned(rule, metric.scale, metric.shift, columns)
    return rule


class Part:
    """Columns that one thread trains: all of them, or a share where they are independent."""

    def __init__(self, problem, recipe, state, own=slice(None)):
        self.own, self.whole = own, own == slice(None)
        self.problem = problem
        self.flat = {name: self.take(flat) for name, flat in state.buffers().items()}
        self.columns = problem.columns(self.flat["parameters"], own)
        slots = {name: self.flat.get(name, value) for name, value in state.slots.items()}
        metric = None if recipe.optimizer.plans else state.metric
        self.rule = rule_of(recipe.optimizer, slots, self.columns, metric)
        self.slopes = problem.slopes(own)
        self.prox = problem.prox()
        self.average = {
            "average": self.flat.get("average"),
            "average_start": recipe.average_start,
            "average_decay": recipe.average_decay,
        }

    @property
    def leaves_untouched(self):
        """Whether coefficients that no row of a batch touches are left alone."""
        lazy = self.rule.touched_only and self.average["average_decay"] is None
        return lazy and self.problem.rows.by_feature

    def views(self, flat):
        """Coefficients and intercepts of these columns in a buffer of all columns."""
        coef, intercept = self.problem.columns(flat).split(flat)
        return coef[self.own], intercept[self.own]

    def take(self, flat):
        if self.whole:
            return flat
        coef, intercept = self.views(flat)
        coef = coef.T if self.problem.rows.by_feature else coef
        return np.concatenate([coef.ravel(), intercept])

    def give_back(self, state):
        """Copy what this part trained into the state."""
        if not self.whole:
            for name, flat in state.buffers().items():
                for ours, theirs in zip(self.columns.split(self.flat[name]), self.views(flat)):
                    theirs[...] = ours

    def run(self, args):
        """One epoch of these columns; args are batch_size, rates, order and t."""
        batch_size, rates, order, t = args
        plan = core.Plan(
            self.problem.n_rows,
            batch_size,
            rates,
            order=order,
            t=t,
            **self.average,
        )
        return core.run(self.problem.rows, self.slopes, self.rule, self.prox, self.columns, plan)


def parts_of(problem, recipe, state):
    """Share out columns among threads where they don't depend on each other."""
    independent = (
        not problem.loss.rowwise
        and compiled(recipe.optimizer) not in (None, "clipped")  # a norm is of all columns
        and not isinstance(state.metric, Whitened)
        and enough_for_threads(problem)
    )
    n_parts = min(recipe.n_threads, problem.n_columns) if independent else 1
    if n_parts == 1:
        return [Part(problem, recipe, state)]
    edges = np.linspace(0, problem.n_columns, n_parts + 1).astype(int)
    return [Part(problem, recipe, state, slice(a, b)) for a, b in pairwise(edges)]


def train(problem, recipe, state, tol=None):
    """Train: yield an `Epoch` after each epoch, for as long as it is asked for.

    Parameters
    ----------
    problem : Problem
    recipe : Recipe
    state : State
        Changed in place; between two epochs it can be copied, pickled and resumed.
    tol : float or None
        Below this share of all there is to gain the package's own method looks more closely at
        what is left.

    Yields
    ------
    Epoch
    """
    state.lay_out(problem.n_columns, problem.rows.by_feature)
    n = problem.n_rows
    batch_size = recipe.rows_of_batch(n)
    n_steps = -(-n // batch_size)
    parts = parts_of(problem, recipe, state)
    threads = recipe.n_threads > 1 and enough_for_threads(problem)
    by_rows = n_steps == 1 and len(parts) == 1 and not parts[0].leaves_untouched
    by_rows = by_rows and (threads or recipe.optimizer.recovers)
    while True:
        begun = time.perf_counter()
        for part in parts:
            part.slopes.reach = state.reach
        t = np.arange(state.t, state.t + n_steps)
        rates = recipe.schedule.rates(t, state.epoch, state.memory)
        rates = np.ascontiguousarray(rates, dtype=np.float64)[:, np.newaxis]
        order = problem.order()
        if recipe.shuffle and n_steps > 1:
            order = problem.order(shuffled(n, int(state.generator.integers(2**63))))
        if by_rows:
            objective, gradient = full_step(problem, recipe, parts[0], rates, state, tol)
        else:
            one = partial(Part.run, args=(batch_size, rates, order, state.t))
            plans = shared_out(one, parts)
            objective = float(sum(plan.objective[0] for plan in plans))
            whole = n_steps == 1 and len(plans) == 1
            gradient = plans[0].gradient if whole else None
        for part in parts:
            part.give_back(state)
        state.t += n_steps
        state.epoch += 1
        record = Epoch(objective, float(rates[-1, 0]), time.perf_counter() - begun)
        if gradient is not None:
            record.exact_objective, record.gradient = objective, gradient
            record.gradient_norm = float(np.linalg.norm(gradient))
        yield record


def full_step(problem, recipe, part, rates, state, tol):
    """One full-batch step, the rows shared out among threads: (objective, gradient)."""
    core.look_ahead(part.rule, part.columns)
    scores = None
    if recipe.wants_scores(problem, state.metric):
        scores = np.empty((problem.n_rows, problem.n_columns))
    gradient, loss = full_sums(problem, part.slopes, part.columns, recipe.n_threads, scores)
    penalty = core.smooth(part.prox, part.columns, gradient, problem.n_rows)
    objective = float(loss[0] / problem.n_rows + penalty[0])
    found = look_around(problem, recipe, state, gradient, objective, tol, scores)
    take_in(recipe, part, state, found)
    apply_gradient(part, gradient, rates, state.t)
    return objective, gradient


@dataclass
class Found:
    """What is known beside the gradient where it was taken.

    Attributes
    ----------
    objective : float
    metric : Metric or None
        Other coordinates for the steps.
    reach : float
        Distance that a loss with kinks is averaged over from the next epoch on.
    caution : float
        As in `State`.
    step : ndarray or None
        Newton's step.
    descent : float
        By how much a parabola falls along it.
    gap : float
        How far the objective is from its least, about.
    """

    objective: float = np.nan
    metric: Metric | None = None
    reach: float = 0.0
    caution: float = CAUTION
    step: np.ndarray | None = None
    descent: float = np.nan
    gap: float = np.nan


def look_around(problem, recipe, state, gradient, objective, tol=None, scores=None):
    """What the package's own full-batch method wants to know beside the gradient; scores that are
    given are lost."""
    renewal = recipe.renewal
    found = Found(objective, reach=recipe.reach / (1.0 + (state.epoch + 1) / EPOCHS_TO_HALVE))
    risen = has_risen(recipe, state, objective)
    if renewal is not None:
        found.reach = state.reach
        grown = MORE if risen or disappointing(state, objective) else LESS
        found.caution = min(max(grown * state.caution, LEAST_CAUTION), 1.0)
        if renewal.due(state, risen):
            found.metric = anew(problem, recipe, state, found)
    if recipe.knows_gap and not risen:
        gained, tol = max(problem.start[1] - objective, 0.0), tol or 0.0
        if isinstance(state.metric, Whitened):
            foresee(problem, recipe, state, gradient, tol * gained, found)
        else:
            args = problem, state.parameters, gradient, state.metric, gained, tol
            found.step, found.descent, found.gap = newton_step(*args, recipe.n_threads, scores)
    return found


def anew(problem, recipe, state, found):
    """The coordinates where a fit stands."""
    gap = bound(2.0 * state.slots["descent"][0, 0], 0.0)
    reach = state.reach or recipe.renewal.reach(problem, gap)
    return recipe.renewal.metric(problem, state.parameters, reach, found.caution)


def foresee(problem, recipe, state, gradient, enough, found):
    """Find the step in coordinates of the curvature, how far it leads down, and what is left."""
    look = partial(newton if recipe.optimizer.plans else parabola, problem, recipe, state, gradient)
    found.step, found.descent, found.gap = look(found.metric or state.metric)
    if state.reach:
        above = mean_above(found.metric or state.metric, state.reach)
        state.slots["slack"][:, 0] = above
        if found.descent <= above:
            found.reach = recipe.less_reach(state.reach)
        return
    if found.gap > enough or recipe.renewal is None:
        return
    if found.metric is None and state.renewed < state.t:
        found.metric = anew(problem, recipe, state, found)
        found.step, found.descent, found.gap = look(found.metric or state.metric)
    if problem.flat and found.gap <= enough:
        # the curvature lent to rows on flat parts hides how far they can go
        bare = recipe.renewal.metric(problem, state.parameters, NUDGE * problem.spread)
        step, descent, gap = look(bare or found.metric or state.metric)
        if gap > enough and found.caution <= LEAST_CAUTION:
            found.metric, found.step, found.descent = bare, step, descent
        found.gap = max(found.gap, gap)


def newton(problem, recipe, state, gradient, metric):
    """(Newton's step, its descent, the gap)."""
    step, descent = proximal_step(problem, state.parameters, gradient, metric, recipe.bend)
    return step, descent, bound(2.0 * descent, 0.0)


def parabola(problem, recipe, state, gradient, metric):
    """(None, the descent of a gradient step, the gap)."""
    rate = recipe.schedule.base_rate
    pulled = gradient.copy()
    metric.pull(*problem.columns(pulled).split(pulled))
    square = pulled @ pulled
    return None, rate * (1.0 - 0.5 * rate * recipe.bend) * square, bound(square / recipe.bend, 0.0)


def has_risen(recipe, state, objective):
    """Whether an objective is above the one before the last step, which is then taken back."""
    if not recipe.optimizer.recovers:
        return False
    slots = {name: state.slots[name][0, 0] for name in ("reference", "slack")}
    return recipe.optimizer.risen(objective, slots)


def disappointing(state, objective):
    """Whether the last step led down by next to nothing of what a parabola falls along it."""
    reference, descent = (state.slots[name][0, 0] for name in ("reference", "descent"))
    return reference - objective < LEAST_DESCENT * descent


def take_in(recipe, part, state, found):
    """Go on from what was found."""
    if recipe.optimizer.recovers:
        state.slots["objective"][:, 0] = found.objective
    if not np.isnan(found.gap):
        before = state.slots["gap"][0, 0] if isinstance(state.metric, Whitened) else np.inf
        state.slots["fell"][:, 0] = found.gap / before if before > 0 else 0.0
        state.slots["descent"][:, 0], state.slots["gap"][:, 0] = found.descent, found.gap
    if found.step is not None:
        state.slots["direction"][...] = found.step
    if found.metric is not None:
        state.metric, state.renewed = found.metric, state.t
        if not recipe.optimizer.plans:
            part.rule = rule_of(recipe.optimizer, state.slots, part.columns, found.metric)
            for _, _, params, slots in part.rule.each(part.columns):
                part.rule.optimizer.restart(params, slots)
    state.caution = found.caution
    state.reach_before = state.reach
    if found.reach != state.reach:
        state.reach, state.renewed = found.reach, -1


def go_on_from(problem, state, parameters):
    """Let accelerated descent in whitened coordinates go on from other parameters, as if they were
    its first."""
    point = parameters.copy()
    state.metric.enter(*problem.columns(point).split(point))
    state.parameters[...] = parameters
    for name in ("previous", "point"):
        state.slots[name][...] = point
    state.slots["theta"][...] = 1.0
    for name in ("reference", "gradient"):  # nothing to compare the next ones with
        state.slots[name][...] = np.nan


def apply_gradient(part, gradient, rates, t):
    """One update from a gradient: the rule, the proximal step, the average."""
    plan = core.Plan(1, 1, rates, t=t, **part.average)
    core.step(part.rule, part.prox, part.columns, gradient, plan)
