"""Gradient descent, with or without momentum."""

from numbers import Real

import numpy as np

from .._compat import Interval
from .base import DECAY, SHARED, Optimizer


class SGD(Optimizer, name="sgd"):
    r"""Gradient descent with momentum, PyTorch's rule.

    .. math::

        b_t = \mu b_{t-1} + (1 - d) g_t, \qquad w \leftarrow w - \eta_t b_t

    The first buffer is :math:`b_0 = g_0`, undamped. Nesterov's step goes along
    :math:`g_t + \mu b_t` instead. Without momentum it is :math:`w \leftarrow w - \eta_t g_t`.

    Parameters
    ----------
    learning_rate : float, Schedule, callable or None, default=None
        The rate :math:`\eta`; None is 0.001.
    momentum : float, default=0.0
        How much of the last buffer is kept, :math:`\mu` in [0, 1).
    dampening : float, default=0.0
        How much of the new gradient is left out of the buffer, d in [0, 1].
    nesterov : bool, default=False
        Look ahead; needs a momentum and no dampening.
    weight_decay : float, default=0.0
        Adds this times w to the gradient.
    maximize : bool, default=False
        Climb instead.
    sparse_updates : {"exact", "lazy"}, default="exact"
        "lazy" leaves coefficients that no row of a sparse batch touches alone; in estimators.

    Raises
    ------
    ValueError
        When bound or fitted, if `nesterov` comes without a momentum or with a dampening.

    Notes
    -----
    The rate is outside of the buffer, so that a change of it acts on the whole buffer at once;
    Keras has it inside, which is the same as long as the rate is constant. A momentum that is
    turned on later begins with an undamped buffer too.

    The decay is PyTorch's, through the buffer. Keras' ``weight_decay`` is a step of its own,
    :math:`w \leftarrow (1 - \eta_t \lambda) w`, after clipping and before the update; `AdamW` and
    `Lion` have that one, in that order. Keras refuses an int as a rate, and a new rate in place
    of a schedule; both are legal here.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.optimizers import SGD
    >>> w = np.array([1.0])
    >>> loop = SGD(0.1, momentum=0.9).bind([w])
    >>> for g in (1.0, 2.0, 3.0):
    ...     loop.apply_gradients([(np.array([g]), w)])
    >>> w.round(6)
    array([0.049])

    References
    ----------
    PyTorch, ``torch.optim.SGD``; I. Sutskever et al., "On the importance of initialization and
    momentum in deep learning", ICML 2013, section 2.
    """

    _parameter_constraints = SHARED | {
        "momentum": DECAY,
        "dampening": [Interval(Real, 0, 1, closed="both")],
        "nesterov": ["boolean"],
    }
    slots = ("momentum",)
    linear = True
    kernel = "sgd"
    kernel_arguments = ("weight_decay", "maximize", "momentum", "dampening", "nesterov")

    def __init__(
        self,
        learning_rate=None,
        momentum=0.0,
        *,
        dampening=0.0,
        nesterov=False,
        weight_decay=0.0,
        maximize=False,
        sparse_updates="exact",
    ):
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.dampening = dampening
        self.nesterov = nesterov
        self.weight_decay = weight_decay
        self.maximize = maximize
        self.sparse_updates = sparse_updates

    def check(self):
        super().check()
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            raise ValueError(
                "Nesterov momentum requires a momentum and zero dampening; got "
                f"momentum={self.momentum} and dampening={self.dampening}, try momentum=0.9 "
                "and dampening=0"
            )
        return self

    def update(self, w, g, slots, t, rate):
        g = self.descent(w, g)
        if self.momentum:
            buffer = slots["momentum"]
            if t == 0 or np.isnan(buffer).all():
                buffer[...] = g
            else:
                buffer *= self.momentum
                buffer += (1.0 - self.dampening) * g
            g = g + self.momentum * buffer if self.nesterov else buffer
        w -= rate * g

    def adopt(self, before, slots):
        """Where the momentum was 0 from the beginning, its first buffer is still to come: NaN.

        It is the gradient then, undamped, as if this were the first update.
        """
        if self.momentum and not before.momentum and not slots["momentum"].any():
            slots["momentum"][...] = np.nan

    def step_size(self, w, slots, t, rate):
        r"""The buffer comes to rest at :math:`b = (1 - d) g / (1 - \mu)`.

        Nesterov's step, where d = 0, at :math:`g + \mu b = g / (1 - \mu)`, the same.
        """
        if not self.momentum:
            return rate
        return rate * (1.0 - self.dampening) / (1.0 - self.momentum)
