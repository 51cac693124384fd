"""Newton's method, its steps found by a look at the rows."""

from .recovering import MOST_CUT, Recovering


class TruncatedNewton(Recovering):
    r"""Newton's method with steps that are found by conjugate gradients, for full batches.

    .. math:: w_{k+1} = w_k + \alpha_k d_k, \qquad \nabla^2 f(w_k)\, d_k \approx -\nabla f(w_k)

    where :math:`\alpha_k` is 1, or less where the objective rose along the step. A training loop
    writes :math:`d_k` to the slot `direction`, as only it sees the rows.

    References
    ----------
    R. Dembo, S. Eisenstat and T. Steihaug, "Inexact Newton methods", SIAM J. Numerical
    Analysis 19(2), 1982.
    """

    slots = ("point", "gradient", "direction")
    scalars = ("objective", "reference", "share", "gap")
    plans = True
    learning_rate = None

    def step(self, params, grads, state, rate):
        first = state[0]
        if first["t"] and self.risen(first["objective"], first):
            first["share"] *= self.too_long(params, grads, state) or MOST_CUT
        else:
            first["share"][...] = 1.0
            first["reference"][...] = first["objective"]
            for w, g, slots in zip(params, grads, state, strict=True):
                slots["point"][...], slots["gradient"][...] = w, g
        for w, slots in zip(params, state, strict=True):
            w[...] = slots["point"] + float(first["share"]) * slots["direction"]
        for slots in state:
            slots["t"] += 1
