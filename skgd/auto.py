"""What "auto" means: a recipe from the problem, where the user named none.

The rule, in short:

====================  ===============================================================
the user set          what happens
====================  ===============================================================
a rate                that rate exactly; plain SGD, batches of min(256, n), no metric
an optimizer only     that rule; its own rate, else one from the curvature (SGD) or its default
                      rate times the spread of the targets
a batch size only     Adam in standardised coordinates, rate falling as 1/sqrt(t)
nothing               full batch: up to 1000 columns accelerated descent in whitened
                      coordinates, or Newton steps in them where a loss has kinks or a penalty
                      thresholds or bounds, or a squared error's curvature is known of all rows;
                      else Newton steps by conjugate gradients for smooth objectives; else
                      accelerated descent in standardised coordinates. A loss with kinks is
                      averaged over a falling distance
nothing, a stream     from the second, different chunk of `partial_fit` on: Adam as above
====================  ===============================================================

Coordinates are a metric of the steps (``skgd.metric``), never of the objective.
"""

from dataclasses import replace
from numbers import Integral

import numpy as np
from sklearn.utils.extmath import row_norms

from ._component import resolve
from .losses import LogLoss, Multinomial, Perceptron, SquaredError
from .metric import Metric, Whitened
from .optimizers import SGD, Adam, Optimizer
from .optimizers.accelerated import Accelerated
from .optimizers.newton import TruncatedNewton
from .optimizers.wrappers import split_average
from .problem import NUDGE, mean, second_derivative
from .schedules import Adaptive, Constant, InverseScaling, Optimal, as_schedule
from .train import Recipe
from .whitening import MOST_WHITENED, Renewal, at_start, is_exact

DEFAULT_BATCH = 256
ENOUGH_FOR_METRIC = 5  # rows
MOST_ROWS = 20_000  # rows that the curvature is measured on
POWER_STEPS = 20
GUESS_ROWS, GUESS_STEPS = 5_000, 8  # where a rate that is too high is noticed
SAFETY = 1.1
CAUTION = 1.1  # the curvature is that of a sample


def resolve_optimizer(spec):
    """The optimizer a user named, or None for "auto"."""
    return None if isinstance(spec, str) and spec == "auto" else resolve(spec, Optimizer)


def resolve_schedule(learning_rate, eta0, power_t):
    """The schedule that a user set, or None for "auto"."""
    if not isinstance(learning_rate, str):
        return as_schedule(learning_rate)
    named = {
        "auto": lambda: None,
        "constant": lambda: Constant(eta0),
        "invscaling": lambda: InverseScaling(eta0, power_t),
        "adaptive": lambda: Adaptive(eta0),
        "optimal": lambda: Optimal(),
    }
    if learning_rate not in named:
        raise ValueError(
            f"got learning_rate={learning_rate!r}, expected a number, a Schedule or one of "
            f"{sorted(named)}; other schedules are objects, such as Exponential(0.1, 0.99)"
        )
    return named[learning_rate]()


def recipe_for(
    problem,
    X,
    *,
    optimizer,
    learning_rate,
    eta0,
    power_t,
    batch_size,
    precondition,
    shuffle,
    average_start,
    n_threads,
    alpha,
):
    """The recipe that a user's settings mean on a problem.

    Parameters
    ----------
    problem : Problem
    X : ndarray or CSR
        The rows of the problem.
    optimizer, learning_rate, eta0, power_t, batch_size, precondition
        As the estimators have them.
    shuffle, average_start, n_threads
        Handed on.
    alpha : float
        The user's, which ``"optimal"`` takes even where there is no penalty.

    Returns
    -------
    recipe : Recipe
    own : bool
        Whether the package chose the whole method.
    """  # fmt: skip
    rule = resolve_optimizer(optimizer)
    average_decay = None
    if rule is not None:
        rule, averaged = split_average(rule.for_estimator())
        if averaged is not None and average_start:
            raise ValueError(
                f"got average={average_start} with optimizer={averaged!r}, expected one average; "
                f"try average=False, or optimizer={rule!r}"
            )
        if averaged is not None:
            average_start, average_decay = averaged.after + 1, averaged.decay
    schedule = resolve_schedule(learning_rate, eta0, power_t)
    own = schedule is None and rule is None
    whole = batch_size in ("auto", "full") or (
        isinstance(batch_size, Integral) and batch_size >= problem.n_rows
    )
    full = own and whole and not isinstance(problem.loss, Perceptron)
    kinks = full and problem.kinks
    size = DEFAULT_BATCH if batch_size == "auto" and not full else batch_size
    size = None if full or size == "full" else size
    chosen = precondition != "auto"
    if not chosen:
        precondition = None
        if own:
            precondition = "whiten" if full and can_whiten(problem) else "diagonal"
    bend = bend_at_start(problem) if full or precondition is not None else None
    metric = metric_of(problem, X, precondition, bend, with_prox=full)
    renewal = Renewal.of(problem, X, metric, bend) if full else None
    exact = full and is_exact(problem, metric)
    if full:
        free = problem.unconstrained
        if isinstance(metric, Whitened):
            newton = exact or not free or (kinks and renewal is not None)
        else:
            newton = free and not kinks and problem.rows.n_features >= MOST_WHITENED
        if newton:
            rule, schedule = TruncatedNewton(), Constant(1.0)
        else:
            bound = curvature(problem, X, problem.n_rows, metric, bend, GUESS_ROWS, GUESS_STEPS)
            rule, schedule = Accelerated(), Constant(1.0 / bound)
    elif own:
        rule, schedule = Adam(), InverseScaling(0.1 * problem.spread)
    rule = SGD() if rule is None else rule
    recipe = Recipe(rule, schedule, size, shuffle, average_start, metric, n_threads, average_decay)
    if full:
        recipe.renewal, recipe.exact = renewal, exact
        recipe.bend = bend * (CAUTION if newton and not exact else 1.0)
        recipe.reach = problem.spread if kinks and problem.start[1] > 0 else 0.0
        recipe.curved = isinstance(metric, Whitened) and not kinks
        recipe.curved &= renewal is not None or isinstance(problem.loss, SquaredError)
    if schedule is None:
        recipe.schedule = named_rule_schedule(problem, X, recipe)
    recipe.schedule = recipe.schedule.complete(problem.loss, alpha)
    return recipe, own


def stream_recipe(problem, recipe, n_seen, batch_size):
    """What becomes of the package's own method once calls of partial_fit bring other rows.

    A full-batch step a chunk would be few steps, and a metric from a few rows none at all.
    """
    metric = recipe.metric if n_seen >= ENOUGH_FOR_METRIC else None
    if isinstance(metric, Whitened):
        metric = Metric(metric.scale, metric.shift)
    return replace(
        recipe,
        optimizer=Adam(),
        schedule=InverseScaling(0.2 * problem.spread),
        batch_size=batch_size,
        metric=metric,
    )


def named_rule_schedule(problem, X, recipe):
    """The schedule of a rule that the user named without a rate."""
    rule = recipe.optimizer
    if rule.learning_rate is not None:
        return rule.schedule()
    rule = rule.innermost
    if type(rule) is not SGD or not problem.loss.smooth:
        return Constant(rule.default_rate * (1.0 if rule.unit_free else problem.spread))
    n = problem.n_rows
    bend = problem.loss.curvature or bend_at_start(problem)
    bound = curvature(problem, X, recipe.rows_of_batch(n), recipe.metric, bend)
    # a heavy ball steps 1 / (1 - momentum) times as far as its rate says
    return Constant((1.0 - rule.momentum) / bound)


def can_whiten(problem):
    """Whether correlations are cheap to take, and the curvature of the penalty is known."""
    return problem.rows.n_features < MOST_WHITENED and problem.strengths() is not None


def metric_of(problem, X, precondition, bend, with_prox=False):
    """The metric that a name means on a problem; `bend` is that of `bend_at_start`.

    There are whitened coordinates for penalties with kinks or bounds only where the method
    takes its proximal steps by itself.
    """
    if precondition is None:
        return None
    weight = problem.sample_weight
    rows = problem.kept
    if rows is not None:
        weight = np.zeros(len(problem.y))
        weight[rows] = 1.0 if problem.sample_weight is None else problem.sample_weight[rows]
    strengths = problem.strengths()
    ridge = 0.0 if strengths is None else strengths[0] / bend
    diagonal = Metric.diagonal(X, weight, problem.fit_intercept, ridge)
    if precondition == "diagonal":
        return diagonal
    if not (problem.unconstrained or (with_prox and problem.strengths() is not None)):
        raise ValueError(
            f"got precondition='whiten' with penalty={problem.penalty!r}"
            f"{' and positive=True' if problem.positive else ''}, expected one without kinks or "
            "bounds, which have no proximal step there; try precondition='diagonal'"
        )
    return at_start(problem, X, diagonal, ridge)


def bend_at_start(problem):
    """Second derivative of the loss in a score where the fit starts, averaged over the rows.

    Where it grows on the way, the rule has to notice and to lower its rate.
    """
    if problem.kinks:
        return problem.jump / (2.0 * problem.spread)  # of slopes averaged over the spread
    bound = problem.loss.curvature
    if bound is not None and not isinstance(problem.loss, LogLoss | Multinomial):
        return bound  # parts of parabolas may all be entered on the way
    if problem.loss.rowwise:  # softmax: diag(p) - pp' is not larger than the largest p
        return float(problem.loss.predict_proba(problem.start[0][np.newaxis]).max())
    largest = 0.1 * (bound or 0.0)  # a class alone has none
    for c in range(problem.n_columns):
        y, weight = problem.targets_of(c)
        points = {problem.start[0][c]}
        if not problem.fit_intercept:  # the scores have to go where the best one is all the same
            points.add(problem.loss.best_intercept(y, weight))
        for point in points:
            second = second_derivative(problem.loss, y, np.full(len(y), point), NUDGE)
            largest = max(largest, mean(second, weight))
    return max(largest, np.finfo(float).tiny)


def curvature(problem, X, batch_size, metric, bend, most_rows=MOST_ROWS, n_steps=POWER_STEPS):
    r"""Bound on the curvature of the smooth objective over batches of a size.

    `bend` is the curvature of the loss in a score. The full objective's largest curvature is
    then ``bend * lambda_max(X'X / n) + l2``, by power iteration; a single row's is
    ``bend * max ||x||^2 + l2``; batches between them mix the two as sampling without
    replacement does:

    .. math:: L_B = \frac{n (B - 1)}{B (n - 1)} L + \frac{n - B}{B (n - 1)} L_{\max}

    N. Gazagnadou, R. Gower and J. Salmon, "Optimal mini-batch and step sizes for SAGA", ICML
    2019, equation 14.
    """
    n = problem.n_rows
    if isinstance(metric, Whitened) and batch_size == n:
        return SAFETY * bend
    largest = (
        0.0
        if batch_size == 1 and n > 1
        else SAFETY * top_eigenvalue(problem, metric, most_rows, n_steps)
    )
    row = 0.0
    if batch_size < n:
        row = max_row_square(X, problem.kept) + problem.fit_intercept
    B = batch_size
    mixed = largest
    if n > 1:
        mixed = (n * (B - 1) * largest + (n - B) * row) / (B * (n - 1))
    strengths = problem.strengths()
    l2 = 0.0 if strengths is None else strengths[0]
    if metric is not None:
        l2 = float(np.max(l2 / metric.scale**2))
    return bend * max(mixed, np.finfo(float).tiny) + l2


def max_row_square(X, kept):
    """The largest squared norm of a row."""
    squares = row_norms(X, squared=True)
    return float(np.max(squares if kept is None else squares[kept]))


def top_eigenvalue(problem, metric, most_rows, n_steps):
    """Largest eigenvalue of the Gram matrix of the rows, intercept included, over n."""
    kept = problem.kept
    if problem.n_rows > most_rows:
        picked = np.linspace(0, problem.n_rows - 1, most_rows).astype(np.uint32)
        kept = picked if kept is None else kept[picked]
    squares = replace(
        problem,
        y=np.zeros((problem.rows.n_rows, 1)),
        loss=SquaredError(),
        alpha=0.0,
        n_columns=1,
        classes=None,
        kept=kept,
        labels=None,
    )
    split = squares.columns(np.zeros(problem.rows.n_features + 1)).split
    v = np.random.default_rng(0).standard_normal(problem.rows.n_features + 1)
    if not problem.fit_intercept:
        v[-1] = 0.0
    value = 0.0
    for k in range(n_steps):
        v /= np.linalg.norm(v)
        w = v.copy()
        if metric is not None:
            metric.leave(*split(w))
            w[-1] *= problem.fit_intercept
        product, _ = squares.gradient(w)
        if metric is not None:
            metric.pull(*split(product))
        before, value = value, float(np.linalg.norm(product))
        if value == 0.0 or (k >= 5 and abs(value - before) < 1e-3 * value):
            break
        v = product
    return value
