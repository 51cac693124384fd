"""Accelerated gradient descent: Nesterov's method with restarts."""

import numpy as np

from .recovering import Recovering

GROWTH = 1.1  # of a rate that was lowered, a step


class Accelerated(Recovering):
    r"""Nesterov's accelerated proximal gradient with adaptive restart, for full batches.

    .. math::

        y_k = x_k + \beta_k (x_k - x_{k-1}), \qquad
        x_{k+1} = \mathrm{prox}(y_k - \eta \nabla f(y_k)), \qquad
        \beta_k = \frac{\theta_k - 1}{\theta_{k+1}},\;
        \theta_{k+1} = \tfrac12\bigl(1 + \sqrt{1 + 4\theta_k^2}\bigr)

    with :math:`\theta` set back to 1 whenever a step turns against the momentum,
    :math:`(y_k - x_{k+1})^\top (x_{k+1} - x_k) > 0`. The rate should be 1 / L, L a bound on the
    curvature. Where two gradients show a larger curvature the rate is lowered. A step is taken
    back where they show a far larger one, or where the objective, if it is known, has risen.

    Parameters
    ----------
    learning_rate : float or None, default=None
        The rate; None is 0.001 alone, and 1 / L in an estimator.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.optimizers.accelerated import Accelerated
    >>> curvature = np.array([1.0, 100.0])
    >>> w = np.array([1.0, 1.0])
    >>> optimizer = Accelerated()
    >>> state = optimizer.init([w])
    >>> for _ in range(30):
    ...     optimizer.look_ahead([w], state)
    ...     optimizer.step([w], [curvature * w], state, rate=0.01)
    ...     optimizer.settle([w], state)
    >>> round(float(0.5 * np.sum(curvature * w * w)), 6)
    0.008669

    References
    ----------
    A. Beck and M. Teboulle, "A fast iterative shrinkage-thresholding algorithm for linear
    inverse problems", SIAM J. Imaging Sciences 2(1), 2009, section 4; B. O'Donoghue and
    E. Candès, "Adaptive restart for accelerated gradient schemes", Found. Comput. Math. 15,
    2015, equation 12.
    """

    slots = ("previous", "point", "gradient")
    scalars = (*Recovering.scalars, "theta", "damping")

    def __init__(self, learning_rate=None):
        self.learning_rate = learning_rate

    def start(self, name, w):
        return w.copy() if name == "previous" else super().start(name, w)

    def look_ahead(self, params, state):
        theta = float(state[0]["theta"])
        following = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * theta * theta))
        state[0]["theta"][...] = following
        for w, slots in zip(params, state, strict=True):
            here = w.copy()
            w += (theta - 1.0) / following * (w - slots["previous"])
            slots["previous"][...] = here

    def restart(self, params, state):
        """Forget the way so far, as in new coordinates."""
        for w, slots in zip(params, state, strict=True):
            slots["previous"][...] = slots["point"][...] = w
        for name in ("theta", "damping"):
            state[0][name][...] = 1.0

    def step(self, params, grads, state, rate):
        first = state[0]
        last = float(first["damping"])
        damping = min(1.0, GROWTH * last)
        curvature = self.curvature(params, grads, state) if first["t"] else 0.0
        if curvature * rate * damping > 1.3:  # momentum makes steps of 4 / (3 L) diverge
            damping = 1.0 / (curvature * rate)
        cut = self.too_long(params, grads, state) if first["t"] else None
        if cut is not None:
            damping = cut * last
        if cut is not None or curvature * rate * min(1.0, GROWTH * last) > 4.0:
            first["theta"][...] = 1.0  # once more from the last point
            for w, slots in zip(params, state, strict=True):
                w[...] = slots["point"] - rate * damping * slots["gradient"]
        else:
            first["reference"][...] = first["objective"]
            for w, g, slots in zip(params, grads, state, strict=True):
                slots["point"][...] = w
                slots["gradient"][...] = g
                w -= rate * damping * g
        first["damping"][...] = damping
        for slots in state:
            slots["t"] += 1

    def curvature(self, params, grads, state):
        """Change of the gradient over change of the point, since the last step."""
        turned = moved = size = 0.0
        for w, g, slots in zip(params, grads, state, strict=True):
            turned += np.sum(np.square(g - slots["gradient"]))
            moved += np.sum(np.square(w - slots["point"]))
            size += np.sum(np.square(w))
        return np.sqrt(turned / moved) if moved > 1e-18 * size else 0.0

    def settle(self, params, state):
        against = sum(
            np.sum((slots["point"] - w) * (w - slots["previous"]))
            for w, slots in zip(params, state, strict=True)
        )
        if against > 0:
            state[0]["theta"][...] = 1.0

    def step_size(self, w, slots, t, rate):
        return rate * float(slots["damping"])
