"""scikit-learn's estimator checks over a roster of settings, and weights in expectation."""

from inspect import signature

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import (
    check_class_weight_balanced_classifiers,
    check_dataframe_column_names_consistency,
    check_inplace_ensure_writeable,
    check_param_validation,
    parametrize_with_checks,
)

from skgd import GDClassifier, GDRegressor
from skgd.losses import Loss

# The rows of the two weight checks: 15 with weights, 27 repeated. Where a batch is smaller, or the
# validation rows are drawn at random, the two fits visit different rows and can't agree to 1e-7.
ROWS_OF_WEIGHT_CHECKS = 27
WEIGHT_CHECKS = (
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
)

# Every loss runs at its defaults, and every variant with a loss of every family. The checks' data
# are raw, normal(loc=100) and blobs of width 20 among them, so that a rate of one's own is taken in
# standardised coordinates, or is tiny: RAW is stable for rows of squared norm 20 000.
RAW = "0.01 where the slope is bounded, else 2e-5 / curvature"
EVEN = "0.01, or 0.001 where the curvature grows with the targets"
DIAGONAL = {"optimizer": "sgd", "precondition": "diagonal"}
ADAM = {"optimizer": "adam"}
EARLY = {"early_stopping": True, "n_iter_no_change": 20}
VARIANTS = [
    {**DIAGONAL, "batch_size": "full", "penalty": "l1", "tol": 1e-5},
    {**DIAGONAL, "learning_rate": EVEN, "batch_size": 8, "penalty": "l1"},
    {**DIAGONAL, "learning_rate": 0.01, "batch_size": "full"},
    {**DIAGONAL, "learning_rate": 0.01, "batch_size": "auto", "penalty": None},
    {"optimizer": "sgd", "batch_size": 1, "penalty": None},
    {"optimizer": "sgd", "learning_rate": RAW, "batch_size": 1},
    {**ADAM, "precondition": "diagonal", "batch_size": 1, "penalty": None},
    {**ADAM, "learning_rate": 0.01, "batch_size": 0.5, "positive": True},
    {**ADAM, "learning_rate": 0.01, "batch_size": 8, "penalty": "elasticnet"},
    {**ADAM, "precondition": "diagonal", "learning_rate": 0.05, "batch_size": "full"},
    {**EARLY, "batch_size": "auto", "average": 10, "class_weight": "balanced"},
    {**EARLY, "batch_size": 8, "penalty": "elasticnet"},
    {"batch_size": "full", "positive": True, "penalty": "elasticnet"},
    {"warm_start": True, "max_iter": 200, "tol": None, "class_weight": "balanced"},
]


def suits(estimator, loss, variant):
    """Whether the checks can pass: some ask for what a method can't give on their data."""
    if variant.get("learning_rate") == RAW and estimator is GDClassifier:
        # else 1000 epochs are too few for the intercept
        return loss.bounded_slope and loss.task == "classification"
    if variant.get("warm_start"):
        # a second fit goes on, and must have nothing more to gain
        return loss.smooth and (estimator is GDClassifier or not loss.bounded_slope)
    if loss.name == "perceptron":  # stops at the first plane that separates its own rows
        return variant["batch_size"] in (1, 8, 0.5)
    return True


def families():
    """(estimator, names of losses that behave alike): a new loss joins by being registered."""
    for estimator in (GDClassifier, GDRegressor):
        losses = {name: loss() for name, loss in Loss.registry.items()}
        mine = {n: loss for n, loss in losses.items() if loss.task in ("both", estimator._task)}
        yield estimator, [n for n, loss in mine.items() if loss.smooth and loss.power is None]
        yield estimator, [n for n, loss in mine.items() if not loss.smooth]
        if estimator is GDRegressor:
            yield estimator, [n for n, loss in mine.items() if loss.power is not None]


def build(estimator, name, variant):
    settings = {key: value for key, value in variant.items() if key in estimator().get_params()}
    loss = Loss.registry[name]()
    rates = {
        RAW: 0.01 if loss.bounded_slope else 2e-5 / (loss.curvature or 1.0),
        EVEN: 0.01 if loss.power is None else 0.001,
    }
    if "learning_rate" in settings:
        settings["learning_rate"] = rates.get(settings["learning_rate"], settings["learning_rate"])
    return estimator(name, **settings)


def roster():
    for estimator, names in families():
        yield from (estimator(name) for name in names)
        for k, variant in enumerate(VARIANTS):
            suited = [n for n in names if suits(estimator, Loss.registry[n](), variant)]
            if suited:
                yield build(estimator, suited[k % len(suited)], variant)


def depends_on_order(estimator):
    """Why the fit depends on the order of the rows of the weight checks, or None."""
    size = estimator.batch_size
    if estimator.early_stopping:
        return "the rows to score are drawn at random"
    if not isinstance(size, str) and size < ROWS_OF_WEIGHT_CHECKS:
        return f"batches of {size} are smaller than the data"
    return None


def expected_failures(estimator):
    reason = depends_on_order(estimator)
    return {} if reason is None else dict.fromkeys(WEIGHT_CHECKS, reason)


ROSTER = list(roster())

# scikit-learn's checks fit for a few epochs, or on data that no rate suits, and look at what comes
# of it; that such a fit has not converged is said, and is no failure of the check.
unconverged_is_fine = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_every_value_of_the_roster_meets_every_family_of_losses():
    for estimator, names in families():
        mine = [e for e in ROSTER if type(e) is estimator and e.loss in names]
        assert {e.loss for e in mine} == set(names)
        assert {e.optimizer for e in mine} >= {"auto", "sgd", "adam"}
        assert {e.batch_size for e in mine} >= {1, 8, 0.5, "auto", "full"}
        assert {e.penalty for e in mine} >= {"l2", "l1", "elasticnet", None}
        for name in ("positive", "early_stopping", "average"):
            assert {bool(getattr(e, name)) for e in mine} == {False, True}


# an expected failure that passes is a failure, where scikit-learn (1.8 and later) can say so
KNOWN = signature(parametrize_with_checks).parameters
STRICT = {"xfail_strict": True} if "xfail_strict" in KNOWN else {}


@unconverged_is_fine
@parametrize_with_checks(ROSTER, expected_failed_checks=expected_failures, **STRICT)
def test_check(estimator, check, monkeypatch):
    # checks of scikit-learn 1.7 for positive targets add to this array, in place, every time
    monkeypatch.setattr(estimator_checks, "REGRESSION_DATASET", None)
    check(estimator)


@unconverged_is_fine
@pytest.mark.parametrize(
    "check",
    [
        check_dataframe_column_names_consistency,
        check_param_validation,
        check_inplace_ensure_writeable,
    ],
)
@pytest.mark.parametrize("estimator", [GDClassifier(), GDRegressor()])
def test_checks_that_check_estimator_does_not_run(estimator, check):
    check(type(estimator).__name__, estimator)


@pytest.mark.parametrize(
    "settings",
    [{}, {"optimizer": "sgd", "batch_size": 8}, {"learning_rate": 0.1, "batch_size": "full"}],
    ids=repr,
)
@pytest.mark.parametrize("name", next(iter(families()))[1])
def test_balanced_weights_help_where_classes_are_unbalanced(name, settings):
    centers = [[0.0, 0.0], [1.5, 1.5]]
    X, y = make_blobs([900, 100], centers=centers, random_state=0)
    X_test, y_test = make_blobs([500, 500], centers=centers, random_state=1)
    model = GDClassifier(name, random_state=0, **settings)
    check_class_weight_balanced_classifiers(name, model, X, y, X_test, y_test, "balanced")


# ---- weights on minibatches ----

N_SEEDS = 300
BOUND = 4.5  # standard errors; a true zero is beyond it once in 100 000


def mean_coefficients(model, X, y, sample_weight=None):
    """(mean over seeds of the parameters, its standard error)."""
    found = []
    for seed in range(N_SEEDS):
        fitted = clone(model).set_params(random_state=seed).fit(X, y, sample_weight=sample_weight)
        found.append(np.concatenate([fitted.coef_.ravel(), fitted.intercept_]))
    return np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(N_SEEDS)


@pytest.fixture(scope="module")
def weighted_rows():
    """480 rows of weights 1 to 5 with mean 3: three epochs make the updates of one of 1440 rows."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(480, 3))
    y = X @ [1.0, -2.0, 0.5] + rng.normal(size=480)
    # weights that go with the targets, so that without them the model would be another
    return X, y, 1.0 + np.argsort(np.argsort(y + rng.normal(size=480))) // 96


@pytest.mark.parametrize("batch_size", [1, 8])
@pytest.mark.parametrize("estimator", [GDClassifier, GDRegressor])
def test_a_weight_of_k_is_k_rows_in_expectation(estimator, batch_size, weighted_rows):
    X, y, weight = weighted_rows
    y = (y > 0).astype(int) if estimator is GDClassifier else y
    times = weight.astype(int)
    assert times.sum() == 3 * len(X)
    # The gradients of a step agree in expectation, the ends of the paths to first order in the
    # rate: it is small and the rows are many, so that the random order matters more than the rest.
    settings = {"learning_rate": 0.002, "batch_size": batch_size, "alpha": 0.01, "tol": None}
    repeated, error = mean_coefficients(
        estimator(max_iter=1, **settings), X.repeat(times, axis=0), y.repeat(times)
    )

    def distance(sample_weight):
        """The largest difference in standard errors."""
        model = estimator(max_iter=3, **settings)
        weighted, other = mean_coefficients(model, X, y, sample_weight)
        return np.max(np.abs(weighted - repeated) / np.hypot(error, other))

    assert distance(weight) < BOUND
    assert distance(weight**0.9) > BOUND  # and weights that are a little wrong are seen
