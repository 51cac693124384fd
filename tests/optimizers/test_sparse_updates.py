"""Sparse rows in the estimators: the dense result by default; "lazy", and what it means."""

import copy

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone

from skgd import GDClassifier, GDRegressor
from skgd.optimizers import SGD, Adagrad, Adam, Averaged, Clipped, Ftrl, Lion, Optimizer, RMSprop
from skgd.schedules import InverseScaling
from skgd.train import undecayed

N, D = 50, 120


def data(n_outputs=1):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, D)) * (rng.random((N, D)) < 0.02)
    X[3], X[:, 5] = 0.0, 0.0  # an empty row, and a feature that no row touches
    y = X @ rng.normal(size=(D, n_outputs)) + 0.3 * rng.normal(size=(N, n_outputs))
    return X, y[:, 0] if n_outputs == 1 else y


EXACT = [
    SGD(weight_decay=0.02),
    SGD(momentum=0.9),
    SGD(momentum=0.9, nesterov=True, weight_decay=0.02),
    SGD(momentum=0.5, dampening=0.2),
    Adagrad(),
    Adagrad(learning_rate_decay=0.01),
    Ftrl(),
    Ftrl(l1=0.02),
    Adam(),
    RMSprop(momentum=0.5),
]


@pytest.mark.parametrize("optimizer", EXACT, ids=repr)
@pytest.mark.parametrize("penalty", [None, "l1", "l2", "elasticnet"])
@pytest.mark.parametrize("learning_rate", [0.02, InverseScaling(0.1)], ids=repr)
@pytest.mark.parametrize("batch_size", [1, 8, 50])
def test_sparse_rows_give_the_dense_result(optimizer, penalty, learning_rate, batch_size):
    X, y = data()
    classes = np.digitize(y, [-0.5, 0.5])
    keywords = {"optimizer": optimizer, "penalty": penalty, "alpha": 0.01, "max_iter": 4}
    keywords |= {"learning_rate": learning_rate, "batch_size": batch_size, "tol": None}
    for model, target in (
        (GDRegressor(**keywords, average=30, random_state=0), y),
        (GDRegressor(**keywords, fit_intercept=False, random_state=0), data(3)[1]),
        (GDClassifier(**keywords, random_state=0), classes),
    ):
        dense, sparse = clone(model).fit(X, target), clone(model).fit(sp.csr_array(X), target)
        np.testing.assert_allclose(sparse.coef_, dense.coef_, rtol=0, atol=1e-10)
        np.testing.assert_allclose(sparse.intercept_, dense.intercept_, rtol=0, atol=1e-10)
        np.testing.assert_allclose(sparse.loss_curve_, dense.loss_curve_, rtol=1e-9)
        np.testing.assert_array_equal(sparse.coef_ == 0, dense.coef_ == 0)


@pytest.mark.parametrize("optimizer", EXACT, ids=repr)
def test_sparse_fits_resume(optimizer):
    X, y = data()
    model = GDRegressor(
        penalty="l2" if isinstance(optimizer, SGD) else "l1", alpha=0.01, optimizer=optimizer,
        learning_rate=0.05, batch_size=4, tol=None, max_iter=5, random_state=0, average=True,
    )  # fmt: skip
    whole = clone(model).fit(sp.csr_array(X), y)
    parts = clone(model).set_params(max_iter=2, warm_start=True).fit(sp.csr_array(X), y)
    parts = copy.deepcopy(parts).set_params(max_iter=3).fit(sp.csr_array(X), y)
    np.testing.assert_array_equal(parts.coef_, whole.coef_)


# ---------------------------------------------------------------- lazy

LAZY = [cls for cls in Optimizer.registry.values() if "sparse_updates" in cls().get_params()]
CASES = [
    *(cls(sparse_updates="lazy") for cls in LAZY),
    SGD(momentum=0.9, nesterov=True, weight_decay=0.1, sparse_updates="lazy"),
    Adam(amsgrad=True, weight_decay=0.1, sparse_updates="lazy"),
    Ftrl(l1=0.02, l2=0.01, sparse_updates="lazy"),
    Lion(weight_decay=0.1, sparse_updates="lazy"),
    Clipped(RMSprop(momentum=0.9, sparse_updates="lazy"), max_value=0.3),
    Clipped(SGD(momentum=0.9, sparse_updates="lazy"), max_norm=0.3),
    Clipped(Adam(sparse_updates="lazy"), max_norm=0.3),
]


def soft(w, threshold):
    return np.sign(w) * np.maximum(np.abs(w) - threshold, 0.0)


def reference(model, X, y):
    """Epochs of least squares in which a step acts on the touched features only."""
    K = y.shape[1]
    w, b = np.zeros((K, X.shape[1])), np.zeros(K)
    optimizer, rates = model.optimizer.for_estimator(), model.learning_rate
    spared = undecayed(optimizer)
    l1 = model.alpha * {"l1": 1.0, "l2": 0.0, "elasticnet": model.l1_ratio}[model.penalty]
    l2 = model.alpha - l1
    (slots_w,), (slots_b,) = optimizer.init([w]), optimizer.init([b])
    curve, t, sums, count = [], 0, [0 * w, 0 * b], 0
    for _ in range(model.max_iter):
        total = 0.0
        for start in range(0, len(X), model.batch_size):
            x, target = X[start : start + model.batch_size], y[start : start + model.batch_size]
            residual = x @ w.T + b - target
            penalty = l1 * np.abs(w).sum() + 0.5 * l2 * np.sum(w**2)
            total += 0.5 * np.sum(residual**2) + len(x) * penalty
            touched = np.flatnonzero((x != 0).any(axis=0))
            near = w[:, touched]
            own = {k: v[:, touched] if np.shape(v) == w.shape else v for k, v in slots_w.items()}
            gradient = residual.T @ x[:, touched] / len(x) + l2 * near
            rate = float(rates(np.array([t]))[0])
            own["t"] = slots_b["t"] = t
            optimizer.step([near], [gradient], [own], rate)
            spared.step([b], [residual.mean(axis=0)], [slots_b], rate)
            near = soft(near, l1 * optimizer.step_size(near, own, t, rate)) if l1 else near
            w[:, touched] = near
            for name, slot in slots_w.items():
                if np.shape(slot) == w.shape:
                    slot[:, touched] = own[name]
            t += 1
            if model.average and t >= model.average:
                sums, count = [sums[0] + w, sums[1] + b], count + 1
        curve.append(total / len(X))
    if count:
        w, b = sums[0] / count, sums[1] / count
    return w, b, curve


@pytest.mark.parametrize("optimizer", CASES, ids=repr)
@pytest.mark.parametrize("penalty", ["l1", "l2", "elasticnet"])
@pytest.mark.parametrize("batch_size", [1, 8, 50])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_lazy_updates_leave_untouched_coefficients_alone(optimizer, penalty, batch_size, n_outputs):
    X, y = data(n_outputs)
    model = GDRegressor(
        penalty=penalty, alpha=0.02, optimizer=optimizer, learning_rate=InverseScaling(0.03),
        batch_size=batch_size, shuffle=False, tol=None, max_iter=3, l1_ratio=0.5,
        average=4 if n_outputs == 3 else False,
    )  # fmt: skip
    fitted = clone(model).fit(sp.csr_array(X), y)
    w, b, curve = reference(model, X, y.reshape(N, -1))
    np.testing.assert_allclose(np.atleast_2d(fitted.coef_), w, rtol=0, atol=1e-12)
    np.testing.assert_allclose(np.ravel(fitted.intercept_), b, rtol=0, atol=1e-12)
    np.testing.assert_allclose(fitted.loss_curve_, curve, rtol=1e-12)
    np.testing.assert_array_equal(np.atleast_2d(fitted.coef_) == 0, w == 0)


@pytest.mark.parametrize("cls", LAZY)
def test_lazy_updates_have_no_effect_elsewhere(cls):
    X, y = data()
    fits = [
        GDRegressor(
            optimizer=cls(sparse_updates=how), learning_rate=0.05, tol=None, max_iter=3,
            random_state=0,
        ).fit(X, y).coef_
        for how in ("exact", "lazy")
    ]  # fmt: skip
    np.testing.assert_array_equal(*fits)
    found = [
        cls(0.1, sparse_updates=how).minimize(lambda w: w @ w, np.ones(3), maxiter=5).x
        for how in ("exact", "lazy")
    ]
    np.testing.assert_array_equal(*found)


def test_sparse_updates_are_checked():
    with pytest.raises(ValueError, match="sparse_updates"):
        Adam(sparse_updates="eager").check()
    assert set(LAZY) == {cls for cls in Optimizer.registry.values() if cls.kernel is not None}
    assert Clipped(Adam(sparse_updates="lazy"), max_norm=1.0).sparse_updates == "lazy"
    assert Averaged(Adam(sparse_updates="lazy")).sparse_updates == "lazy"
    assert Averaged(Adam(sparse_updates="lazy"), decay=0.9).sparse_updates == "exact"


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_lazy_updates_on_the_full_batch(n_jobs):
    """Features that no row touches keep their coefficients, however many threads there are."""
    X, y = data()
    model = GDRegressor(
        alpha=0.1, optimizer=SGD(sparse_updates="lazy"), learning_rate=0.05, batch_size="full",
        tol=None, max_iter=3, n_jobs=n_jobs,
    ).fit(sp.csr_array(X), y, coef_init=np.ones(D))  # fmt: skip
    np.testing.assert_array_equal(model.coef_ != 1.0, (X != 0).any(axis=0))
