"""What the two estimators say, refuse, keep, leave alone, and do when a fit goes wrong."""

import inspect
import pickle
import re
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    make_classification,
    make_regression,
)
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.preprocessing import StandardScaler

from skgd import DivergenceError, GDClassifier, GDRegressor
from skgd._component import resolve
from skgd.losses import Loss, SquaredError
from skgd.optimizers import SGD, Adam, Optimizer
from skgd.penalties import Box, Penalty
from skgd.schedules import Constant, Exponential

BOTH = pytest.mark.parametrize("estimator", [GDClassifier, GDRegressor])
BATCHES = pytest.mark.parametrize("batch_size", [1, 16, "full"])


def data(estimator=GDClassifier, n=100, n_classes=3, n_targets=1):
    if estimator is GDRegressor:
        return make_regression(n, 6, n_targets=n_targets, noise=5.0, random_state=0)
    return make_classification(
        n, 6, n_informative=4, n_classes=n_classes, class_sep=1.0, flip_y=0.1, random_state=0
    )


def steady(estimator, **settings):
    """A model at a rate that is stable on `data`, for a few epochs."""
    defaults = {"learning_rate": 1e-3, "max_iter": 4, "tol": None, "random_state": 0}
    return estimator(**defaults | settings)


def assert_same_model(a, b):
    np.testing.assert_array_equal(a.coef_, b.coef_)
    np.testing.assert_array_equal(a.intercept_, b.intercept_)


# ---- errors ----


class TiedPenalty(Penalty):
    """A penalty that ties coefficients together, and so has no bound of each alone."""

    separable = False

    def value(self, w):
        return np.sqrt(np.sum(w * w, axis=-1))


REFUSED_SETTINGS = {
    "unknown loss": ({"loss": "cross_entropy"}, "got loss 'cross_entropy', expected one of"),
    "unknown optimizer": ({"optimizer": "adamm"}, "got optimizer 'adamm', expected one of"),
    "unknown rate": ({"learning_rate": "slow"}, "got learning_rate='slow', expected a number"),
    "unknown penalty": ({"penalty": "l3"}, "got penalty 'l3', expected one of"),
    "negative rate": ({"learning_rate": -1.0}, "'learning_rate' parameter of .* must be"),
    "batch of none": ({"batch_size": 0}, "'batch_size' parameter of .* must be"),
    "batch of a half row": ({"batch_size": 1.5}, "'batch_size' parameter of .* must be"),
    "unknown batch": ({"batch_size": "all"}, "'batch_size' parameter of .* must be"),
    "no epochs": ({"max_iter": 0}, "'max_iter' parameter of .* must be"),
    "negative tol": ({"tol": -1e-3}, "'tol' parameter of .* must be"),
    "negative alpha": ({"alpha": -1.0}, "'alpha' parameter of .* must be"),
    "l1_ratio over 1": ({"l1_ratio": 1.1}, "'l1_ratio' parameter of .* must be"),
    "no validation rows": ({"validation_fraction": 0.0}, "'validation_fraction' parameter"),
    "unknown metric": ({"precondition": "full"}, "'precondition' parameter of .* must be"),
    "bad member": ({"optimizer": SGD(momentum=-1.0)}, "'momentum' parameter of SGD must be"),
    "bounds crossed": ({"penalty": Box(lower=2, upper=1)}, "lower=2 above upper=1"),
    "positive and tied": (
        {"positive": True, "penalty": TiedPenalty()},
        "got positive=True with penalty=TiedPenalty.*expected a separable penalty",
    ),
}


@pytest.mark.parametrize("case", REFUSED_SETTINGS)
@BOTH
def test_settings_are_refused_in_a_sentence(estimator, case):
    settings, sentence = REFUSED_SETTINGS[case]
    X, y = data(estimator)
    model = estimator(**settings)
    for call in (model.fit, model.partial_fit):
        classes = {"classes": [0, 1, 2]} if call == model.partial_fit else {}
        with pytest.raises(ValueError, match=sentence):
            call(X, y, **classes if estimator is GDClassifier else {})
    assert not hasattr(model, "coef_")


@pytest.mark.parametrize(
    ("settings", "family"), [({"loss": "no"}, Loss), ({"optimizer": "no"}, Optimizer)]
)
@BOTH
def test_an_unknown_name_lists_the_names_there_are(estimator, settings, family):
    with pytest.raises(ValueError) as caught:
        estimator(**settings).fit(*data(estimator))
    for name in family.registry:
        assert repr(name) in str(caught.value)


@pytest.mark.parametrize("name", Loss.registry)
@BOTH
def test_a_loss_of_the_other_task_is_refused_and_those_of_this_one_are_listed(estimator, name):
    X, y = data(estimator)
    y = np.abs(y) + 1.0 if estimator is GDRegressor else y
    task = Loss.registry[name].task
    for loss in (name, Loss.registry[name]()):
        model = steady(estimator, loss=loss, learning_rate=1e-6)
        if task in ("both", estimator._task):
            assert np.isfinite(model.fit(X, y).coef_).all()
            continue
        with pytest.raises(ValueError, match=f"a {task} loss, expected one for") as caught:
            model.fit(X, y)
        for other, member in Loss.registry.items():
            listed = f"'{other}'" in str(caught.value).split("expected")[1]
            assert listed == (member.task in ("both", estimator._task))


REFUSED_CALLS = {
    "X_val alone": (lambda X, y: {"X_val": X}, "got X_val without y_val, expected both"),
    "y_val alone": (lambda X, y: {"y_val": y}, "got y_val without X_val, expected both"),
    "weights of no rows": (
        lambda X, y: {"sample_weight_val": np.ones(len(y))},
        "got sample_weight_val without X_val and y_val",
    ),
    "X_val of other columns": (
        lambda X, y: {"X_val": X[:, :2], "y_val": y},
        "X has 2 features, but GD.* is expecting 6 features",
    ),
    "NaN in X_val": (lambda X, y: {"X_val": X * np.nan, "y_val": y}, "contains NaN"),
    "all weights zero": (lambda X, y: {"sample_weight": np.zeros(len(y))}, "weight.*zero"),
    "negative weights": (lambda X, y: {"sample_weight": -np.ones(len(y))}, "[Nn]egative"),
    "NaN weights": (lambda X, y: {"sample_weight": np.full(len(y), np.nan)}, "contains NaN"),
    "coef_init of a wrong shape": (
        lambda X, y: {"coef_init": np.ones(7)},
        r"got coef_init of shape \(7,\), expected",
    ),
    "intercept_init of a wrong shape": (
        lambda X, y: {"intercept_init": np.ones(7)},
        r"got intercept_init of shape \(7,\), expected",
    ),
}


@pytest.mark.parametrize("case", REFUSED_CALLS)
@BOTH
def test_arguments_of_fit_are_refused_in_a_sentence(estimator, case):
    arguments, sentence = REFUSED_CALLS[case]
    X, y = data(estimator)
    with pytest.raises(ValueError, match=sentence):
        estimator().fit(X, y, **arguments(X, y))


@BOTH
def test_coef_init_of_transposed_shape_is_refused(estimator):
    X, y = data(estimator, n_targets=3)
    with pytest.raises(ValueError, match=r"got coef_init of shape \(6, 3\), expected \(3, 6\)"):
        estimator().fit(X, y, coef_init=np.ones((6, 3)))


def test_one_class_is_refused():
    X, y = data()
    with pytest.raises(ValueError, match="1 class, expected at least 2 classes; the only class is"):
        GDClassifier().fit(X, np.full(len(y), 7))
    with pytest.raises(ValueError, match="1 class"):
        GDClassifier().fit(X, y, sample_weight=(y == 1).astype(float))


@pytest.mark.parametrize("classes", [[0, 1], [0, 1, 5]])
def test_labels_that_were_not_announced_are_refused(classes):
    X, y = data()
    known = y != 2
    model = GDClassifier().partial_fit(X[known], y[known], classes=classes)
    before = clone(model).partial_fit(X[known], y[known], classes=classes)
    with pytest.raises(ValueError, match=r"got labels array\(\[2\]\) that are not in classes"):
        model.partial_fit(X, y)
    with pytest.raises(ValueError, match=r"got classes=.*expected.*as in the first call"):
        model.partial_fit(X[known], y[known], classes=[0, 1, 2])
    assert_same_model(model, before)


def test_classes_are_asked_for_in_the_first_call():
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        GDClassifier().partial_fit(*data())


@pytest.mark.parametrize("name", [n for n, loss in Loss.registry.items() if loss().power])
def test_targets_outside_the_domain_of_the_loss_are_refused(name):
    X, y = data(GDRegressor)
    with pytest.raises(ValueError, match="got a target y between"):
        GDRegressor(name).fit(X, -np.abs(y) - 1.0)


def test_other_outputs_than_before_are_refused():
    X, y = data(GDRegressor)
    model = GDRegressor().partial_fit(X, y)
    with pytest.raises(ValueError, match="got y with 2 outputs, expected 1"):
        model.partial_fit(X, np.column_stack([y, y]))


@BOTH
def test_what_is_not_fitted_says_so(estimator):
    X, _ = data(estimator)
    for call in (lambda m: m.predict(X), lambda m: m.sparsify(), lambda m: m.densify()):
        with pytest.raises(NotFittedError):
            call(estimator())


@pytest.mark.parametrize(
    "name", [n for n, loss in Loss.registry.items() if loss.task != "regression"]
)
def test_probabilities_are_there_where_the_loss_models_them(name):
    X, y = data()
    model = steady(GDClassifier, loss=name).fit(X, y)
    if not Loss.registry[name]().has_proba:
        with pytest.raises(AttributeError, match="predict_proba"):
            model.predict_proba(X)
        return
    proba = model.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), proba, rtol=1e-12)


# ---- fitted attributes ----


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array, sp.csr_matrix])
@pytest.mark.parametrize("n_columns", [1, 3])
@BOTH
def test_shapes_and_dtypes_follow_the_data(estimator, n_columns, container, dtype):
    X, y = data(estimator, n_classes=max(2, n_columns), n_targets=n_columns)
    X = X.astype(dtype)
    model = steady(estimator).fit(container(X), y)
    flat = estimator is GDRegressor and n_columns == 1
    assert model.coef_.shape == ((6,) if flat else (n_columns, 6))
    assert model.intercept_.shape == (n_columns,)
    assert model.coef_.dtype == model.intercept_.dtype == dtype
    if estimator is GDRegressor:
        assert model.predict(container(X)).dtype == dtype
        assert model.predict(X).shape == y.shape
    else:
        assert model.decision_function(X).dtype == model.predict_proba(X).dtype == dtype
        assert model.decision_function(X).shape == ((100,) if n_columns == 1 else (100, 3))
        assert model.predict_proba(X).shape == (100, max(2, n_columns))
    assert model.n_features_in_ == 6


@BATCHES
@BOTH
def test_history_has_one_value_an_epoch(estimator, batch_size):
    X, y = data(estimator)
    model = steady(estimator, batch_size=batch_size).fit(X, y, X_val=X, y_val=y)
    assert set(model.history_) == {
        "objective", "validation_score", "learning_rate", "seconds", "exact_objective",
        "gradient_norm", "suboptimality",
    }  # fmt: skip
    assert all(values.shape == (4,) for values in model.history_.values())
    assert model.n_iter_ == 4
    assert model.t_ == 4 * -(-100 // model.batch_size_)
    assert model.loss_curve_ is model.history_["objective"]
    assert model.validation_scores_ is model.history_["validation_score"]
    np.testing.assert_array_equal(model.history_["learning_rate"], 1e-3)
    full = batch_size == "full"
    for name in ("exact_objective", "gradient_norm"):
        assert (np.isfinite(model.history_[name]) == full).all()
    if full:
        np.testing.assert_array_equal(model.history_["exact_objective"], model.loss_curve_)
        gradients = estimator(alpha=1e-4).set_params(**model.get_params())
        coef, intercept = gradients.compute_gradients(X, y)
        norm = np.sqrt(np.sum(coef**2) + np.sum(intercept**2))
        np.testing.assert_allclose(model.history_["gradient_norm"][0], norm, rtol=1e-12)


@BOTH
def test_what_auto_was_settled_to_is_shown(estimator):
    X, y = data(estimator, n=400)
    own = estimator().fit(X, y)
    assert (own.batch_size_, own.precondition_) == (400, "whiten")
    textbook = steady(estimator).fit(X, y)
    assert (textbook.batch_size_, textbook.precondition_) == (256, None)
    assert textbook.learning_rate_ == 1e-3
    assert type(textbook.optimizer_) is SGD
    named = steady(estimator, optimizer=Adam(learning_rate=0.02), learning_rate="auto").fit(X, y)
    assert (type(named.optimizer_), named.learning_rate_) == (Adam, 0.02)
    share = steady(estimator, batch_size=0.1, learning_rate=Exponential(1e-3, 0.9)).fit(X, y)
    assert share.batch_size_ == 40
    assert type(share.learning_rate_) is Exponential
    assert steady(estimator, batch_size=1000).fit(X, y).batch_size_ == 400


def scores_and_targets(model, X, y):
    """(scores, targets) as the loss takes them, one column a score."""
    Z = X @ np.atleast_2d(model.coef_).T + model.intercept_
    if isinstance(model, GDRegressor):
        return Z, y.reshape(Z.shape)
    if Z.shape[1] == 1:
        return Z, np.where(y == model.classes_[1], 1.0, -1.0)[:, None]
    return Z, np.where(y[:, None] == model.classes_, 1.0, -1.0)


def objective(model, X, y, weight):
    """The objective by hand, from the public coefficients; weight / mean of the whole fit."""
    w = np.atleast_2d(model.coef_)
    loss = model._loss()
    Z, T = scores_and_targets(model, X, y)
    if isinstance(model, GDClassifier) and len(model.classes_) > 2:
        loss = loss.for_classes(len(model.classes_))
    values = (
        loss.value(np.searchsorted(model.classes_, y), Z)[:, None]
        if loss.rowwise
        else (loss.value(T, Z))
    )
    penalty = resolve(model.penalty, Penalty)
    return np.sum(weight @ values) / len(y) + model.alpha * np.sum(penalty.value(w))


@pytest.mark.parametrize("n_columns", [1, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("penalty", ["l2", "l1"])
@pytest.mark.parametrize("batch_size", [1, 16, "full"])
@pytest.mark.parametrize(
    ("estimator", "loss"),
    [(GDClassifier, "log_loss"), (GDClassifier, "hinge"), (GDRegressor, "squared_error"),
     (GDRegressor, "huber")],
)  # fmt: skip
def test_the_loss_curve_is_the_objective_by_hand(
    estimator, loss, batch_size, penalty, weighted, n_columns
):
    X, y = data(estimator, n=50, n_classes=max(2, n_columns), n_targets=n_columns)
    y = y / 10.0 if estimator is GDRegressor else y
    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(y)) if weighted else np.ones(len(y))
    settings = {
        "loss": loss, "penalty": penalty, "alpha": 0.1, "batch_size": batch_size,
        "shuffle": False, "max_iter": 3, "learning_rate": 0.01,
    }  # fmt: skip
    model = steady(estimator, **settings).fit(X, y, sample_weight=weight if weighted else None)
    relative = weight / weight.mean()
    size = len(y) if batch_size == "full" else batch_size
    # a batch at a time: one epoch over its rows, the weights of which are relative to all rows'
    coef, intercept = np.zeros_like(model.coef_), np.zeros_like(model.intercept_)
    expected, probe, sizes = [], clone(model), []
    if estimator is GDClassifier:
        probe.classes_ = model.classes_
    probe.coef_, probe.intercept_ = coef, intercept
    loss_object = model._loss()
    if estimator is GDClassifier and n_columns > 1:
        loss_object = loss_object.for_classes(n_columns)
    for _ in range(3):
        seen = []
        for first in range(0, len(y), size):
            rows = slice(first, first + size)
            seen.append(objective(probe, X[rows], y[rows], relative[rows]))
            sizes.append(len(y[rows]))
            Z, T = scores_and_targets(probe, X[rows], y[rows])
            if loss_object.rowwise:
                slopes = loss_object.slope(np.searchsorted(model.classes_, y[rows]), Z)
            else:
                slopes = loss_object.slope(T, Z)
            slopes = slopes * relative[rows, None] / len(Z)
            w = np.atleast_2d(probe.coef_)
            w = w - 0.01 * (slopes.T @ X[rows] + (penalty == "l2") * 0.1 * w)
            if penalty == "l1":
                w = np.sign(w) * np.maximum(np.abs(w) - 0.01 * 0.1, 0.0)
            probe.coef_ = w.reshape(coef.shape)
            probe.intercept_ = probe.intercept_ - 0.01 * slopes.sum(axis=0)
        expected.append(np.average(seen, weights=sizes[: len(seen)]))
    np.testing.assert_allclose(model.loss_curve_, expected, rtol=1e-9)
    np.testing.assert_allclose(model.coef_, probe.coef_, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("average", [False, 3])
@BATCHES
@BOTH
def test_validation_scores_are_score_and_the_best_weights_come_back(
    estimator, batch_size, average, early_stopping
):
    X, y = data(estimator, n=150)
    train, held = slice(0, 100), slice(100, None)
    weight = np.random.default_rng(0).uniform(0.5, 2.0, 50)
    rate = {1: 0.02, 16: 0.1, "full": 0.1}[batch_size]
    settings = {
        "batch_size": batch_size, "learning_rate": rate, "average": average,
        "early_stopping": early_stopping,
    }  # fmt: skip
    validation = {"X_val": X[held], "y_val": y[held], "sample_weight_val": weight}
    model = steady(estimator, max_iter=12, **settings).fit(X[train], y[train], **validation)
    one_by_one = [
        steady(estimator, max_iter=k + 1, **settings | {"early_stopping": False})
        .fit(X[train], y[train])
        .score(X[held], y[held], weight)
        for k in range(12)
    ]
    np.testing.assert_allclose(model.validation_scores_, one_by_one, rtol=1e-12)
    assert model.best_iter_ == np.argmax(one_by_one) + 1
    wanted = max(one_by_one) if early_stopping else one_by_one[-1]
    np.testing.assert_allclose(model.score(X[held], y[held], weight), wanted, rtol=1e-12)


@BOTH
def test_early_stopping_ends_when_the_score_does_not_rise(estimator):
    X, y = data(estimator, n=300)
    model = estimator(early_stopping=True, n_iter_no_change=3, random_state=0).fit(X, y)
    scores = model.validation_scores_
    assert model.n_iter_ < 1000
    assert "validation score has not improved" in model.stop_reason_
    earlier, last = scores[:-3], scores[-3:]
    assert (last < max(earlier) + model.tol).all()
    assert model.best_iter_ == np.argmax(scores) + 1


@pytest.mark.parametrize("n", [2, 3])
def test_a_few_rows_can_be_split(n):
    X = np.eye(n)
    y = np.arange(n) % 2
    model = GDClassifier(early_stopping=True, random_state=0, max_iter=5, tol=None).fit(X, y)
    assert np.isfinite(model.validation_scores_).all()
    assert np.isfinite(model.coef_).all()


STOPS = {
    "max_iter=4 epochs": {"max_iter": 4, "tol": None},
    "the objective is within .* of the optimum": {"tol": 1e-2},
    "no further progress at this rate": {
        "loss": "squared_error", "learning_rate": 0.03, "batch_size": 1, "tol": 1e-5,
    },
    "the validation score has not improved": {"early_stopping": True},
}  # fmt: skip


@pytest.mark.parametrize("reason", STOPS)
@BOTH
def test_the_reason_to_stop_is_in_words(estimator, reason):
    model = estimator(random_state=0, **STOPS[reason]).fit(*data(estimator, n=300))
    assert re.match(reason, model.stop_reason_), model.stop_reason_


@BOTH
def test_running_out_of_epochs_is_said_with_how_far_it_was(estimator):
    X, y = data(estimator)
    model = estimator(learning_rate=1e-4, max_iter=3)
    with pytest.warns(ConvergenceWarning, match="max_iter=3 epochs were not enough") as caught:
        model.fit(X, y)
    assert f"{model.loss_curve_[-1]:.6g}" in str(caught[0].message)
    assert caught[0].filename == __file__
    assert model.stop_reason_ == "max_iter=3 epochs"


@pytest.mark.parametrize("name", [n for n, loss in Loss.registry.items() if loss.smooth])
def test_within_tol_is_within_tol(name):
    loss = Loss.registry[name]
    estimator = GDRegressor if loss.task != "classification" else GDClassifier
    X, y = data(estimator, n=200, n_classes=2)
    y = np.exp(y / np.abs(y).max()) if loss().power is not None else y
    model = estimator(name, alpha=1e-2, tol=1e-3).fit(X, y)
    best = estimator(name, alpha=1e-2, tol=None, max_iter=5000).fit(X, y)
    probe = clone(model).set_params(tol=None, max_iter=1, learning_rate=1e-30, batch_size="full")
    reached = probe.fit(X, y, coef_init=model.coef_, intercept_init=model.intercept_).loss_curve_
    start, least = model.loss_curve_[0], best.loss_curve_.min()
    assert reached[0] - least <= 1e-3 * (start - least) * (1 + 1e-9)


@pytest.mark.parametrize("n_columns", [1, 3])
@BOTH
def test_sparse_coefficients_predict_the_same_and_densify_undoes_them(estimator, n_columns):
    X, y = data(estimator, n_classes=max(2, n_columns), n_targets=n_columns)
    model = steady(estimator, penalty="l1", alpha=0.5, max_iter=20, learning_rate=0.05).fit(X, y)
    dense, predicted = model.coef_.copy(), model.predict(X)
    assert (dense == 0).any() or estimator is GDRegressor
    assert model.sparsify() is model
    assert sp.issparse(model.coef_)
    assert model.coef_.nnz == np.count_nonzero(dense)
    for container in (np.asarray, sp.csr_array):
        np.testing.assert_allclose(model.predict(container(X)), predicted, rtol=1e-12)
    twin = clone(model).fit(X, y)
    assert_same_model(twin.partial_fit(X, y), pickle.loads(pickle.dumps(model)).partial_fit(X, y))
    assert model.densify().densify() is model
    np.testing.assert_array_equal(model.coef_, dense)
    assert model.coef_.shape == dense.shape


# ---- threads ----


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
@pytest.mark.parametrize(
    ("estimator", "settings"),
    [
        (GDClassifier, {"batch_size": "full"}),
        (GDRegressor, {"batch_size": "full"}),
        (GDClassifier, {"batch_size": "full", "learning_rate": "auto"}),
        (GDRegressor, {"batch_size": "full", "learning_rate": "auto"}),
        (GDClassifier, {"batch_size": 16, "loss": "hinge"}),
        (GDClassifier, {"batch_size": 1, "loss": "squared_error", "penalty": "l1"}),
        (GDRegressor, {"batch_size": 16, "n_targets": 3}),
        (GDRegressor, {"batch_size": 16, "n_targets": 3, "average": 3, "optimizer": "adam"}),
        (GDClassifier, {"batch_size": 16, "loss": "log_loss"}),
    ],
    ids=str,
)
def test_two_threads_are_one(estimator, settings, container, monkeypatch):
    monkeypatch.setattr("skgd.problem.LEAST_WORK", 0)  # else so few rows are left to one thread
    settings = dict(settings)
    X, y = data(estimator, n=501, n_targets=settings.pop("n_targets", 1))
    weight = np.random.default_rng(0).integers(0, 3, len(y)).astype(float)
    alone, together = (
        steady(estimator, n_jobs=n_jobs, max_iter=20, **settings).fit(
            container(X), y, sample_weight=weight
        )
        for n_jobs in (1, 2)
    )
    scale = np.abs(alone.coef_).max()
    np.testing.assert_allclose(together.coef_, alone.coef_, rtol=1e-12, atol=1e-12 * scale)
    np.testing.assert_allclose(
        together.intercept_, alone.intercept_, rtol=1e-12, atol=1e-12 * scale
    )
    np.testing.assert_allclose(together.loss_curve_, alone.loss_curve_, rtol=1e-12)


# ---- arrays of the caller ----


def read_only(array):
    array = np.array(array)
    array.setflags(write=False)
    return array


def on_disk(tmp_path):
    def memmap(array):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.npy"
        np.save(path, array)
        return np.load(path, mmap_mode="r")

    return memmap


def unsorted_csr(X):
    X = sp.csr_array(X)
    for first, last in zip(X.indptr[:-1], X.indptr[1:]):
        X.indices[first:last] = X.indices[first:last][::-1]
        X.data[first:last] = X.data[first:last][::-1]
    X.has_sorted_indices = False
    return X


LAYOUTS = {
    "C": np.ascontiguousarray, "F": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "read-only": read_only, "memmap": None, "float32": np.float32,
    "csr": sp.csr_array, "unsorted csr": unsorted_csr, "csc": sp.csc_array, "coo": sp.coo_array,
}  # fmt: skip


def bits(X):
    """The arrays that a matrix is made of, copied."""
    if sp.issparse(X):
        names = [n for n in ("data", "indices", "indptr", "row", "col") if hasattr(X, n)]
        return [np.array(getattr(X, name)) for name in names]
    return [np.array(X)]


@pytest.mark.parametrize("layout", LAYOUTS)
@BATCHES
@BOTH
def test_arrays_of_the_caller_are_never_changed(estimator, batch_size, layout, tmp_path):
    X, y = data(estimator)
    as_given = on_disk(tmp_path) if layout == "memmap" else LAYOUTS[layout]
    freeze = on_disk(tmp_path) if layout == "memmap" else read_only
    X = as_given(X)
    n_columns = 3 if estimator is GDClassifier else 1
    given = {
        "y": freeze(y),
        "sample_weight": freeze(np.arange(len(y)) % 3.0),
        "coef_init": freeze(np.full((n_columns, 6), 0.1)),
        "intercept_init": freeze(np.full(n_columns, 0.2)),
        "y_val": freeze(y),
        "sample_weight_val": freeze(np.ones(len(y))),
    }
    before = bits(X), {name: value.copy() for name, value in given.items()}
    model = steady(estimator, batch_size=batch_size, penalty="l1", optimizer="adam")
    model.fit(X, **given, X_val=X)
    twin = steady(estimator, batch_size=batch_size, penalty="l1", optimizer="adam")
    dense = X.toarray() if sp.issparse(X) else np.array(X)
    twin.fit(dense, **given, X_val=dense)
    model.partial_fit(X, given["y"], sample_weight=given["sample_weight"])
    model.apply_gradients(model.compute_gradients(X, given["y"]))
    model.predict(X)
    for was, now in zip(before[0], bits(X), strict=True):
        np.testing.assert_array_equal(now, was)
    for name, was in before[1].items():
        np.testing.assert_array_equal(given[name], was)
    if layout in ("C", "F", "strided", "read-only", "memmap"):
        model = steady(estimator, batch_size=batch_size, penalty="l1", optimizer="adam")
        assert_same_model(model.fit(X, **given, X_val=X), twin)


@BOTH
def test_gradients_that_were_given_are_not_kept(estimator):
    X, y = data(estimator)
    model = steady(estimator).fit(X, y)
    gradients = model.compute_gradients(X, y)
    before = [part.copy() for part in gradients]
    coef = model.coef_
    model.apply_gradients(gradients)
    for part, was in zip(gradients, before):
        np.testing.assert_array_equal(part, was)
        part[...] = np.nan
    assert np.isfinite(model.coef_).all()
    assert not np.shares_memory(coef, model.coef_)


# ---- Ctrl-C ----

LONG_FIT = """
import signal, warnings
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from skgd import GDClassifier, GDRegressor

signal.signal(signal.SIGINT, signal.default_int_handler)  # also where it came in ignored
X = np.random.default_rng(0).normal(size=(200, 5))
model = {estimator}(learning_rate=1e-3, batch_size={batch_size!r}, max_iter=10**9, tol=None)
print("fitting", flush=True)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    model.fit(X, X[:, 0] > 0)
assert [w.category for w in caught] == [ConvergenceWarning], caught
assert "interrupted after" in str(caught[0].message)
assert model.stop_reason_ == "interrupted"
assert model.score(X, X[:, 0] > 0) > 0
assert len(model.loss_curve_) == model.n_iter_ > 0
try:  # the handler of Ctrl-C is Python's own again
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("done")
"""


@pytest.mark.parametrize("batch_size", [1, "full"])
@BOTH
def test_an_interrupt_ends_a_fit_with_a_model(estimator, batch_size):
    program = LONG_FIT.format(estimator=estimator.__name__, batch_size=batch_size)
    run = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert run.stdout.readline() == "fitting\n"
        time.sleep(0.5)
        assert run.poll() is None
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=10)
    finally:
        run.kill()
    assert run.returncode == 0, err
    assert out == "done\n"


# ---- divergence ----


def raw_problem(loss, seed=0):
    """Columns of unlike scales, which is where rates diverge."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(128, 5)) * [1.0, 3.0, 10.0, 1.0, 30.0] + 1.0
    z = X @ rng.normal(size=5) / 30.0
    y = z + 0.1 * rng.normal(size=128)
    if Loss.registry[loss].task == "classification":
        return GDClassifier(loss), X, (y > np.median(y)).astype(int)
    return GDRegressor(loss), X, y


def exact_objective(model, X, y):
    """The objective at the coefficients of a fitted model, or at zero."""
    probe = clone(model).set_params(batch_size="full", learning_rate=1e-30, max_iter=1)
    if not hasattr(model, "coef_"):
        return probe.fit(X, y).loss_curve_[0]
    return probe.fit(X, y, coef_init=model.coef_, intercept_init=model.intercept_).loss_curve_[0]


def assert_descends(model, X, y):
    fitted = clone(model).fit(X, y)
    before, after = exact_objective(clone(model), X, y), exact_objective(fitted, X, y)
    assert after < before


def diverges(model, X, y):
    try:
        clone(model).fit(X, y)
    except DivergenceError:
        return True
    return False


def least_diverging(model, X, y, unstable):
    """The smallest rate seen to diverge, between the model's own and one that does."""
    stable = model.learning_rate
    while unstable / stable > 1.1:
        middle = float(np.sqrt(stable * unstable))
        if diverges(clone(model).set_params(learning_rate=middle), X, y):
            unstable = middle
        else:
            stable = middle
    return unstable


@pytest.mark.parametrize("batch_size", [1, 32, "full"])
@pytest.mark.parametrize("loss", ["squared_error", "squared_hinge", "squared_epsilon_insensitive"])
def test_the_rate_that_the_error_names_is_stable_and_not_far_below_the_edge(loss, batch_size):
    model, X, y = raw_problem(loss)
    model.set_params(batch_size=batch_size, max_iter=40, tol=None, random_state=0)
    with pytest.raises(DivergenceError) as caught:
        clone(model).set_params(learning_rate=10.0).fit(X, y)
    error = caught.value
    assert error.epoch >= 1
    assert error.learning_rate == 10.0
    assert f"learning_rate={error.stable_learning_rate:.3g}" in str(error)

    assert_descends(model.set_params(learning_rate=error.stable_learning_rate), X, y)

    assert error.stable_learning_rate >= least_diverging(model, X, y, 10.0) / 10


@pytest.mark.parametrize("batch_size", [1, 32, "full"])
def test_a_loss_of_bounded_slope_diverges_by_its_penalty_alone(batch_size):
    model, X, y = raw_problem("log_loss")
    model.set_params(batch_size=batch_size, max_iter=60, tol=None, random_state=0, alpha=10.0)
    with pytest.raises(DivergenceError) as caught:
        clone(model).set_params(learning_rate=10.0).fit(X, y)
    rate = caught.value.stable_learning_rate
    assert_descends(model.set_params(learning_rate=rate), X, y)
    assert rate >= least_diverging(model, X, y, 10.0) / 10


@BATCHES
def test_a_diverging_rate_is_an_error_and_never_finite_rubbish(batch_size):
    model, X, y = raw_problem("squared_error")
    model.set_params(batch_size=batch_size, max_iter=30, tol=None, random_state=0)
    for rate in np.geomspace(1e-5, 1e3, 17):
        try:
            fitted = clone(model).set_params(learning_rate=rate).fit(X, y)
        except DivergenceError:
            continue
        start = 0.5 * np.var(y)
        assert 0.5 * np.mean((y - fitted.predict(X)) ** 2) <= 15 * start


def test_where_no_rate_is_the_cause_the_error_says_so():
    X, y = data(GDRegressor)
    X = X.copy()
    X[0] = 1e200
    with pytest.raises(DivergenceError, match="the rate is not the cause") as caught:
        GDRegressor(learning_rate=0.1, batch_size="full").fit(X, y)
    assert caught.value.stable_learning_rate is None


def test_the_error_is_a_value_error_and_pickles():
    error = DivergenceError("too far", 3, 0.5, 0.01)
    assert isinstance(error, ValueError)
    for twin in (pickle.loads(pickle.dumps(error)), error):
        assert str(twin) == "too far"
        assert (twin.epoch, twin.learning_rate, twin.stable_learning_rate) == (3, 0.5, 0.01)


@BATCHES
def test_a_failed_call_leaves_the_model_as_it_was(batch_size):
    model, X, y = raw_problem("squared_error")
    model.set_params(batch_size=batch_size, optimizer=SGD(momentum=0.5), learning_rate=1e-4)
    model.set_params(max_iter=5, tol=None, random_state=0, warm_start=True).fit(X, y)
    predicted, twin = model.predict(X), pickle.loads(pickle.dumps(model))
    with pytest.raises(DivergenceError):
        model.partial_fit(1e6 * X, y)
    np.testing.assert_array_equal(model.predict(X), predicted)
    with pytest.raises(DivergenceError):
        model.fit(1e6 * X, y)
    np.testing.assert_array_equal(model.predict(X), predicted)
    assert (model.t_, model.n_iter_) == (twin.t_, twin.n_iter_)
    assert_same_model(model.partial_fit(X, y), twin.partial_fit(X, y))


# ---- printing ----


@BOTH
def test_verbose_prints_a_line_an_epoch_and_silence_is_the_default(estimator, capsys):
    X, y = data(estimator)
    steady(estimator).fit(X, y)
    assert capsys.readouterr().out == ""
    model = steady(estimator, verbose=1).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"epoch {k}: objective {value:.6g}, learning rate 0.001"
        for k, value in enumerate(model.loss_curve_, start=1)
    ]
    model.fit(X, y, X_val=X, y_val=y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    for line, score in zip(lines, model.validation_scores_):
        assert line.endswith(f", validation score {score:.4g}")


@BOTH
def test_every_parameter_and_attribute_is_documented(estimator):
    X, y = data(estimator)
    text = inspect.getdoc(estimator)
    for name in estimator().get_params():
        assert re.search(rf"^(.*, )?{name}( :|,)", text, re.M), name
    model = steady(estimator).fit(X, y)
    for name in vars(model):
        if name.endswith("_") and not name.startswith("_"):
            assert re.search(rf"^(.*, )?{name}( :|,)", text, re.M), name
    assert "{" + "parameters}" not in text


def test_a_loss_object_is_not_changed_by_a_fit():
    X, y = data(GDRegressor)
    loss, optimizer, schedule = SquaredError(), Adam(), Constant(0.01)
    model = steady(GDRegressor, loss=loss, optimizer=optimizer, learning_rate=schedule).fit(X, y)
    assert (model.loss, model.optimizer, model.learning_rate) == (loss, optimizer, schedule)
    assert model.optimizer_ is not optimizer
    for component in (loss, optimizer, schedule):
        assert vars(component) == vars(type(component)(**component.get_params()))


@pytest.mark.parametrize("loss", ["squared_error", "poisson", "log_loss", "squared_hinge"])
@pytest.mark.parametrize("batch_size", [1, 32, "full"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("penalty", ["l2", "l1"])
def test_the_stable_rate_leads_down(loss, batch_size, optimizer, scale, penalty):
    kind, load = GDRegressor, load_diabetes
    if Loss.registry[loss]().task == "classification":
        kind, load = GDClassifier, load_breast_cancer
    X, y = load(return_X_y=True)
    X = StandardScaler().fit_transform(X) * scale
    model = kind(
        loss, batch_size=batch_size, optimizer=optimizer, penalty=penalty, learning_rate=1e4,
        max_iter=20, tol=None, random_state=0,
    )  # fmt: skip
    try:
        model.fit(X, y)
    except DivergenceError as error:
        model.set_params(learning_rate=error.stable_learning_rate).fit(X, y)
    else:
        return  # as far as it goes in 20 epochs, this rate does
    target = np.where(y == 1, 1.0, -1.0) if kind is GDClassifier else y
    value = Loss.registry[loss]().value

    def objective(coef, intercept):
        return value(target, X @ np.ravel(coef) + intercept).mean()

    start = objective(np.zeros(X.shape[1]), 0.0)
    best = kind(loss, penalty=penalty, random_state=0).fit(X, y)
    gained = start - objective(model.coef_, model.intercept_)
    assert gained > 0.05 * (start - objective(best.coef_, best.intercept_))


@pytest.mark.parametrize(
    "labels",
    [
        np.array([-128, 127], np.int8), np.array([0, 255], np.uint8), np.array([False, True]),
        np.array([5, 2**63 + 1], np.uint64), np.array([-(2**62), 2**62]), np.array([1.0, 2.0]),
        np.array([0, 2, 7]),
    ],
    ids=str,
)  # fmt: skip
def test_classes_are_the_distinct_labels_of_their_own_kind(labels):
    y = np.resize(labels[::-1], 40)
    model = GDClassifier().fit(np.arange(80.0).reshape(40, 2) % 7, y)
    np.testing.assert_array_equal(model.classes_, np.unique(y))
    assert model.classes_.dtype == y.dtype
