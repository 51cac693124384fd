"""What every schedule owes, then each held against its formula or scikit-learn."""

import pickle
import re

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.model_selection import ParameterGrid

from skgd._component import resolve
from skgd.losses import Hinge, LogLoss, Loss, Multinomial, SquaredError
from skgd.optimizers import SGD
from skgd.schedules import (
    Adaptive,
    Chain,
    Constant,
    Cosine,
    CosineRestarts,
    Exponential,
    FromCallable,
    InverseScaling,
    Linear,
    MultiStep,
    OneCycle,
    Optimal,
    Plateau,
    Polynomial,
    Scaled,
    Schedule,
    Step,
    Warmup,
    as_schedule,
)


def halving(t):
    return 0.1 * 0.5 ** (t // 3)


SCHEDULES = [
    Constant(0.1),
    InverseScaling(0.1, 0.25),
    Optimal(1e-3),
    Adaptive(0.1),
    Plateau(0.1, min_rate=0.001),
    Exponential(0.1, 0.9),
    Step(0.1, 3),
    MultiStep(0.1, [5, 2, 2]),
    Linear(0.1, 0.01, 7),
    Polynomial(0.1, 7, 2.0, final=0.01),
    Cosine(0.1, 7, final=0.01),
    CosineRestarts(0.1, 3),
    CosineRestarts(0.1, 3, 2, final=0.01),
    OneCycle(0.1, 20),
    OneCycle(0.1, 2),
    OneCycle(0.1, 1),
    OneCycle(0.1, 5, pct_start=1.0),
    FromCallable(halving),
    Scaled(FromCallable(halving), 0.5),
    Warmup(4).then(Cosine(0.1, 7)),
    Warmup(4).then(0.1),
    Constant(0.1).then(Exponential(0.1, 0.9), after=5),
    Warmup(2).then(Step(0.1, 2)).then(Adaptive(0.01), after=6),
]
# without addresses, so that parallel workers name the tests alike
NAMES = [re.sub(" at 0x[0-9a-f]+", "", str(schedule)) for schedule in SCHEDULES]
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES, ids=NAMES)


def test_all_of_the_registry_are_here():
    assert {type(s) for s in SCHEDULES} == set(Schedule.registry.values())


@every_schedule
def test_scalar_is_array(schedule):
    t = np.arange(60)
    rates = schedule(t)
    assert rates.dtype == np.float64
    assert rates.shape == t.shape
    assert np.all(rates >= 0)
    assert np.all(np.isfinite(rates))
    # NumPy's power may differ in the last bit between a number and an array
    np.testing.assert_allclose([schedule(int(i)) for i in t], rates, rtol=1e-15)
    np.testing.assert_array_equal(schedule(t.reshape(6, 10)), rates.reshape(6, 10))
    np.testing.assert_array_equal(schedule(t[::-1]), rates[::-1])
    assert np.ndim(schedule(3)) == 0
    assert schedule(np.arange(0)).shape == (0,)


@every_schedule
def test_pure_and_copied(schedule):
    before, attributes = repr(schedule), set(vars(schedule))
    rates = schedule(np.arange(20))
    for copy in (clone(schedule), pickle.loads(pickle.dumps(schedule)), as_schedule(schedule)):
        assert copy is not schedule
        assert repr(copy) == before
        np.testing.assert_array_equal(copy(np.arange(20)), rates)
    assert repr(schedule) == before
    assert set(vars(schedule)) == attributes


@every_schedule
def test_scaled(schedule):
    t = np.arange(40)
    half = schedule.scaled(0.5)
    np.testing.assert_allclose(half(t), 0.5 * schedule(t), rtol=1e-14)
    assert half.base_rate == pytest.approx(0.5 * schedule.base_rate)
    np.testing.assert_allclose(half.scaled(2.0)(t), schedule(t), rtol=1e-14)
    half.check()


@every_schedule
def test_rates_of_an_epoch(schedule):
    memory = pickle.loads(pickle.dumps(schedule.init()))
    rates = schedule.rates(np.arange(4, 9), 2, memory)
    np.testing.assert_allclose(rates, schedule(np.arange(4, 9)), rtol=1e-15)


def test_per_epoch():
    schedule = Exponential(1.0, 0.5, per="epoch").check()
    np.testing.assert_array_equal(schedule.rates(np.arange(6, 9), 2, {}), [0.25] * 3)
    chain = schedule.then(Constant(3.0, per="epoch"), after=2).check()
    assert chain.per == "epoch"
    assert [chain.rates(np.array([9]), e, chain.init())[0] for e in range(4)] == [1, 0.5, 3, 3]
    warm = Warmup(2, per="epoch").then(schedule).check()
    rates = [warm.rates(np.array([9, 10]), e, warm.init()).tolist() for e in range(4)]
    assert rates == [[0.5, 0.5], [1, 1], [1, 1], [0.5, 0.5]]


@every_schedule
def test_complete_is_itself_by_default(schedule):
    done = schedule.complete(SquaredError(), 1e-3)
    np.testing.assert_array_equal(done(np.arange(20)), schedule(np.arange(20)))


@every_schedule
def test_pure_schedules_do_not_look_at_the_objective(schedule):
    memory = schedule.init()
    looks = any(kind in repr(schedule) for kind in ("Adaptive", "Plateau"))
    changed = [schedule.observe(memory, 1.0, True) for _ in range(20)]
    assert any(changed) == (looks and not isinstance(schedule, Chain))


# scikit-learn's four -----------------------------------------------------------------------


def test_scikit_learn_names():
    for name in ("constant", "invscaling", "adaptive", "optimal"):
        assert resolve(name, Schedule).name == name


def rate_of_scikit_learn(model, t, y):
    """Its rate at the update t (from 0), to the last bit: one step from zero along x = 1."""
    X = np.ones((1, 1))
    model.partial_fit(X, [y], **({"classes": [-1, 1]} if hasattr(model, "n_jobs") else {}))
    model.coef_[:] = 0.0
    model.t_ = t + 1.0
    model.partial_fit(X, [y])
    return abs(model.coef_.ravel()[0])


@pytest.mark.parametrize("loss", ["hinge", "log_loss", "squared_hinge", "modified_huber"])
@pytest.mark.parametrize("alpha", [1e-6, 1e-4, 0.03, 1.0, 7.0])
def test_optimal_is_scikit_learns(loss, alpha):
    """The slope at the score 0 that turns the rate into the step is 1, 1/2, 2 and 2."""
    slope = {"hinge": 1.0, "log_loss": 0.5, "squared_hinge": 2.0, "modified_huber": 2.0}[loss]
    schedule = Optimal().complete(Loss.registry[loss](), alpha).check()
    for t in (0, 1, 2, 3, 17, 1000):
        model = SGDClassifier(
            loss=loss, alpha=alpha, penalty=None, learning_rate="optimal", fit_intercept=False
        )
        assert schedule(t) == rate_of_scikit_learn(model, t, 1) / slope


def test_optimal_by_its_formula():
    schedule = Optimal().complete(LogLoss(), 1e-4)
    assert schedule(0) == pytest.approx(10.0)
    assert schedule.t0 == pytest.approx(1000.0)
    assert schedule.alpha == 1e-4
    assert schedule.base_rate == pytest.approx(10.0)
    assert Optimal(alpha=0.5).complete(LogLoss(), 1e-4).alpha == 0.5
    assert Optimal(t0=5.0).complete(LogLoss(), 1e-4).t0 == 5.0


def test_optimal_takes_a_steep_slope_into_account():
    """No classification loss has a slope above 1 there; a loss that has starts slower."""

    class Steep(Loss):
        def slope(self, y, z):
            return np.full(np.shape(z), 4.0)

    schedule = Optimal().complete(Steep(), 1e-4)
    assert schedule(0) == pytest.approx(10.0 / 4.0)


def test_optimal_of_softmax():
    assert Multinomial().rowwise
    assert Optimal().complete(Multinomial(), 1e-4)(0) == pytest.approx(10.0)


@pytest.mark.parametrize("alpha", [0, 0.0])
def test_optimal_without_penalty(alpha):
    with pytest.raises(ValueError, match="got learning_rate='optimal' with alpha=0"):
        Optimal().complete(Hinge(), alpha)
    with pytest.raises(ValueError, match="got Optimal\\(\\) without alpha"):
        Optimal()(0)


@pytest.mark.parametrize("power", [0.25, 0.5, 1.0])
def test_invscaling_is_scikit_learns(power):
    schedule = InverseScaling(0.1, power)
    for t in (1, 2, 17, 1000):
        model = SGDRegressor(penalty=None, eta0=0.1, power_t=power, fit_intercept=False)
        rate = rate_of_scikit_learn(model, t, 1.0)
        assert schedule(t) == pytest.approx(rate, rel=1e-15)


def test_adaptive():
    schedule = Adaptive(4e-6)
    memory = schedule.init()
    assert not schedule.observe(memory, 1.0, stalled=False)
    assert schedule.observe(memory, 1.0, stalled=True)
    assert schedule.rates(np.arange(2), 0, memory) == pytest.approx([8e-7] * 2)
    assert not schedule.observe(memory, 1.0, stalled=True)  # at most 1e-6: stop
    assert schedule(0) == 4e-6
    assert schedule.init() == {"scale": 1.0}


def test_plateau_keeps_to_the_lowest_rate():
    schedule = Plateau(1.0, factor=0.1, patience=0, min_rate=0.05)
    memory = schedule.init()
    rates = []
    for objective in (1.0, 1.0, 1.0, 1.0):
        schedule.observe(memory, objective, False)
        rates.append(float(schedule.rates(np.zeros(1, int), 0, memory)[0]))
    assert rates == pytest.approx([1.0, 0.1, 0.05, 0.05])


def test_plateau_counts_an_objective_that_is_not_finite_as_bad():
    schedule = Plateau(1.0, patience=0)
    memory = schedule.init()
    assert schedule.observe(memory, float("nan"), False)


# composition -------------------------------------------------------------------------------


def test_warmup():
    schedule = Warmup(4).then(Exponential(0.8, 0.5)).check()
    np.testing.assert_allclose(
        schedule(np.arange(7)), [0.2, 0.4, 0.6, 0.8, 0.8, 0.4, 0.2], rtol=1e-15
    )
    assert schedule.base_rate == 0.8


def test_grid_keys_reach_into_chains():
    optimizer = SGD(Warmup(4).then(Exponential(0.8, 0.5)))
    for point in ParameterGrid({"learning_rate__schedule__gamma": [0.5, 0.9]}):
        trial = clone(optimizer).set_params(**point)
        assert trial.schedule()(5) == pytest.approx(0.8 * trial.learning_rate.schedule.gamma)
    chain = Constant(0.1).then(0.2, after=3)
    assert clone(chain).set_params(second__initial=0.3)(3) == 0.3
    assert SGD(Exponential(0.1, 0.5)).set_params(learning_rate__gamma=0.9).schedule().gamma == 0.9


def test_only_the_schedule_in_force_sees_the_history():
    schedule = Adaptive(1.0).then(Adaptive(0.1), after=10)
    memory = schedule.init()
    schedule.rates(np.arange(5), 0, memory)
    assert schedule.observe(memory, 1.0, stalled=True)
    np.testing.assert_allclose(schedule.rates(np.arange(8, 12), 1, memory), [0.2, 0.2, 0.1, 0.1])
    assert schedule.observe(memory, 1.0, stalled=True)
    np.testing.assert_allclose(schedule.rates(np.array([12]), 2, memory), [0.02])
    warm = Warmup(2).then(schedule)
    memory = warm.init()
    np.testing.assert_allclose(warm.rates(np.arange(4), 0, memory), [0.5, 1, 1, 1])
    assert warm.observe(memory, 1.0, stalled=True)
    np.testing.assert_allclose(warm.rates(np.arange(4), 0, memory), [0.1, 0.2, 0.2, 0.2])
    scaled = Scaled(schedule, 0.5)
    memory = scaled.init()
    np.testing.assert_allclose(scaled.rates(np.arange(2), 0, memory), [0.5, 0.5])
    assert scaled.observe(memory, 1.0, stalled=True)
    np.testing.assert_allclose(scaled.rates(np.arange(2), 0, memory), [0.1, 0.1])


def test_a_chain_asks_nobody_outside_of_their_counts():
    """The first schedule may have no rate from `after` on."""
    for per in ("step", "epoch"):
        first = FromCallable([0.1, 0.2].__getitem__, per=per)
        chain = first.then(Constant(0.3, per=per), after=2).check()
        np.testing.assert_array_equal(chain(np.arange(4)), [0.1, 0.2, 0.3, 0.3])
        rates = [float(chain.rates(np.array([t]), t, chain.init())[0]) for t in range(4)]
        assert rates == [0.1, 0.2, 0.3, 0.3]


def test_complete_reaches_into_chains():
    expected = Optimal().complete(LogLoss(), 1e-4)(0)
    for schedule in (
        Warmup(2).then(Optimal()),
        Optimal().then(0.1, after=5),
        Scaled(Optimal(), 0.5),
    ):
        done = schedule.complete(LogLoss(), 1e-4)
        assert done(2) in (pytest.approx(expected, rel=3e-3), pytest.approx(expected / 2, rel=3e-3))


def test_chain_must_count_the_same():
    with pytest.raises(ValueError, match="expected the same `per`"):
        Constant(0.1).then(Constant(0.1, per="epoch"), after=3).check()
    with pytest.raises(ValueError, match="expected the same `per`"):
        as_schedule(Warmup(3).then(Constant(0.1, per="epoch")))
    with pytest.raises(ValueError, match="nothing to rise to"):
        as_schedule(Warmup(3))


# the door ----------------------------------------------------------------------------------


def test_as_schedule():
    assert as_schedule(0.1)(7) == 0.1
    assert as_schedule(np.float32(0.5))(7) == 0.5
    assert as_schedule(np.array([0.5])).initial == 0.5
    assert as_schedule(halving)(4) == 0.05
    assert as_schedule(lambda t: 1)(np.arange(2)).tolist() == [1.0, 1.0]
    with pytest.raises(TypeError, match="expected a number, a function"):
        as_schedule("fast")
    with pytest.raises(TypeError, match="got the learning rate None"):
        as_schedule(None)
    for wrong in (np.array([0.1, 0.2]), np.array(["fast"]), SGD(), Hinge()):
        with pytest.raises(TypeError, match="expected a number, a function"):
            as_schedule(wrong)
    with pytest.raises(TypeError, match=r"got the class Exponential .* write Exponential\("):
        as_schedule(Exponential)


@pytest.mark.parametrize("rate", [-0.1, float("nan"), float("inf")])
def test_rates_that_are_none(rate):
    with pytest.raises(ValueError, match="'initial' parameter of Constant must be"):
        as_schedule(rate)
    with pytest.raises(ValueError, match="expected a finite number that is not negative"):
        as_schedule(lambda t: rate)(np.arange(3))


@pytest.mark.parametrize(
    "wrong",
    [
        InverseScaling(0.0),
        Adaptive(0.1, factor=1),
        Plateau(0.1, factor=1.0),
        Exponential(-0.1, 0.9),
        Exponential(0.1, 0.0),
        Step(0.1, 0),
        Step(0.1, 2.5),
        MultiStep(0.1, [1.5]),
        MultiStep(0.1, [-1]),
        Linear(0.1, -0.1, 3),
        Polynomial(0.1, 0),
        Cosine(float("nan"), 3),
        CosineRestarts(0.1, 3, 0),
        OneCycle(0.1, 3, pct_start=2.0),
        Constant(0.1, per="batch"),
        Chain(Constant(0.1), Constant(0.1), 0),
        Warmup(3, Constant(-1.0)),
        Scaled(Constant(-1.0), 0.5),
        Optimal(alpha=-1.0),
    ],
    ids=str,
)
def test_wrong_values_are_sentences(wrong):
    with pytest.raises(ValueError, match=r"(must be|expected)"):
        wrong.check()


def test_learned_names_need_arguments_nobody_can_guess():
    with pytest.raises(ValueError, match="got schedule 'sawtooth', expected one of"):
        resolve("sawtooth", Schedule)


# shapes ------------------------------------------------------------------------------------


def test_cosine_rises_again():
    rates = Cosine(0.1, 5)(np.arange(8))
    expected = [0.1, 0.090451, 0.065451, 0.034549, 0.009549, 0.0, 0.009549, 0.034549]
    np.testing.assert_allclose(rates, expected, atol=1e-6)


def test_restarts_at_the_right_counts():
    """Periods of 3, 6, 12, ...: starts at 0, 3, 9, 21, 45, 93, ..."""
    rates = CosineRestarts(0.1, 3, 2)(np.arange(1000))
    starts = 3 * (2 ** np.arange(9) - 1)
    np.testing.assert_array_equal(np.flatnonzero(rates == 0.1), starts[starts < 1000])


def test_one_cycle_ends_and_stays():
    rates = OneCycle(0.1, 9)(np.arange(30))
    assert rates.max() <= 0.1
    np.testing.assert_allclose(rates[8:], 0.1 / 25 / 1e4, rtol=1e-9)


def test_multi_step_twice_at_one_count():
    np.testing.assert_allclose(MultiStep(1.0, [2, 1, 2], 0.1)(np.arange(4)), [1, 0.1, 0.001, 0.001])
