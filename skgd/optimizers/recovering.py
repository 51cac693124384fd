"""Optimizers that know the objective and take back a step that was too long."""

import numpy as np

from .base import Optimizer

LEAST_CUT, MOST_CUT = 0.1, 0.7  # of a step that was too long, what is kept
UNKNOWN = {
    "objective": np.nan, "reference": np.nan, "slack": 0.0,
    "descent": np.inf, "gap": np.inf, "fell": 0.0,
}  # fmt: skip
DIGITS = 1e-10  # of the objective, that tell whether it has risen


class Recovering(Optimizer):
    """Base of the package's own full-batch methods.

    A training loop writes the objective where the gradient is taken to the scalar `objective`
    of the first array; `reference` is the one of the last step, `point` and `gradient` are
    where that began and the gradient there. A rise by no more than `slack` is none. To `descent` it
    writes how far a parabola falls along the step, to `gap` how far F was from its least, and to
    `fell` that as a share of what it was a step before.
    """

    slots = ("point", "gradient")
    linear = True
    scalars = ("objective", "reference", "slack", "descent", "gap", "fell")
    recovers = True

    def start(self, name, w):
        if name in self.slots:
            return np.zeros_like(w)
        return np.array(UNKNOWN.get(name, 1.0))

    def risen(self, objective, slots):
        """Whether an objective is above that of the last step, if there is one."""
        reference = slots["reference"]
        highest = reference + DIGITS * abs(reference) + slots["slack"]
        return not (np.isnan(reference) or objective <= highest)

    def too_long(self, params, grads, state):
        """The share of the last step that would have been right, if the objective rose.

        It minimises the cubic with the values and slopes at both ends: J. Nocedal and S. Wright,
        "Numerical optimization", 2006, equation 3.59.
        """
        if not self.risen(state[0]["objective"], state[0]):
            return None
        risen = float(state[0]["objective"] - state[0]["reference"])
        before = after = 0.0
        for w, g, slots in zip(params, grads, state, strict=True):
            moved = w - slots["point"]
            before += np.sum(slots["gradient"] * moved)
            after += np.sum(g * moved)
        if not np.isfinite(risen + after):
            return LEAST_CUT
        if not before < 0 < after:  # momentum may carry uphill
            return None
        bent = before + after - 3.0 * risen
        root = np.sqrt(max(bent * bent - before * after, 0.0))
        share = 1.0 - (after + root - bent) / (after - before + 2.0 * root)
        return min(max(share, LEAST_CUT), MOST_CUT) if np.isfinite(share) else LEAST_CUT
