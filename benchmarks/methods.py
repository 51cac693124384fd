"""Which full-batch method the defaults should be: passes over raw rows to a share of the optimum.

    python benchmarks/methods.py [name of a data set ...] [--alpha 1e-4] [--most 300]

For each data set and method: passes over the data until (F - F*) / (F0 - F*) is at most 1e-2, 1e-3
and 1e-6, products with the Hessian included; seconds of processor time to 1e-3. A dash stands for
more than `--most` passes. docs/defaults.md has the table that decided.
"""

import argparse
import time
from contextlib import contextmanager
from unittest import mock

from _harness import DATA  # first, so that the thread counts hold
from _optimum import Objective
from defaults import TASKS, data

import skgd.auto
import skgd.problem
import skgd.train
from skgd import GDClassifier, GDRegressor

MARKS = (1e-2, 1e-3, 1e-6)


@contextmanager
def method(name):
    """Let the defaults choose a method; yields the keywords it takes."""
    auto = skgd.auto
    patches = {
        "accelerated, standardised": [mock.patch.object(auto, "MOST_WHITENED", 10**9)],
        "accelerated, whitened once": [mock.patch.object(auto.Renewal, "of", return_value=None)],
        "accelerated, whitened anew": [],
        "truncated Newton, standardised": [mock.patch.object(auto, "MOST_WHITENED", 0)],
    }[name]
    for patch in patches:
        patch.start()
    try:
        yield {"precondition": "diagonal"} if "standardised" in name else {}
    finally:
        for patch in patches:
            patch.stop()


METHODS = [
    "accelerated, standardised",
    "accelerated, whitened once",
    "accelerated, whitened anew",
    "truncated Newton, standardised",
]


def passes_to(marks, model, X, y, weight, start, best, most):
    """(passes to each mark or None, seconds to the second one)."""
    count = [0]
    sums = skgd.problem.full_sums

    def counted(*args):
        count[0] += 1
        return sums(*args)

    found, seconds, begun = [None] * len(marks), None, time.process_time()
    with (
        mock.patch.object(skgd.train, "full_sums", counted),
        mock.patch.object(skgd.problem, "full_sums", counted),
    ):
        while count[0] < most and None in found:
            model.fit(X, y, sample_weight=weight)
            left = (model.loss_curve_[0] - best) / (start - best)
            for k, mark in enumerate(marks):
                if found[k] is None and left <= mark:
                    found[k] = count[0]
            if seconds is None and left <= marks[1]:
                seconds = time.process_time() - begun
    return found, seconds


def row(name, alpha, most):
    """Print the rows of a data set."""
    (X, y, weight), _ = data(name)
    loss = TASKS[name]
    objective = Objective(loss, X, y, weight, alpha=alpha)
    start, best = objective.start(), objective.optimum()
    made = GDClassifier if loss == "log_loss" else GDRegressor
    for each in METHODS:
        with method(each) as keywords:
            one = {"warm_start": True, "max_iter": 1, "tol": None}
            model = made(loss, alpha=alpha, random_state=0, **one, **keywords)
            if "whitened" in each and X.shape[1] >= skgd.auto.MOST_WHITENED:
                continue
            found, seconds = passes_to(MARKS, model, X, y, weight, start, best, most)
        cells = " | ".join("-" if k is None else str(k) for k in found)
        took = "-" if seconds is None else f"{seconds:.2f}"
        print(f"| {name} | {each} | {cells} | {took} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(TASKS))
    parser.add_argument("--alpha", type=float, default=1e-4)
    parser.add_argument("--most", type=int, default=300)
    options = parser.parse_args()
    if not (DATA / "load.py").exists():
        raise SystemExit(f"the data sets are not in {DATA.name}/ beside the checkout")
    print("| data | method | to 1e-2 | to 1e-3 | to 1e-6 | s to 1e-3 |")
    print("| --- " * 6 + "|")
    for name in options.names:
        row(name, options.alpha, options.most)


main()
