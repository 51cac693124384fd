"""What the two estimators share: from fit's arguments to a trained model.

`_fit` turns X and y into a `Problem`, the settings into a `Recipe`, and then consumes
`train`, epoch by epoch: record, look at divergence, score, ask the stopping rules.
"""

import copy
import warnings
import zlib
from dataclasses import dataclass, field, replace
from functools import lru_cache
from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from joblib import effective_n_jobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted, validate_data

from .._compat import Interval, Parametrized, RealNotInt, StrOptions, check_weights
from .._component import resolve, same, same_settings
from .._core import epoch as core
from .._core.rows import DenseRows, SparseRows
from .._threads import blas_threads
from ..auto import (
    DEFAULT_BATCH,
    bend_at_start,
    can_whiten,
    metric_of,
    recipe_for,
    stream_recipe,
)
from ..leaps import Leaps
from ..losses import Perceptron, SquaredError
from ..metric import Whitened
from ..optimizers import Optimizer
from ..penalties import ElasticNet, Penalty
from ..problem import Problem
from ..schedules import Constant, Schedule
from ..stopping import NoProgress, Suboptimality, ValidationScore
from ..suboptimality import KINKED, doubt, newton_gap, over_kinks
from ..train import (
    Found,
    Part,
    Recipe,
    State,
    apply_gradient,
    has_risen,
    look_around,
    take_in,
    train,
)
from ._divergence import Watch, divergence_error
from ._interrupt import held_interrupt

HISTORY = (
    "objective",
    "validation_score",
    "learning_rate",
    "seconds",
    "exact_objective",
    "gradient_norm",
    "suboptimality",
)


LATE = 150  # epochs, after which descent needs Newton's steps to help it on
FAR_INTERCEPT = 5.0  # a probability of 0.7 %
MOST_SEED = np.iinfo(np.int32).max

# parameters that a recipe does not depend on
STOPPING = {
    "max_iter", "tol", "n_iter_no_change", "early_stopping", "validation_fraction",
    "random_state", "warm_start", "verbose",
}  # fmt: skip


@dataclass
class Session:
    """What an estimator keeps between calls, apart from its public attributes.

    Attributes
    ----------
    recipe : Recipe
        With all that "auto" was settled to.
    own : bool
        Whether the package chose the whole method.
    state : State
    settings : dict
        The parameters that the recipe was made from, components by their classes.
    shown : ndarray
        The parameters behind the public coefficients: the last, averaged or best ones.
    mark : int or None
        Fingerprint of the rows of the last call.
    n_seen : int
        Rows that the recipe was made from.
    size : float
        How large the objective was where coefficients are zero, at most.
    found : Found
        By the last `compute_gradients`, for `apply_gradients`.
    """

    recipe: Recipe
    own: bool
    state: State
    settings: dict
    shown: np.ndarray
    mark: int | None = None
    n_seen: int = 0
    size: float = 0.0
    found: Found = field(default_factory=Found)


class BaseGD(Parametrized):
    """Base of `GDClassifier` and `GDRegressor`."""

    _parameter_constraints: dict = {
        "penalty": [str, None, Penalty],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "fit_intercept": ["boolean"],
        "positive": ["boolean"],
        "optimizer": [str, Optimizer],
        "learning_rate": [str, Interval(Real, 0, None, closed="neither"), Schedule, callable],
        "eta0": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, None, None, closed="neither")],
        "precondition": [StrOptions({"auto", "diagonal", "whiten"}), None],
        "batch_size": [
            StrOptions({"auto", "full"}),
            Interval(Integral, 1, None, closed="left"),
            Interval(RealNotInt, 0, 1, closed="neither"),
        ],
        "shuffle": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "epsilon": [Interval(Real, 0, None, closed="left")],
        "average": ["boolean", Interval(Integral, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    _least_to_score = 1  # rows that a score needs

    # ---- from arguments to a problem ----

    def _check_X(self, X, y, reset):
        """Validated X (C-ordered float or canonical CSR, not copied if it is so already), y."""
        shared = {
            "accept_sparse": "csr",
            "dtype": [np.float64, np.float32],
            "order": "C",
            "accept_large_sparse": True,
            "reset": reset,
        }
        X, y = validate_data(self, X, y, **shared, **self._y_checks())
        if sp.issparse(X) and not X.has_canonical_format:
            X = X.copy()  # sums duplicates and sorts, which must not touch the caller's
            X.sum_duplicates()
        return X, y

    def _loss(self):
        """The loss as the user set it, `epsilon` filled in where it is a name."""
        loss = self.loss
        if isinstance(loss, str) and loss in ("huber", "epsilon_insensitive",
                                              "squared_epsilon_insensitive"):  # fmt: skip
            loss = resolve(loss, self._losses).set_params(epsilon=self.epsilon)
        loss = resolve(loss, self._losses)
        if loss.task not in ("both", self._task):
            names = sorted(
                name
                for name, member in self._losses.registry.items()
                if member.task in ("both", self._task)
            )
            raise ValueError(
                f"got loss={self.loss!r}, a {loss.task} loss, expected one for {self._task}: "
                f"one of {names} or a Loss object"
            )
        return loss

    def _penalty(self):
        """(penalty, alpha) as the user set them."""
        if self.penalty is None:
            return resolve("l2", Penalty), 0.0
        if isinstance(self.penalty, str) and self.penalty == "elasticnet":
            return ElasticNet(self.l1_ratio), float(self.alpha)
        return resolve(self.penalty, Penalty), float(self.alpha)

    def _problem(self, X, y, weight, kept):
        """The objective over these rows; y as `_encode` made it."""
        loss, n_columns, classes, labels = self._columns_for(y)
        penalty, alpha = self._penalty()
        if self.positive and penalty.strengths() is None:
            raise ValueError(
                f"got positive=True with penalty={self.penalty!r}, expected a separable "
                "penalty; give the bound in the penalty's own prox"
            )
        rows = SparseRows(X) if sp.issparse(X) else DenseRows(X)
        y = np.ascontiguousarray(y.reshape(len(y), -1), dtype=np.float64)
        return Problem(
            rows, y, weight, loss, penalty, alpha, self.positive, self.fit_intercept,
            n_columns, classes, kept, labels,
        )  # fmt: skip

    @property
    def _auto_rate(self):
        """Whether no rate was set."""
        return isinstance(self.learning_rate, str) and self.learning_rate == "auto"

    def _recipe(self, problem, X):
        average_start = int(self.average)
        n_threads = _threads(self.n_jobs)
        with blas_threads(n_threads):
            return recipe_for(
                problem, X, optimizer=self.optimizer, learning_rate=self.learning_rate,
                eta0=self.eta0, power_t=self.power_t, batch_size=self.batch_size,
                precondition=self.precondition, shuffle=self.shuffle,
                average_start=average_start, n_threads=n_threads, alpha=float(self.alpha),
            )  # fmt: skip

    # ---- sessions: what is kept between calls ----

    def _open_session(self, problem, X, resume, coef_init=None, intercept_init=None, mark=None):
        """The session to train in: a copy of the kept one, or a new one.

        Without rows (X None), parameters that are settled from rows wait for the next call. With
        other rows than those of the last call, as the mark tells, the package's own method starts
        anew from the coefficients there are.
        """
        kept = getattr(self, "_session", None) if resume else None
        settings = {k: v for k, v in self.get_params().items() if k.split("__")[0] not in STOPPING}
        if kept is None:
            recipe, own = self._recipe(problem, X)
            seed = seed_of(self.random_state)
            # where no rate was set, the fit need not begin far off
            intercept = problem.start[0] if own or self._auto_rate else None
            if intercept is not None and problem.labels is not None:
                # a class without rows so far has its best score at minus infinity
                intercept = np.clip(intercept, -FAR_INTERCEPT, FAR_INTERCEPT)
            state = State.begin(problem, recipe, np.random.default_rng(seed), intercept)
            session = Session(recipe, own, state, settings, state.result)
        else:
            session = copy.copy(kept)
            session.state = state = copy.deepcopy(kept.state)
            session.shown = kept.shown.copy()
            state.lay_out(problem.n_columns, problem.rows.by_feature, session.shown)
            if hasattr(self, "coef_") and self._take_assigned(session, problem):
                self._forget_steps(session, problem)
            settled = X is not None or not (self._auto_rate or self.precondition == "diagonal")
            if settled and not same_settings(session.settings, settings):
                self._change_recipe(session, problem, X)
                session.settings = settings
            elif settled and mark not in (None, session.mark) and session.own:
                self._change_recipe(session, problem, X)
        coef, intercept = problem.columns(state.parameters).split(state.parameters)
        if coef_init is not None:
            coef[...] = _initial(coef_init, coef.shape, "coef_init")
        if intercept_init is not None:
            intercept[...] = _initial(intercept_init, intercept.shape, "intercept_init")
        return session

    def _change_recipe(self, session, problem, X):
        """Follow parameters that were changed since the last call."""
        before = session.recipe.schedule
        session.recipe, session.own = self._recipe(problem, X)
        state = session.state
        fresh = State.begin(problem, session.recipe, state.generator)
        # what the package's own method knows is of another objective
        if session.recipe.optimizer.recovers or fresh.slots.keys() != state.slots.keys():
            state.slots = fresh.slots
        state.metric, state.renewed, state.reach = fresh.metric, fresh.renewed, fresh.reach
        if not same(session.recipe.schedule, before):
            state.memory = fresh.memory
        state.average_start = session.recipe.average_start
        if state.average_start == 0:
            state.average = None
        elif state.average is None:
            state.average = state.parameters.copy()

    def _forget_steps(self, session, problem):
        """Leave nothing that the package's own method could go back to."""
        state = session.state
        if session.recipe.optimizer.recovers:
            state.slots = State.begin(problem, session.recipe, state.generator).slots
            state.renewed = -1

    def _take_assigned(self, session, problem):
        """Take coefficients that the user assigned since the last call: whether there are any."""
        shown = problem.columns(session.shown).split(session.shown)
        mine = problem.columns(session.state.parameters).split(session.state.parameters)
        public = self.coef_.toarray() if sp.issparse(self.coef_) else self.coef_
        assigned = False
        for value, was, now in zip((public, self.intercept_), shown, mine, strict=True):
            value = np.asarray(value)
            value = value.reshape(was.shape)
            if not np.array_equal(value, was.astype(value.dtype)):
                now[...], assigned = value, True
        return assigned

    # ---- training ----

    def _train(self, problem, X, session, n_epochs, scorer=None, stop=True):
        """Train up to n_epochs and set the fitted attributes; raises if the fit diverges.

        Parameters
        ----------
        problem : Problem
        X : ndarray or CSR
        session : Session
            Changed; it becomes the estimator's own once all went well.
        n_epochs : int
        scorer : callable or None
            Scores the parameters it is given, after each epoch.
        stop : bool
            Whether stopping rules are asked; else all epochs are run.
        """
        state, recipe = session.state, session.recipe
        best_intercept, start = problem.start
        watch = Watch(problem, start, best_intercept, recipe.optimizer, session.size)
        session.size = watch.size
        begun = state.parameters.copy(), state.generator.bit_generator.state
        history = {name: [] for name in HISTORY}
        best_score, best, lowest, reason = -np.inf, None, None, None
        quiet, own = np.errstate(over="ignore", invalid="ignore"), blas_threads(recipe.n_threads)
        with held_interrupt() as interrupt, quiet, own:
            rules = self._stopping_rules(problem, X, session, start) if stop else []
            for record in train(problem, recipe, state, self.tol if stop else None):
                for name, values in history.items():
                    values.append(getattr(record, name, np.nan))
                if watch.diverged(record.objective, state):
                    raise divergence_error(
                        problem, recipe, watch, begun, state.epoch, record.learning_rate
                    )
                if scorer is not None:
                    score = history["validation_score"][-1] = scorer(state.result)
                    if self.early_stopping and score > best_score:
                        best_score, best = score, state.result.copy()
                astray = recipe.reach and recipe.optimizer.plans  # steps may lead up a little
                if astray and record.objective <= min(history["objective"]):
                    lowest = state.slots["point"].copy()
                if self.verbose:
                    self._print_epoch(history)
                reason = self._reason(rules, history, recipe, state)
                if interrupt.pressed:
                    reason = "interrupted"
                if reason is not None or len(history["objective"]) == n_epochs:
                    break
        far_off = watch.ended_far_off(history["objective"][-1], state)
        if far_off and stop and not self.warm_start:  # else it is a pause: later calls may return
            raise divergence_error(problem, recipe, watch, begun, state.epoch, record.learning_rate)
        if best is None and rules and recipe.optimizer.recovers:
            seen = history["suboptimality"][-1] <= self.tol  # the last step was looked at
            if not seen:
                best = better_than_last(problem, state, recipe, lowest, min(history["objective"]))
        session.shown = state.result if best is None else best
        self._session = session
        self._set_fitted(problem, X, session, history, reason or f"max_iter={n_epochs} epochs")
        self._warn(reason, rules, n_epochs, watch, far_off)

    def _stopping_rules(self, problem, X, session, start):
        if self.tol is None:
            return []
        if self.early_stopping:
            return [ValidationScore(self.tol, self.n_iter_no_change)]
        # a perceptron has nothing to gain from where it starts
        from_start = None if isinstance(problem.loss, Perceptron) else start
        rules = [NoProgress(self.tol, from_start, self.n_iter_no_change, session.size)]
        recipe = session.recipe
        if not (problem.loss.smooth or recipe.reach) or problem.strengths() is None:
            return rules
        state, n_threads = session.state, recipe.n_threads
        fallback = None
        if recipe.metric is None:
            name = "whiten" if can_whiten(problem) and problem.unconstrained else "diagonal"
            fallback = metric_of(problem, X, name, bend_at_start(problem))
        most_curved = np.inf
        if session.own and not recipe.reach:
            most_curved = 1.0 / recipe.schedule.base_rate

        known = recipe.knows_gap
        leaps = session.own and isinstance(state.metric, Whitened) and not recipe.average_start
        # a step right after a leap has nothing to be held to: no slope may be steeper than foreseen
        leaps &= not known and not recipe.reach and problem.loss.curvature is not None
        newton = Leaps(problem, state, n_threads) if leaps else None

        def newton_now(enough):
            """What conjugate gradients sum now."""
            if leaps and state.epoch >= LATE and enough is not None:
                gap, objective, *rest = newton.look(enough)
                return min(gap, objective - problem.least), objective, *rest
            smooth = replace(problem, reach=state.reach)
            above = over_kinks(smooth, state.result)
            metric = state.metric or fallback
            enough = None if enough is None else enough - above
            gap, objective, *rest = newton_gap(
                smooth, state.result, metric, enough, n_threads, most_curved
            )
            return min(gap + above, objective - problem.least), objective, *rest

        def known_gap(enough):
            """What the last step has shown, if it did not lead up."""
            gap, before, foreseen, fell = (
                state.slots[name][0, 0] for name in ("gap", "reference", "descent", "fell")
            )
            if enough is not None and gap > enough + self.tol * max(foreseen, 0.0):
                return gap, before, 1.0, 0
            wide = isinstance(problem.loss, SquaredError) and not isinstance(state.metric, Whitened)
            if wide or recipe.exact:
                return gap, before - foreseen, 1.0, 0  # F is the parabola of all rows
            smooth = replace(problem, reach=state.reach)
            _, objective = smooth.gradient(state.result, n_threads)
            if problem.kinks:
                planned = replace(problem, reach=state.reach_before)
                gap = KINKED * gap + over_kinks(planned, state.result)
            elif foreseen > 0 and enough is not None:
                gap *= doubt(before - objective, foreseen, fell)
            gap += max(objective - before, 0.0)
            return min(gap, objective - problem.least), objective, 1.0, 0

        estimate, patience = known_gap if known else newton_now, LATE if leaps else np.inf
        rules.insert(0, Suboptimality(self.tol, start, estimate, known, session.size, patience))
        if session.own:  # its steps are not monotone, and it need not give up
            rules.pop()
        if recipe.reach:  # unless so few rows are near a kink that nothing can be estimated
            patience = 10 * self.n_iter_no_change
            rules.append(NoProgress(self.tol / 10, start, patience, session.size, where=""))
        return rules

    def _reason(self, rules, history, recipe, state):
        """Why to stop now, or None; a schedule that looks at the history is told of a stall."""
        reasons = [reason for rule in rules if (reason := rule(history)) is not None]
        patient = rules[-1] if rules else None
        stalled = bool(reasons) and hasattr(patient, "forgive")
        if recipe.schedule.observe(state.memory, history["objective"][-1], stalled):
            if patient is not None:
                patient.forgive()
            return None
        return reasons[0] if reasons else None

    def _print_epoch(self, history):
        score = history["validation_score"][-1]
        print(
            f"epoch {len(history['objective'])}: objective {history['objective'][-1]:.6g}, "
            f"learning rate {history['learning_rate'][-1]:.3g}"
            + ("" if np.isnan(score) else f", validation score {score:.4g}")
        )

    def _warn(self, reason, rules, n_epochs, watch, far_off):
        if reason == "interrupted":
            warnings.warn(
                f"the fit was interrupted after {self.n_iter_} epochs; the model is what "
                "these epochs made it",
                ConvergenceWarning,
                stacklevel=5,
            )
        elif far_off or (
            rules
            and watch.problem.loss.smooth
            and np.isnan(self.suboptimality_bound_)
            and watch.above(self.loss_curve_[-1]) > 1.0
        ):
            warnings.warn(
                f"the fit ended at the objective {self.loss_curve_[-1]:.4g}, above the "
                f"{watch.start:.4g} of zero coefficients: "
                + (
                    "there were too few rows or epochs for these columns; try StandardScaler or "
                    "more rows a call"
                    if self._auto_rate
                    else "the learning rate is too high for these columns; try a smaller one, "
                    "StandardScaler or learning_rate='auto'"
                ),
                ConvergenceWarning,
                stacklevel=5,
            )
        elif reason is None and rules:
            warnings.warn(
                f"max_iter={n_epochs} epochs were not enough to reach tol={self.tol:g}: "
                + progress(self.loss_curve_, rules[0], watch.start)
                + f"; try max_iter={4 * n_epochs}, a larger tol or a larger alpha"
                + ("" if self._auto_rate else ", scaled columns or learning_rate='auto'"),
                ConvergenceWarning,
                stacklevel=5,
            )

    def _set_fitted(self, problem, X, session, history, reason):
        state, recipe = session.state, session.recipe
        coef, intercept = problem.columns(session.shown).split(session.shown)
        self.coef_ = self._public(np.array(coef, dtype=X.dtype, order="C"))
        self.intercept_ = intercept.astype(X.dtype)
        self.history_ = {name: np.array(values) for name, values in history.items()}
        self.loss_curve_ = self.history_["objective"]
        self.validation_scores_ = self.history_["validation_score"]
        self.best_iter_ = self.n_iter_ = len(self.loss_curve_)
        if np.isfinite(self.validation_scores_).any():
            self.best_iter_ = int(np.nanargmax(self.validation_scores_)) + 1
        self.stop_reason_ = reason
        last_look = self.history_["suboptimality"][-1:]  # no epoch in apply_gradients
        reached = self.tol is not None and np.any(last_look <= self.tol)
        self.suboptimality_bound_ = float(last_look[0]) if reached else np.nan
        self.t_ = state.t
        self._dtype = X.dtype
        self._set_resolved(problem, recipe)

    def _set_resolved(self, problem, recipe):
        """What "auto" was settled to."""
        schedule = recipe.schedule
        self.learning_rate_ = schedule.initial if type(schedule) is Constant else schedule
        self.batch_size_ = recipe.rows_of_batch(problem.n_rows)
        self.optimizer_ = recipe.optimizer
        self.precondition_ = None if recipe.metric is None else recipe.metric.name

    def _public(self, coef):
        """Coefficients in the shape that users see."""
        return coef

    # ---- the calls ----

    def _fit(self, X, y, coef_init, intercept_init, sample_weight, X_val, y_val,
             sample_weight_val):  # fmt: skip
        self._validate_params()
        resume = self.warm_start and hasattr(self, "coef_")
        X, y = self._check_X(X, y, reset=not resume)
        weight = None if sample_weight is None else check_weights(sample_weight, X)
        y = self._encode(y, weight, first=not resume)
        weight = self._row_weights(y, weight)
        validation = self._validation_data(X_val, y_val, sample_weight_val)
        kept, held_out = kept_rows(weight), None
        if self.early_stopping and validation is None:
            kept, held_out = self._split(y, kept, len(y))
        problem = self._problem(X, y, normalised(weight, kept), kept)
        problem.loss.check_target(problem.of_kept(y))
        mark = fingerprint(X, y)
        session = self._open_session(problem, X, resume, coef_init, intercept_init, mark)
        session.mark, session.n_seen = mark, problem.n_rows
        scorer = self._scorer(problem, validation, y, weight, held_out)
        self._train(problem, X, session, self.max_iter, scorer)
        return self

    def _partial_fit(self, X, y, sample_weight, classes=None):
        self._validate_params()
        first = not hasattr(self, "coef_")
        X, y = self._check_X(X, y, reset=first)
        weight = None if sample_weight is None else check_weights(sample_weight, X)
        y = self._encode(y, weight, first, classes=classes, partial=True)
        weight = self._row_weights(y, weight, partial=True)
        kept = kept_rows(weight)
        problem = self._problem(X, y, normalised(weight, kept), kept)
        problem.loss.check_target(problem.of_kept(y))
        session = self._open_session(problem, X, resume=not first)
        mark = fingerprint(X, y)
        if session.mark not in (None, mark):
            self._become_stream(session, problem)
        session.mark, session.n_seen = mark, session.n_seen or problem.n_rows
        self._train(problem, X, session, 1, stop=False)
        return self

    def _become_stream(self, session, problem):
        """Leave the package's own full-batch method, which is for rows that stay the same."""
        if not (session.own and session.recipe.optimizer.recovers):
            return
        size = {"auto": DEFAULT_BATCH, "full": None}.get(self.batch_size, self.batch_size)
        session.recipe = stream_recipe(problem, session.recipe, session.n_seen, size)
        fresh = State.begin(problem, session.recipe, session.state.generator)
        session.state.slots, session.state.memory = fresh.slots, fresh.memory
        session.state.metric, session.state.reach = fresh.metric, fresh.reach

    def _split(self, y, kept, n):
        """(rows to train on, rows to score): at least one row each."""
        rows = np.arange(n, dtype=np.uint32) if kept is None else kept
        least = self._least_to_score
        if len(rows) <= least:
            raise ValueError(
                f"got n_samples = {len(rows)} with early_stopping=True, expected at least "
                f"{least + 1}: one to train on and {least} to score; give X_val and y_val"
            )
        n_held = min(max(least, round(self.validation_fraction * len(rows))), len(rows) - 1)
        seed = seed_of(self.random_state)
        held = self._held_out(y[rows], n_held, np.random.RandomState(seed))
        mask = np.zeros(len(rows), dtype=bool)
        mask[held] = True
        return np.ascontiguousarray(rows[~mask]), np.ascontiguousarray(rows[mask])

    def _held_out(self, y, n_held, random_state):
        """Positions of the rows to score."""
        return random_state.permutation(len(y))[:n_held]

    def _validation_data(self, X_val, y_val, sample_weight_val):
        if (X_val is None) != (y_val is None):
            missing, given = ("X_val", "y_val") if X_val is None else ("y_val", "X_val")
            raise ValueError(f"got {given} without {missing}, expected both or neither")
        if X_val is None:
            if sample_weight_val is not None:
                raise ValueError("got sample_weight_val without X_val and y_val")
            return None
        X_val, y_val = self._check_X(X_val, y_val, reset=False)
        y_val = self._encode_validation(y_val)
        weight = None if sample_weight_val is None else check_weights(sample_weight_val, X_val)
        return X_val, y_val, weight

    def _scorer(self, problem, validation, y, weight, held_out):
        """A function from parameters to the validation score, or None."""
        if validation is not None:
            X_val, y, weight = validation
            # the container may differ from that of X, and with it the layout of parameters
            if problem.rows.by_feature:
                rows = SparseRows(sp.csr_matrix(X_val))
            else:
                rows = DenseRows(X_val.toarray() if sp.issparse(X_val) else X_val)
            held_out = None
        elif held_out is None:
            return None
        else:
            rows, y = problem.rows, y[held_out]
            weight = None if weight is None else weight[held_out]

        def score(flat):
            columns = problem.columns(flat.copy())
            return self._score(core.scores(rows, columns, held_out), y, weight)

        return score

    # ---- the compute / apply pair ----

    def compute_gradients(self, X, y, sample_weight=None):
        """Gradient of the smooth objective over the rows given; changes no parameter.

        The smooth objective is the weighted mean of the losses plus the l2 part of the penalty;
        both gradients are taken at the same, current parameters.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        coef_gradient : ndarray, shaped as ``coef_``
        intercept_gradient : ndarray, shaped as ``intercept_``

        Notes
        -----
        With `apply_gradients` and `end_epoch` this is the loop of `fit` without its shuffling and
        stopping::

            for batch in batches:
                model.apply_gradients(model.compute_gradients(X[batch], y[batch]))
            model.end_epoch()

        What is "auto" is settled from the rows of the first call. Where that is accelerated
        descent, the gradient is taken where the method looks ahead to and not at ``coef_``.
        """
        return self._compute_gradients(X, y, sample_weight)

    def _compute_gradients(self, X, y, sample_weight, classes=None):
        self._validate_params()
        first = not hasattr(self, "_session")
        X, y = self._check_X(X, y, reset=first)
        weight = None if sample_weight is None else check_weights(sample_weight, X)
        y = self._encode(y, weight, first, classes=classes)
        weight = self._row_weights(y, weight)
        kept = kept_rows(weight)
        problem = self._problem(X, y, normalised(weight, kept), kept)
        session = self._open_session(problem, X, resume=not first)
        if first or session.recipe is not self._session.recipe:  # keep what X has settled
            self._session, self._dtype = session, X.dtype
            session = self._open_session(problem, X, resume=True)
        part = Part(problem, session.recipe, session.state)
        core.look_ahead(part.rule, part.columns)
        problem.reach = session.state.reach
        gradient, objective = problem.gradient(session.state.parameters)
        if session.recipe.optimizer.recovers:
            found = look_around(problem, session.recipe, session.state, gradient, objective)
            self._session = replace(self._session, found=found)
        coef, intercept = problem.columns(gradient).split(gradient)
        return self._public(np.ascontiguousarray(coef)), intercept.copy()

    def apply_gradients(self, gradients):
        """One update: the optimizer's step along the gradients, then the proximal step.

        Parameters
        ----------
        gradients : tuple (coef_gradient, intercept_gradient)
            As `compute_gradients` returns them, changed as you like.

        Returns
        -------
        self : object
        """
        if not hasattr(self, "_session"):
            check_is_fitted(self)
        coef, intercept = (np.asarray(part, dtype=np.float64) for part in gradients)
        d = self.n_features_in_
        problem = self._problem(np.zeros((1, d)), self._any_targets(), None, None)
        if self._session.state.by_feature:
            problem.rows = SparseRows(sp.csr_matrix((1, d)))
        session = self._open_session(problem, None, resume=True)
        flat = np.zeros_like(session.state.parameters)
        to_coef, to_intercept = problem.columns(flat).split(flat)
        expected = self._public(to_coef).shape, to_intercept.shape
        if (coef.shape, intercept.shape) != expected:
            raise ValueError(
                f"got gradients of shapes {coef.shape} and {intercept.shape}, expected "
                f"{expected[0]} and {expected[1]}, as compute_gradients returns them"
            )
        to_coef[...] = coef.reshape(to_coef.shape)
        to_intercept[...] = intercept
        state, recipe = session.state, session.recipe
        rates = recipe.schedule.rates(np.array([state.t]), state.epoch, state.memory)
        part = Part(problem, recipe, state)
        core.look_ahead(part.rule, part.columns)
        take_in(recipe, part, state, session.found)
        session.found = Found(reach=state.reach)
        apply_gradient(part, flat, np.array(rates, dtype=np.float64).reshape(1, 1), state.t)
        state.t += 1
        session.shown = state.result
        self._session = session
        history = {name: [] for name in HISTORY}
        self._set_fitted(problem, np.zeros(0, self._dtype), session, history, "one update")
        self.n_iter_ = self.best_iter_ = 1
        return self

    def end_epoch(self, objective=None, stalled=False):
        """Tell the schedule that an epoch of a loop by hand has ended, as `fit` does itself.

        Schedules that count epochs (``per="epoch"``), `Plateau` and `Adaptive` need it.

        Parameters
        ----------
        objective : float or None, default=None
            What `Plateau` watches; None does not show it the epoch.
        stalled : bool, default=False
            Whether there has been no progress for long, which `Adaptive` waits for.

        Returns
        -------
        bool
            Whether the schedule has changed its rate.

        Examples
        --------
        >>> import numpy as np
        >>> from skgd import GDRegressor
        >>> from skgd.schedules import Exponential
        >>> X, y = np.array([[-1.0], [0.0], [1.0], [2.0]]), np.array([-2.0, 0.0, 2.0, 4.0])
        >>> model = GDRegressor(learning_rate=Exponential(0.2, 0.9, per="epoch"))
        >>> for epoch in range(20):
        ...     for rows in (slice(0, 2), slice(2, 4)):
        ...         coef, intercept = model.compute_gradients(X[rows], y[rows])
        ...         _ = model.apply_gradients((coef.clip(-1, 1), intercept))
        ...     _ = model.end_epoch()
        >>> model.coef_.round(1)
        array([1.9])
        """
        if not hasattr(self, "_session"):
            check_is_fitted(self)
        state, schedule = self._session.state, self._session.recipe.schedule
        memory = copy.deepcopy(state.memory)
        state = replace(state, epoch=state.epoch + 1, memory=memory)
        self._session = replace(self._session, state=state)
        if objective is None and not stalled:
            return False
        return schedule.observe(memory, np.inf if objective is None else float(objective), stalled)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "coef_")  # of `compute_gradients` there are attributes already

    # ---- prediction ----

    def _raw_scores(self, X):
        """Scores (n_samples, n_columns)."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=[np.float64, np.float32], reset=False)
        coef = np.atleast_2d(self.coef_) if not sp.issparse(self.coef_) else self.coef_
        return safe_sparse_dot(X, coef.T, dense_output=True) + self.intercept_

    def sparsify(self):
        """Turn ``coef_`` into a SciPy CSR matrix, which saves memory where l1 made zeros.

        Returns
        -------
        self : object
        """
        check_is_fitted(self)
        self.coef_ = sp.csr_matrix(np.atleast_2d(self.coef_))
        return self

    def densify(self):
        """Turn ``coef_`` back into an ndarray; what `fit` makes is dense.

        Returns
        -------
        self : object
        """
        check_is_fitted(self)
        if sp.issparse(self.coef_):
            self.coef_ = self._public(self.coef_.toarray())
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


# ---- small pieces ----


def kept_rows(weight):
    """Row numbers of positive weight, or None where that is all of them."""
    if weight is None or np.all(weight > 0):
        return None
    kept = np.flatnonzero(weight > 0).astype(np.uint32)
    if len(kept) == 0:
        raise ValueError(
            "got a sample_weight of zero for every row, expected at least one positive weight"
        )
    return kept


def better_than_last(problem, state, recipe, lowest, least):
    """Parameters that are better than those after the last step, or None: the lowest, of objective
    `least`, where they were kept; else those before that step, if it was too long."""
    _, objective = problem.gradient(state.parameters, recipe.n_threads)
    if lowest is not None and objective > least:
        return lowest
    if not has_risen(recipe, state, objective):
        return None
    before = state.slots["point"].copy()
    if state.metric is not None and not recipe.optimizer.plans:
        state.metric.leave(*problem.columns(before).split(before))
    return before


def progress(curve, rule, start):
    """How far a fit has come and how fast it was, in words."""
    window = curve[-6:]
    text = f"the objective is {curve[-1]:.6g}"
    gained = start - curve[-1]
    if gained <= 0:
        return text + ", no better than zero coefficients"
    if isinstance(rule, Suboptimality):
        gap, objective, doubtful, _ = rule.estimate(None)
        gap *= doubtful
        if np.isfinite(gap):
            left = gap / (start - objective + gap)
            text += f", an estimated {left:.1e} of all there was to gain is left"
    share = (window[0] - window[-1]) / gained
    return f"{text}, and the last {len(window) - 1} epochs brought {share:.1e} of what was gained"


def fingerprint(X, y):
    """A number that tells one chunk of a stream from the next, at little cost."""
    values = X.data if sp.issparse(X) else X
    ends = [str(X.shape).encode(), values[:1].tobytes(), values[-1:].tobytes(), y[:64].tobytes()]
    return zlib.crc32(b"".join(ends))


def normalised(weight, kept):
    """Weights over their mean, or None where all kept rows weigh the same."""
    if weight is None:
        return None
    used = weight if kept is None else weight[kept]
    if used.min() == used.max():
        return None
    return weight / used.mean()


def _initial(value, shape, name):
    value = np.asarray(value, dtype=np.float64)
    one_column = shape[0] == 1 and value.size == np.prod(shape)  # (d,) will do for (1, d)
    if value.shape != shape and not one_column:
        raise ValueError(f"got {name} of shape {value.shape}, expected {shape}")
    return value.reshape(shape)


def seed_of(random_state):
    """A seed of our own from the user's."""
    if isinstance(random_state, Integral):
        return _seed_of_number(random_state)
    return check_random_state(random_state).randint(MOST_SEED)


@lru_cache
def _seed_of_number(number):
    """The generator that this asks takes longer to set up than an epoch over few rows."""
    return check_random_state(number).randint(MOST_SEED)


def _threads(n_jobs):
    """Number of threads that n_jobs means; None is one."""
    return effective_n_jobs(n_jobs if n_jobs is not None else 1)
