"""Optimizers as a method of scipy.optimize.minimize, and their own `minimize`."""

import numpy as np
import pytest
from scipy import optimize
from scipy.special import expit

from skgd.optimizers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Averaged,
    Clipped,
    Ftrl,
    Lion,
    NAdam,
    Optimizer,
    RAdam,
    RMSprop,
)
from skgd.schedules import Cosine, Exponential, InverseScaling

# for each rule, a setting that solves smooth problems of a few parameters
SOLVERS = [
    SGD(0.5, momentum=0.9),
    SGD(0.5, momentum=0.9, nesterov=True),
    Adagrad(1.0),
    Adadelta(),
    RMSprop(Exponential(0.1, 0.995)),
    Adam(0.1),
    AdamW(0.1, weight_decay=0.0),
    NAdam(Exponential(0.1, 0.997)),
    RAdam(0.1),
    Adamax(0.2),
    Lion(Exponential(0.1, 0.99)),
    Ftrl(1.0),
    Clipped(SGD(0.5, momentum=0.9), max_norm=1.0),
    Averaged(SGD(0.5, momentum=0.9), decay=0.9),
]


ON_ROSENBROCK = [
    SGD(2e-3, momentum=0.9),
    SGD(5e-4, momentum=0.95, nesterov=True),
    Adagrad(0.3),
    Adadelta(Exponential(1.0, 0.9995), rho=0.95),
    RMSprop(Exponential(0.003, 0.9997), momentum=0.9),
    Adam(0.05),
    AdamW(0.05, weight_decay=0.0),
    NAdam(Exponential(0.05, 0.9995)),
    RAdam(0.001),
    Adamax(0.02),
    Lion(Exponential(0.01, 0.999)),
    Ftrl(0.3),
]


@pytest.mark.parametrize("solvers", [SOLVERS, ON_ROSENBROCK], ids=["convex", "rosenbrock"])
def test_every_rule_is_here(solvers):
    assert {type(solver) for solver in solvers} >= set(Optimizer.registry.values())


def check_result(found, fun, jac, tol):
    """All fields are about the x that is returned."""
    assert found.fun == fun(found.x)
    np.testing.assert_array_equal(found.jac, jac(found.x))
    assert found.success is (found.status == 0)
    assert found.success == (np.max(np.abs(found.jac)) <= tol)
    assert f"is {np.max(np.abs(found.jac)):.3g}" in found.message
    assert found.nfev == found.njev


def logistic():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    y = (rng.uniform(size=200) < expit(X @ [1.0, -2.0, 0.5, 0.0])).astype(float)

    def fun(w):
        z = X @ w
        value = np.mean(np.logaddexp(0, z) - y * z) + 0.005 * (w @ w)
        return value, X.T @ (expit(z) - y) / len(y) + 0.01 * w

    return fun, np.zeros(4)


def quadratic():
    curvature = np.array([1.0, 0.5, 0.1])
    middle = np.array([1.0, -2.0, 3.0])
    return lambda w: (
        0.5 * np.sum(curvature * (w - middle) ** 2),
        curvature * (w - middle),
    ), np.zeros(3)


@pytest.mark.parametrize("problem", [logistic, quadratic])
@pytest.mark.parametrize("solver", SOLVERS, ids=str)
def test_smooth_convex(solver, problem):
    fun, x0 = problem()
    best = optimize.minimize(fun, x0, jac=True, method="L-BFGS-B", options={"ftol": 1e-15})
    found = optimize.minimize(fun, x0, jac=True, method=solver, tol=1e-5, options={"maxiter": 3000})
    first = fun(x0)[0]
    assert found.fun - best.fun <= 1e-6 * (first - best.fun)
    check_result(found, lambda x: fun(x)[0], lambda x: fun(x)[1], tol=1e-5)


@pytest.mark.parametrize("solver", ON_ROSENBROCK, ids=str)
def test_rosenbrock(solver):
    found = optimize.minimize(
        optimize.rosen,
        [-1.0, 1.5],
        jac=optimize.rosen_der,
        method=solver,
        tol=1e-5,
        options={"maxiter": 20_000},
    )
    assert found.success, found.message
    np.testing.assert_allclose(found.x, [1, 1], atol=1e-4)
    check_result(found, optimize.rosen, optimize.rosen_der, tol=1e-5)
    assert found.nfev == found.nit + 1


def parabola(x):
    return float(np.sum((x - 3.0) ** 2))


def slope(x):
    return 2.0 * (x - 3.0)


def test_the_result():
    found = SGD(0.1).minimize(parabola, [0.0, 1.0], jac=slope, tol=1e-6)
    assert isinstance(found, optimize.OptimizeResult)
    assert found.success is True
    assert found.status == 0
    assert "at most tol=1e-06" in found.message
    assert found.fun == parabola(found.x)
    np.testing.assert_array_equal(found.jac, slope(found.x))
    assert np.max(np.abs(found.jac)) <= 1e-6
    assert found.nfev == found.njev == found.nit + 1


def test_scipy_and_own_minimize_are_the_same():
    own = SGD(0.1, momentum=0.5).minimize(parabola, [0.0], jac=slope, maxiter=7)
    theirs = optimize.minimize(
        parabola, [0.0], jac=slope, method=SGD(0.1, momentum=0.5), options={"maxiter": 7}
    )
    paired = SGD(0.1, momentum=0.5).minimize(
        lambda x: (parabola(x), slope(x)), [0.0], jac=True, maxiter=7
    )
    assert own == theirs
    assert own == paired
    assert own.nit == 7


def test_out_of_iterations():
    found = SGD(0.01).minimize(parabola, [0.0], jac=slope, maxiter=3)
    assert (found.success, found.status, found.nit) == (False, 1, 3)
    assert "maxiter=3" in found.message


def test_no_iteration():
    found = SGD(0.01).minimize(parabola, [0.0], jac=slope, maxiter=0)
    assert (found.nit, found.nfev, found.x[0]) == (0, 1, 0.0)
    found = SGD(0.01).minimize(parabola, [3.0], jac=slope)
    assert (found.success, found.nit, found.nfev) == (True, 0, 1)


def test_without_tolerance():
    found = SGD(0.5).minimize(parabola, [0.0], jac=slope, maxiter=5, tol=None)
    assert (found.nit, found.status, found.x[0]) == (5, 1, 3.0)


def test_numerical_differentiation_says_so():
    found = optimize.minimize(parabola, [0.0, 1.0], method=SGD(0.1), tol=1e-6)
    assert found.success
    assert "central differences" in found.message
    np.testing.assert_allclose(found.x, 3.0, atol=1e-6)
    assert found.nfev == (found.nit + 1) * (1 + 2 * 2)
    assert found.njev == found.nit + 1


def test_args():
    def fun(x, a, b):
        return a * np.sum((x - b) ** 2)

    def jac(x, a, b):
        return 2 * a * (x - b)

    found = optimize.minimize(fun, [0.0], args=(2.0, 5.0), jac=jac, method=SGD(0.1))
    assert found.x[0] == pytest.approx(5.0, abs=1e-7)
    assert SGD(0.1).minimize(fun, [0.0], jac=jac, args=(2.0, 5.0)) == found
    alone = SGD(0.1).minimize(lambda x, b: np.sum((x - b) ** 2), [0.0], args=5.0)
    assert alone.x[0] == pytest.approx(5.0, abs=1e-7)


def test_callbacks():
    points, results = [], []

    def with_result(intermediate_result):
        results.append(intermediate_result)

    common = {"jac": slope, "method": SGD(0.1), "options": {"maxiter": 3}}
    found = optimize.minimize(parabola, [0.0], callback=points.append, **common)
    optimize.minimize(parabola, [0.0], callback=with_result, **common)
    np.testing.assert_allclose([p[0] for p in points], [0.6, 1.08, 1.464])
    assert [r.x[0] for r in results] == [p[0] for p in points]
    assert [r.fun for r in results] == [parabola(p) for p in points]
    assert found.x[0] == points[-1][0]


def test_callback_may_stop():
    def stop(xk):
        if xk[0] > 1:
            raise StopIteration

    found = SGD(0.1).minimize(parabola, [0.0], jac=slope, callback=stop)
    assert (found.status, found.success, found.nit) == (99, False, 2)
    assert "StopIteration" in found.message


def test_divergence():
    with np.errstate(over="ignore"):
        found = SGD(1e100).minimize(lambda x: x[0] ** 4, [1.0], jac=lambda x: 4 * x**3)
    assert (found.success, found.status) == (False, 2)
    assert np.isfinite(found.x).all()
    assert np.isfinite(found.fun)
    assert "smaller learning rate" in found.message


@pytest.mark.parametrize(
    "limits", [{"bounds": [(0, 1)]}, {"constraints": {"type": "eq", "fun": parabola}}]
)
def test_bounds_and_constraints_are_refused(limits):
    with pytest.raises(ValueError, match="got bounds or constraints"):
        optimize.minimize(parabola, [0.5], jac=slope, method=SGD(0.1), **limits)


def test_unknown_options_are_refused():
    with pytest.raises(TypeError, match="expected only maxiter, tol and disp"):
        optimize.minimize(parabola, [0.5], method=SGD(0.1), options={"gtol": 1e-3})


@pytest.mark.parametrize("x0", [[np.nan], ["a"], [1j]])
def test_wrong_start(x0):
    with pytest.raises((ValueError, TypeError), match="got x0"):
        SGD(0.1).minimize(parabola, x0, jac=slope)


def test_wrong_jac():
    for jac in ("2-point", 3):
        with pytest.raises(TypeError, match="got jac="):
            SGD(0.1).minimize(parabola, [1.0], jac=jac)
    assert SGD(0.1).minimize(parabola, [1.0], jac=False).success
    with pytest.raises(ValueError, match="gradient of shape"):
        SGD(0.1).minimize(parabola, [1.0], jac=lambda x: np.ones(2))


@pytest.mark.parametrize(
    ("wrong", "error", "sentence"),
    [
        ({"maxiter": None}, TypeError, "got maxiter=None, .* try maxiter=1000"),
        ({"maxiter": -1}, ValueError, "got maxiter=-1, expected a number that is not negative"),
        ({"tol": "x"}, TypeError, "got tol='x', .* try tol=1e-08"),
        ({"tol": float("nan")}, ValueError, "got tol=nan"),
        ({"fun": lambda x: x - 1}, ValueError, r"shape \(2,\) .* expected one real number"),
        ({"fun": lambda x: None}, ValueError, "dtype object, expected one real number"),
        ({"fun": lambda x: 1j}, ValueError, "dtype complex128, expected one real number"),
        ({"jac": True}, TypeError, r"expected a pair \(value, gradient\)"),
        ({"jac": None, "fun": lambda x: x - 1}, ValueError, r"shape \(2,\)"),
    ],
)
def test_wrong_arguments(wrong, error, sentence):
    with pytest.raises(error, match=sentence):
        SGD(0.1).minimize(**{"fun": parabola, "x0": [1.0, 2.0], "jac": slope} | wrong)


def test_display(capsys):
    for disp in (False, True):
        found = optimize.minimize(
            parabola, [0.0], jac=slope, method=SGD(0.1), options={"disp": disp}
        )
        assert capsys.readouterr().out.startswith(found.message) is disp


def test_functions_may_write_on_what_they_are_given():
    def fun(x):
        x -= 3.0
        return float(x @ x)

    def jac(x):
        x -= 3.0
        x *= 2.0
        return x

    for given in (jac, None):
        found = SGD(0.1).minimize(fun, [0.0], jac=given, tol=1e-6)
        assert found.x[0] == pytest.approx(3.0, abs=1e-6)


def test_start_is_not_written_and_functions_see_copies():
    x0 = np.array([0.0])
    seen = []

    def fun(x):
        seen.append(x)
        return parabola(x)

    SGD(0.1).minimize(fun, x0, jac=slope, maxiter=2)
    assert x0[0] == 0.0
    np.testing.assert_allclose([x[0] for x in seen], [0.0, 0.6, 1.08])


def test_float32_and_integers():
    assert SGD(0.1).minimize(parabola, np.zeros(1, np.float32), jac=slope).x.dtype == np.float32
    assert SGD(0.1).minimize(parabola, [0], jac=slope).x.dtype == np.float64


def test_schedules():
    for rate in (Cosine(0.4, 100), InverseScaling(0.4, per="epoch"), lambda t: 0.4 / (1 + t)):
        assert SGD(rate).minimize(parabola, [0.0], jac=slope, maxiter=100).fun < 1e-3


def test_maximize():
    found = SGD(0.1, maximize=True).minimize(lambda x: -parabola(x), [0.0], jac=lambda x: -slope(x))
    assert found.x[0] == pytest.approx(3.0)


@pytest.mark.parametrize("rule", [Averaged(SGD(0.1)), Averaged(SGD(0.1), decay=0.9)], ids=str)
def test_success_is_about_the_average(rule):
    seen = []
    keywords = {"jac": slope, "tol": 1e-2, "callback": lambda xk: seen.append(xk[0])}
    found = rule.minimize(parabola, [0.0], **keywords, maxiter=100_000)
    assert found.success
    check_result(found, parabola, slope, tol=1e-2)
    assert seen[-1] == found.x[0]
    short = rule.minimize(parabola, [0.0], **keywords, maxiter=found.nit - 1)
    assert (short.success, short.status) == (False, 1)
    check_result(short, parabola, slope, tol=1e-2)


@pytest.mark.parametrize("decay", [None, 0.5])
def test_divergence_of_an_average(decay):
    def fun(x):
        return float(np.sum(x**2))

    with np.errstate(all="ignore"):
        found = Averaged(SGD(2.0), decay).minimize(fun, [1.0], jac=lambda x: 2 * x)
    assert (found.success, found.status) == (False, 2)
    assert np.isfinite(found.x).all()
    assert found.fun == fun(found.x) > 1e100
    np.testing.assert_array_equal(found.jac, 2 * found.x)


def test_average_is_the_solution():
    found = Averaged(SGD(1.0)).minimize(lambda x: x[0], [0.0], jac=np.ones_like, maxiter=3)
    assert found.x[0] == -2.0
    assert found.fun == -2.0
