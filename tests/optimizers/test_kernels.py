"""The compiled rule of every optimizer equals its NumPy rule, in the estimators."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from skgd import DivergenceError, GDRegressor
from skgd.optimizers import SGD, Adam, Clipped, Optimizer
from skgd.schedules import Cosine, Exponential, InverseScaling, Step, Warmup

VARIANTS = {
    "sgd": [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}, {"weight_decay": 0.1},
            {"momentum": 0.5, "dampening": 0.3}],
    "adam": [{}, {"amsgrad": True}, {"epsilon_hat": True, "epsilon": 1e-3},
             {"weight_decay": 0.1}],
    "adamw": [{}, {"weight_decay": 0.1}],
    "adagrad": [{}, {"learning_rate_decay": 0.1, "initial_accumulator_value": 0.2}],
    "rmsprop": [{}, {"centered": True}, {"momentum": 0.9}, {"centered": True, "momentum": 0.5}],
    "nadam": [{}, {"weight_decay": 0.1}],
    "lion": [{}, {"weight_decay": 0.1}],
    "ftrl": [{}, {"l1": 0.02, "l2": 0.1}, {"learning_rate_power": -0.3}],
}  # fmt: skip
CASES = [
    pytest.param(cls(**kwargs), id=f"{name}-{kwargs}")
    for name, cls in Optimizer.registry.items()
    if cls.kernel is not None
    for kwargs in VARIANTS.get(name, [{}])
]
INSIDE = [
    Adam(weight_decay=0.1),
    SGD(momentum=0.9),
    *(cls() for cls in Optimizer.registry.values()),
]
LIMITS = [
    {"max_norm": 0.3}, {"max_norm": 0.5, "scope": "global"}, {"max_value": 0.1},
    {"max_norm": 1e9},
]  # fmt: skip
CLIPPED = [Clipped(INSIDE[k], **LIMITS[k % 4]) for k in range(len(INSIDE))]


def in_numpy(optimizer):
    """The same optimizer of a class without a kernel."""
    cls = type(optimizer)
    return type(cls.__name__, (cls,), {"__init__": cls.__init__})(
        **optimizer.get_params(deep=False)
    )


def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 11))
    return X, X @ rng.standard_normal(11) + 0.3 * rng.standard_normal(40)


@pytest.mark.parametrize("optimizer", [*CASES, *(pytest.param(c, id=repr(c)) for c in CLIPPED)])
@pytest.mark.parametrize("penalty", ["l2", "l1"])
@pytest.mark.parametrize("outputs", [1, 3])
def test_compiled_rule_equals_numpy_rule(optimizer, penalty, outputs):
    X, y = data()
    if outputs > 1:
        y = np.column_stack([y, -y, y**2])
    model = GDRegressor(
        penalty=penalty, alpha=0.05, learning_rate=InverseScaling(0.03), batch_size=8,
        max_iter=6, tol=None, random_state=0, optimizer=optimizer,
    )  # fmt: skip
    compiled = clone(model).fit(X, y)
    called = clone(model).set_params(optimizer=in_numpy(optimizer)).fit(X, y)
    np.testing.assert_allclose(compiled.coef_, called.coef_, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(compiled.intercept_, called.intercept_, rtol=1e-10, atol=1e-12)
    if penalty == "l1":
        np.testing.assert_array_equal(compiled.coef_ == 0, called.coef_ == 0)
    assert np.abs(compiled.coef_).max() > 1e-4


# any arguments, any schedule --------------------------------------------------------------

FLAGS = ("maximize", "nesterov", "amsgrad", "epsilon_hat", "centered")
ARGUMENTS = {
    "momentum": st.floats(0.0, 0.95),
    "dampening": st.floats(0.0, 1.0),
    "beta_1": st.floats(0.0, 0.95),
    "beta_2": st.floats(0.5, 0.9999),
    "rho": st.floats(0.5, 0.999),
    "epsilon": st.floats(1e-4, 1e-2),
    "weight_decay": st.floats(0.0, 0.2),
    "momentum_decay": st.floats(0.0, 0.1),
    "learning_rate_decay": st.floats(0.0, 0.5),
    "initial_accumulator_value": st.floats(0.01, 0.5),
    "learning_rate_power": st.floats(-1.0, -0.1),
    "l1": st.floats(0.0, 0.05),
    "l2": st.floats(0.0, 0.05),
    "sparse_updates": st.sampled_from(["exact", "lazy"]),
} | dict.fromkeys(FLAGS, st.booleans())
SCHEDULES = [
    0.01,
    InverseScaling(0.03, 0.25),
    Exponential(0.02, 0.9, per="epoch"),
    Cosine(0.02, 9, final=0.001),
    Warmup(3).then(Step(0.02, 4, 0.5)),
]


@st.composite
def optimizers(draw, name):
    cls = Optimizer.registry[name]
    names = set(cls().get_params()) - {"learning_rate"}
    arguments = {argument: draw(ARGUMENTS[argument]) for argument in sorted(names)}
    if arguments.get("nesterov"):
        arguments |= {"momentum": 0.1 + 0.8 * arguments["momentum"], "dampening": 0.0}
    return cls(**arguments)


def outcome(model, X, y):
    """Parameters, or the epoch in which the fit diverged, as climbing does."""
    try:
        model.fit(X, y)
    except DivergenceError as error:
        return np.array([error.epoch])
    return np.append(model.coef_, model.intercept_)


@pytest.mark.parametrize("name", Optimizer.registry)
@settings(deadline=None, max_examples=25, derandomize=True)
@given(data=st.data())
def test_for_any_arguments(name, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 99), "seed"))
    X = rng.standard_normal((40, 11)) * (rng.random((40, 11)) < 0.3)
    y = X @ rng.standard_normal(11) + 0.3 * rng.standard_normal(40)
    model = GDRegressor(
        optimizer=data.draw(optimizers(name), "optimizer"),
        learning_rate=data.draw(st.sampled_from(SCHEDULES), "schedule"),
        penalty=data.draw(st.sampled_from([None, "l2", "l1"]), "penalty"),
        batch_size=data.draw(st.sampled_from([1, 8, "full"]), "batch_size"),
        alpha=0.05, max_iter=3, tol=None, random_state=0,
    )  # fmt: skip
    X = data.draw(st.sampled_from([X, sp.csr_array(X)]), "rows")
    compiled = outcome(clone(model), X, y)
    called = outcome(clone(model).set_params(optimizer=in_numpy(model.optimizer)), X, y)
    scale = np.max(np.abs(called))
    np.testing.assert_allclose(compiled, called, rtol=1e-8, atol=1e-10 * scale)


@pytest.mark.parametrize("limits", LIMITS, ids=str)
@pytest.mark.parametrize("batch_size", [1, 8, "full"])
@pytest.mark.parametrize("precondition", [None, "diagonal"])
@pytest.mark.parametrize("outputs", [1, 3])
def test_clipped_gradients_on_dense_and_sparse_rows(limits, batch_size, precondition, outputs):
    X, y = data()
    X = X * (np.random.default_rng(1).random(X.shape) < 0.3)
    y = y if outputs == 1 else np.column_stack([y, -y, y**2])
    model = GDRegressor(
        penalty="l1", alpha=0.02, learning_rate=0.05, batch_size=batch_size, max_iter=4,
        tol=None, random_state=0, precondition=precondition,
    )  # fmt: skip
    called = clone(model).set_params(optimizer=in_numpy(Clipped(Adam(), **limits))).fit(X, y)
    for rows, n_jobs in ((X, None), (X, 2), (sp.csr_array(X), None)):
        compiled = clone(model).set_params(optimizer=Clipped(Adam(), **limits), n_jobs=n_jobs)
        compiled.fit(rows, y)
        np.testing.assert_allclose(compiled.coef_, called.coef_, rtol=0, atol=1e-10)
        np.testing.assert_allclose(compiled.intercept_, called.intercept_, rtol=0, atol=1e-10)
        np.testing.assert_array_equal(compiled.coef_ == 0, called.coef_ == 0)


@pytest.mark.parametrize("limits", LIMITS, ids=str)
def test_a_rule_without_a_kernel_sees_the_same_clipped_gradients(limits):
    X, y = data()
    model = GDRegressor(learning_rate=0.05, batch_size=8, max_iter=4, tol=None, random_state=0)
    rule = Adam(weight_decay=0.1)
    compiled, called = (
        clone(model).set_params(optimizer=Clipped(inner, **limits)).fit(X, y)
        for inner in (rule, in_numpy(rule))
    )
    np.testing.assert_allclose(compiled.coef_, called.coef_, rtol=1e-10)
    np.testing.assert_allclose(compiled.intercept_, called.intercept_, rtol=1e-10)


def test_one_norm_holds_for_columns_that_several_threads_would_share(monkeypatch):
    monkeypatch.setattr("skgd.problem.LEAST_WORK", 0)
    X, y = data()
    y = np.column_stack([y, -y, y**2])
    model = GDRegressor(
        learning_rate=0.05, batch_size=8, max_iter=4, tol=None, random_state=0,
        optimizer=Clipped(SGD(), max_norm=0.3),
    )  # fmt: skip
    one, two = (clone(model).set_params(n_jobs=n).fit(X, y) for n in (1, 2))
    np.testing.assert_array_equal(one.coef_, two.coef_)


@pytest.mark.parametrize("cls", Optimizer.registry.values())
def test_an_estimator_has_no_weight_decay_by_default(cls):
    X, y = data()
    model = GDRegressor(optimizer=cls.name, learning_rate=0.05, tol=None, max_iter=3)
    if "weight_decay" not in cls().get_params():
        return
    bare = clone(model).set_params(optimizer=cls(weight_decay=0.0))
    for optimizer in (cls.name, cls(), Clipped(cls(), max_norm=1e9)):
        fitted = clone(model).set_params(optimizer=optimizer, random_state=0).fit(X, y)
        expected = clone(bare).set_params(random_state=0).fit(X, y)
        np.testing.assert_array_equal(fitted.coef_, expected.coef_)
