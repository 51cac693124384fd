"""The gradient of a full batch, against the memory, against NumPy, and with two threads.

    python benchmarks/full_batch.py [--json FILE]

Log-loss over dense float64 rows, as `fit` takes it: scores, slopes, loss and gradient in one pass.
The memory is judged by a plain sum over X, NumPy by the two products X @ w and s @ X alone. With
two threads it is time on the wall that counts, so two cores must be free.
"""

from _harness import Table, parser, side_by_side  # first, so that the thread counts hold

import os
import time

import numpy as np
from _epochs import made_up
from _inside import problem_of

MARKS = {"sum over X": 0.6, "two products": 1.5}


def cores():
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def main():
    table = Table(__doc__, parser(__doc__).parse_args())
    for n, d in ((400_000, 54), (40_000, 784)):
        X, y = made_up(n, d)
        problem, flat = problem_of(X, y)
        w, s = np.full(d, 0.01), np.full(n, 0.01)
        size = f"{n} x {d}"
        seconds = side_by_side(
            {
                "skgd": lambda problem=problem, flat=flat: problem.gradient(flat),
                "sum over X": X.sum,
                "two products": lambda X=X, w=w, s=s: (X @ w, s @ X),
            },
            repeats=15,
        )
        table.row(f"gradient, {size}", seconds, MARKS, group="gradient of a full batch")
        if cores() < 2:
            print("two threads: left out, this process may use one core only")
            continue
        seconds = side_by_side(
            {
                f"{k} thread{'s' * (k > 1)}": lambda problem=problem, flat=flat, k=k: (
                    problem.gradient(flat, k)
                )
                for k in (1, 2)
            },
            repeats=15,
            clock=time.perf_counter,
        )
        table.row(f"gradient, {size}, threads", seconds, 1.6, ours="2 threads",
                  group="gradient of a full batch")  # fmt: skip


if __name__ == "__main__":
    main()
