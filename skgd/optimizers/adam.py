"""Adam, with its weight decay coupled or not.

Convention: m is the running mean of the gradient, v that of its square. Both start at zero, so
that dividing by 1 - beta^(t+1) makes them means over the t + 1 updates so far.
"""

import numpy as np

from .base import DECAY, NOT_NEGATIVE, SHARED, Optimizer

MOMENTS = SHARED | {"beta_1": DECAY, "beta_2": DECAY, "epsilon": NOT_NEGATIVE}


def track(m, g, beta):
    """Move the running mean m towards g."""
    m += (1.0 - beta) * (g - m)


def track_square(v, g, beta):
    """Move the running mean v towards the square of g."""
    v *= beta
    v += (1.0 - beta) * g * g


def correction(beta, t):
    """The weight that a running mean has given to the t + 1 updates so far."""
    return 1.0 - beta ** (t + 1)


class Adam(Optimizer, name="adam"):
    r"""Steps along the mean gradient over the root of the mean square.

    .. math::

        m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \quad
        v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2, \quad
        w \leftarrow w - \eta_t \frac{m_t / (1 - \beta_1^t)}
                                    {\sqrt{v_t / (1 - \beta_2^t)} + \epsilon}

    with t counted from 1 in this formula.

    Parameters
    ----------
    learning_rate : float, Schedule, callable or None, default=None
        The rate :math:`\eta`; None is 0.001.
    beta_1, beta_2 : float, default=0.9 and 0.999
        How much of the last m and v is kept, in [0, 1).
    epsilon : float, default=1e-8
        Added to the root.
    weight_decay : float, default=0.0
        Adds this times w to the gradient.
    amsgrad : bool, default=False
        Use the largest v there has been.
    maximize : bool, default=False
        Climb instead.
    epsilon_hat : bool, default=False
        TensorFlow's epsilon: added to the root of v before the correction, not after.
    sparse_updates : {"exact", "lazy"}, default="exact"
        "lazy" leaves coefficients that no row of a sparse batch touches alone; in estimators.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.optimizers import Adam
    >>> w = np.array([1.0, -1.0])
    >>> loop = Adam(0.1).bind([w])
    >>> loop.apply_gradients([(np.array([100.0, -0.01]), w)])
    >>> w.round(6)
    array([ 0.9, -0.9])

    References
    ----------
    D. P. Kingma and J. Ba, "Adam", ICLR 2015, algorithm 1, and section 2 for epsilon hat;
    S. Reddi et al., "On the convergence of Adam and beyond", ICLR 2018, algorithm 2;
    PyTorch, ``torch.optim.Adam``.
    """

    _parameter_constraints = MOMENTS | {"amsgrad": ["boolean"], "epsilon_hat": ["boolean"]}
    slots = ("m", "v", "v_max")
    kernel = "adam"
    kernel_arguments = (
        "weight_decay",
        "maximize",
        "beta_1",
        "beta_2",
        "epsilon",
        "amsgrad",
        "epsilon_hat",
    )

    def __init__(
        self,
        learning_rate=None,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        *,
        weight_decay=0.0,
        amsgrad=False,
        maximize=False,
        epsilon_hat=False,
        sparse_updates="exact",
    ):
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.weight_decay = weight_decay
        self.amsgrad = amsgrad
        self.maximize = maximize
        self.sparse_updates = sparse_updates
        self.epsilon_hat = epsilon_hat

    def update(self, w, g, slots, t, rate):
        g = self.descent(w, g)
        track(slots["m"], g, self.beta_1)
        track_square(slots["v"], g, self.beta_2)
        if self.amsgrad:
            np.maximum(slots["v_max"], slots["v"], out=slots["v_max"])
        mean_rate = rate / correction(self.beta_1, t)
        w -= mean_rate * (slots["m"] / self._root(slots, t))

    def _root(self, slots, t):
        """What the mean gradient is divided by."""
        root = np.sqrt(slots["v_max"] if self.amsgrad else slots["v"])
        whole = correction(self.beta_2, t) ** 0.5
        if self.epsilon_hat:
            return (root + self.epsilon) / whole
        return root / whole + self.epsilon

    def step_size(self, w, slots, t, rate):
        """Under a constant gradient the corrected m is g itself, at every t."""
        return rate / self._root(slots, t)


class AdamW(Adam, name="adamw"):
    r"""Adam whose weight decay is a step of its own, :math:`w \leftarrow (1 - \eta_t \lambda) w`.

    It comes first and doesn't enter m and v.

    Parameters
    ----------
    learning_rate : float, Schedule, callable or None, default=None
        The rate :math:`\eta`; None is 0.001.
    beta_1, beta_2 : float, default=0.9 and 0.999
        How much of the last m and v is kept, in [0, 1).
    epsilon : float, default=1e-8
        Added to the root.
    weight_decay : float or None, default=None
        The decay :math:`\lambda`; None is 0.01 alone and 0 in an estimator, which has `alpha`.
    amsgrad, maximize, epsilon_hat : bool, default=False
        As in `Adam`.
    sparse_updates : {"exact", "lazy"}, default="exact"
        "lazy" leaves coefficients that no row of a sparse batch touches alone; in estimators.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.optimizers import AdamW
    >>> w = np.array([1.0])
    >>> AdamW(0.1, weight_decay=0.5).bind([w]).apply_gradients([(np.array([3.0]), w)])
    >>> w.round(6)
    array([0.85])

    References
    ----------
    I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", ICLR 2019,
    algorithm 2; PyTorch, ``torch.optim.AdamW``.
    """

    _parameter_constraints = Adam._parameter_constraints | {"weight_decay": [None, *NOT_NEGATIVE]}
    kernel = "adamw"
    kernel_arguments = (
        "weight_decay",
        "maximize",
        "beta_1",
        "beta_2",
        "epsilon",
        "amsgrad",
        "epsilon_hat",
    )

    def __init__(
        self,
        learning_rate=None,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        *,
        weight_decay=None,
        amsgrad=False,
        maximize=False,
        epsilon_hat=False,
        sparse_updates="exact",
    ):
        super().__init__(
            learning_rate,
            beta_1,
            beta_2,
            epsilon,
            weight_decay=weight_decay,
            amsgrad=amsgrad,
            maximize=maximize,
            sparse_updates=sparse_updates,
            epsilon_hat=epsilon_hat,
        )

    def update(self, w, g, slots, t, rate):
        decay = 0.01 if self.weight_decay is None else self.weight_decay
        w *= 1.0 - rate * decay
        super().update(w, g, slots, t, rate)

    def descent(self, w, g):
        return -g if self.maximize else g
