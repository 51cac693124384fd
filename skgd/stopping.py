"""When to stop: each rule looks at the history and answers None or the reason in words.

A history is a dict of lists, one value an epoch, newest last; see ``history_`` of the
estimators. A rule may keep count of what it has seen, so make a new one for each fit.
"""

import numpy as np

SLOWER = 1.5  # than a curve promises


class Suboptimality:
    """Stop when the estimated (F - F*) / (F0 - F*) is at most tol.

    Parameters
    ----------
    tol : float
    start : float
        F0, the objective at zero weights and the best intercept.
    estimate : callable
        Returns an estimate of F - F* now, F now, how many times as much may be left, and how
        many passes over the data that took, when told what gap is enough. It is asked only when
        the loss curve has flattened, and more seldom the more it takes.
    free : bool
        Whether an estimate costs nothing, so that it is asked for after each epoch.
    size : float
        How large the objective is where no target is fitted at all.
    patience : float
        After so many epochs an estimate is asked for after each, however fast the loss curve falls.

    Attributes
    ----------
    latest : float
        The last estimate, as a share of all there is to gain; NaN before the first. Above `tol`
        it may be too low.
    """

    def __init__(self, tol, start, estimate, free=False, size=0.0, patience=np.inf):
        self.tol, self.start, self.estimate = tol, start, estimate
        self.free, self.size, self.patience = free, size, patience
        self.next_look, self.doubted = 3, False
        self.latest = np.nan

    def __call__(self, history):
        curve = history["objective"]
        k = len(curve)
        if k < self.next_look and not self.free:
            return None
        late = k >= self.patience
        if not (self.free or late) and self.early(curve):
            return None
        gap, enough, digits, n_passes = self.look(curve)
        self.next_look = k + (1 if late else max(1, k // 8, n_passes // 2))
        history["suboptimality"][-1] = self.latest
        if gap > enough or not np.isfinite(gap):
            return None
        if enough <= digits:
            return "the objective is at the optimum, as far as its digits go"
        return (
            f"the objective is within {self.latest:.1e} of the optimum, as a share of all "
            f"there was to gain (tol={self.tol:g})"
        )

    def early(self, curve):
        """Whether a loss curve falls too fast for its end to be near."""
        k, enough = len(curve), self.tol * (self.start - curve[-1])
        lately = curve[-1 - min(max(1, k // 5), k - 1)] - curve[-1]  # hardly less than this is left
        return lately > enough > 0 or (self.doubted and enough < still_to_fall(curve) < np.inf)

    def look(self, curve):
        """(estimate of F - F*, what is enough, what the digits of F can't show, passes)."""
        # an objective has no more digits than this; where the start is the optimum, all count
        digits = max(1e-11 * abs(min(curve)), 1e-25 * self.size)
        most = self.tol / max(1.0 - self.tol, np.finfo(float).tiny)  # of what is gained
        gap, objective, doubtful, n_passes = self.estimate(
            max(most * max(self.start - min(curve), 0.0), digits)
        )
        self.doubted = doubtful > 1.0
        if self.doubted:
            gap = min(doubtful * gap, max(gap, still_to_fall(curve)))
        gap = max(gap, objective - min(curve))  # the optimum is no higher than any epoch
        gained = self.start - objective
        if np.isfinite(gap):
            whole = max(gained + gap, np.finfo(float).tiny)
            self.latest = (max(gap, digits) if digits <= self.tol * whole else gap) / whole
        else:
            self.latest = np.nan
        return gap, max(self.tol * (gained + gap), digits), digits, n_passes


def still_to_fall(curve):
    """How far a loss curve will fall yet, on the safe side, as one that falls like a power of the
    epochs, but no faster than 1 / k^2: from its values at k / 4, k / 2 and k. Infinite where that
    can't be told."""
    k = len(curve)
    quarter, half, whole = (min(curve[: max(1, k // share)]) for share in (4, 2, 1))
    before, lately = quarter - half, half - whole
    if k < 8 or not lately < before:
        return np.inf
    ratio = max(lately / before, 0.25)
    return SLOWER * lately * ratio / (1.0 - ratio)


class NoProgress:
    """Stop when the best epoch has not improved by tol * (F0 - F_best) for some epochs.

    Parameters
    ----------
    tol : float
    start : float or None
        F0, as for `Suboptimality`; None is the highest objective so far.
    patience : int
    size : float
        As for `Suboptimality`.
    where : str
        What the sentence adds to "no further progress".
    """

    def __init__(self, tol, start, patience, size=0.0, where=" at this rate"):
        self.tol, self.start, self.patience = tol, start, patience
        self.size, self.where = size, where
        self.best, self.waited = np.inf, 0

    def __call__(self, history):
        objective = history["objective"][-1]
        start = max(history["objective"]) if self.start is None else self.start
        if self.start is None and len(history["objective"]) == 1:  # least where it starts
            return None
        enough = self.tol * max(start - self.best, 0.0) if np.isfinite(self.best) else 0.0
        self.waited = 0 if objective < self.best - enough else self.waited + 1
        self.best = min(self.best, objective)
        high = max(start, history["objective"][0])
        noticeable = max(abs(high), 1e-6 * self.size)
        climbing = objective > high + 0.1 * noticeable  # it diverges, or will come back
        if self.waited < self.patience or climbing:
            return None
        return (
            f"no further progress{self.where}: the best objective has not improved by "
            f"{self.tol:g} of what was gained for {self.patience} epochs"
        )

    def forgive(self):
        """Start counting anew, after the rate has been changed."""
        self.waited = 0


class ValidationScore:
    """Stop when the validation score has not improved by tol for some epochs.

    Parameters
    ----------
    tol : float
    patience : int
    """

    def __init__(self, tol, patience):
        self.tol, self.patience = tol, patience
        self.best, self.waited = -np.inf, 0

    def __call__(self, history):
        score = history["validation_score"][-1]
        self.waited = self.waited + 1 if score < self.best + self.tol else 0
        self.best = max(self.best, score)
        if self.waited < self.patience:
            return None
        return f"the validation score has not improved by {self.tol:g} for {self.patience} epochs"

    def forgive(self):
        """Start counting anew, after the rate has been changed."""
        self.waited = 0
