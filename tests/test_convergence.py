"""Every optimizer reaches the optimum of every smooth loss, where its steps shrink.

On columns of unit size: at a constant rate for the rules whose steps go to zero with the
gradient, with a falling schedule for the others. F* is what BFGS makes of the same formula.
"""

from functools import cache

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize

from skgd import GDClassifier, GDRegressor
from skgd.losses import Loss, Multinomial
from skgd.optimizers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Ftrl,
    Lion,
    NAdam,
    RAdam,
    RMSprop,
)
from skgd.schedules import Exponential, Polynomial

ALPHA = 0.1
CLOSE = 1e-6
CLASSIFICATION = ["log_loss", "multinomial", "squared_hinge", "modified_huber"]
LOGARITHMIC = ["poisson", "gamma", "tweedie"]
REGRESSION = ["squared_error", "huber", "squared_epsilon_insensitive", *LOGARITHMIC]
losses = pytest.mark.parametrize("loss", CLASSIFICATION + REGRESSION)
containers = pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])


@cache
def problem(loss, sparse):
    """Rows of columns of unit size, a little correlated, and what the loss can be fitted to."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5)) @ (np.eye(5) + 0.2 * rng.normal(size=(5, 5)))
    if sparse:
        X *= rng.random(X.shape) < 0.4
    X /= X.std(axis=0)
    score = 0.7 * X @ [1.0, -0.5, 0.3, 0.0, 0.8] + 0.5 * rng.normal(size=len(X))
    if loss == "multinomial":
        return X, np.digitize(score, [-0.5, 0.5])
    if loss in CLASSIFICATION:
        return X, (score > 0).astype(int)
    return X, np.exp(0.6 * score) if loss in LOGARITHMIC else score


def unpenalised(loss, X, y, coef, intercept):
    """(mean loss, mean gradient in coef and intercept) by the formula, for 2-d arrays."""
    known = Multinomial() if loss == "multinomial" else Loss.registry[loss]()
    z = X @ coef.T + intercept
    if loss == "multinomial":
        targets = y
    else:
        targets = (2.0 * y - 1 if loss in CLASSIFICATION else y)[:, None]
    slope = known.slope(targets, z) / len(y)
    return known.value(targets, z).sum() / len(y), slope.T @ X, slope.sum(axis=0)


def objective(loss, X, y, model):
    """F of a fitted model, by the formula."""
    coef = np.atleast_2d(model.coef_)
    return unpenalised(loss, X, y, coef, model.intercept_)[0] + ALPHA / 2 * np.sum(coef**2)


@cache
def optimum(loss, sparse):
    """(F*, coefficients of the optimum)."""
    X, y = problem(loss, sparse)
    shape = (3 if loss == "multinomial" else 1), X.shape[1] + 1

    def value_and_gradient(flat):
        coef, intercept = np.split(flat.reshape(shape), [-1], axis=1)
        value, by_coef, by_intercept = unpenalised(loss, X, y, coef, intercept[:, 0])
        gradient = np.column_stack([by_coef + ALPHA * coef, by_intercept])
        return value + ALPHA / 2 * np.sum(coef**2), gradient.ravel()

    found = minimize(value_and_gradient, np.zeros(shape).ravel(), jac=True, tol=1e-10)
    return found.fun, found.x.reshape(shape)[:, :-1]


def fitted(loss, sparse, optimizer, learning_rate, batch_size, max_iter):
    """The model that a rule makes of the problem."""
    X, y = problem(loss, sparse)
    known = "log_loss" if loss == "multinomial" else Loss.registry[loss]()
    estimator = GDClassifier if loss in CLASSIFICATION else GDRegressor
    model = estimator(
        known, alpha=ALPHA, optimizer=optimizer, learning_rate=learning_rate,
        batch_size=batch_size, max_iter=max_iter, tol=None, random_state=0,
    )  # fmt: skip
    return model.fit(sp.csr_array(X) if sparse else X, y)


def distance(loss, sparse, *settings):
    """F - F* of the model that a rule makes."""
    model = fitted(loss, sparse, *settings)
    return objective(loss, *problem(loss, sparse), model) - optimum(loss, sparse)[0]


STEPS_THAT_SHRINK = {
    SGD(): 0.15,
    SGD(momentum=0.9): 0.05,
    SGD(momentum=0.9, nesterov=True): 0.05,
    Adagrad(): 0.2,
    Adam(amsgrad=True): 0.05,
    Ftrl(): 0.5,
}
OTHERS = {
    RMSprop(): 0.05,
    RMSprop(centered=True, momentum=0.5): 0.05,
    Adam(): 0.05,
    AdamW(weight_decay=0.0): 0.05,
    NAdam(): 0.05,
    RAdam(): 0.05,
    Adamax(): 0.05,
    Lion(): 0.05,
    Adadelta(): 1.0,
}


@losses
@containers
@pytest.mark.parametrize("optimizer", STEPS_THAT_SHRINK, ids=repr)
def test_steps_that_shrink_reach_the_optimum_at_a_constant_rate(optimizer, loss, sparse):
    rate = STEPS_THAT_SHRINK[optimizer]
    assert abs(distance(loss, sparse, optimizer, rate, "full", 1000)) < CLOSE


@losses
@containers
@pytest.mark.parametrize("optimizer", OTHERS, ids=repr)
def test_the_other_rules_reach_it_with_a_falling_schedule(optimizer, loss, sparse):
    falling = Exponential(OTHERS[optimizer], 0.997)
    assert abs(distance(loss, sparse, optimizer, falling, "full", 4000)) < CLOSE


@pytest.mark.parametrize("loss", ["log_loss", "squared_hinge", "modified_huber", *REGRESSION])
@containers
@pytest.mark.parametrize("optimizer", list(OTHERS)[:-1], ids=repr)
def test_at_a_constant_rate_they_stay_within_two_rates_of_it(optimizer, loss, sparse):
    rate = 0.01
    model = fitted(loss, sparse, optimizer, rate, "full", 1000)
    assert np.max(np.abs(model.coef_ - optimum(loss, sparse)[1])) < 2 * rate


EPOCHS = 2000
IN_MINIBATCHES = {
    **{
        rule: Polynomial(rate, EPOCHS, 3, per="epoch")
        for rule, rate in (STEPS_THAT_SHRINK | OTHERS).items()
        if not isinstance(rule, Adadelta | Ftrl | Lion)
    },
    # these turn a gradient into a step of a size of its own, so that its noise has to be
    # averaged: over more updates, or by smaller steps; and Ftrl lowers its rate by itself
    Lion(beta_1=0.95): Polynomial(0.01, EPOCHS, 3, per="epoch"),
    Adadelta(rho=0.99): Polynomial(1.0, EPOCHS, 3, per="epoch"),
    Ftrl(): 0.03,
}


@losses
@containers
@pytest.mark.parametrize("optimizer", IN_MINIBATCHES, ids=repr)
def test_in_minibatches_every_rule_reaches_it_with_a_falling_schedule(optimizer, loss, sparse):
    schedule = IN_MINIBATCHES[optimizer]
    assert abs(distance(loss, sparse, optimizer, schedule, 50, EPOCHS)) < CLOSE
