"""Newton's leaps, where descent alone would take too long."""

import warnings

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp

from skgd import GDClassifier
from skgd.auto import recipe_for
from skgd.leaps import Leaps
from skgd.train import State
from skgd.whitening import of_each_score


def heavy_tailed(seed, n=400, d=70, n_classes=16):
    """Classes by columns that are far from normal and in all sorts of units."""
    rng = np.random.default_rng(seed)
    Z = np.exp(0.7 * rng.standard_normal((n, d)) @ (np.eye(d) + 0.1 * rng.standard_normal((d, d))))
    chosen = 0.3 * (Z - Z.mean(axis=0)) / Z.std(axis=0) @ rng.standard_normal((d, n_classes))
    y = (chosen + rng.gumbel(size=chosen.shape)).argmax(axis=1)
    return Z * 10.0 ** rng.uniform(-2, 2, d), y


def begun(X, y, alpha=1e-4, weight=None):
    """(problem, state) of a fit at its defaults."""
    model = GDClassifier(alpha=alpha)
    model._validate_params()
    X, y = model._check_X(X, y, reset=True)
    problem = model._problem(X, model._encode(y, weight, True), weight, None)
    settings = {
        "optimizer": "auto", "learning_rate": "auto", "eta0": 0.01, "power_t": 0.5,
        "batch_size": "auto", "precondition": "auto", "shuffle": True, "average_start": 0,
        "n_threads": 1, "alpha": alpha,
    }  # fmt: skip
    recipe, _ = recipe_for(problem, X, **settings)
    return problem, State.begin(problem, recipe, np.random.default_rng(0), problem.start[0])


@pytest.mark.parametrize("seed", range(3))
def test_every_leap_leads_down_until_the_optimum(seed):
    problem, state = begun(*heavy_tailed(seed))
    leaps, values = Leaps(problem, state), [problem.gradient(state.parameters)[1]]
    for _ in range(100):
        gap, objective, doubtful, _ = leaps.look(1e-9)
        assert objective == values[-1]
        values.append(problem.gradient(state.parameters)[1])
        if gap <= 1e-9 and doubtful == 1.0:
            break
    assert gap <= 1e-9
    fell = -np.diff(values)
    assert (fell >= -1e-12).all() and (fell[:-1] == 0).sum() <= 3  # caution may be too small
    for _ in range(3):
        leaps.look(0.0)
    assert values[-1] - problem.gradient(state.parameters)[1] <= 1e-9


@pytest.mark.parametrize("alpha, tol", [(1e-6, 1e-3), (1e-4, 1e-5), (1e-2, 1e-6)])
def test_fits_of_heavy_tailed_columns_end_within_tol(alpha, tol):
    X, y = heavy_tailed(5)
    n, d = X.shape
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = GDClassifier(alpha=alpha, tol=tol).fit(X, y)
    scale = X.std(axis=0)
    Z, penalty = np.column_stack([X / scale, np.ones(n)]), np.append(alpha / scale**2, 0.0)

    def objective(flat):
        W = flat.reshape(-1, d + 1)
        z = Z @ W.T
        total = logsumexp(z, axis=1, keepdims=True)
        slope = np.exp(z - total)
        slope[np.arange(n), y] -= 1.0
        value = np.mean(total[:, 0] - z[np.arange(n), y]) + 0.5 * np.sum(penalty * W * W)
        return value, (slope.T @ Z / n + penalty * W).ravel()

    prior = np.log(np.bincount(y) / n)
    ours = np.column_stack([model.coef_ * scale, model.intercept_])
    start = np.column_stack([np.zeros((len(prior), d)), prior])
    value, first = objective(ours.ravel())[0], objective(start.ravel())[0]
    options = {"maxiter": 20_000, "maxfun": 20_000, "maxcor": 50, "ftol": 0.0, "gtol": 1e-10}
    least = minimize(objective, ours.ravel(), jac=True, method="L-BFGS-B", options=options).fun
    assert (value - least) / (first - least) <= tol


@pytest.mark.parametrize("weighted", [False, True])
def test_coordinates_of_each_score_are_those_of_its_curvature(weighted):
    X, y = heavy_tailed(1, n=600, d=8, n_classes=4)
    rng = np.random.default_rng(1)
    weight = rng.uniform(0.5, 1.5, len(y)) if weighted else None
    problem, state = begun(X, y, weight=weight)
    p = rng.uniform(0.0, 1.0, (len(y), 4)) ** 4
    metric = of_each_score(problem, state.metric, p, weight)
    curved = p * (1.0 - p) * (1.0 if weight is None else weight[:, np.newaxis])
    U = np.column_stack([(X - metric.shift) / metric.scale, np.ones(len(X))])
    l2 = np.diag(np.append(1e-4 / metric.scale**2, 0.0))
    for matrix, share in zip(metric.matrices, curved.T / len(y), strict=True):
        exact = (U * share[:, np.newaxis]).T @ U + l2
        # the rows left out make a thousandth of the sum of the eigenvalues
        assert np.abs(matrix - exact).max() <= 1.1e-3 * np.trace(exact)


def test_a_random_direction_has_no_share_of_what_all_classes_have_in_common():
    X, y = heavy_tailed(2, n=600, d=8, n_classes=4)
    problem, state = begun(X, y)
    metric = of_each_score(problem, state.metric, problem.bends(state.parameters) ** 2, None)
    rng = np.random.default_rng(0)
    common = np.tile(rng.standard_normal(9), (4, 1))  # a gradient in standardised coordinates
    coef, intercept = common[:, :-1].copy(), common[:, -1].copy()
    metric.solved(coef, intercept, transposed=False)
    assert np.abs(coef).max() > 0.1
    metric.centre(coef, intercept)
    assert max(np.abs(coef).max(), np.abs(intercept).max()) < 1e-9
    coef, intercept = rng.standard_normal((4, 8)), rng.standard_normal(4)
    metric.centre(coef, intercept)
    once = coef.copy(), intercept.copy()
    metric.centre(coef, intercept)
    np.testing.assert_allclose(coef, once[0], atol=1e-9)
    np.testing.assert_allclose(intercept, once[1], atol=1e-9)
