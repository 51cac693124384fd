"""What every loss owes: properties over the registry, then formulas held against rivals."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax
from sklearn.base import clone
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import d2_tweedie_score, mean_pinball_loss

from skgd._component import resolve
from skgd.losses import (
    AbsoluteError,
    EpsilonInsensitive,
    Gamma,
    Hinge,
    Huber,
    LogLoss,
    Loss,
    ModifiedHuber,
    Multinomial,
    Perceptron,
    Poisson,
    Quantile,
    SquaredEpsilonInsensitive,
    SquaredError,
    SquaredHinge,
    Tweedie,
)

CONVEX = [
    *(member() for member in Loss.registry.values()),
    Huber(epsilon=1.35),
    EpsilonInsensitive(epsilon=0),
    Quantile(0.9),
    Tweedie(power=1),
    Tweedie(power=1.2),
    Tweedie(power=1.9),
    Tweedie(power=2),
]
NOT_CONVEX = [Tweedie(power=0), Tweedie(power=3)]
ALL = CONVEX + NOT_CONVEX

each = pytest.mark.parametrize("loss", ALL, ids=repr)
each_convex = pytest.mark.parametrize("loss", CONVEX, ids=repr)


def targets(loss, n, seed=0):
    """n targets from the domain of the loss, every kind of value that it takes among them."""
    rng = np.random.default_rng(seed)
    if loss.task == "classification":
        return np.where(np.arange(n) % 3 == 0, -1.0, 1.0)
    if loss.power is None:
        return rng.normal(1, 2, n)
    y = rng.gamma(2.0, 1.0, n)
    return np.where((np.arange(n) % 3 == 0) & (loss.power < 2), 0.0, y)


def mean_loss(loss, y, z, sample_weight=None):
    return np.average(loss.value(y, np.full(len(y), z)), weights=sample_weight)


# ---------------------------------------------------------------- properties


def test_registry_has_the_public_names():
    assert set(Loss.registry) >= {
        *("squared_error", "absolute_error", "huber", "epsilon_insensitive"),
        *("squared_epsilon_insensitive", "quantile", "poisson", "gamma", "tweedie"),
        *("log_loss", "hinge", "squared_hinge", "modified_huber", "perceptron"),
    }
    assert "multinomial" not in Loss.registry


@pytest.mark.parametrize(
    "task, members",
    [
        ("both", {SquaredError, Huber, EpsilonInsensitive, SquaredEpsilonInsensitive}),
        ("regression", {AbsoluteError, Quantile, Poisson, Gamma, Tweedie}),
        ("classification", {LogLoss, Hinge, SquaredHinge, ModifiedHuber, Perceptron}),
    ],
)
def test_task(task, members):
    ours = {m for m in Loss.registry.values() if m.__module__.startswith("skgd.")}
    assert {m for m in ours if m.task == task} == members


@each
def test_slope_is_the_derivative_of_value(loss):
    y, h = targets(loss, 400), 1e-6
    z = np.random.default_rng(1).uniform(-3, 3, 400)
    smooth_here = np.abs(loss.slope(y, z + h) - loss.slope(y, z - h)) < 0.01
    assert smooth_here.mean() > 0.99  # a kink inside [z - h, z + h] is rare
    assert smooth_here.all() or not loss.smooth
    numeric = (loss.value(y, z + h) - loss.value(y, z - h)) / (2 * h)
    slope = loss.slope(y, z)
    np.testing.assert_allclose(numeric[smooth_here], slope[smooth_here], rtol=1e-5, atol=1e-5)


@each_convex
@settings(max_examples=60, deadline=None)
@given(a=st.floats(-20, 20), b=st.floats(-20, 20), seed=st.integers(0, 10))
def test_convex(loss, a, b, seed):
    y = targets(loss, 4, seed)
    at = [loss.value(y, np.full(4, z)) for z in (a, (a + b) / 2, b)]
    chord = (at[0] + at[2]) / 2
    assert np.all(at[1] <= chord + 1e-9 * (1 + np.abs(chord)))


@each_convex
def test_slope_is_a_subgradient_on_kinks_too(loss):
    y = np.array([-1.0, 1.0]) if loss.power is None else np.array([0.5, 1.0])
    for z in (-1.0, -0.1, 0.0, 0.1, 1.0):
        here = np.full(2, z)
        for step in (-0.5, 0.5):
            line = loss.value(y, here) + step * loss.slope(y, here)
            assert np.all(loss.value(y, here + step) >= line - 1e-12)


@pytest.mark.parametrize("loss", [loss for loss in ALL if loss.curvature is not None], ids=repr)
def test_curvature_bounds_the_change_of_slope_and_is_reached(loss):
    y, h = targets(loss, 4), 1e-4
    z = np.linspace(-4, 4, 2001)[:, None]
    rate = np.abs(loss.slope(y, z + h) - loss.slope(y, z - h)) / (2 * h)
    assert rate.max() <= loss.curvature * (1 + 1e-6)
    assert rate.max() >= loss.curvature * (1 - 1e-3)


@each
def test_only_smooth_losses_may_have_a_curvature(loss):
    assert loss.smooth or loss.curvature is None


@each
def test_no_value_is_below_the_least_and_one_is_there(loss):
    y, z = targets(loss, 6), np.linspace(-20, 20, 4001)[:, None]
    values = loss.value(y, z)
    assert values.min() >= loss.least
    assert (loss.least == -np.inf) == (loss.power is not None)
    if loss.power is None:
        assert values.min(axis=0).max() <= loss.least + 0.01


@each
def test_slope_is_bounded_where_the_loss_says_so(loss):
    y = targets(loss, 6)
    near, far = (
        max(np.abs(loss.slope(y, np.full(6, z))).max() for z in (-end, end)) for end in (100, 200)
    )
    if loss.bounded_slope:
        assert far <= 4 * (1 + 1e-12)
    else:
        assert far > 1.5 * near


@each
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("far", [-1e3, 1e3])
def test_far_scores_overflow_in_silence(loss, far, dtype):
    """Warnings are errors here; no NaN may arise, and no loss of a wrong sign."""
    y = targets(loss, 6).astype(dtype)
    z = np.full(6, far, dtype)
    value, slope, link = loss.value(y, z), loss.slope(y, z), loss.link(z)
    assert value.dtype == slope.dtype == link.dtype == dtype
    assert not np.isnan(value).any() and not np.isnan(slope).any() and not np.isnan(link).any()
    if loss.power is None:
        assert np.isfinite(value).all() and np.isfinite(slope).all()
        assert np.all(value >= 0)
    else:
        np.testing.assert_array_equal(link, np.inf if far > 0 else 0.0)
        if np.any(np.abs(slope) > 1e6):  # where it explodes, it pushes back to the middle
            assert np.all(np.sign(slope[np.abs(slope) > 1e6]) == np.sign(far))


@each
def test_columns_are_rows(loss):
    y, z = targets(loss, 6), np.linspace(-2, 2, 6)
    for method in (loss.value, loss.slope):
        np.testing.assert_array_equal(
            method(y.reshape(3, 2), z.reshape(3, 2)), method(y, z).reshape(3, 2)
        )


@each
def test_arguments_are_left_alone(loss):
    y, z = targets(loss, 6), np.linspace(-2, 2, 6)
    y_before, z_before = y.copy(), z.copy()
    loss.value(y, z), loss.slope(y, z), loss.best_intercept(y), loss.predict_proba(z)
    np.testing.assert_array_equal(y, y_before)
    np.testing.assert_array_equal(z, z_before)


@each
def test_is_a_parameter_object(loss):
    y, z = targets(loss, 6), np.linspace(-2, 2, 6)
    for copy in (clone(loss), pickle.loads(pickle.dumps(loss)), resolve(loss, Loss)):
        assert copy is not loss
        assert copy.get_params() == loss.get_params()
        np.testing.assert_array_equal(copy.value(y, z), loss.value(y, z))
    assert vars(loss) == loss.get_params()  # arguments and nothing else


@each
def test_built_in_losses_name_their_kernel(loss):
    if type(loss).__module__.startswith("skgd."):
        assert type(loss).__dict__["kernel"] == loss.name
    assert isinstance(loss.kernel_parameter(), float)


@pytest.mark.parametrize(
    "loss, parameter",
    [
        (Huber(2), 2.0),
        (EpsilonInsensitive(2), 2.0),
        (SquaredEpsilonInsensitive(2), 2.0),
        (Quantile(0.25), 0.25),
        (Tweedie(2), 2.0),
        (Hinge(), 1.0),
        (Perceptron(), 0.0),
        (SquaredError(), 0.0),
    ],
)
def test_kernel_parameter(loss, parameter):
    assert loss.kernel_parameter() == parameter


# ---------------------------------------------------------------- arguments and targets


@pytest.mark.parametrize("name", sorted(Loss.registry))
def test_resolve_by_name(name):
    assert type(resolve(name, Loss)) is Loss.registry[name]


def test_resolve_errors():
    with pytest.raises(ValueError, match=r"got loss 'hing', expected one of .*'hinge'"):
        resolve("hing", Loss)
    with pytest.raises(TypeError, match="got 3 of type int, expected the name of a loss"):
        resolve(3, Loss)
    with pytest.raises(TypeError, match="of type type"):
        resolve(Huber, Loss)


@pytest.mark.parametrize(
    "loss, match",
    [
        (Huber(0), "'epsilon' parameter of Huber"),
        (Huber(np.nan), "'epsilon' parameter of Huber"),
        (EpsilonInsensitive(-0.1), "'epsilon' parameter of EpsilonInsensitive"),
        (SquaredEpsilonInsensitive("a"), "'epsilon' parameter of SquaredEpsilonInsensitive"),
        (Quantile(0), "'quantile' parameter of Quantile"),
        (Quantile(1.5), "'quantile' parameter of Quantile"),
        (Tweedie(-1), "'power' parameter of Tweedie"),
        (Tweedie(0.5), "got power=0.5, expected 0 or at least 1.*try 1"),
    ],
)
def test_bad_arguments(loss, match):
    with pytest.raises(ValueError, match=match):
        resolve(loss, Loss)


@pytest.mark.parametrize(
    "loss, y, expected",
    [
        (Poisson(), [1.0, -0.5], "y >= 0 for the poisson loss of power 1, try"),
        (Poisson(), [0.0, 0.0], "positive sum for the poisson loss"),
        (Poisson(), [[0.0, 1.0], [0.0, 1.0]], "positive sum for the poisson loss"),
        (Gamma(), [1.0, 0.0], "y > 0 for the gamma loss of power 2, try loss='poisson'"),
        (Tweedie(1.5), [1.0, -0.5], "y >= 0 for the tweedie loss of power 1.5"),
        (Tweedie(1.5), [0.0, 0.0], "positive sum"),
        (Tweedie(2.5), [1.0, 0.0], "y > 0 for the tweedie loss of power 2.5"),
        (Tweedie(0), [1.0, -2.0], "positive sum for the tweedie loss of power 0"),
    ],
)
def test_targets_out_of_the_domain(loss, y, expected):
    y = np.array(y)
    with pytest.raises(ValueError, match=f"got a target y between {y.min():g} and.*{expected}"):
        loss.check_target(y)


@each
def test_targets_of_the_domain(loss):
    assert loss.check_target(targets(loss, 10)) is None


def test_power_is_that_of_the_deviance():
    assert (Poisson().power, Gamma().power, Tweedie(1.7).power) == (1, 2, 1.7)
    assert all(
        loss.power is None for loss in ALL if not isinstance(loss, (Poisson, Gamma, Tweedie))
    )


# ---------------------------------------------------------------- best intercept


@each
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n", [1, 2, 31])
def test_best_intercept_is_not_beaten(loss, weighted, n):
    y = targets(loss, n, seed=3) + (loss.power is not None) * 0.1
    weight = np.random.default_rng(4).uniform(0, 2, n) if weighted else None
    best = loss.best_intercept(y, weight, n_columns=1)
    assert type(best) is float
    reached = mean_loss(loss, y, best, weight)
    for z in np.linspace(-6, 6, 1201):
        assert reached <= mean_loss(loss, y, z, weight) + 1e-9


@each
def test_weights_are_repetitions(loss):
    y = targets(loss, 30, seed=5)
    weight = np.random.default_rng(6).integers(0, 4, 30)
    repeated = np.repeat(y, weight)
    best = loss.best_intercept(y, weight.astype(float))
    expected = mean_loss(loss, repeated, loss.best_intercept(repeated))
    assert mean_loss(loss, repeated, best) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("loss", [loss for loss in ALL if loss.task != "classification"], ids=repr)
@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_best_intercept_follows_the_scale(loss, scale):
    y = targets(loss, 30, seed=7) * scale
    best = mean_loss(loss, y, loss.best_intercept(y))
    centre = np.log(y.mean()) if loss.power is not None else np.median(y)
    slack = 1e-12 * abs(best)
    assert best <= mean_loss(loss, y, centre) + slack
    assert best <= mean_loss(loss, y, centre * (1 + 1e-3)) + slack


@each
def test_best_intercept_of_one_value(loss):
    for value in (1.0, 1.0 if loss.power is not None else -1.0):
        y = np.full(8, value)  # eight shares sum to 1 exactly: no rounding keeps it finite
        best = loss.best_intercept(y)
        assert np.isfinite(best)
        assert mean_loss(loss, y, best) <= mean_loss(loss, y, 0.0)


@each
def test_best_intercept_of_many_rows_is_cheap(loss):
    """The search looks at a part of the rows; a closed form at each row once or twice."""
    rows = []

    class Counting(type(loss)):
        def slope(self, y, z):
            rows.append(len(y))
            return super().slope(y, z)

    y = targets(loss, 200_000)
    best = Counting(**loss.get_params()).best_intercept(y)
    assert sum(rows) <= 10 * len(y)
    assert mean_loss(loss, y, best) <= mean_loss(loss, y, loss.best_intercept(y[:9999])) + 1e-3


class LogCosh(Loss):
    """The example of the base class: a user's loss, with no closed form."""

    task = "regression"
    curvature = 1.0

    def value(self, y, z):
        return np.logaddexp(z - y, y - z) - np.log(2)

    def slope(self, y, z):
        return np.tanh(z - y)


class Exponential(Loss):
    """A user's loss whose best score is outside the range of its targets, or infinite."""

    task = "classification"

    def value(self, y, z):
        return np.exp(-y * z)

    def slope(self, y, z):
        return -y * np.exp(-y * z)


def test_best_intercept_of_a_loss_of_ones_own():
    y = np.random.default_rng(8).normal(50, 3, 1000)
    assert np.tanh(LogCosh().best_intercept(y) - y).mean() == pytest.approx(0, abs=1e-12)
    y = np.repeat([-1.0, 1.0], [1, 999])
    assert Exponential().best_intercept(y) == pytest.approx(np.log(999) / 2, rel=1e-9)
    assert Exponential().best_intercept(-y) == pytest.approx(-np.log(999) / 2, rel=1e-9)
    assert np.isfinite(Exponential().best_intercept(np.ones(5)))
    sparse = np.zeros(30_000)
    sparse[1::3] = 1.0  # no weight where a stride of three looks
    assert LogCosh().best_intercept(np.full(30_000, 7.0), sparse) == pytest.approx(7.0)


@pytest.mark.parametrize(
    "loss, y, weight, best",
    [
        (SquaredError(), [1.0, 4.0], [2, 1], 2.0),
        (AbsoluteError(), [1.0, 9.0, 2.0], None, 2.0),
        (AbsoluteError(), [1.0, 9.0, 2.0], [1, 5, 1], 9.0),
        (Quantile(0.9), np.arange(100.0), None, 89.0),
        (LogLoss(), [-1.0, 1.0], [1, 3], np.log(3)),
        (Hinge(), [-1.0, 1.0, 1.0], None, 1.0),
        (Perceptron(), [-1.0, 1.0, 1.0], None, 0.0),
        (SquaredHinge(), [-1.0, 1.0], [1, 3], 0.5),
        (ModifiedHuber(), [-1.0, 1.0], [1, 3], 0.5),
        (Poisson(), [0.0, 4.0], None, np.log(2)),
        (Tweedie(3), [1.0, 3.0], [1, 3], np.log(2.5)),
    ],
)
def test_best_intercept_in_closed_form(loss, y, weight, best):
    weight = None if weight is None else np.array(weight, dtype=float)
    assert loss.best_intercept(np.array(y), weight) == pytest.approx(best, abs=1e-12)


# ---------------------------------------------------------------- against scikit-learn

# Every sum and difference of these is exact, so that kinks are hit and not merely approached.
GRID = np.concatenate([np.arange(-4, 4.25, 0.25), [-100.0, -0.0, 100.0]])
EPSILON = 0.5


def sgd_loss(name, *arguments):
    module = pytest.importorskip("sklearn.linear_model._sgd_fast")
    oracle = getattr(module, name)(*arguments)
    return np.vectorize(oracle.py_loss), np.vectorize(oracle.py_dloss)


@pytest.mark.parametrize(
    "loss, oracle",
    [
        (Hinge(), ("Hinge", 1.0)),
        (Perceptron(), ("Hinge", 0.0)),
        (SquaredHinge(), ("SquaredHinge", 1.0)),
        (ModifiedHuber(), ("ModifiedHuber",)),
        (EpsilonInsensitive(EPSILON), ("EpsilonInsensitive", EPSILON)),
        (SquaredEpsilonInsensitive(EPSILON), ("SquaredEpsilonInsensitive", EPSILON)),
    ],
)
def test_equals_the_loss_of_sgd_on_kinks_too(loss, oracle):
    value, slope = sgd_loss(*oracle)
    y = np.array([-1.0, 1.0]) if loss.task == "classification" else np.array([-1, 0, 0.25, 1])
    z, y = np.meshgrid(GRID, y)
    np.testing.assert_array_equal(loss.value(y, z), value(z, y))
    np.testing.assert_array_equal(loss.slope(y, z), slope(z, y))


def glm_loss(name, **arguments):
    return getattr(pytest.importorskip("sklearn._loss.loss"), name)(**arguments)


@pytest.mark.parametrize(
    "loss, oracle, arguments",
    [
        (SquaredError(), "HalfSquaredError", {}),
        (Huber(EPSILON), "HuberLoss", {"delta": EPSILON}),
        (LogLoss(), "HalfBinomialLoss", {}),
        (Poisson(), "HalfPoissonLoss", {}),
        (Gamma(), "HalfGammaLoss", {}),
        (Tweedie(0), "HalfTweedieLoss", {"power": 0}),
        (Tweedie(1), "HalfTweedieLoss", {"power": 1}),
        (Tweedie(1.5), "HalfTweedieLoss", {"power": 1.5}),
        (Tweedie(2), "HalfTweedieLoss", {"power": 2}),
        (Tweedie(3), "HalfTweedieLoss", {"power": 3}),
    ],
)
def test_equals_the_loss_of_glms_up_to_a_constant(loss, oracle, arguments):
    oracle = glm_loss(oracle, **arguments)
    classes = loss.task == "classification"
    z = GRID if loss.power is None else GRID[np.abs(GRID) < 10]
    ys = [-1.0, 1.0] if classes else [0.25, 1.0] if loss.power is not None else [-1.0, 0.0, 0.25]
    for y in ys:
        y = np.full(len(z), y)
        encoded = (y + 1) / 2 if classes else y
        difference = loss.value(y, z) - oracle.loss(encoded, z)
        np.testing.assert_allclose(difference, difference[0], atol=1e-9)
        slope = oracle.gradient(encoded, z)
        np.testing.assert_allclose(loss.slope(y, z), slope, rtol=1e-13, atol=1e-15)


def test_half_deviances_have_no_hidden_constant():
    """Their written formulas, which the compiled kernels share."""
    y, z = np.array([0.5, 2.0]), np.array([-1.0, 0.3])
    np.testing.assert_allclose(Poisson().value(y, z), np.exp(z) - y * z)
    np.testing.assert_allclose(Gamma().value(y, z), z + y * np.exp(-z))
    for p in (0, 1.5, 3):
        expected = np.exp((2 - p) * z) / (2 - p) - y * np.exp((1 - p) * z) / (1 - p)
        np.testing.assert_allclose(Tweedie(p).value(y, z), expected)
    for power, twin in ((1, Poisson()), (2, Gamma())):
        np.testing.assert_array_equal(Tweedie(power).value(y, z), twin.value(y, z))


@pytest.mark.parametrize("loss", [Poisson(), Gamma(), Tweedie(1.7)], ids=repr)
def test_best_constant_mean_scores_zero(loss):
    y = targets(loss, 30) + 0.01
    mean = loss.link(np.full(30, loss.best_intercept(y)))
    assert d2_tweedie_score(y, mean, power=loss.power) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("q", [0.1, 0.5, 0.9])
def test_quantile_is_the_pinball_loss(q):
    y, z = np.random.default_rng(0).normal(size=(2, 50))
    expected = mean_pinball_loss(y, z, alpha=q)
    assert Quantile(q).value(y, z).mean() == pytest.approx(expected, rel=1e-14)


def test_absolute_error_is_twice_the_pinball_loss_at_the_median():
    z, y = np.meshgrid(GRID, [0.0, 0.25])
    np.testing.assert_array_equal(AbsoluteError().value(y, z), 2 * Quantile(0.5).value(y, z))
    np.testing.assert_array_equal(AbsoluteError().slope(y, z), 2 * Quantile(0.5).slope(y, z))
    assert AbsoluteError().slope(np.zeros(1), np.zeros(1)) == 0


# ---------------------------------------------------------------- probabilities


def test_which_losses_model_probabilities():
    assert {loss.name for loss in CONVEX if loss.has_proba} == {"log_loss", "modified_huber"}
    assert Multinomial().has_proba
    assert Hinge().predict_proba(np.zeros(2)) is None


def as_sgd(loss, scores):
    """SGDClassifier.predict_proba at these scores: rows of the identity times the scores."""
    scores = np.atleast_2d(scores.T).T
    n, k = scores.shape
    model = SGDClassifier(loss=loss)
    model.coef_, model.intercept_ = scores.T.copy(), np.zeros(k)
    model.classes_, model.n_features_in_ = np.arange(max(k, 2)), n
    return model.predict_proba(np.eye(n))


@pytest.mark.parametrize("loss", [LogLoss(), ModifiedHuber()], ids=repr)
@pytest.mark.parametrize("shape", [(20,), (20, 3)])
def test_probabilities_are_those_of_sgd(loss, shape):
    z = np.random.default_rng(0).normal(scale=2, size=shape)
    if z.ndim == 2:
        z[0] = -2.0, -1.0, -5.0  # modified Huber wants no class here
    proba = loss.predict_proba(z)
    assert proba.shape == (20, 2 if z.ndim == 1 else 3)
    np.testing.assert_allclose(proba, as_sgd(loss.name, z), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("loss", [LogLoss(), ModifiedHuber(), Multinomial()], ids=repr)
def test_probabilities_of_far_scores(loss):
    z = np.array([[-1e3, -1e3, -1e3], [1e3, -1e3, -1e3], [1e3, 1e3, -1e3]])
    expected = [[1 / 3, 1 / 3, 1 / 3], [1, 0, 0], [0.5, 0.5, 0]]
    np.testing.assert_allclose(loss.predict_proba(z), expected)


def test_binary_probability_keeps_its_small_part():
    proba = LogLoss().predict_proba(np.array([50.0]))
    np.testing.assert_allclose(proba, [[np.exp(-50), 1.0]], rtol=1e-12)


# ---------------------------------------------------------------- softmax


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    return rng.integers(0, 4, 50), rng.normal(scale=5, size=(50, 4))


def test_log_loss_of_many_classes_is_softmax():
    assert type(LogLoss().for_classes(3)) is Multinomial
    assert type(LogLoss().for_classes(2)) is LogLoss
    assert type(Hinge().for_classes(3)) is Hinge
    assert type(resolve(Multinomial(), Loss)) is Multinomial
    assert type(pickle.loads(pickle.dumps(Multinomial()))) is Multinomial
    assert Multinomial.rowwise and Multinomial.kernel == "softmax"


@pytest.mark.parametrize("dtype", [np.int64, np.float64])
def test_softmax_equals_scipy(rows, dtype):
    y, z = rows
    loss = Multinomial()
    everyone = np.arange(50)
    z_before = z.copy()
    value = loss.value(y.astype(dtype), z)
    np.testing.assert_allclose(value, -log_softmax(z, axis=1)[everyone, y], atol=1e-14)
    expected = softmax(z, axis=1)
    np.testing.assert_allclose(loss.predict_proba(z), expected, rtol=1e-13)
    expected[everyone, y] -= 1
    np.testing.assert_allclose(loss.slope(y.astype(dtype), z), expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(z, z_before)


def test_softmax_slope_is_the_derivative(rows):
    y, z = rows
    for k in range(4):
        step = 1e-6 * np.eye(4)[k]
        numeric = (Multinomial().value(y, z + step) - Multinomial().value(y, z - step)) / 2e-6
        np.testing.assert_allclose(Multinomial().slope(y, z)[:, k], numeric, atol=1e-8)


def test_softmax_of_two_classes_is_the_log_loss():
    z = np.linspace(-30, 30, 61)
    pair = np.column_stack([np.zeros(61), z])
    for index, sign in ((0, -1.0), (1, 1.0)):
        y = np.full(61, index)
        expected = LogLoss().value(np.full(61, sign), z)
        np.testing.assert_allclose(Multinomial().value(y, pair), expected, rtol=1e-12, atol=1e-15)
        expected = LogLoss().slope(np.full(61, sign), z)
        slope = Multinomial().slope(y, pair)[:, 1]
        np.testing.assert_allclose(slope, expected, rtol=1e-12, atol=1e-15)


def test_softmax_curvature_is_the_largest_eigenvalue():
    largest = 0.0
    for z in [np.array([0.0, 0.0, -50.0]), *np.random.default_rng(0).normal(size=(50, 3))]:
        p = softmax(z)
        largest = max(largest, np.linalg.eigvalsh(np.diag(p) - np.outer(p, p)).max())
    assert largest == pytest.approx(Multinomial.curvature)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_of_far_scores(dtype):
    z = np.array([[1e3, -1e3, 0.0], [-1e3, -1e3, 1e3]], dtype)
    value, slope = Multinomial().value(np.zeros(2), z), Multinomial().slope(np.zeros(2), z)
    assert value.dtype == slope.dtype == dtype
    np.testing.assert_array_equal(value, [0, 2000])
    np.testing.assert_array_equal(slope, [[0, 0, 0], [-1, 0, 1]])


def test_softmax_best_intercept(rows):
    y, _ = rows
    weight = np.random.default_rng(1).integers(0, 3, 50)
    best = Multinomial().best_intercept(y.astype(float), weight.astype(float), n_columns=4)
    repeated = np.repeat(y, weight)
    np.testing.assert_allclose(best, Multinomial().best_intercept(repeated), rtol=1e-12)
    assert best.shape == (4,) and best.sum() == pytest.approx(0, abs=1e-12)
    gradient = Multinomial().slope(repeated, np.tile(best, (len(repeated), 1))).mean(axis=0)
    np.testing.assert_allclose(gradient, 0, atol=1e-12)


def test_softmax_best_intercept_of_a_class_without_rows():
    best = Multinomial().best_intercept(np.array([0.0, 0.0, 1.0]), n_columns=3)
    assert best.shape == (3,) and np.isfinite(best).all()
    np.testing.assert_allclose(softmax(best), [2 / 3, 1 / 3, 0], atol=1e-12)
