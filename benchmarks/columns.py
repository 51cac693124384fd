"""Eight models at eight rates over the same rows, against one: the kernel that a search will use.

    python benchmarks/columns.py [--json FILE]

An epoch of log-loss with l2 in the compiled core, on one order of rows; the models share each row
while it is in the cache.
"""

from _harness import Table, load, parser, side_by_side  # first, so that the thread counts hold

import numpy as np
from _epochs import RATE, made_up
from _inside import problem_of

from skgd._core import epoch, proxes, rules, slopes
from skgd._core.columns import Columns
from skgd.train import aligned_zeros

MANY, MARK = 8, 3.5


def epoch_of(problem, n_models, batch_size):
    """A function that does an epoch of as many models, each at a rate of its own."""
    rows, n = problem.rows, problem.n_rows
    flat = aligned_zeros(n_models * (rows.n_features + 1))
    starts, none = range(n_models + 1), np.zeros((n_models, 5))
    columns = Columns(flat, n_models, rows.n_features, starts, rows.by_feature, True)
    losses = slopes.Logistic(problem.y, None, starts, [0] * n_models, None)
    rule = rules.compiled("sgd", none, none, {"momentum": np.zeros_like(flat)})
    prox = proxes.Separable(np.tile(problem.strengths(), (n_models, 1)))
    rates = np.tile(RATE / np.arange(1, n_models + 1), (-(-n // batch_size), 1))
    order = np.random.default_rng(0).permutation(n).astype(np.uint32)
    return lambda: epoch.run(
        rows, losses, rule, prox, columns, epoch.Plan(n, batch_size, rates, order=order)
    )


def main():
    table = Table(__doc__, parser(__doc__).parse_args())
    sets = {"dense 100000 x 54": made_up(100_000, 54), "dense 20000 x 784": made_up(20_000, 784)}
    for name in ("flights_onehot", "imdb"):
        if (data := load(name)) is not None:
            sets[f"sparse {name}"] = data
    for what, data in sets.items():
        problem, _ = problem_of(*data)
        for batch_size in (1, 256):
            runs = {"one column": epoch_of(problem, 1, batch_size)}
            runs["eight columns"] = epoch_of(problem, MANY, batch_size)
            table.row(
                f"eight columns, {what}, batches of {batch_size}", side_by_side(runs), MARK,
                ours="eight columns", group="eight columns, " + what.split()[0], at_most=True,
            )  # fmt: skip


if __name__ == "__main__":
    main()
