"""What the programs about epochs share: made-up rows, the time of an epoch, a PyTorch loop."""

import time
import warnings

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone

RATE = 1e-3
LONG_ENOUGH, LEAST_FURTHER, MOST_FURTHER = 0.3, 2, 30  # seconds, epochs


def made_up(n, d, dtype=np.float64):
    """A noisy linear problem."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d), dtype=dtype)
    return X, (X @ rng.standard_normal(d) + rng.standard_normal(n) > 0).astype(int)


def epochs_of(models, X, y, others=None, repeats=7, budget=8.0):
    """Median seconds of a further epoch of each model, and of other functions, called in turn.

    A fit of some epochs more, less a fit of one, so that checks and start-up are left out. Both
    follow a fit that does not count, as a rival before them leaves the caches cold, and the
    further epochs are so many that they take `LONG_ENOUGH` together.

    Parameters
    ----------
    models : dict of estimator
    others : dict of callable
        Each does one epoch.
    repeats : int
    budget : float
        Seconds after which no further round begins, once two were counted.
    """
    others, started = others or {}, time.perf_counter()
    times = {name: [] for name in (*models, *others)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rivals warn that they have not converged
        further = {}
        for name, model in models.items():
            fit_of(model, 1, X, y)
            share = LONG_ENOUGH / fit_of(model, 1, X, y)
            further[name] = int(np.clip(share, LEAST_FURTHER, MOST_FURTHER))
        for round_ in range(repeats):
            if round_ >= 2 and time.perf_counter() - started > budget:
                break
            for name, model in models.items():
                n = further[name]
                _, one, more = (fit_of(model, k, X, y) for k in (1, 1, 1 + n))
                times[name].append((more - one) / n)
            for name, run in others.items():
                run()
                begun = time.process_time()
                run()
                times[name].append(time.process_time() - begun)
    return {name: float(np.median(values)) for name, values in times.items()}


def fit_of(model, n_epochs, X, y):
    """Seconds of processor time of a fit of so many epochs."""
    model = clone(model).set_params(max_iter=n_epochs)
    begun = time.process_time()
    model.fit(X, y)
    return time.process_time() - begun


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
