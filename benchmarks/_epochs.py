"""What the programs about epochs share: made-up rows, the time of an epoch, a PyTorch loop."""

import warnings
from functools import partial

import numpy as np
import scipy.sparse as sp
from _harness import side_by_side
from sklearn.base import clone

RATE = 1e-3


def made_up(n, d, dtype=np.float64):
    """A noisy linear problem."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d), dtype=dtype)
    return X, (X @ rng.standard_normal(d) + rng.standard_normal(n) > 0).astype(int)


def epochs_of(models, X, y, further=5, others=None, **keywords):
    """Seconds of a further epoch of each model, and of other functions.

    A fit of some epochs more, less a fit of one, so that checks and start-up are left out.

    Parameters
    ----------
    models : dict of estimator
    further : int
        How many epochs more.
    others : dict of callable
        Each does one epoch.
    **keywords : dict
        For `side_by_side`.
    """
    runs = {
        (name, n): partial(clone(model).set_params(max_iter=n).fit, X, y)
        for name, model in models.items()
        for n in (1, 1 + further)
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rivals warn that they have not converged
        seconds = side_by_side(runs | (others or {}), **keywords)
    found = {name: (seconds[name, 1 + further] - seconds[name, 1]) / further for name in models}
    return found | {name: seconds[name] for name in others or {}}


def torch_loop(X, y, batch_size, optimizer):
    """One epoch as one writes it by hand: log-loss of two classes, or softmax."""
    import torch

    torch.set_num_threads(1)
    n_classes = len(np.unique(y))
    sparse = sp.issparse(X)
    dtype = torch.float32 if X.dtype == np.float32 else torch.float64
    model = torch.nn.Linear(X.shape[1], 1 if n_classes == 2 else n_classes, dtype=dtype)
    rule = getattr(torch.optim, optimizer)(model.parameters(), lr=RATE, weight_decay=1e-4)
    targets = torch.from_numpy(y) if n_classes > 2 else torch.from_numpy(y).to(dtype)
    of_two = torch.nn.BCEWithLogitsLoss()
    loss = torch.nn.CrossEntropyLoss() if n_classes > 2 else lambda z, t: of_two(z[:, 0], t)
    inputs = None if sparse else torch.from_numpy(X)
    order = torch.randperm(X.shape[0])
    for first in range(0, X.shape[0], batch_size):
        rows = order[first : first + batch_size]
        if sparse:
            part = X[rows.numpy()]
            part = torch.sparse_csr_tensor(part.indptr, part.indices, part.data, part.shape)
            scores = torch.sparse.mm(part, model.weight.T) + model.bias
        else:
            scores = model(inputs[rows])
        rule.zero_grad()
        loss(scores, targets[rows]).backward()
        rule.step()
