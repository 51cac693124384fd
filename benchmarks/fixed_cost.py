"""What a fit costs on 150 x 4 and 10 epochs, where there is next to nothing to compute.

    python benchmarks/fixed_cost.py [--json FILE]

Iris: input checks, start-up, history and the attributes at the end, against SGDClassifier at the
same settings; once more with the coordinates that `precondition` finds.
"""

from _harness import Table, parser, side_by_side  # first, so that the thread counts hold

from functools import partial

from sklearn.datasets import load_iris
from sklearn.linear_model import SGDClassifier

from skgd import GDClassifier

RATE = 0.01


def main():
    table = Table(__doc__, parser(__doc__).parse_args())
    X, y = load_iris(return_X_y=True)
    for work, loss, target in (
        ("two classes, log-loss", "log_loss", (y == 1).astype(int)),
        ("three classes, hinge", "hinge", y),
    ):
        shared = {"loss": loss, "max_iter": 10, "tol": None, "random_state": 0}
        rival = SGDClassifier(learning_rate="constant", eta0=RATE, **shared)
        for precondition in (None, "diagonal"):
            ours = GDClassifier(
                learning_rate=RATE, batch_size=1, precondition=precondition, **shared
            )
            runs = {"skgd": partial(ours.fit, X, target)}
            runs["SGDClassifier"] = partial(rival.fit, X, target)
            where = "" if precondition is None else ", preconditioned"
            table.row(f"fit on 150 x 4, {work}{where}", side_by_side(runs, 200), 1,
                      group="fixed cost of a fit")  # fmt: skip


if __name__ == "__main__":
    main()
