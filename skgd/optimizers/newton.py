"""Newton's method, its steps found by a look at the rows."""

from .recovering import Recovering

CUT = 0.5  # of a step that led up, where slopes can't say how far was right


class TruncatedNewton(Recovering):
    r"""Newton's method with inexact steps, for full batches.

    .. math::

        w_{k+1} = w_k + \alpha_k d_k, \qquad
        d_k \approx \arg\min_d\; \nabla f(w_k)^\top d + \tfrac12 d^\top H_k d + h(w_k + d)

    where h is what of the penalty has kinks or bounds, :math:`H_k` the curvature of the smooth
    part f or an estimate of it, and :math:`\alpha_k` is 1, or less where the objective rose along
    the step. A training loop writes :math:`d_k` to the slot `direction`, as only it sees the rows.

    References
    ----------
    R. Dembo, S. Eisenstat and T. Steihaug, "Inexact Newton methods", SIAM J. Numerical
    Analysis 19(2), 1982; J. Lee, Y. Sun and M. Saunders, "Proximal Newton-type methods for
    minimizing composite functions", SIAM J. Optimization 24(3), 2014.
    """

    slots = ("point", "gradient", "direction")
    scalars = (*Recovering.scalars, "share")
    plans = True
    learning_rate = None

    def step(self, params, grads, state, rate):
        first = state[0]
        if first["t"] and self.risen(first["objective"], first):
            first["share"] *= self.too_long(params, grads, state) or CUT
        else:
            first["share"][...] = 1.0
            first["reference"][...] = first["objective"]
            for w, g, slots in zip(params, grads, state, strict=True):
                slots["point"][...], slots["gradient"][...] = w, g
        for w, slots in zip(params, state, strict=True):
            w[...] = slots["point"] + float(first["share"]) * slots["direction"]
        for slots in state:
            slots["t"] += 1

    def step_size(self, w, slots, t, rate):
        return 0.0  # thresholds and bounds are in the step already
