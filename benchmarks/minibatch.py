"""An epoch of minibatches, against a PyTorch loop and MLPClassifier without hidden layers.

    python benchmarks/minibatch.py [dense] [sparse] [--json FILE]

Log-loss of two classes with l2, batches of 8, 32 and 256 rows, SGD and Adam. PyTorch's epoch is the
loop that one writes by hand, with sparse CSR tensors for sparse rows.
"""

from _harness import Table, has, load, parser  # first, so that the thread counts hold

from _epochs import RATE, epochs_of, made_up, torch_loop
from sklearn.neural_network import MLPClassifier

from skgd import GDClassifier

BY_PYTORCH = {8: None, 32: 10, 256: 5}  # the mark for each batch size
BY_MLP = 5


def row(table, work, group, X, y, batch_size, optimizer, with_torch):
    """One row of the table for each rival."""
    name = optimizer.lower()
    models = {
        "skgd": GDClassifier(
            learning_rate=RATE, batch_size=batch_size, optimizer=name, tol=None, random_state=0
        ),
        "MLPClassifier": MLPClassifier(
            (), solver=name, learning_rate_init=RATE, batch_size=batch_size, momentum=0.0,
            nesterovs_momentum=False, tol=0.0, n_iter_no_change=1000, random_state=0,
        ),
    }  # fmt: skip
    others = {"PyTorch": lambda: torch_loop(X, y, batch_size, optimizer)} if with_torch else {}
    seconds = epochs_of(models, X, y, others=others, budget=5)
    marks = {"PyTorch": BY_PYTORCH[batch_size], "MLPClassifier": BY_MLP}
    table.row(f"{work}, {optimizer}", seconds, marks, group=group)


def main():
    arguments = parser(__doc__)
    arguments.add_argument("names", nargs="*", default=["dense", "sparse"])
    options = arguments.parse_args()
    table = Table(__doc__, options)
    with_torch = has("torch")
    sets = {"dense 20000 x 54": made_up(20_000, 54)} if "dense" in options.names else {}
    if "sparse" in options.names and (data := load("flights_onehot")) is not None:
        sets["sparse 10000 x 12324"] = data[0][:10_000], data[1][:10_000]
    for what, data in sets.items():
        for batch_size in BY_PYTORCH:
            group = f"batches of {batch_size}, {what.split()[0]}"
            for optimizer in ("SGD", "Adam"):
                work = f"batches of {batch_size}, {what}"
                row(table, work, group, *data, batch_size, optimizer, with_torch)


if __name__ == "__main__":
    main()
