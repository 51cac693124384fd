"""Time to 1e-2, 1e-3 and 1e-4 of what there is to gain, at default settings.

    python benchmarks/time_to_solution.py [name of a data set ...] [--json FILE] [--optima FILE]

What is reached is (F - F*) / (F0 - F*), with F the mean loss + 1e-4 / 2 ||coef||^2, F0 its value at
zero coefficients and the best intercept, and F* from `_optimum.py`. Ours is a fit with nothing set
but ``tol``, to the same number. Each rival gets the least budget of iterations that reaches it,
found by doubling and bisection, which no user could know beforehand; then the fit at that budget
is timed beside ours. A rival is given up once a fit takes twice as long as the fastest rival so
far, or 10 times ours and 1 s more.

Dense columns are standardised, sparse ones as they come. liblinear and snapml penalise the
intercept, so they are judged at the best intercept for their coefficients.
"""

from _harness import DATA, Table, amount, load, parser, side_by_side  # first: thread counts

import json
import time
import warnings
from pathlib import Path

import scipy.sparse as sp
from _optimum import Objective
from _solvers import PENALISES_INTERCEPT, installed, rivals
from sklearn.preprocessing import StandardScaler

from skgd import GDClassifier, GDRegressor

ALPHA = 1e-4
TARGETS = {1e-2: 1, 1e-3: 1, 1e-4: None}  # and the mark
ALL_SETS = {1e-3: 3}  # the mark for the geometric mean
SETS = {
    "covtype_binary": "log_loss", "nslkdd": "log_loss", "flights": "log_loss",
    "mnist_even": "log_loss", "letter": "log_loss", "cal_housing": "squared_error",
    "flights_reg": "squared_error", "a9a": "log_loss", "w8a": "log_loss", "imdb": "log_loss",
    "flights_onehot": "log_loss", "movielens": "squared_error",
}  # fmt: skip
MOST = 4096  # budget


class Run:
    """What a rival reaches, and in what time, for each budget it was asked for."""

    def __init__(self, name, fit, objective, start, best):
        self.name, self.fit, self.objective = name, fit, objective
        self.start, self.best, self.seen = start, best, {}

    def __call__(self, n):
        """(seconds, share left to gain) at a budget."""
        if n not in self.seen:
            begun = time.process_time()
            coef, intercept = self.fit(n)
            seconds = time.process_time() - begun
            if any(part in self.name for part in PENALISES_INTERCEPT):
                value = self.objective.value_at_best_intercept(coef)
            else:
                value = self.objective.value(coef, intercept)
            self.seen[n] = seconds, (value - self.best) / (self.start - self.best)
        return self.seen[n]

    def least(self, target, limit):
        """The least budget that reaches the target in the time, to a tenth, or None."""
        n = 1
        while not self(n)[1] <= target:  # NaN is no success
            stuck = n >= 64 and self(n)[1] >= 0.99 * self(n // 2)[1]
            if self(n)[0] > limit or n >= MOST or stuck:
                return None
            n *= 2
        low = n // 2
        while n - low > max(1, n // 10):
            middle = (low + n) // 2
            low, n = (low, middle) if self(middle)[1] <= target else (middle, n)
        return n if self(n)[0] <= limit else None


def data_of(name):
    """(X, y) to train on, dense columns standardised, or None."""
    if (data := load(name)) is None:
        return None
    X, y = data
    return (X if sp.issparse(X) else StandardScaler().fit_transform(X)), y


def group_of(target):
    return f"time to {target:.0e}, against the fastest rival of each set".replace("e-0", "e-")


def measure(table, name, packages, known):
    """The rows of a data set; `known` holds F0 and F* of those done before."""
    if (data := data_of(name)) is None:
        return
    X, y = data
    loss, kind = SETS[name], "sparse" if sp.issparse(X) else "dense"
    objective = Objective(loss, X, y, alpha=ALPHA)
    if name not in known:
        known[name] = objective.start(), objective.optimum(ftol=1e-11)
    start, best = known[name]
    made = GDClassifier if loss == "log_loss" else GDRegressor
    runs = [Run(rival, fit, objective, start, best)
            for rival, fit in rivals(packages, loss, X, y, ALPHA).items()]  # fmt: skip
    for target, mark in TARGETS.items():
        model = made(loss, alpha=ALPHA, tol=target, random_state=0)
        model.fit(X, y)
        ours = side_by_side({"skgd": lambda model=model: model.fit(X, y)}, 3, budget=2)["skgd"]
        left = (objective.value(model.coef_, model.intercept_) - best) / (start - best)
        if not left <= target:
            print(f"{name}, {target:g}: skgd ended at {left:.1e}, MISSED")
        limit = guard = 10 * ours + 1
        budgets, seconds = {}, {}
        for run in list(runs):
            try:
                n = run.least(target, limit)
            except (ValueError, ArithmeticError, RuntimeError, MemoryError) as error:
                print(f"{name}: {run.name} is left out: {str(error).splitlines()[0][:100]}")
                runs.remove(run)
                continue
            if n is not None:
                budgets[run], seconds[run] = n, run(n)[0]
                limit = min(guard, 2 * min(seconds.values()))
        # those that were quick first, so that the others are given up early at the next target
        runs.sort(key=lambda run: seconds.get(run, guard))
        fair = [run for run in budgets if seconds[run] <= 1.5 * min(seconds.values())]
        timed = {"skgd": lambda model=model: model.fit(X, y)}
        timed |= {run.name: lambda run=run, n=budgets[run]: run.fit(n) for run in fair}
        seconds = side_by_side(timed, 5, budget=8)
        if fair:
            fastest = min(fair, key=lambda run: seconds[run.name]).name
        else:
            fastest = "none in time, more than"
            seconds[fastest] = guard
        others = [f"{key} {amount(value, 's')}" for key, value in seconds.items() if key != "skgd"]
        print(f"{name}, {target:g}: skgd left {left:.1e}; the fastest: {', '.join(others)}")
        pair = {"skgd": seconds["skgd"], fastest: seconds[fastest]}
        table.row(f"{name} ({kind}), to {target:g}", pair, mark, group=group_of(target))


def main():
    arguments = parser(__doc__)
    arguments.add_argument("names", nargs="*", default=list(SETS), help="data sets")
    arguments.add_argument("--optima", type=Path, help="a file to keep F0 and F* in between runs")
    options = arguments.parse_args()
    known = (
        json.loads(options.optima.read_text()) if options.optima and options.optima.exists() else {}
    )
    table = Table(__doc__, options)
    if not (DATA / "load.py").exists():
        print(f"left out, the data sets are not in shared/{DATA.name}/ beside the checkout")
        return
    packages = installed()
    warnings.simplefilter("ignore")  # rivals stopped by their budget say so
    for name in options.names:
        measure(table, name, packages, known)
        if options.optima:
            options.optima.write_text(json.dumps(known, indent=1) + "\n")
    for target in TARGETS if table.rows else ():
        table.mean(group_of(target), ALL_SETS.get(target))


if __name__ == "__main__":
    main()
