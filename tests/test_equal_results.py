"""What must not change a result: containers, layout, chunking, weights of zero, interruptions.

Each is a property, tried on small random problems. "Bit for bit" is meant: no tolerance.
"""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skgd import DivergenceError, GDClassifier, GDRegressor
from skgd.losses import Loss
from skgd.optimizers import SGD, Adam, Averaged, Clipped, Optimizer
from skgd.penalties import Box
from skgd.schedules import (
    Adaptive,
    Constant,
    Cosine,
    CosineRestarts,
    Exponential,
    InverseScaling,
    Linear,
    MultiStep,
    OneCycle,
    Optimal,
    Plateau,
    Polynomial,
    Step,
    Warmup,
)

settings.register_profile(
    "skgd", deadline=None, derandomize=True, max_examples=12, database=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
settings.load_profile("skgd")

seeds = st.integers(0, 10_000)
sizes = st.tuples(st.integers(3, 40), st.integers(1, 9))
batches = st.sampled_from([1, 3, 7, 0.3, "full"])

PENALTIES = [
    {"penalty": None},
    {"penalty": "l2", "alpha": 0.05},
    {"penalty": "l1", "alpha": 0.05},
    {"penalty": "elasticnet", "alpha": 0.05, "l1_ratio": 0.4},
    {"penalty": "l1", "alpha": 0.03, "positive": True},
    {"penalty": Box(-0.1, 0.2)},
]
RULES = [
    {"optimizer": "sgd", "learning_rate": 0.05},
    {"optimizer": "sgd", "learning_rate": InverseScaling(0.1, 0.3), "average": 5},
    {"optimizer": "sgd", "learning_rate": 0.05, "precondition": "diagonal"},
    {"optimizer": SGD(momentum=0.8, nesterov=True), "learning_rate": 0.02},
    {"optimizer": "adam", "learning_rate": 0.02},
]
FIXED = {"tol": None, "max_iter": 3, "random_state": 0}
penalties, rules = st.sampled_from(PENALTIES), st.sampled_from(RULES)


def estimators():
    """A regression, two classes, and more than two: softmax and one-against-rest."""
    return [
        (GDRegressor("huber"), 1),
        (GDClassifier("log_loss"), 2),
        (GDClassifier("log_loss"), 3),
        (GDClassifier("squared_hinge"), 3),
        (GDRegressor("squared_error"), -2),
    ]


models = st.sampled_from(estimators())


def problem(kind, size, seed, zeros=0.6):
    """Rows with many zeros, and targets: 1 number, 2 or 3 classes, or (-2) two outputs."""
    (n, d), rng = size, np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) * (rng.random((n, d)) > zeros)
    if kind == 1:
        return X, X.sum(axis=1) + rng.normal(size=n)
    if kind == -2:
        return X, X[:, :1] * [1.0, -1.0] + rng.normal(size=(n, 2))
    y = rng.integers(0, kind, n)
    y[:kind] = range(kind)
    return X, y


def fitted(model, X, y, keywords, **fit):
    return clone(model).set_params(**keywords).fit(X, y, **fit)


def assert_close(a, b, tolerance=1e-10):
    for mine, yours in ((a.coef_, b.coef_), (a.intercept_, b.intercept_)):
        scale = max(1.0, np.abs(yours).max())
        np.testing.assert_allclose(mine, yours, rtol=0, atol=tolerance * scale)
    np.testing.assert_allclose(a.loss_curve_, b.loss_curve_, rtol=10 * tolerance, atol=tolerance)


def assert_identical(a, b, history=True):
    """Every bit."""
    np.testing.assert_array_equal(a.coef_, b.coef_)
    np.testing.assert_array_equal(a.intercept_, b.intercept_)
    if history:
        np.testing.assert_array_equal(a.loss_curve_, b.loss_curve_)


# ---------------------------------------------------------------- containers


def disordered(X):
    """CSR with unsorted columns and each entry split in two."""
    X = sp.csr_array(X)
    rows = np.repeat(np.arange(X.shape[0]), 2 * np.diff(X.indptr))
    parts = [np.stack([0.25 * X.data, 0.75 * X.data]), np.stack([X.indices, X.indices])]
    data, indices = (
        np.concatenate([p[:, a:b][:, ::-1].ravel() for a, b in zip(X.indptr, X.indptr[1:])])
        if X.nnz
        else p.ravel()
        for p in parts
    )
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=X.shape[0]))])
    return sp.csr_array((data, indices, indptr), shape=X.shape)


def wide(X):
    """CSR with 64-bit indices."""
    X = sp.csr_array(X)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


CONTAINERS = {
    "csr_array": sp.csr_array, "csr_matrix": sp.csr_matrix, "csc": sp.csc_array,
    "coo": sp.coo_array, "bsr": sp.bsr_array, "lil": sp.lil_array, "dok": sp.dok_array,
    "wide": wide, "disordered": disordered,
}  # fmt: skip


@pytest.mark.parametrize("penalty", PENALTIES, ids=str)
@given(models, sizes, seeds, batches, rules)
def test_dense_is_sparse(penalty, model, size, seed, batch_size, rule):
    model, kind = model
    X, y = problem(kind, size, seed)
    keywords = FIXED | penalty | rule | {"batch_size": batch_size}
    dense, sparse = (fitted(model, rows, y, keywords) for rows in (X, sp.csr_array(X)))
    assert_close(dense, sparse)
    assert_same_zeros(dense, sparse, rule)
    scores, same = (
        getattr(m, "decision_function", m.predict)(rows)
        for m, rows in ((dense, X), (sparse, sp.csr_array(X)))
    )
    np.testing.assert_allclose(scores, same, rtol=0, atol=1e-9)


def assert_same_zeros(a, b, rule):
    """Where the last steps thresholded; an average is seldom zero."""
    if "average" not in rule:
        np.testing.assert_array_equal(a.coef_ == 0, b.coef_ == 0)


@pytest.mark.parametrize("container", CONTAINERS)
@given(models, sizes, seeds, batches, rules, penalties)
def test_every_sparse_container_is_csr(container, model, size, seed, batch_size, rule, penalty):
    model, kind = model
    X, y = problem(kind, size, seed)
    keywords = FIXED | penalty | rule | {"batch_size": batch_size}
    given_X = CONTAINERS[container](X)
    before = given_X.copy()
    other = fitted(model, given_X, y, keywords)
    assert_untouched(given_X, before)
    csr = fitted(model, sp.csr_array(X), y, keywords)
    if container == "disordered":  # 0.25 x + 0.75 x may round
        assert_close(other, csr)
    else:
        assert_identical(other, csr)


def assert_untouched(X, before):
    """Nothing of the caller's arrays is ever written."""
    for part in ("data", "indices", "indptr"):
        if hasattr(X, part):
            ours, theirs = getattr(X, part), getattr(before, part)
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs)


@given(models, sizes, seeds)
def test_dense_is_sparse_at_the_defaults(model, size, seed):
    model, kind = model
    X, y = problem(kind, size, seed)
    keywords = {"tol": None, "max_iter": 20, "random_state": 0}
    dense, sparse = (fitted(model, rows, y, keywords) for rows in (X, sp.csr_array(X)))
    assert_close(dense, sparse, 1e-8)  # the rate comes from power steps


@given(models, sizes, seeds, batches, rules, penalties)
def test_float32_is_close_to_float64(model, size, seed, batch_size, rule, penalty):
    model, kind = model
    X, y = problem(kind, size, seed)
    X = X.astype(np.float32).astype(np.float64)
    keywords = FIXED | penalty | rule | {"batch_size": batch_size}
    for container in (np.asarray, sp.csr_array):
        double = fitted(model, container(X), y, keywords)
        single = fitted(model, container(X.astype(np.float32)), y, keywords)
        assert single.coef_.dtype == single.intercept_.dtype == np.float32
        assert_close(single, double, 2e-4)


@given(models, sizes, seeds, batches, rules, penalties)
def test_layout_and_memory_change_no_bit(model, size, seed, batch_size, rule, penalty):
    model, kind = model
    X, y = problem(kind, size, seed)
    keywords = FIXED | penalty | rule | {"batch_size": batch_size}
    expected = fitted(model, X, y, keywords)
    locked = X.copy()
    locked.flags.writeable = y.flags.writeable = False
    strided = np.repeat(X, 2, axis=1)[:, ::2]
    for rows in (np.asfortranarray(X), locked, strided, X.tolist()):
        assert_identical(fitted(model, rows, y, keywords), expected)


@pytest.mark.parametrize("batch_size", [1, 3, "full"])
def test_a_memory_map_changes_no_bit(tmp_path, batch_size):
    X, y = problem(2, (40, 6), 0)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    keywords = FIXED | {"batch_size": batch_size, "learning_rate": 0.1}
    model = GDClassifier()
    assert_identical(fitted(model, mapped, y, keywords), fitted(model, X, y, keywords))


def test_read_only_sparse_arrays_change_no_bit():
    X, y = problem(2, (40, 6), 0)
    locked = sp.csr_array(X)
    for part in (locked.data, locked.indices, locked.indptr):
        part.flags.writeable = False
    keywords = FIXED | {"batch_size": 1, "learning_rate": 0.1}
    model = GDClassifier()
    assert_identical(
        fitted(model, locked, y, keywords), fitted(model, sp.csr_array(X), y, keywords)
    )


# ---------------------------------------------------------------- weights


@given(models, sizes, seeds, batches, rules, penalties, st.booleans())
def test_a_weight_of_zero_is_no_row(model, size, seed, batch_size, rule, penalty, sparse):
    model, kind = model
    X, y = problem(kind, size, seed)
    rng = np.random.default_rng(seed)
    keep = rng.random(len(X)) < 0.6
    keep[: max(2, abs(kind))] = True
    weight = np.where(keep, rng.choice([1.0, 2.0, 0.3], len(X)), 0.0)
    keywords = FIXED | penalty | rule | {"batch_size": batch_size}
    container = sp.csr_array if sparse else np.asarray
    weighted = fitted(model, container(X), y, keywords, sample_weight=weight)
    dropped = fitted(model, container(X[keep]), y[keep], keywords, sample_weight=weight[keep])
    if "precondition" in rule:  # the moments of the columns are sums of other lengths
        assert_close(weighted, dropped)
    else:
        assert_identical(weighted, dropped)
    assert weighted.t_ == dropped.t_


@given(models, sizes, seeds)
def test_a_weight_of_zero_is_no_row_at_the_defaults(model, size, seed):
    model, kind = model
    X, y = problem(kind, size, seed)
    keep = np.random.default_rng(seed).random(len(X)) < 0.6
    keep[: max(2, abs(kind))] = True
    keywords = {"tol": None, "max_iter": 20, "random_state": 0}
    weighted = fitted(model, X, y, keywords, sample_weight=keep.astype(float))
    assert_close(weighted, fitted(model, X[keep], y[keep], keywords), 1e-9)


@given(models, sizes, seeds, rules, penalties)
def test_on_the_full_batch_a_weight_of_k_is_the_row_k_times(model, size, seed, rule, penalty):
    model, kind = model
    X, y = problem(kind, size, seed)
    k = np.random.default_rng(seed).integers(1, 4, len(X))
    keywords = FIXED | penalty | rule | {"batch_size": "full"}
    weighted = fitted(model, X, y, keywords, sample_weight=k)
    repeated = fitted(model, np.repeat(X, k, axis=0), np.repeat(y, k, axis=0), keywords)
    assert_close(weighted, repeated)


@given(models, sizes, seeds, batches, rules, st.floats(0.01, 100))
def test_only_ratios_of_weights_matter(model, size, seed, batch_size, rule, factor):
    model, kind = model
    X, y = problem(kind, size, seed)
    weight = np.random.default_rng(seed).uniform(0.5, 2, len(X))
    keywords = FIXED | rule | {"batch_size": batch_size}
    one, other = (fitted(model, X, y, keywords, sample_weight=w) for w in (weight, factor * weight))
    assert_close(one, other)
    equal = fitted(model, X, y, keywords, sample_weight=np.full(len(X), factor))
    assert_identical(equal, fitted(model, X, y, keywords))


# ---------------------------------------------------------------- batches


@given(models, sizes, seeds, rules, penalties, st.booleans())
def test_a_batch_of_all_rows_is_the_full_batch(model, size, seed, rule, penalty, sparse):
    model, kind = model
    X, y = problem(kind, size, seed)
    container = sp.csr_array if sparse else np.asarray
    full, n, more = (
        fitted(model, container(X), y, FIXED | penalty | rule | {"batch_size": batch_size})
        for batch_size in ("full", len(X), 10 * len(X))
    )
    assert_identical(n, full)
    assert_identical(more, full)


@given(models, st.sampled_from([10, 20, 40]), seeds, rules, st.sampled_from([0.1, 0.2, 0.5]))
def test_a_share_is_that_many_rows(model, n, seed, rule, share):
    model, kind = model
    X, y = problem(kind, (n, 4), seed)
    by_share, by_number = (
        fitted(model, X, y, FIXED | rule | {"batch_size": size}) for size in (share, int(n * share))
    )
    assert_identical(by_share, by_number)
    assert by_share.batch_size_ == int(n * share)


# ---------------------------------------------------------------- interruptions


def falling(t):
    return 0.05 / (1 + t) ** 0.4


SCHEDULES = [
    Constant(0.02),
    InverseScaling(0.05),
    Adaptive(0.02),
    Plateau(0.02, factor=0.5, patience=0),
    Exponential(0.02, 0.9, per="epoch"),
    Cosine(0.02, 30),
    CosineRestarts(0.02, 7),
    Linear(0.02, 0.001, 40),
    OneCycle(0.05, 40),
    Warmup(5).then(Constant(0.02)),
    Step(0.02, 3),
    MultiStep(0.02, [2, 9]),
    Polynomial(0.02, 20, 2.0),
    Warmup(2, per="epoch").then(Cosine(0.02, 4, per="epoch")),
    Plateau(0.02, factor=0.5, patience=0, per="epoch").then(
        Exponential(0.02, 0.5, per="epoch"), after=3
    ),
    Constant(0.02).then(Plateau(0.02, factor=0.5, patience=0), after=8),
    Optimal(alpha=0.5, t0=100.0),
    falling,
]
ACCEPTED = [
    *(rule() for rule in Optimizer.registry.values()),
    SGD(momentum=0.9, nesterov=True),
    Adam(amsgrad=True),
    Clipped(Adam(), max_norm=0.1),
    Clipped(SGD(momentum=0.5), max_value=0.01, scope="array"),
    Clipped(Adam(weight_decay=0.1), max_norm=0.1, scope="global"),
    Averaged(SGD()),
    Averaged(Clipped(Adam(), max_norm=0.1), decay=0.8, after=4),
]


def name_of(schedule):
    return getattr(schedule, "__name__", repr(schedule))


def resumed(model, X, y, parts):
    """Fits of so many epochs, each from a pickle of the one before."""
    model = clone(model).set_params(warm_start=True)
    for k in parts:
        model = pickle.loads(pickle.dumps(model.set_params(max_iter=k))).fit(X, y)
    return model


@pytest.mark.parametrize("optimizer", ACCEPTED, ids=repr)
@settings(max_examples=4)
@given(models, seeds, batches, st.sampled_from(SCHEDULES), penalties, st.sampled_from([False, 4]))
def test_a_fit_with_pauses_is_one_fit(
    optimizer, model, seed, batch_size, schedule, penalty, average
):
    model, kind = model
    X, y = problem(kind, (23, 4), seed)
    average = average and "Averaged" not in repr(optimizer)
    keywords = {"learning_rate": schedule, "average": average, "batch_size": batch_size}
    model = clone(model).set_params(
        optimizer=optimizer, tol=None, random_state=seed, **keywords, **penalty
    )
    for rows in (X, sp.csr_array(X)):
        whole = clone(model).set_params(max_iter=5).fit(rows, y)
        parts = resumed(model, rows, y, (2, 1, 2))
        assert_identical(parts, whole, history=False)
        assert parts.t_ == whole.t_
        by_call = clone(model)
        first = {"classes": np.unique(y)} if kind > 1 else {}
        for _ in range(5):
            by_call = pickle.loads(pickle.dumps(by_call.partial_fit(rows, y, **first)))
        assert_identical(by_call, whole, history=False)


@pytest.mark.parametrize("optimizer", ACCEPTED, ids=repr)
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_a_fit_with_a_pause_is_one_fit_under_every_schedule(optimizer, container):
    X, y = problem(1, (12, 3), 0)
    rows, first = container(X), ACCEPTED.index(optimizer)
    for k, schedule in enumerate(SCHEDULES, start=first):
        model = GDRegressor(
            optimizer=optimizer, learning_rate=schedule, batch_size=(5, 1, "full")[k % 3],
            tol=None, random_state=0, **PENALTIES[k % len(PENALTIES)],
        )  # fmt: skip
        whole = clone(model).set_params(max_iter=5).fit(rows, y)
        parts = resumed(model, rows, y, (3, 2))
        assert_identical(parts, whole, history=False)
        np.testing.assert_array_equal(
            parts.history_["learning_rate"], whole.history_["learning_rate"][3:]
        )


@pytest.mark.parametrize("schedule", SCHEDULES, ids=name_of)
def test_every_schedule_goes_on_after_a_pause(schedule):
    X, y = problem(2, (23, 4), 0)
    model = GDClassifier(learning_rate=schedule, batch_size=5, tol=None, random_state=0)
    whole = clone(model).set_params(max_iter=8).fit(X, y)
    parts = resumed(model, X, y, (3, 5))
    assert_identical(parts, whole, history=False)
    np.testing.assert_array_equal(
        parts.history_["learning_rate"], whole.history_["learning_rate"][3:]
    )


def test_a_pause_raises_nothing_that_one_fit_does_not():
    """Far off after an epoch, near again after eight."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(23, 5))
    y = X @ [1, 2, 0, 0, -1] + 0.1 * rng.normal(size=23)
    model = GDRegressor(
        optimizer="adam", learning_rate=Exponential(10.0, 0.97), batch_size=1, alpha=0, tol=None,
        random_state=0,
    )  # fmt: skip
    whole = clone(model).set_params(max_iter=8).fit(X, y)
    with pytest.raises(DivergenceError):  # what ends there is not a model
        clone(model).set_params(max_iter=1).fit(X, y)
    with pytest.warns(ConvergenceWarning, match="rate is too high"):
        parts = resumed(model, X, y, (1, 7))
    assert_identical(parts, whole, history=False)
    with pytest.warns(ConvergenceWarning, match="rate is too high"):
        model.partial_fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for _ in range(7):
            model.partial_fit(X, y)
    assert_identical(model, whole, history=False)


@given(models, seeds, penalties, st.sampled_from(["auto", "full", 5]))
def test_a_fit_with_pauses_is_one_fit_at_the_defaults(model, seed, penalty, batch_size):
    model, kind = model
    X, y = problem(kind, (23, 4), seed)
    model = clone(model).set_params(tol=None, random_state=0, batch_size=batch_size, **penalty)
    whole = clone(model).set_params(max_iter=9).fit(X, y)
    assert_identical(resumed(model, X, y, (2, 3, 4)), whole, history=False)
    first = {"classes": np.unique(y)} if kind > 1 else {}
    for _ in range(9):
        model.partial_fit(X, y, **first)
    assert_identical(model, whole, history=False)


@given(models, seeds, batches, rules)
def test_rows_may_change_their_container_between_calls(model, seed, batch_size, rule):
    model, kind = model
    X, y = problem(kind, (23, 4), seed)
    first = {"classes": np.unique(y)} if kind > 1 else {}
    keywords = FIXED | rule | {"batch_size": batch_size}
    same, mixed = (clone(model).set_params(**keywords) for _ in range(2))
    for k in range(4):
        same.partial_fit(X, y, **first)
        mixed.partial_fit(sp.csr_array(X) if k % 2 else X, y, **first)
    np.testing.assert_allclose(mixed.coef_, same.coef_, rtol=0, atol=1e-10)
    np.testing.assert_allclose(mixed.intercept_, same.intercept_, rtol=0, atol=1e-10)


@given(models, seeds, batches, rules)
def test_the_seed_fixes_the_fit(model, seed, batch_size, rule):
    model, kind = model
    X, y = problem(kind, (23, 4), seed, zeros=0.1)
    keywords = rule | {"batch_size": batch_size, "tol": None, "max_iter": 2}
    one, same, other = (
        fitted(model, X, y, keywords | {"random_state": state}) for state in (seed, seed, seed + 1)
    )
    assert_identical(one, same)
    if batch_size != "full":
        assert not np.array_equal(one.coef_, other.coef_)


# ---------------------------------------------------------------- the compute / apply pair


def by_hand(model, X, y, batch_size, objectives):
    """The loop of fit, with the objective of each epoch given."""
    model.compute_gradients(X, y)  # settles what is "auto" and shows all labels
    for objective in objectives:
        for first in range(0, len(y), batch_size):
            batch = slice(first, first + batch_size)
            model.apply_gradients(model.compute_gradients(X[batch], y[batch]))
        model.end_epoch(objective)
    return model


def assert_same_walk(model, X, y, batch_size):
    whole = clone(model).fit(X, y)
    hand = by_hand(clone(model), X, y, batch_size, whole.loss_curve_)
    np.testing.assert_allclose(hand.coef_, whole.coef_, rtol=0, atol=1e-10)
    np.testing.assert_allclose(hand.intercept_, whole.intercept_, rtol=0, atol=1e-10)
    assert hand.t_ == whole.t_


@given(models, seeds, st.sampled_from([1, 3, 7, 23]), rules, penalties)
def test_a_loop_written_by_hand_is_fit(model, seed, batch_size, rule, penalty):
    model, kind = model
    X, y = problem(kind, (23, 4), seed)
    keywords = FIXED | penalty | rule | {"batch_size": batch_size, "shuffle": False}
    assert_same_walk(clone(model).set_params(**keywords), X, y, batch_size)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=name_of)
@pytest.mark.parametrize("batch_size", [1, 4, 11])
def test_a_loop_written_by_hand_is_fit_under_every_schedule(schedule, batch_size):
    X, y = problem(2, (11, 3), 0)
    for optimizer in ("sgd", Averaged(Clipped(Adam(), max_norm=0.1), decay=0.8)):
        model = GDClassifier(
            optimizer=optimizer, learning_rate=schedule, batch_size=batch_size, shuffle=False,
            tol=None, max_iter=6,
        )  # fmt: skip
        assert_same_walk(model, X, y, batch_size)


@given(models, seeds, penalties, st.sampled_from(["auto", 5]))
def test_a_loop_written_by_hand_is_fit_at_the_defaults(model, seed, penalty, batch_size):
    model, kind = model
    X, y = problem(kind, (23, 4), seed)
    model = clone(model).set_params(
        tol=None, max_iter=9, shuffle=False, batch_size=batch_size, **penalty
    )
    for rows in (X, sp.csr_array(X)):
        assert_same_walk(model, rows, y, 23 if batch_size == "auto" else 5)


SMOOTH = [name for name, loss in Loss.registry.items() if loss.smooth]


@pytest.mark.parametrize("loss", SMOOTH)
@given(seeds, st.sampled_from([2, 3]), st.booleans(), st.booleans())
def test_compute_gradients_is_the_slope_of_the_objective(loss, seed, n_classes, sparse, weighted):
    classification = Loss.registry[loss].task == "classification"
    model = (GDClassifier if classification else GDRegressor)(
        loss, alpha=0.3, learning_rate=0.01, batch_size="full", tol=None, max_iter=2
    )
    X, y = problem(n_classes if classification else 1, (12, 3), seed)
    y = np.abs(y) + 0.1 if model._loss().power is not None else y
    weight = np.random.default_rng(seed).uniform(0.5, 2, 12) if weighted else None
    rows = sp.csr_array(X) if sparse else X
    model.fit(rows, y, sample_weight=weight)
    start = [np.atleast_2d(model.coef_).astype(float), model.intercept_.astype(float)]
    gradient = model.compute_gradients(rows, y, weight)
    gradient = [np.atleast_2d(gradient[0]), gradient[1]]

    def at(coef, intercept):
        there = clone(model).set_params(max_iter=1)
        there.fit(X, y, coef_init=coef, intercept_init=intercept, sample_weight=weight)
        return there.loss_curve_[0]

    h = 1e-5
    for k, part in enumerate(start):
        for index in np.ndindex(part.shape):
            up, down = ([p.copy() for p in start] for _ in range(2))
            up[k][index] += h
            down[k][index] -= h
            numeric = (at(*up) - at(*down)) / (2 * h)
            assert gradient[k][index] == pytest.approx(numeric, rel=1e-5, abs=1e-6)


@given(models, seeds, rules)
def test_compute_gradients_changes_nothing(model, seed, rule):
    model, kind = model
    X, y = problem(kind, (23, 4), seed)
    model = fitted(model, X, y, FIXED | rule | {"warm_start": True})
    before = pickle.dumps(model)
    for rows in (X, sp.csr_array(X)):
        one, two = (model.compute_gradients(rows, y) for _ in range(2))
        for a, b in zip(one, two):
            np.testing.assert_array_equal(a, b)
    assert pickle.dumps(model) == before
