"""An epoch of softmax on MNIST in minibatches of 256, against PyTorch and the matrix products.

    python benchmarks/softmax.py [--json FILE]

The products are those an epoch can't do without, in NumPy and on batches that lie in order: the
scores of a batch, and the gradient from its slopes.
"""

from _harness import Table, has, load, parser  # first, so that the thread counts hold

import numpy as np
from _epochs import RATE, epochs_of, torch_loop

from skgd import GDClassifier

BATCH = 256


def products(X, n_classes):
    """The two products of every batch."""
    coef = np.full((n_classes, X.shape[1]), 0.01, X.dtype)
    for first in range(0, len(X), BATCH):
        part = X[first : first + BATCH]
        scores = part @ coef.T
        scores.T @ part


def main():
    table = Table(__doc__, parser(__doc__).parse_args())
    if (data := load("mnist")) is None:
        return
    with_torch = has("torch")
    for dtype in (np.float32, np.float64):
        X, y = (data[0] / 255.0).astype(dtype), data[1]
        others = {"matrix products": lambda X=X: products(X, 10)}
        if with_torch:
            others["PyTorch"] = lambda X=X, y=y: torch_loop(X, y, BATCH, "SGD")
        model = GDClassifier(learning_rate=RATE, batch_size=BATCH, tol=None, random_state=0)
        seconds = epochs_of({"skgd": model}, X, y, others=others)
        marks = {"PyTorch": 3, "matrix products": 0.5}
        table.row(f"softmax, mnist {np.dtype(dtype)}", seconds, marks, group="softmax, mnist")


if __name__ == "__main__":
    main()
