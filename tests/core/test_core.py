"""The compiled core: fused loops give what the phases give, kernels what NumPy gives."""

import itertools
import sys
import threading
import time

import numpy as np
import pytest
import scipy.sparse as sp
from skgd._core.columns import Columns
from skgd._core.rows import DenseRows, SparseRows

from skgd import GDClassifier, GDRegressor
from skgd._core import epoch, proxes, rules, slopes
from skgd.losses import Loss, Multinomial
from skgd.optimizers import SGD, Adam, Optimizer
from skgd.penalties import L2, Penalty
from skgd.problem import Problem
from skgd.schedules import Schedule

N, D = 60, 12
NO_BOUND = (-np.inf, np.inf)
PENALTIES = {
    "none": (0.0, 0.0, *NO_BOUND),
    "l2": (0.1, 0.0, *NO_BOUND),
    "l1": (0.0, 0.05, *NO_BOUND),
    "both": (0.1, 0.05, *NO_BOUND),
    "positive": (0.1, 0.02, 0.0, np.inf),
    "box": (0.0, 0.0, -0.5, 0.7),
}
MODELS = [[0, 1], [0, 1, 3, 4], [0, 2, 4]]  # where the columns of each model start


def data(seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, D)) * (rng.random((N, D)) < 0.3)
    return X, np.where(X.sum(axis=1) + rng.normal(size=N) > 0, 1.0, -1.0)


def rates_of(kind, n_steps, n_models):
    """Rates (n_steps, n_models), another scale for each model."""
    t = np.arange(n_steps)
    rates = {
        "steady": np.full(n_steps, 0.1),
        "falling": 0.3 / np.sqrt(1 + t),
        "huge": np.where(t % 17 == 0, 14.0, 0.05) / (1 + t / n_steps),  # l2 * rate above 1
    }[kind]
    return np.ascontiguousarray(np.outer(rates, 1 + 0.3 * np.arange(n_models)))


class Run:
    """One epoch of plain gradient steps; the penalty of each model may differ in strength."""

    def __init__(self, sparse, starts, strengths, rates, *, batch_size=1, n_rows=150,
                 kernel="log_loss", average_start=0, active=None, t=0, seed=0,
                 fit_intercept=True):  # fmt: skip
        X, y = data()
        self.rows = SparseRows(sp.csr_array(X)) if sparse else DenseRows(X)
        self.starts, self.n_columns = starts, starts[-1]
        self.strengths = np.array(strengths, dtype=float).reshape(-1, 4)
        self.rates, self.batch_size, self.n_rows = rates, batch_size, n_rows
        target = [0] * self.n_columns
        made = slopes.Logistic if kernel == "log_loss" else slopes.Elementwise
        self.slopes = made(y[:, None].copy(), None, starts, target, None, kernel, 0.1)
        self.order = np.random.default_rng(seed).integers(0, N, n_rows).astype(np.uint32)
        self.average_start, self.active, self.t = average_start, active, t
        self.fit_intercept = fit_intercept

    def begin(self, coef=None, intercept=None):
        """Columns at the same random point whatever the layout."""
        d, by_feature = self.rows.n_features, self.rows.by_feature
        flat = np.zeros(self.n_columns * (d + 1))
        columns = Columns(flat, self.n_columns, d, self.starts, by_feature, self.fit_intercept)
        rng = np.random.default_rng(1)
        columns.coef[...] = 0.3 * rng.random((self.n_columns, d)) if coef is None else coef
        columns.intercept[...] = rng.normal(size=self.n_columns) if coef is None else intercept
        return columns

    def do(self, how, columns=None):
        """(coef, intercept, objective, average) after `how`: run or phases."""
        columns = self.begin() if columns is None else columns
        average = np.zeros_like(columns.buffer) if self.average_start else None
        plan = epoch.Plan(
            self.n_rows, self.batch_size, self.rates, order=self.order, t=self.t,
            active=self.active, average=average, average_start=self.average_start,
        )  # fmt: skip
        none = np.zeros((len(self.starts) - 1, 5))
        rule = rules.compiled("sgd", none, none, {"momentum": np.zeros_like(columns.buffer)})
        prox = proxes.Separable(self.strengths)
        how(self.rows, self.slopes, rule, prox, columns, plan)
        objective = plan.objective / (plan.n_rows if how is epoch.phases else 1)
        found = [columns.coef.copy(), columns.intercept.copy(), objective.copy()]
        if average is not None:
            found += [part.copy() for part in columns.split(average)]
        return found

    def assert_fused_is_phases(self):
        fused, phases = self.do(epoch.run), self.do(epoch.phases)
        assert_same(fused, phases)
        np.testing.assert_array_equal(fused[0] == 0, phases[0] == 0)


def assert_same(mine, yours):
    for a, b in zip(mine, yours, strict=True):
        assert np.isfinite(b).all()
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-10 * max(1.0, np.abs(b).max()))


def scaled(penalty, n_models):
    """A penalty of each model: the same bounds, other strengths."""
    factor = 1 + 0.5 * np.arange(n_models)[:, None]
    return np.array(PENALTIES[penalty]) * np.hstack([factor, factor, 0 * factor + [1, 1]])


# ---------------------------------------------------------------- fused loops


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("kernel", ["log_loss", "squared_error", "hinge"])
@pytest.mark.parametrize("penalty", PENALTIES)
def test_fused_is_phases(sparse, kernel, penalty):
    for starts in MODELS:
        n_models = len(starts) - 1
        for kind in ("steady", "falling", "huge"):
            for batch_size in (1, 4) if sparse else (1,):
                for average_start, t in ((0, 0), (1, 0), (40, 0), (40, 100), (120, 90)):
                    n_steps = -(-150 // batch_size)
                    Run(
                        sparse, starts, scaled(penalty, n_models),
                        rates_of(kind, n_steps, n_models), batch_size=batch_size,
                        kernel=kernel, average_start=average_start, t=t,
                    ).assert_fused_is_phases()  # fmt: skip


def assorted_rows(dtype, index, d=41):
    """Rows of all lengths from 0 to d, with features in any order."""
    rng = np.random.default_rng(0)
    lengths = rng.permutation(np.arange(N) % (d + 1))
    indices = np.concatenate([rng.permutation(d)[:length] for length in lengths])
    X = sp.csr_array((N, d), dtype=dtype)
    X.data = rng.normal(size=len(indices)).astype(dtype)
    X.indices = indices.astype(index)
    X.indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(index)
    return SparseRows(X)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("kernel", ["log_loss", "hinge", "huber"])
@pytest.mark.parametrize("penalty", PENALTIES)
def test_fused_is_phases_on_assorted_rows(dtype, index, kernel, penalty):
    """One column, with and without weights, an intercept, labels and an order of the rows; and 15
    and 20, few of which a row moves where the loss is the hinge: 8, 4, 2 and 1 go together."""
    rng = np.random.default_rng(0)
    weight, label = rng.random(N) + 0.5, rng.integers(0, 20, N).astype(float)[:, None]
    made = slopes.Logistic if kernel == "log_loss" else slopes.Elementwise
    choices = itertools.product((0, 1, 20), (0, 1), (1, 15, 20), (1, 7))
    for average_start, in_order, n_columns, batch_size in choices:
        n_rows = N if in_order else 150
        run = Run(
            True, [0, n_columns], scaled(penalty, 1),
            rates_of("falling", -(-n_rows // batch_size), 1), batch_size=batch_size,
            n_rows=n_rows, average_start=average_start, fit_intercept=n_columns > in_order,
        )  # fmt: skip
        run.rows = assorted_rows(dtype, index)
        run.order = None if in_order else run.order
        run.slopes = made(
            label, None if in_order else weight, run.starts, [0] * n_columns,
            np.arange(n_columns) + 3.0, kernel, 0.1,
        )  # fmt: skip
        begin = [0.01, -1.5 if run.fit_intercept else 0.0]
        fused, phases = (run.do(how, run.begin(*begin)) for how in (epoch.run, epoch.phases))
        assert_same(fused, phases)
        np.testing.assert_array_equal(fused[0] == 0, phases[0] == 0)


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("average_start", [0, 20_000])
def test_fused_is_phases_where_the_scale_underflows(sparse, penalty, average_start):
    """50 000 steps of a decay of 0.99 are a factor of 1e-218, and of 0.5 far less."""
    for rate in (0.1, 5.0 if PENALTIES[penalty][0] else 0.3):  # without decay 5 is chaos
        rates = np.full((50_000, 1), rate)
        run = Run(
            sparse, [0, 1], PENALTIES[penalty], rates, n_rows=50_000, average_start=average_start
        )
        run.assert_fused_is_phases()


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("average_start", [0, 30])
def test_each_model_of_a_joint_fit_is_its_single_fit(sparse, penalty, average_start):
    starts = [0, 1, 3, 4]
    strengths, rates = scaled(penalty, 3), rates_of("falling", 150, 3)
    joint_run = Run(sparse, starts, strengths, rates, average_start=average_start)
    joint, begun = joint_run.do(epoch.run), joint_run.begin()
    for m in range(3):
        own = slice(starts[m], starts[m + 1])
        single = Run(
            sparse, [0, starts[m + 1] - starts[m]], strengths[m], rates[:, m : m + 1].copy(),
            average_start=average_start,
        )  # fmt: skip
        found = single.do(epoch.run, single.begin(begun.coef[own], begun.intercept[own]))
        expected = [part[own] for part in joint]
        expected[2] = joint[2][m : m + 1]
        assert_same(found, expected)


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("how", [epoch.run, epoch.phases])
def test_a_frozen_model_does_not_move_and_disturbs_nobody(sparse, penalty, how):
    starts, strengths = [0, 1, 3, 4], scaled(penalty, 3)
    rates = rates_of("falling", 150, 3)
    active = np.array([1, 0, 1], dtype=np.uint8)
    run = Run(sparse, starts, strengths, rates, active=active)
    frozen, begun = run.do(how), run.begin()
    all_move = Run(sparse, starts, strengths, rates).do(how)
    np.testing.assert_array_equal(frozen[0][1:3], begun.coef[1:3])
    np.testing.assert_array_equal(frozen[1][1:3], begun.intercept[1:3])
    for moved in (0, 3):
        assert_same([part[moved] for part in frozen[:2]], [part[moved] for part in all_move[:2]])


# ---------------------------------------------------------------- losses


def targets(loss, n):
    rng = np.random.default_rng(0)
    if loss.rowwise:
        return rng.integers(0, 3, n).astype(float)
    if loss.task == "classification":
        return rng.choice([-1.0, 1.0], n)
    return rng.integers(0, 4, n) + 0.5 * (loss.power == 2) if loss.power else rng.normal(size=n)


LOSSES = [*(member() for member in Loss.registry.values()), Multinomial()]


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("weighted", [False, True])
def test_compiled_loss_is_its_numpy_loss(loss, weighted):
    """At random scores, on kinks (margins and residuals of 0, 0.1 and 1), and further out."""
    n, K = 300, 3 if loss.rowwise else 1
    y = targets(loss, n)
    rng = np.random.default_rng(1)
    z = rng.normal(0, 3, (n, K))
    if K == 1:
        centre = 0.0 if loss.task == "classification" else y[:90]
        z[:90, 0] = centre + np.resize([0.0, 0.1, -0.1, 1.0, -1.0, 30.0, -30.0], 90)
    weight = rng.uniform(0.1, 2, n) if weighted else None
    rows = DenseRows(np.eye(n))  # so that the coefficients are the scores, the gradient slopes
    problem = Problem(rows, y[:, None], weight, loss, L2(), 0.0, False, False, K)
    columns = problem.columns(np.concatenate([z.T.ravel(), np.zeros(K)]))
    y, z = (y, z) if loss.rowwise else (y, z[:, 0])
    share = np.ones(n) if weight is None else weight
    value, slope = loss.value(y, z), loss.slope(y, z).reshape(n, K)
    for order in (None, np.arange(n, dtype=np.uint32)):
        gradient, total = epoch.sums(rows, problem.slopes(), columns, 0, n, order)
        found = columns.split(gradient)[0].T
        np.testing.assert_allclose(found, share[:, None] * slope, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(total, share @ value, rtol=1e-12)
    for i in range(0, n, 3):
        _, one = epoch.sums(rows, problem.slopes(), columns, i, 1)
        np.testing.assert_allclose(one, share[i] * value[i], rtol=1e-12, atol=1e-13)


def uncompiled(component):
    """The same by its NumPy methods alone: a subclass inherits no kernel."""
    return type(f"My{type(component).__name__}", (type(component),), {})(**component.get_params())


def fit_pair(one, other, X, y):
    return [model.fit(container(X), y) for model in (one, other) for container in CONTAINERS]


CONTAINERS = (np.asarray, sp.csr_array)
EXACT = {"tol": None, "max_iter": 4, "random_state": 0, "learning_rate": 0.02}


@pytest.mark.parametrize("loss", Loss.registry)
@pytest.mark.parametrize("batch_size", [1, 7, "full"])
def test_a_loss_object_of_ones_own_is_the_compiled_loss(loss, batch_size):
    X, y = data()
    classification = Loss.registry[loss].task == "classification"
    y = np.abs(X.sum(axis=1)) + 0.1 if not classification else y
    estimator = GDClassifier if classification else GDRegressor
    keywords = EXACT | {"batch_size": batch_size}
    theirs = estimator(loss, **keywords)
    mine = estimator(uncompiled(theirs._loss()), **keywords)
    first, *others = fit_pair(theirs, mine, X, y)
    for model in others:
        np.testing.assert_allclose(model.coef_, first.coef_, rtol=0, atol=1e-10)
        np.testing.assert_allclose(model.loss_curve_, first.loss_curve_, rtol=1e-10)


# ---------------------------------------------------------------- optimizers


RULES = [
    *(rule() for rule in Optimizer.registry.values()),
    SGD(momentum=0.9),
    SGD(momentum=0.9, nesterov=True),
    SGD(momentum=0.5, dampening=0.3, weight_decay=0.1),
    Adam(amsgrad=True, weight_decay=0.1),
    Adam(beta_1=0.5, epsilon_hat=True),
]


@pytest.mark.parametrize("optimizer", RULES, ids=repr)
@pytest.mark.parametrize("penalty", ["l2", "l1"])
@pytest.mark.parametrize("batch_size", [1, 7, "full"])
def test_compiled_rule_is_its_numpy_rule(optimizer, penalty, batch_size):
    X, y = data()
    for y_ in (y, np.arange(N) % 3):  # also several columns
        keywords = EXACT | {"batch_size": batch_size, "penalty": penalty, "alpha": 0.01}
        mine, theirs = (
            GDClassifier(optimizer=rule, **keywords) for rule in (uncompiled(optimizer), optimizer)
        )
        first, *others = fit_pair(theirs, mine, X, y_)
        for model in others:
            np.testing.assert_allclose(model.coef_, first.coef_, rtol=0, atol=1e-10)
            np.testing.assert_allclose(model.intercept_, first.intercept_, rtol=0, atol=1e-10)


class SignDescent(Optimizer):
    """The example of the documentation."""

    def __init__(self, learning_rate=None):
        self.learning_rate = learning_rate

    def update(self, w, g, slots, t, rate):
        w -= rate * np.sign(g)


class SquareRoot(Schedule):
    def __init__(self, initial=0.1):
        self.initial = initial

    def __call__(self, t):
        return self.initial / np.sqrt(1.0 + np.asarray(t))


@pytest.mark.parametrize("container", CONTAINERS)
def test_an_optimizer_and_a_schedule_of_ones_own(container):
    X, y = data()
    model = GDClassifier(
        penalty=None, optimizer=SignDescent(), learning_rate=SquareRoot(0.1), batch_size=20,
        shuffle=False, tol=None, max_iter=3,
    ).fit(container(X), y)  # fmt: skip
    w, b, loss = np.zeros(D), 0.0, Loss.registry["log_loss"]()
    for t in range(9):
        rows = slice(20 * (t % 3), 20 * (t % 3) + 20)
        slope = loss.slope(y[rows], X[rows] @ w + b)
        step = 0.1 / np.sqrt(1 + t)
        w, b = w - step * np.sign(X[rows].T @ slope / 20), b - step * np.sign(slope.mean())
    np.testing.assert_allclose(model.coef_[0], w, rtol=0, atol=1e-12)
    assert model.intercept_[0] == pytest.approx(b, abs=1e-12)
    np.testing.assert_allclose(model.history_["learning_rate"], 0.1 / np.sqrt([3, 6, 9]))


class GroupLasso(Penalty):
    r"""Sum of the norms of groups of consecutive coefficients."""

    separable = False

    def __init__(self, size=3):
        self.size = size

    def norms(self, w):
        return np.linalg.norm(w.reshape(len(w), -1, self.size), axis=2)

    def value(self, w):
        return self.norms(w).sum(axis=1)

    def prox(self, w, step):
        step = np.broadcast_to(step, w.shape)[:, :: self.size]  # the same in all of a group
        norms = self.norms(w)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(norms > step, 1 - step / norms, 0.0)
        return w * np.repeat(share, self.size, axis=1)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("optimizer", [SGD(), SGD(momentum=0.8, nesterov=True)], ids=repr)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_penalty_of_ones_own_that_is_not_separable(container, optimizer, n_classes):
    """Group lasso: whole groups are zero, and the others are optimal."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, D))
    scores = X[:, :3] @ rng.normal(size=(3, n_classes)) + 0.5 * rng.normal(size=(200, n_classes))
    y = scores.argmax(axis=1)
    model = GDClassifier(
        penalty=GroupLasso(), alpha=0.05, optimizer=optimizer, learning_rate=0.5,
        batch_size="full", tol=None, max_iter=5000,
    ).fit(container(X), y)  # fmt: skip
    norms = GroupLasso().norms(model.coef_)
    assert (norms[:, 0] > 0).all()
    assert (norms[:, 1:] == 0).mean() > 0.5
    gradient, intercept_gradient = model.compute_gradients(container(X), y)
    np.testing.assert_allclose(intercept_gradient, 0, atol=1e-8)
    for w, g in zip(model.coef_.reshape(-1, 3), gradient.reshape(-1, 3), strict=True):
        if w.any():
            np.testing.assert_allclose(g, -0.05 * w / np.linalg.norm(w), rtol=0, atol=1e-8)
        else:
            assert np.linalg.norm(g) <= 0.05


# ---------------------------------------------------------------- threads


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("batch_size", [1, 50])
def test_other_threads_run_during_an_epoch(sparse, batch_size):
    """A thread looks at the clock all the time: it did so in the middle of the epoch, too."""
    n = 4_000_000
    rates = np.full((-(-n // batch_size), 1), 1e-3)
    run = Run(sparse, [0, 1], PENALTIES["both"], rates, n_rows=n, batch_size=batch_size)
    seen, finished = [], threading.Event()

    def look():
        while not finished.wait(1e-3):
            seen.append(time.perf_counter())

    watcher = threading.Thread(target=look)
    watcher.start()
    begun = time.perf_counter()
    try:
        run.do(epoch.run)
        took = time.perf_counter() - begun
    finally:
        finished.set()
        watcher.join()
    inside = [t for t in seen if 0.25 * took < t - begun < 0.75 * took]
    assert len(inside) >= 3, f"{len(inside)} looks in {took:.2f} s, {sys.getswitchinterval()=}"
