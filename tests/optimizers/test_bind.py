"""The promises of a loop, one test each; T, K and P are those of TensorFlow, Keras, PyTorch."""

import copy
import pickle

import numpy as np
import pytest
from scipy import sparse

from skgd.optimizers import SGD, Adam, Averaged, Clipped, Ftrl, NAdam, Optimizer
from skgd.schedules import Adaptive, Exponential, MultiStep, Optimal, Step, Warmup


def g_of(*values):
    return np.array(values, dtype=float)


def run(optimizer, grads, start=1.0):
    """Trajectory of one number under the given gradients."""
    w = np.array([start])
    loop = optimizer.bind([w])
    path = []
    for g in grads:
        loop.apply_gradients([(g_of(g), w)])
        path.append(float(w[0]))
    return path


# TensorFlow --------------------------------------------------------------------------------


def test_t1_plain_rule():
    assert run(SGD(0.1), [2.0]) == [1.0 - 2.0 * 0.1]


def test_t2_learning_rate_in_the_dtype_of_the_array():
    w = np.ones(2, dtype=np.float32)
    loop = SGD(np.float64(0.1)).bind([w])
    loop.apply_gradients([(np.ones(2), w)])
    assert w.dtype == np.float32
    np.testing.assert_array_equal(w, np.float32(1) - np.float32(0.1))


@pytest.mark.parametrize("rate", [np.array([0.1]), np.array(0.1), np.array([[0.1]], np.float32)])
def test_t2_learning_rate_as_an_array_of_one(rate):
    w = g_of(1.0)
    loop = SGD(rate).bind([w])
    loop.apply_gradients([(g_of(1), w)])
    first = float(rate.item())
    assert w[0] == 1.0 - first
    rate[...] = 0.5  # read anew each time, as a tensor is
    loop.apply_gradients([(g_of(1), w)])
    assert w[0] == 1.0 - first - 0.5


def test_p3_learning_rate_of_two_numbers():
    with pytest.raises(TypeError, match="expected a number"):
        SGD(np.array([0.1, 0.2])).bind([g_of(1.0)])


def test_t3_minimize_is_compute_then_apply():
    def fun(w, b):
        return w @ w + 3 * b[0]

    def jac(w, b):
        return [2 * w, g_of(3.0)]

    one, two = ([g_of(1, 2), g_of(3)] for _ in range(2))
    by_minimize, by_hand = (Adam(0.1).bind(arrays) for arrays in (one, two))
    for _ in range(3):
        assert by_minimize.minimize(fun, jac) is None
        by_hand.apply_gradients(by_hand.compute_gradients(fun, jac))
    np.testing.assert_array_equal(np.concatenate(one), np.concatenate(two))
    assert by_minimize.t == by_hand.t == 3


def test_t3_no_gradients():
    w = g_of(1.0)
    with pytest.raises(ValueError, match="got no gradients, expected at least one"):
        SGD(0.1).bind([w]).minimize(lambda w: 1.0, jac=lambda w: [None])


def test_t4_pairs_in_order_and_nothing_changed():
    w, b = g_of(1, 2), g_of(3)
    loop = SGD(0.1).bind([w, b])
    pairs = loop.compute_gradients(lambda w, b: 0.0, jac=lambda w, b: [None, 2 * b])
    (_, first), (_, second) = pairs
    assert first is w
    assert second is b
    assert pairs[0][0] is None
    np.testing.assert_array_equal(pairs[1][0], [6.0])
    np.testing.assert_array_equal(w, [1, 2])
    assert loop.t == 0
    assert not loop.state


def test_t4_nothing_to_optimize():
    with pytest.raises(ValueError, match="got no arrays"):
        SGD(0.1).bind([])


def test_t5_empty_and_all_none():
    w = g_of(1.0)
    loop = SGD(0.1).bind([w])
    for pairs in ([], [(None, w)]):
        with pytest.raises(ValueError, match="got no gradients"):
            loop.apply_gradients(pairs)
    assert loop.t == 0


def test_t5_none_is_skipped_and_count_goes_up_once():
    w, b = g_of(1.0), g_of(1.0)
    loop = SGD(0.1).bind([w, b])
    loop.apply_gradients([(g_of(1.0), w), (None, b)])
    assert (w[0], b[0], loop.t) == (0.9, 1.0, 1)


@pytest.mark.parametrize("bad", ["text", np.array([1j]), [object()]])
def test_t5_not_a_gradient(bad):
    w = g_of(1.0)
    with pytest.raises(TypeError, match="expected real numbers"):
        SGD(0.1).bind([w]).apply_gradients([(bad, w)])


def test_t6_gradients_may_be_changed_in_between():
    w = g_of(1.0)
    loop = SGD(0.1).bind([w])
    pairs = loop.compute_gradients(lambda w: 50 * w[0], jac=lambda w: g_of(50))
    loop.apply_gradients([(np.clip(g, -1, 1), p) for g, p in pairs])
    assert w[0] == 0.9


def test_t7_all_gradients_at_the_same_point():
    """b sees the old w, though the gradients are the parameters themselves."""
    for habit in ("minimize", "outer", "apply", "accumulate"):
        w, b = g_of(2.0), g_of(5.0)
        loop = SGD(1.0).bind([w, b])
        if habit == "minimize":
            loop.minimize(lambda w, b: w[0] * b[0], jac=lambda w, b: [b, w])
        elif habit == "outer":
            loop.minimize(lambda *_: w[0] * b[0], jac=lambda *_: [b, w])  # noqa: B023
        elif habit == "apply":
            loop.apply_gradients([(b, w), (w, b)])
        else:
            loop.accumulate([b, w])
            loop.step()
        assert (w[0], b[0]) == (-3.0, 3.0), habit


def test_t6_a_gradient_is_never_the_parameter():
    w = g_of(3.0)
    loop = SGD(1.0).bind([w])
    for fun, jac in (
        (lambda x: 0.0, lambda x: w),
        (lambda x: 0.0, lambda x: [w]),
        (lambda x: (0.0, w), True),
    ):
        ((g, _),) = loop.compute_gradients(fun, jac)
        g *= 2.0
        assert w[0] == 3.0


def test_t4_functions_that_write_on_their_arguments():
    def square(w):
        w *= w
        return w.sum()

    def jac(w):
        w *= 2.0
        return w

    for given in (None, jac):
        w = g_of(3.0)
        ((g, _),) = SGD(1.0).bind([w]).compute_gradients(square, given)
        assert g[0] == pytest.approx(6.0, abs=1e-8)
        assert w[0] == 3.0
    assert SGD(0.1).minimize(square, [3.0], jac=jac, maxiter=1).x == pytest.approx(2.4)


@pytest.mark.parametrize("jac", [None, lambda a, b: [g_of(5, 5), g_of(3, 3)]])
def test_t8_sum_of_an_array(jac):
    a, b = g_of(1, 2), g_of(3, 4)
    SGD(3.0).bind([a, b]).minimize(lambda a, b: 5 * a + 3 * b, jac)
    np.testing.assert_allclose(a, [-14, -13], atol=1e-8)
    np.testing.assert_allclose(b, [-6, -5], atol=1e-8)


@pytest.mark.parametrize("optimizer", [SGD(0.1), SGD(0.1, momentum=0.9), Adam(0.1)])
def test_t10_sparse_gradients_equal_the_dense(optimizer):
    rows = (np.array([2, 0, 2]), np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    dense = np.array([[3.0, 4.0], [0.0, 0.0], [6.0, 8.0]])
    coo = sparse.coo_array((rows[1].ravel(), ([2, 2, 0, 0, 2, 2], [0, 1, 0, 1, 0, 1])), (3, 2))
    results = []
    for g in (dense, rows, coo, sparse.csr_matrix(dense)):
        w = np.ones((3, 2))
        loop = optimizer.bind([w])
        for _ in range(2):
            loop.apply_gradients([(g, w)])
        results.append(w)
    assert results[0][0, 0] < 1.0
    for w in results[1:]:
        np.testing.assert_array_equal(w, results[0])


def test_t10_sparse_row_for_a_vector():
    w = np.ones(3)
    SGD(1.0).bind([w]).apply_gradients([(sparse.csr_matrix([[0.0, 2.0, 0.0]]), w)])
    np.testing.assert_array_equal(w, [1, -1, 1])


def test_t10_rows_for_the_only_array():
    w = np.ones(3)
    loop = SGD(1.0).bind([w])
    rows = (np.array([1, 1]), g_of(2, 3))
    loop.minimize(lambda w: 0.0, jac=lambda w: rows)
    loop.minimize(lambda w: (0.0, rows), jac=True)
    loop.accumulate(rows)
    loop.step()
    np.testing.assert_array_equal(w, [1, -14, 1])


@pytest.mark.parametrize(
    ("pair", "error"),
    [
        ((np.array([3]), np.ones((1, 2))), ValueError),
        ((np.array([0]), np.ones(2)), ValueError),
        ((np.array([0.0]), np.ones((1, 2))), TypeError),
        ((1.0, 2.0, 3.0), TypeError),
    ],
)
def test_t10_wrong_rows(pair, error):
    w = np.ones((3, 2))
    with pytest.raises(error, match="expected"):
        SGD(1.0).bind([w]).apply_gradients([(pair, w)])


# Keras -------------------------------------------------------------------------------------


def test_k1_same_path_at_a_constant_rate():
    """Keras has the rate inside of the velocity."""
    w, v = 1.0, 0.0
    keras = []
    for g in (1.0, 2.0, 3.0):
        v = 0.9 * v - 0.1 * g
        w += v
        keras.append(w)
    np.testing.assert_allclose(run(SGD(0.1, momentum=0.9), [1, 2, 3]), keras, atol=1e-15)


def test_k2_all_none():
    w, b = g_of(1.0), g_of(1.0)
    with pytest.raises(ValueError, match="got no gradients"):
        SGD(0.1).bind([w, b]).apply_gradients([(None, w), (None, b)])


@pytest.mark.parametrize("limits", [{}, {"max_norm": 1.0, "max_value": 1.0}])
def test_k3_exactly_one_limit(limits):
    with pytest.raises(ValueError, match="expected exactly one"):
        Clipped(SGD(0.1), **limits).bind([g_of(1.0)])


@pytest.mark.parametrize("bad", [{"momentum": -0.1}, {"momentum": 1.5}, {"learning_rate": "fast"}])
def test_k4_values_are_checked_when_bound(bad):
    optimizer = SGD(**bad)
    with pytest.raises((ValueError, TypeError), match=next(iter(bad)).replace("_", ".")):
        optimizer.bind([g_of(1.0)])


def test_k5_schedule_counts_past_updates():
    path = run(SGD(lambda t: 1.0 + t), [1.0, 1.0, 1.0], start=10.0)
    assert path == [9.0, 7.0, 4.0]


# PyTorch -----------------------------------------------------------------------------------

P1 = [
    (SGD(0.1), [0.9, 0.7, 0.4]),
    (SGD(0.1, momentum=0.9), [0.9, 0.61, 0.049]),
    (SGD(0.1, momentum=0.9, dampening=0.5), [0.9, 0.71, 0.389]),
    (SGD(0.1, momentum=0.9, nesterov=True), [0.81, 0.349, -0.4559]),
    (SGD(0.1, momentum=0.9, weight_decay=0.1), [0.89, 0.5821, -0.000831]),
    (SGD(0.1, weight_decay=0.1, maximize=True), [1.09, 1.2791, 1.566309]),
]


@pytest.mark.parametrize(("optimizer", "expected"), P1, ids=str)
def test_p1_golden_traces(optimizer, expected):
    np.testing.assert_allclose(run(optimizer, [1, 2, 3]), expected, rtol=0, atol=1e-14)


def torch_sgd(steps):
    """PyTorch's rule, written out: there is no buffer before the first update that needs one."""
    w, buffer, path = 1.0, None, []
    for g, momentum, dampening in steps:
        if momentum:
            buffer = g if buffer is None else momentum * buffer + (1 - dampening) * g
            g = buffer
        w -= 0.1 * g
        path.append(w)
    return path


@pytest.mark.parametrize(
    "steps",
    [
        [(1, 0, 0), (2, 0.9, 0.5), (3, 0.9, 0.5)],
        [(1, 0, 0.5), (0, 0.9, 0.5), (3, 0.9, 0.5), (1, 0, 0.5), (2, 0.5, 0.2), (4, 0.5, 0.2)],
        [(1, 0.9, 0.5), (2, 0, 0), (3, 0.9, 0.5)],
    ],
)
@pytest.mark.parametrize("wrap", [lambda rule: rule, Averaged], ids=["plain", "averaged"])
def test_p1_momentum_turned_on_later(steps, wrap):
    w = g_of(1.0)
    loop = wrap(SGD(0.1)).bind([w])
    path = []
    for g, momentum, dampening in steps:
        loop.param_groups[0] |= {"momentum": momentum, "dampening": dampening}
        saved = pickle.loads(pickle.dumps(loop.state_dict()))
        loop = wrap(SGD()).bind([w])
        loop.load_state_dict(saved)
        loop.apply_gradients([(g_of(g), w)])
        path.append(w[0])
    np.testing.assert_allclose(path, torch_sgd(steps), rtol=0, atol=1e-14)


def test_p2_change_of_rate_acts_on_the_whole_buffer():
    w = g_of(1.0)
    loop = SGD(0.1, momentum=0.9).bind([w])
    loop.apply_gradients([(g_of(1), w)])
    loop.param_groups[0]["learning_rate"] = 0.01
    loop.apply_gradients([(g_of(1), w)])
    assert w[0] == pytest.approx(0.881, abs=1e-15)


@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(-0.1),
        SGD(0.1, momentum=-0.1),
        SGD(0.1, weight_decay=-1.0),
        SGD(0.1, nesterov=True),
        SGD(0.1, momentum=0.9, dampening=0.1, nesterov=True),
        SGD(float("nan")),
        SGD(Exponential(-1.0, 0.5)),
        Adam(beta_1=1.0),
        Averaged(SGD(-0.1)),
    ],
    ids=str,
)
def test_p3_validation(optimizer):
    with pytest.raises(ValueError, match=r"must be|requires"):
        optimizer.bind([g_of(1.0)])


def test_p3_nesterov_says_why():
    with pytest.raises(
        ValueError, match="Nesterov momentum requires a momentum and zero dampening"
    ):
        SGD(nesterov=True).bind([g_of(1.0)])


def test_p3_zero_rate_is_legal():
    assert run(SGD(0.0), [5.0]) == [1.0]


@pytest.mark.parametrize(("g", "expected"), [(None, 0.89), (0.0, 0.7821)])
def test_p4_none_skips_and_zero_does_not(g, expected):
    w, b = g_of(1.0), g_of(1.0)
    loop = SGD(0.1, momentum=0.9, weight_decay=0.1).bind([w, b])
    loop.apply_gradients([(g_of(1.0), w), (g_of(1.0), b)])
    loop.apply_gradients([(None if g is None else g_of(g), w), (g_of(1.0), b)])
    assert w[0] == pytest.approx(expected, abs=1e-15)


def test_p5_gradients_accumulate():
    w = g_of(1.0)
    loop = SGD(1.0).bind([w])
    g = g_of(4.0)
    loop.accumulate([g])
    loop.accumulate([g])
    loop.accumulate([None])
    assert loop.grads[0][0] == 8.0
    assert g[0] == 4.0
    loop.step()
    loop.step()  # the gradients stay until zero_grad
    assert w[0] == -15.0
    loop.zero_grad()
    assert loop.grads == [None]
    loop.step()
    assert (w[0], loop.t) == (-15.0, 2)


def test_p5_zero_instead_of_none():
    w = g_of(1.0)
    loop = SGD(0.1, momentum=0.9).bind([w])
    loop.accumulate([g_of(1.0)])
    held = loop.grads[0]
    loop.step()
    loop.zero_grad(set_to_none=False)
    loop.step()
    assert w[0] == pytest.approx(0.9 - 0.1 * 0.9)
    loop.accumulate([g_of(4.0)])
    assert loop.grads[0] is held
    assert held[0] == 4.0


def test_p6_closure():
    w = g_of(3.0)
    loop = SGD(0.5).bind([w])
    calls = []

    def closure():
        loop.zero_grad()
        calls.append(w[0])
        loop.accumulate([2 * w])
        return float(w @ w)

    assert loop.step(closure) == 9.0
    assert calls == [3.0]
    assert w[0] == 0.0
    loop.zero_grad()
    assert loop.step() is None


def test_p7_groups():
    w, b, c = g_of(1.0), g_of(1.0), g_of(1.0)
    loop = SGD(0.1).bind([{"params": [w]}, {"params": [b], "learning_rate": 0.5}])
    loop.add_param_group({"params": [c], "weight_decay": 1.0})
    assert [group["learning_rate"] for group in loop.param_groups] == [0.1, 0.5, 0.1]
    assert set(loop.param_groups[0]) == {"params", *SGD().get_params()}
    assert loop.param_groups[0]["params"][0] is w
    loop.apply_gradients([(g_of(1), p) for p in (w, b, c)])
    np.testing.assert_allclose([w[0], b[0], c[0]], [0.9, 0.5, 0.8])
    loop.param_groups[1]["learning_rate"] = Step(1.0, 1, 0.5)
    loop.apply_gradients([(g_of(1), b)])
    assert b[0] == 0.0


def test_p7_wrong_groups():
    w = g_of(1.0)
    with pytest.raises(TypeError, match="set of arrays"):
        SGD().bind({1, 2})
    with pytest.raises(TypeError, match=r"write bind\(\[w\]\)"):
        SGD().bind(w)
    with pytest.raises(ValueError, match="in another group"):
        SGD().bind([{"params": [w]}, {"params": [w]}])
    with pytest.raises(ValueError, match="Invalid parameter 'lr'"):
        SGD().bind([{"params": [w], "lr": 0.1}])
    with pytest.raises(ValueError, match="group without arrays"):
        SGD().bind([{"params": []}])
    with pytest.warns(UserWarning, match="twice"):
        SGD().bind([w, w])


def test_p7_one_array_is_a_group():
    w, b = g_of(1.0), g_of(1.0)
    loop = SGD(0.1).bind({"params": w})
    loop.add_param_group({"params": b})
    assert [group["params"] for group in loop.param_groups] == [[w], [b]]


def test_p7_groups_that_are_none():
    w = g_of(1.0)
    loop = SGD(0.1).bind([w])
    with pytest.raises(ValueError, match='expected "params" among them'):
        SGD().bind([{"learning_rate": 0.1}])
    with pytest.raises(TypeError, match="got a group of type ndarray, expected a dict"):
        loop.add_param_group(w)
    for bad in (3.0, None):
        with pytest.raises(TypeError, match="expected a list of arrays"):
            SGD().bind(bad)
    assert len(loop.params) == 1


def delete_keyword(loop):
    del loop.param_groups[0]["momentum"]


EDITS = {
    "got a group without": delete_keyword,
    "expected the 1 bound to it": lambda loop: loop.param_groups[0]["params"].append(g_of(1)),
    "got a group whose params": lambda loop: loop.param_groups[0].pop("params"),
    "expected the 1 that were bound": lambda loop: loop.param_groups.append({}),
    "Invalid parameter 'lr'": lambda loop: loop.param_groups[0].update(lr=0.1),
    "without alpha": lambda loop: loop.param_groups[0].update(learning_rate=Optimal()),
}


@pytest.mark.parametrize("sentence", EDITS)
@pytest.mark.parametrize("rule", [SGD(0.1), Clipped(SGD(0.1), max_norm=1.0)], ids=str)
def test_p7_edits_that_make_no_sense(rule, sentence):
    w = g_of(1.0)
    loop = rule.bind([w])
    EDITS[sentence](loop)
    with pytest.raises(ValueError, match=sentence):
        loop.apply_gradients([(g_of(1), w)])
    assert (w[0], loop.t) == (1.0, 0)


def test_p7_schedules_may_be_edited_in_place():
    schedule = Warmup(1).then(MultiStep(1.0, [10], 0.5))
    recipe = SGD(schedule)
    loop = recipe.bind([{"params": g_of(1)}, {"params": g_of(1)}])
    loop.param_groups[0]["learning_rate"].set_params(schedule__initial=3.0)
    assert loop.learning_rates == [3.0, 1.0]
    loop.param_groups[0]["learning_rate"].schedule.milestones.insert(0, 0)
    assert loop.learning_rates == [1.5, 1.0]
    assert recipe.learning_rate.schedule.initial == 1.0
    loop.param_groups[0]["learning_rate"].set_params(schedule__initial=-1.0)
    with pytest.raises(ValueError, match="'initial' parameter of MultiStep"):
        loop.minimize(lambda a, b: a[0] + b[0])
    loop = SGD(Adaptive(1.0)).bind([g_of(1)])
    loop.end_epoch(stalled=True)
    loop.param_groups[0]["learning_rate"].set_params(initial=2.0)
    assert loop.learning_rates == [0.4]  # what it has seen is kept


def test_p7_a_wrong_edit_changes_nothing():
    w, b = g_of(1.0), g_of(1.0)
    loop = SGD(0.1).bind([{"params": [w]}, {"params": [b]}])
    loop.param_groups[1]["momentum"] = -1.0
    with pytest.raises(ValueError, match="momentum"):
        loop.apply_gradients([(g_of(1), w), (g_of(1), b)])
    assert (w[0], b[0], loop.t) == (1.0, 1.0, 0)


def test_p8_state_dict():
    w, b = g_of(1.0), g_of(1.0)
    loop = SGD(0.1, momentum=0.9).bind([w, b])
    loop.apply_gradients([(g_of(1.0), w)])
    saved = loop.state_dict()
    assert set(saved["state"]) == {0}
    np.testing.assert_array_equal(saved["state"][0]["momentum"], [1.0])
    assert saved["param_groups"] == [SGD(0.1, momentum=0.9).get_params() | {"params": [0, 1]}]
    loop.apply_gradients([(g_of(1.0), w)])
    np.testing.assert_array_equal(saved["state"][0]["momentum"], [1.0])


def test_p8_saved_keywords_win():
    saved = SGD(0.1, momentum=0.9).bind([g_of(1.0)]).state_dict()
    loop = SGD(0.7).bind([g_of(1.0)])
    loop.load_state_dict(saved)
    assert loop.param_groups[0]["learning_rate"] == 0.1
    assert loop.param_groups[0]["momentum"] == 0.9
    assert loop.learning_rates == [0.1]


def test_p8_state_in_the_dtype_of_the_array():
    w = g_of(1.0)
    loop = Adam(0.1).bind([w])
    loop.apply_gradients([(g_of(1 / 3), w)])
    single = Adam(0.1).bind([w.astype(np.float32)])
    single.load_state_dict(loop.state_dict())
    assert single.state[0]["m"].dtype == np.float32
    assert single.state[0]["t"] == 1


def test_p8_groups_must_match():
    saved = SGD(0.1).bind([g_of(1.0), g_of(1.0)]).state_dict()
    loop = SGD(0.5).bind([g_of(1.0)])
    with pytest.raises(ValueError, match="bind the same arrays"):
        loop.load_state_dict(saved)
    assert loop.learning_rates == [0.5]


def test_p7_a_wrong_rate_changes_nothing():
    w, b = g_of(1.0), g_of(1.0)
    loop = SGD(0.1).bind([{"params": w}, {"params": b, "learning_rate": lambda t: 1.0 - t}])
    loop.apply_gradients([(g_of(1), w), (g_of(1), b)])
    loop.apply_gradients([(g_of(1), w), (g_of(1), b)])
    with pytest.raises(ValueError, match=r"got the learning rate -1\.0 at t=2"):
        loop.apply_gradients([(g_of(1), w), (g_of(1), b)])
    assert (w[0], b[0], loop.t) == (0.8, 0.0, 2)


@pytest.mark.parametrize("saved", [{}, None, {"state": {}, "param_groups": []}])
def test_p8_not_a_state(saved):
    with pytest.raises(ValueError, match=r"give what state_dict\(\) returned"):
        SGD().bind([g_of(1.0)]).load_state_dict(saved)


def test_p8_shapes_and_rules_must_match():
    w = g_of(1.0)
    loop = NAdam(0.1).bind([w])
    loop.apply_gradients([(g_of(1.0), w)])
    with pytest.raises(ValueError, match="same shapes"):
        NAdam(0.1).bind([g_of(1.0, 2.0)]).load_state_dict(loop.state_dict())
    with pytest.raises(ValueError, match="bind the optimizer that the state was saved from"):
        SGD(0.1).bind([g_of(1.0)]).load_state_dict(loop.state_dict())


# ours --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        ([1.0, 2.0], TypeError),
        (3.0, TypeError),
        (np.array([1, 2]), TypeError),
        (np.array([1j]), TypeError),
    ],
)
def test_arrays_that_cannot_be_updated(bad, error):
    with pytest.raises(error, match="expected"):
        SGD().bind([bad])


def test_read_only_array():
    w = g_of(1.0)
    w.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        SGD().bind([w])


def test_the_very_arrays_are_updated():
    base = np.ones((3, 4))
    view = base[:, ::2]
    loop = SGD(1.0).bind([view])
    assert loop.params[0] is view
    loop.apply_gradients([(np.ones((3, 2)), view)])
    np.testing.assert_array_equal(base, np.tile([0.0, 1.0], (3, 2)))


def test_wrong_pairs_change_nothing():
    w, b = g_of(1.0), g_of(1.0)
    loop = SGD(1.0).bind([w, b])
    for pairs in (
        [(g_of(1), w), (g_of(1), b.copy())],
        [(g_of(1), w), (g_of(1, 2), b)],
        [(g_of(1), w), (g_of(1), w)],
    ):
        with pytest.raises(ValueError, match="expected"):
            loop.apply_gradients(pairs)
    with pytest.raises(ValueError, match="got 1 gradients for 2"):
        loop.compute_gradients(lambda w, b: 0.0, jac=lambda w, b: [w])
    with pytest.raises(ValueError, match="got 3 gradients for 2"):
        loop.accumulate([w, b, w])
    assert (w[0], b[0], loop.t) == (1.0, 1.0, 0)


@pytest.mark.parametrize(
    ("fun", "jac", "sentence"),
    [
        (lambda w: w[0], "2-point", "got jac='2-point', expected a function, True or None"),
        (lambda w: w[0], 3, "got jac=3, expected"),
        (lambda w: w[0], True, r"expected a pair \(value, gradient\)"),
        (lambda w: None, None, "got a function value of dtype object, expected real numbers"),
    ],
)
def test_functions_that_do_not_fit(fun, jac, sentence):
    w = g_of(1.0, 2.0)
    with pytest.raises(TypeError, match=sentence):
        SGD(0.1).bind([w]).compute_gradients(fun, jac)


def test_gradients_that_are_no_list():
    loop = SGD(0.1).bind([g_of(1.0), g_of(1.0)])
    with pytest.raises(TypeError, match="expected a list with one for each of the 2"):
        loop.accumulate(1.0)


def test_jac_false_is_none():
    w = g_of(1.0, 2.0)
    ((g, _),) = SGD(0.1).bind([w]).compute_gradients(lambda w: w @ w, jac=False)
    np.testing.assert_allclose(g, [2, 4], atol=1e-8)


@pytest.mark.parametrize(
    ("rate", "error", "sentence"),
    [
        (Exponential, TypeError, r"got the class Exponential .* write Exponential\(...\)"),
        (Adam(), TypeError, "of type Adam, expected a number, a function"),
        (Optimal(), ValueError, r"write Optimal\(alpha=1e-4\)"),
        (Warmup(3).then(Optimal()), ValueError, r"write Optimal\(alpha=1e-4\)"),
    ],
)
def test_what_is_no_learning_rate(rate, error, sentence):
    with pytest.raises(error, match=sentence):
        SGD(rate).bind([g_of(1.0)])
    with pytest.raises(error, match=sentence):
        SGD(rate).minimize(lambda x: x @ x, [1.0])


def nested(outer, inner):
    limits = {Clipped: {"max_norm": 1.0}, Averaged: {}}
    return outer(inner(SGD(0.1), **limits[inner]), **limits[outer])


@pytest.mark.parametrize("kind", [Clipped, Averaged])
def test_a_wrapper_within_its_like(kind):
    between = nested(kind, Averaged if kind is Clipped else Clipped)
    between.optimizer.optimizer = nested(kind, kind).optimizer
    for rule in (nested(kind, kind), between):
        with pytest.raises(ValueError, match=f"got {kind.__name__} around .* try one"):
            rule.bind([g_of(1.0)])
    nested(Clipped, Averaged).bind([g_of(1.0)])
    nested(Averaged, Clipped).bind([g_of(1.0)])


def test_a_wrapper_around_a_rule_with_its_keywords():
    class Decaying(Optimizer):
        def __init__(self, decay=0.1):
            self.decay = decay

    with pytest.raises(ValueError, match=r"has \['decay'\] too"):
        Averaged(Decaying()).bind([g_of(1.0)])


def test_a_rule_without_a_rate_of_its_own():
    class Fixed(Optimizer):
        def __init__(self, size=0.5):
            self.size = size

        def update(self, w, g, slots, t, rate):
            w -= self.size * g

    w = g_of(1.0)
    loop = Fixed().bind([w])
    loop.param_groups[0]["size"] = 1.0
    loop.apply_gradients([(g_of(1.0), w)])
    assert w[0] == 0.0


def test_jac_true_takes_pairs():
    w = g_of(1.0, 2.0)
    loop = SGD(0.1).bind([w])
    loop.minimize(lambda w: (w @ w, 2 * w), jac=True)
    np.testing.assert_allclose(w, [0.8, 1.6])


def test_numerical_gradient():
    rng = np.random.default_rng(0)
    w, b = rng.normal(size=(2, 3)), np.array(0.5)
    pairs = SGD().bind([w, b]).compute_gradients(lambda w, b: np.sum(np.sin(w)) * np.exp(b))
    np.testing.assert_allclose(pairs[0][0], np.cos(w) * np.exp(b), atol=1e-9)
    np.testing.assert_allclose(pairs[1][0], np.sum(np.sin(w)) * np.exp(b), atol=1e-9)


def test_numerical_gradient_of_float32():
    w = np.array([0.3], dtype=np.float32)
    ((g, _),) = SGD().bind([w]).compute_gradients(lambda w: w[0] ** 2)
    assert g.dtype == np.float32
    assert g[0] == pytest.approx(0.6, abs=1e-6)


def test_schedules_of_epochs():
    w = g_of(1.0)
    loop = SGD(Exponential(1.0, 0.5, per="epoch")).bind([w])
    rates = []
    for _ in range(3):
        for _ in range(2):
            rates += loop.learning_rates
            loop.apply_gradients([(g_of(0.0), w)])
        loop.end_epoch()
    assert rates == [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]


def test_schedules_of_history_are_resumed():
    w = g_of(1.0)
    loop = SGD(Adaptive(1.0, factor=2)).bind([w])
    assert not loop.end_epoch(objective=1.0)
    assert loop.end_epoch(objective=1.0, stalled=True)
    assert loop.learning_rates == [0.5]
    later = SGD().bind([w])
    later.load_state_dict(pickle.loads(pickle.dumps(loop.state_dict())))
    assert later.learning_rates == [0.5]
    assert (later.t, later.epoch) == (0, 2)
    loop.param_groups[0]["momentum"] = 0.5
    assert loop.learning_rates == [0.5]


def test_the_recipe_stays_a_recipe():
    optimizer = Clipped(Adam(Exponential(0.1, 0.9)), max_norm=1.0)
    before = copy.deepcopy(optimizer.get_params())
    w = g_of(1.0)
    loop = optimizer.bind([w])
    loop.param_groups[0]["beta_1"] = 0.5
    loop.apply_gradients([(g_of(3.0), w)])
    assert str(optimizer.get_params()) == str(before)
    assert vars(optimizer).keys() == {"optimizer", "max_norm", "max_value", "scope"}
    assert loop.param_groups[0].keys() == {
        "params",
        *Adam().get_params(),
        "max_norm",
        "max_value",
        "scope",
    }


def test_clipped_settings_may_be_edited():
    w = g_of(0.0, 0.0)
    loop = Clipped(SGD(1.0), max_norm=1.0).bind([w])
    loop.param_groups[0] |= {"max_norm": None, "max_value": 2.0, "learning_rate": 0.5}
    loop.apply_gradients([(g_of(3.0, -1.0), w)])
    np.testing.assert_array_equal(w, [-1.0, 0.5])


def test_clipping_by_array_and_by_all():
    def step(scope):
        w, b = g_of(0, 0), g_of(0)
        loop = Clipped(SGD(1.0), max_norm=1.0, scope=scope).bind([w, b])
        loop.apply_gradients([(g_of(3, 4), w), (g_of(12), b)])
        return np.concatenate([w, b])

    np.testing.assert_allclose(step("array"), [-0.6, -0.8, -1.0])
    np.testing.assert_allclose(step("global"), np.array([-3, -4, -12]) / (13 + 1e-6))


def test_exponential_average():
    w = g_of(0.0)
    loop = Averaged(SGD(1.0), decay=0.9, after=1).bind([w])
    np.testing.assert_array_equal(loop.solution()[0], w)
    expected = []
    for t, g in enumerate([-1.0, -1.0, -1.0]):
        loop.apply_gradients([(g_of(g), w)])
        expected.append(w[0] if t <= 1 else 0.9 * expected[-1] + 0.1 * w[0])
        assert loop.solution()[0][0] == pytest.approx(expected[-1])
    assert w[0] == 3.0
    assert loop.state[0]["average"][0] == pytest.approx(2.1)


def test_ftrl_follows_a_parameter_changed_from_outside():
    """TensorFlow's linear term alone would undo the change."""
    w = np.zeros(2)
    loop = Ftrl(0.1).bind([w])
    loop.apply_gradients([(g_of(1.0, 1.0), w)])
    w[0] = 7.0
    loop.apply_gradients([(g_of(0.0, 0.0), w)])
    assert w[0] == pytest.approx(7.0, rel=1e-14)
