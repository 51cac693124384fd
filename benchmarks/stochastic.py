"""A stochastic epoch, one row at a time, against SGDClassifier.

    python benchmarks/stochastic.py [dense] [name of a sparse set ...] [--json FILE]

Both at the same constant rate over the same rows, shuffled; checks and start-up left out. Log-loss
of two classes; hinge, one class against the rest, for the 20 classes of news20, where
`SGDClassifier` has no softmax. `tests/test_equal_results.py` holds the two to the same result.
"""

from _harness import Table, load, parser  # first, so that the thread counts hold

import numpy as np
from _epochs import RATE, epochs_of, made_up
from sklearn.linear_model import SGDClassifier

from skgd import GDClassifier

DENSE = ((200_000, 20), (100_000, 54), (40_000, 200), (20_000, 784))
SPARSE = ("imdb", "flights_onehot", "a9a", "w8a", "news20")
VARIANTS = {
    "l2": {}, "l1": {"penalty": "l1"}, "elastic net": {"penalty": "elasticnet"},
    "averaged": {"average": True},
}  # fmt: skip


def row(table, work, group, X, y, mark, **settings):
    """One row of the table."""
    many = len(np.unique(y)) > 2
    shared = {"loss": "hinge" if many else "log_loss", "tol": None, "random_state": 0} | settings
    models = {
        "skgd": GDClassifier(learning_rate=RATE, batch_size=1, **shared),
        "SGDClassifier": SGDClassifier(learning_rate="constant", eta0=RATE, **shared),
    }
    seconds = epochs_of(models, X, y, budget=5)
    table.row(work, seconds, mark, group=group)


def main():
    arguments = parser(__doc__)
    arguments.add_argument("names", nargs="*", default=["dense", *SPARSE])
    options = arguments.parse_args()
    table = Table(__doc__, options)
    for dtype, mark in ((np.float64, 4), (np.float32, 5)) if "dense" in options.names else ():
        group = f"stochastic, dense {np.dtype(dtype)}"
        for n, d in DENSE:
            row(table, f"{group}, {n} x {d}", group, *made_up(n, d, dtype), mark)
    for name in SPARSE:
        if name in options.names and (data := load(name)) is not None:
            for variant, settings in VARIANTS.items():
                group = f"stochastic, sparse, {variant}"
                row(table, f"{group}, {name}", group, *data, 2, **settings)


if __name__ == "__main__":
    main()
