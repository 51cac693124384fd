"""Every rule and schedule that PyTorch has too, side by side on random problems."""

import math
import warnings

import numpy as np
import pytest

from skgd.optimizers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Clipped,
    NAdam,
    RAdam,
    RMSprop,
)
from skgd.schedules import Plateau

torch = pytest.importorskip("torch")
STEPS = 60


def decays(rng):
    return {
        "weight_decay": float(rng.choice([0.0, 0.1])),
        "maximize": bool(rng.integers(2)),
    }


def draw_sgd(rng):
    nesterov = bool(rng.integers(2))
    own = {
        "momentum": float(rng.uniform(0.1, 0.95)),
        "dampening": 0.0 if nesterov else float(rng.uniform(0, 1)),
        "nesterov": nesterov,
    }
    return own, own


def draw_plain(rng):
    return {}, {}


def draw_betas(rng):
    beta_1, beta_2 = float(rng.uniform(0, 0.95)), float(rng.uniform(0.5, 0.9999))
    epsilon = float(10 ** rng.uniform(-8, -2))
    return (
        {"beta_1": beta_1, "beta_2": beta_2, "epsilon": epsilon},
        {"betas": (beta_1, beta_2), "eps": epsilon},
    )


def draw_adam(rng):
    own, theirs = draw_betas(rng)
    amsgrad = {"amsgrad": bool(rng.integers(2))}
    return own | amsgrad, theirs | amsgrad


def draw_nadam(rng):
    own, theirs = draw_betas(rng)
    decay = {"momentum_decay": float(rng.uniform(0, 0.1))}
    return own | decay, theirs | decay


def draw_adagrad(rng):
    decay, first = float(rng.uniform(0, 0.5)), float(rng.uniform(0, 0.5))
    return (
        {"learning_rate_decay": decay, "initial_accumulator_value": first},
        {"lr_decay": decay, "initial_accumulator_value": first},
    )


def draw_adadelta(rng):
    rho, epsilon = float(rng.uniform(0, 0.99)), float(10 ** rng.uniform(-6, -2))
    return {"rho": rho, "epsilon": epsilon}, {"rho": rho, "eps": epsilon}


def draw_rmsprop(rng):
    rho, epsilon = float(rng.uniform(0.5, 0.99)), float(10 ** rng.uniform(-8, -2))
    both = {
        "momentum": float(rng.choice([0.0, rng.uniform(0, 0.95)])),
        "centered": bool(rng.integers(2)),
    }
    return both | {"rho": rho, "epsilon": epsilon}, both | {"alpha": rho, "eps": epsilon}


PAIRS = {
    "plain": (SGD, "SGD", draw_plain),
    "sgd": (SGD, "SGD", draw_sgd),
    "adam": (Adam, "Adam", draw_adam),
    "adamw": (AdamW, "AdamW", draw_adam),
    "nadam": (NAdam, "NAdam", draw_nadam),
    "radam": (RAdam, "RAdam", draw_betas),
    "adamax": (Adamax, "Adamax", draw_betas),
    "adagrad": (Adagrad, "Adagrad", draw_adagrad),
    "adadelta": (Adadelta, "Adadelta", draw_adadelta),
    "rmsprop": (RMSprop, "RMSprop", draw_rmsprop),
}


def gradients(rng, shapes):
    """STEPS gradients for each array; some missing, some zero, of very different sizes."""
    for _ in range(STEPS):
        grads = [rng.normal(size=s) * 10 ** rng.uniform(-3, 1) for s in shapes]
        kinds = rng.choice(3, size=len(shapes), p=[0.15, 0.1, 0.75])
        yield [(None, np.zeros(g.shape), g)[kind] for g, kind in zip(grads, kinds, strict=True)]


def set_grads(theirs, grads):
    for p, g in zip(theirs, grads, strict=True):
        p.grad = None if g is None else torch.tensor(g, dtype=p.dtype)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("rule", PAIRS)
def test_rule(rule, seed):
    ours, name, draw = PAIRS[rule]
    rng = np.random.default_rng([seed, len(rule)])
    own, theirs = draw(rng)
    shared = decays(rng)
    rate = float(10 ** rng.uniform(-3, -1))
    params = [rng.normal(size=s) for s in ((4,), (2, 3))]
    tensors = [torch.tensor(w) for w in params]
    loop = ours(rate, **own, **shared).bind(params)
    rival = getattr(torch.optim, name)(tensors, lr=rate, **theirs, **shared)
    for grads in gradients(rng, [w.shape for w in params]):
        loop.zero_grad()
        loop.accumulate(grads)
        loop.step()
        set_grads(tensors, grads)
        rival.step()
        for w, p in zip(params, tensors, strict=True):
            np.testing.assert_allclose(w, p.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("rule", PAIRS)
def test_defaults(rule):
    """Without any keyword it is PyTorch's rule at PyTorch's defaults."""
    ours, name, _ = PAIRS[rule]
    rng = np.random.default_rng(0)
    w = rng.normal(size=5)
    p = torch.tensor(w.copy())
    loop, rival = ours().bind([w]), getattr(torch.optim, name)([p])
    for _ in range(STEPS):
        g = rng.normal(size=5)
        loop.apply_gradients([(g, w)])
        set_grads([p], [g])
        rival.step()
    np.testing.assert_allclose(w, p.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("rule", PAIRS)
def test_float32(rule):
    ours, name, _ = PAIRS[rule]
    rng = np.random.default_rng(1)
    w = rng.normal(size=5).astype(np.float32)
    p = torch.tensor(w.copy())
    loop, rival = ours(0.01).bind([w]), getattr(torch.optim, name)([p], lr=0.01)
    for _ in range(STEPS):
        g = rng.normal(size=5).astype(np.float32)
        loop.apply_gradients([(g, w)])
        set_grads([p], [g])
        rival.step()
    assert w.dtype == np.float32
    np.testing.assert_allclose(w, p.numpy(), rtol=0, atol=2e-5)


def test_groups_edited_between_steps():
    rng = np.random.default_rng(2)
    params = [rng.normal(size=3), rng.normal(size=2)]
    tensors = [torch.tensor(w.copy()) for w in params]
    loop = SGD(0.1, momentum=0.9).bind(
        [{"params": params[:1]}, {"params": params[1:], "learning_rate": 0.01, "momentum": 0.5}]
    )
    rival = torch.optim.SGD(
        [{"params": tensors[:1]}, {"params": tensors[1:], "lr": 0.01, "momentum": 0.5}],
        lr=0.1,
        momentum=0.9,
    )
    for step in range(20):
        if step == 7:
            loop.param_groups[0]["learning_rate"] = rival.param_groups[0]["lr"] = 0.003
            loop.param_groups[1]["momentum"] = rival.param_groups[1]["momentum"] = 0.99
            loop.param_groups[1]["weight_decay"] = rival.param_groups[1]["weight_decay"] = 0.2
        grads = [rng.normal(size=w.shape) for w in params]
        loop.apply_gradients(list(zip(grads, params, strict=True)))
        set_grads(tensors, grads)
        rival.step()
    for w, p in zip(params, tensors, strict=True):
        np.testing.assert_allclose(w, p.numpy(), rtol=0, atol=1e-13)


@pytest.mark.parametrize("seed", range(6))
def test_momentum_turned_on_and_off(seed):
    """The first buffer is undamped whenever it comes; later it is kept while momentum is 0."""
    rng = np.random.default_rng([4, seed])
    params = [rng.normal(size=s) for s in ((4,), (2, 3))]
    tensors = [torch.tensor(w.copy()) for w in params]
    loop, rival = SGD(0.1).bind(params), torch.optim.SGD(tensors, lr=0.1)
    for step, grads in enumerate(gradients(rng, [w.shape for w in params])):
        if step % 3 == 2:
            edit = {"momentum": rng.choice([0.0, 0.5, 0.9]), "dampening": rng.choice([0.0, 0.7])}
            loop.param_groups[0] |= edit
            rival.param_groups[0] |= edit
        set_grads(tensors, grads)
        rival.step()
        loop.zero_grad()
        loop.accumulate(grads)
        loop.step()
        for w, p in zip(params, tensors, strict=True):
            np.testing.assert_allclose(w, p.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("scale", [0.01, 10.0])
def test_global_norm(scale):
    rng = np.random.default_rng(3)
    params = [rng.normal(size=3), rng.normal(size=(2, 2))]
    tensors = [torch.tensor(w.copy()) for w in params]
    loop = Clipped(SGD(0.1, momentum=0.9), max_norm=1.0, scope="global").bind(params)
    rival = torch.optim.SGD(tensors, lr=0.1, momentum=0.9)
    for _ in range(10):
        grads = [scale * rng.normal(size=w.shape) for w in params]
        loop.apply_gradients(list(zip(grads, params, strict=True)))
        set_grads(tensors, grads)
        torch.nn.utils.clip_grad_norm_(tensors, 1.0)
        rival.step()
    for w, p in zip(params, tensors, strict=True):
        np.testing.assert_allclose(w, p.numpy(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_reduce_on_plateau(seed):
    rng = np.random.default_rng(seed)
    keywords = {
        "factor": float(rng.uniform(0.1, 0.9)),
        "patience": int(rng.integers(0, 4)),
        "threshold": float(rng.uniform(0, 0.05)),
        "cooldown": int(rng.integers(0, 3)),
    }
    lowest = float(rng.choice([0.0, 0.02]))
    rival_optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    rival = torch.optim.lr_scheduler.ReduceLROnPlateau(rival_optimizer, min_lr=lowest, **keywords)
    schedule = Plateau(0.1, min_rate=lowest, **keywords)
    memory = schedule.init()
    changes = 0
    for epoch in range(80):
        objective = float(math.exp(-epoch / 20) + 0.05 * rng.normal())
        before = rival_optimizer.param_groups[0]["lr"]
        changed = schedule.observe(memory, objective, stalled=False)
        rival.step(objective)
        after = rival_optimizer.param_groups[0]["lr"]
        assert changed == (after != before)
        rate = schedule.rates(np.array([epoch]), epoch, memory)[0]
        assert rate == pytest.approx(after, rel=1e-12)
        changes += changed
    assert changes


def test_reduce_on_plateau_first_cut():
    """At PyTorch's defaults, a constant objective brings the first cut at the 12th epoch."""
    schedule = Plateau(0.1)
    memory = schedule.init()
    cuts = [schedule.observe(memory, 1.0, stalled=False) for _ in range(12)]
    assert cuts == [False] * 11 + [True]


def test_average_is_torch_averaged_model():
    from skgd.optimizers import Averaged

    rng = np.random.default_rng(4)
    layer = torch.nn.Linear(3, 1, bias=False, dtype=torch.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rival = torch.optim.swa_utils.AveragedModel(layer)
    w = layer.weight.detach().numpy().copy()
    loop = Averaged(SGD(0.1)).bind([w])
    step = torch.optim.SGD(layer.parameters(), lr=0.1)
    for _ in range(10):
        g = rng.normal(size=w.shape)
        loop.apply_gradients([(g, w)])
        set_grads([layer.weight], [g])
        step.step()
        rival.update_parameters(layer)
    expected = rival.module.weight.detach().numpy()
    np.testing.assert_allclose(loop.solution()[0], expected, rtol=0, atol=1e-13)
