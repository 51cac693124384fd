"""Optimizers around an optimizer: clipped gradients, averaged parameters."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import clone

from .._compat import Interval, StrOptions
from .base import Optimizer


class Wrapper(Optimizer):
    """An optimizer that hands everything on to the one inside; subclasses change one thing."""

    @property
    def slots(self):
        return self.optimizer.slots

    @property
    def scalars(self):
        return self.optimizer.scalars

    @property
    def innermost(self):
        return self.optimizer.innermost

    @property
    def default_rate(self):
        return self.optimizer.default_rate

    @property
    def unit_free(self):
        return self.optimizer.unit_free

    @property
    def linear(self):
        return self.optimizer.linear

    @property
    def learning_rate(self):
        return self.optimizer.learning_rate

    @property
    def weight_decay(self):
        return self.optimizer.weight_decay

    @property
    def maximize(self):
        return self.optimizer.maximize

    @property
    def sparse_updates(self):
        return self.optimizer.sparse_updates

    def check(self):
        super().check()
        self.optimizer.check()
        kind = type(self).__name__
        twice = self._own_settings().keys() & self.optimizer.settings().keys()
        if twice:
            raise ValueError(
                f"got {kind} around an optimizer that has {sorted(twice)} too, expected each "
                f"keyword once, as in a group of bind; try one {kind}, or rename your own keywords"
            )
        return self

    def start(self, name, w):
        return self.optimizer.start(name, w)

    def step(self, params, grads, state, rate):
        self.optimizer.step(params, grads, state, rate)

    def update(self, w, g, slots, t, rate):
        self.optimizer.update(w, g, slots, t, rate)

    def step_size(self, w, slots, t, rate):
        return self.optimizer.step_size(w, slots, t, rate)

    def adopt(self, before, slots):
        self.optimizer.adopt(before.optimizer, slots)

    def solution(self, params, state):
        return self.optimizer.solution(params, state)

    def settings(self):
        return self.optimizer.settings() | self._own_settings()

    def with_settings(self, settings):
        own = {name: settings[name] for name in self._own_settings()}
        inner = {name: value for name, value in settings.items() if name not in own}
        return type(self)(self.optimizer.with_settings(inner), **own)

    def _own_settings(self):
        own = self.get_params(deep=False)
        del own["optimizer"]
        return own


def _norm(g):
    return float(np.linalg.norm(np.ravel(g)))


def _by_value(grads, limit):
    """Each entry by itself."""
    return [(np.clip(g, -limit, limit), limit / np.maximum(np.abs(g), limit)) for g in grads]


def _by_each_norm(grads, limit):
    """Keras' ``clipnorm``: each array by itself."""
    shares = [limit / max(_norm(g), limit) for g in grads]
    return [(share * g, share) for g, share in zip(grads, shares, strict=True)]


def _by_one_norm(grads, limit):
    """PyTorch's ``clip_grad_norm_``: one norm over all arrays."""
    share = min(1.0, limit / (_norm([_norm(g) for g in grads]) + 1e-6))
    return [(share * g, share) for g in grads]


SCOPES = {"array": _by_each_norm, "global": _by_one_norm}


class Clipped(Wrapper):
    r"""Clip gradients before another optimizer sees them.

    By norm, :math:`g \leftarrow g \min(1, c / \|g\|)`; by value, each entry into [-c, c].

    Parameters
    ----------
    optimizer : Optimizer
        The rule to use with the clipped gradients.
    max_norm : float or None, default=None
        The largest norm.
    max_value : float or None, default=None
        The largest size of an entry. Exactly one of both must be given.
    scope : {"array", "global"}, default="array"
        Whether each array has a norm, as with Keras' ``clipnorm``, or all arrays of a group
        have one, as in PyTorch, which divides by the norm plus 1e-6.

    Raises
    ------
    ValueError
        When bound or fitted, if both limits are given or none, or if there is another `Clipped`
        inside.

    Notes
    -----
    In an estimator the arrays are ``coef_`` and ``intercept_``. A good limit is in units of the
    gradient, which no default can know, so there is no name for it: give the object.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.optimizers import SGD, Clipped
    >>> w = np.zeros(2)
    >>> loop = Clipped(SGD(1.0), max_norm=1.0).bind([w])
    >>> loop.apply_gradients([(np.array([3.0, 4.0]), w)])
    >>> w
    array([-0.6, -0.8])

    References
    ----------
    R. Pascanu, T. Mikolov and Y. Bengio, "On the difficulty of training recurrent neural
    networks", ICML 2013, algorithm 1.
    """

    _parameter_constraints = {
        "optimizer": [Optimizer],
        "max_norm": [Interval(Real, 0, None, closed="neither"), None],
        "max_value": [Interval(Real, 0, None, closed="neither"), None],
        "scope": [StrOptions(set(SCOPES))],
    }
    linear = False  # no step is longer than the limit allows
    kernel = "clipped"

    def __init__(self, optimizer, max_norm=None, *, max_value=None, scope="array"):
        self.optimizer = optimizer
        self.max_norm = max_norm
        self.max_value = max_value
        self.scope = scope

    def check(self):
        super().check()
        if (self.max_norm is None) == (self.max_value is None):
            raise ValueError(
                f"got max_norm={self.max_norm} and max_value={self.max_value}, expected "
                "exactly one of them; write Clipped(optimizer, max_norm=1.0)"
            )
        return self

    @property
    def slots(self):
        return (*self.optimizer.slots, "kept")

    def start(self, name, w):
        return np.ones_like(w) if name == "kept" else self.optimizer.start(name, w)

    def step(self, params, grads, state, rate):
        there = [i for i, g in enumerate(grads) if g is not None]
        clipped = [None] * len(grads)
        for i, (g, share) in zip(there, self._clip([grads[i] for i in there]), strict=True):
            clipped[i] = g
            state[i]["kept"][...] = share
        self.optimizer.step(params, clipped, state, rate)

    def update(self, w, g, slots, t, rate):
        ((g, share),) = self._clip([g])
        slots["kept"][...] = share
        self.optimizer.update(w, g, slots, t, rate)

    def step_size(self, w, slots, t, rate):
        """The step goes along the share of the gradient that was kept."""
        return slots["kept"] * self.optimizer.step_size(w, slots, t, rate)

    def kernel_settings(self):
        """The limit, and what it holds for."""
        if self.max_norm is None:
            return float(self.max_value), "value"
        return float(self.max_norm), self.scope

    def _clip(self, grads):
        """For each gradient, what is left of it and as what share of it."""
        if self.max_norm is None:
            return _by_value(grads, self.max_value)
        return SCOPES[self.scope](grads, self.max_norm)


class Averaged(Wrapper):
    r"""Keep an average of the parameters beside another optimizer.

    Polyak's, :math:`\bar w \leftarrow \bar w + (w - \bar w) / (k + 1)`, gives the k + 1
    points so far equal weights; the exponential one is
    :math:`\bar w \leftarrow c \bar w + (1 - c) w`. Both begin at the first point averaged. The
    path of w is the same as without it.

    Parameters
    ----------
    optimizer : Optimizer
        The rule that moves the parameters.
    decay : float or None, default=None
        How much c of the average is kept, in [0, 1); None is Polyak's average.
    after : int, default=0
        Updates before the average begins; until then it is the parameter.

    Raises
    ------
    ValueError
        When bound or fitted, if there is another `Averaged` inside.

    Notes
    -----
    The average is the slot ``"average"`` of the state, ``loop.solution()`` of a loop and the x
    of `minimize`, which calls the function there too, to say when x is good enough. In an estimator
    it is ``coef_`` and ``intercept_``, taken after the proximal step: Polyak's is the estimator's
    own ``average=after + 1``, at the same cost. There is no name for it, because an average is of
    some rule: give the object.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.optimizers import SGD, Averaged
    >>> w = np.array([0.0])
    >>> loop = Averaged(SGD(1.0)).bind([w])
    >>> for g in (-1.0, -1.0, -1.0):
    ...     loop.apply_gradients([(np.array([g]), w)])
    >>> w, loop.solution()
    (array([3.]), [array([2.])])

    References
    ----------
    B. T. Polyak and A. B. Juditsky, "Acceleration of stochastic approximation by averaging",
    SIAM J. Control Optim. 30(4), 1992; PyTorch, ``torch.optim.swa_utils.AveragedModel``;
    Keras, ``use_ema``.
    """

    _parameter_constraints = {
        "optimizer": [Optimizer],
        "decay": [Interval(Real, 0, 1, closed="left"), None],
        "after": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(self, optimizer, decay=None, *, after=0):
        self.optimizer = optimizer
        self.decay = decay
        self.after = after

    @property
    def sparse_updates(self):
        """A mean that forgets needs all coefficients at every step."""
        return self.optimizer.sparse_updates if self.decay is None else "exact"

    @property
    def slots(self):
        return (*self.optimizer.slots, "average")

    def start(self, name, w):
        return w.copy() if name == "average" else self.optimizer.start(name, w)

    def step(self, params, grads, state, rate):
        self.optimizer.step(params, grads, state, rate)
        for w, g, slots in zip(params, grads, state, strict=True):
            if g is not None:
                self._average(w, slots, slots["t"] - 1)

    def update(self, w, g, slots, t, rate):
        self.optimizer.update(w, g, slots, t, rate)
        self._average(w, slots, t)

    def _average(self, w, slots, t):
        """Take in w, after the update t."""
        before = max(t - self.after, 0)
        later = 1.0 / (before + 1) if self.decay is None else 1.0 - self.decay
        average = slots["average"]
        average += (later if before else 1.0) * (w - average)

    def solution(self, params, state):
        return [slots["average"] for slots in state]


def split_average(optimizer):
    """(the optimizer without its average, the `Averaged` that was around or inside it or None)."""
    if type(optimizer) is Averaged:
        return optimizer.optimizer, optimizer
    if not isinstance(optimizer, Wrapper):
        return optimizer, None
    inner, average = split_average(optimizer.optimizer)
    return clone(optimizer).set_params(optimizer=inner), average
