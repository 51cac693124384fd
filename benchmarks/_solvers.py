"""The rivals of time_to_solution.py: how each is brought to a budget of its own.

A rival is a function of a budget n, a whole number, that returns (coef, intercept). The budget is
its iterations or epochs, with its own tolerance so small that only the budget stops it; for a
solver without iterations it means nothing. All minimise the mean loss + alpha / 2 ||coef||^2, for
scikit-learn C = 1 / (alpha * n_rows).
"""

import numpy as np
import scipy.sparse as sp
from _harness import has
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier, SGDRegressor

MOST_SQUARED = 2000  # columns, above which a matrix of columns by columns is out of the question
NO_TOLERANCE = 1e-30
PENALISES_INTERCEPT = ("liblinear", "snapml")  # these are judged at their best intercept
SQUARED = ("newton-cholesky", "cholesky", "svd")


def of_estimator(make, X, y):
    """A rival from a function of the budget that makes an estimator."""

    def fit(n):
        model = make(n).fit(X, y)
        return model.coef_, model.intercept_

    return fit


def of_sklearn(loss, X, y, alpha):
    """SGD and every solver of LogisticRegression or Ridge that takes such rows."""
    n_rows, n_columns = X.shape
    two = loss == "log_loss" and len(np.unique(y)) == 2
    found, shared = {}, {"alpha": alpha, "tol": None, "random_state": 0}
    if loss == "squared_error":
        names = ("cholesky", "svd", "lsqr", "sparse_cg", "sag", "saga")
        if sp.issparse(X):
            names = ("lsqr", "sparse_cg", "sag")  # the others take no intercept there
        for name in names:
            found[f"Ridge, {name}"] = lambda n, name=name: Ridge(
                alpha * n_rows, solver=name, max_iter=n, tol=NO_TOLERANCE, random_state=0
            )
        for average in (False, True):
            found["SGDRegressor" + ", averaged" * average] = lambda n, average=average: (
                SGDRegressor(max_iter=n, average=average, **shared)
            )
    else:
        names = ("newton-cholesky", "lbfgs", "newton-cg", "sag", "saga")
        for name in (("liblinear",) if two else ()) + names:
            found[f"LogisticRegression, {name}"] = lambda n, name=name: LogisticRegression(
                C=1 / (alpha * n_rows), solver=name, max_iter=n, tol=NO_TOLERANCE, random_state=0
            )
        for average in (False, True) if two else ():
            found["SGDClassifier" + ", averaged" * average] = lambda n, average=average: (
                SGDClassifier("log_loss", max_iter=n, average=average, **shared)
            )
    return {
        name: of_estimator(make, X, y)
        for name, make in found.items()
        if n_columns <= MOST_SQUARED or not name.endswith(SQUARED)
    }


def of_cyanure(loss, X, y, alpha):
    from cyanure.estimators import Classifier, Regression

    shared = {
        "lambda_1": alpha, "tol": NO_TOLERANCE, "verbose": False, "n_threads": 1,
        "fit_intercept": True, "random_state": 0,
    }  # fmt: skip
    many = loss == "log_loss" and len(np.unique(y)) > 2

    def fit(n):
        if loss == "squared_error":
            model = Regression(max_iter=n, **shared)
        else:
            model = Classifier("multiclass-logistic" if many else "logistic", max_iter=n, **shared)
        model.fit(X, y)
        coef = np.asarray(model.coef_)
        return coef.T if many else coef.ravel(), np.ravel(model.intercept_)

    return {"cyanure": fit}


def of_snapml(loss, X, y, alpha):
    import snapml

    if loss == "log_loss" and len(np.unique(y)) > 2:
        return {}  # one class against the rest only
    kind = snapml.LinearRegression if loss == "squared_error" else snapml.LogisticRegression
    # the primal solver finds no intercept, so it solves another problem
    return {
        "snapml": of_estimator(
            lambda n: kind(
                max_iter=n, regularizer=alpha * X.shape[0], fit_intercept=True, tol=1e-12
            ),
            X,
            y,
        )
    }


def of_liblinear(loss, X, y, alpha):
    from liblinear.liblinearutil import parameter, problem, train

    if loss == "squared_error" or len(np.unique(y)) > 2:
        return {}
    signs = np.where(y == np.max(y), 1.0, -1.0)

    def fit(n, solver):
        rows = X if sp.issparse(X) else np.asarray(X, np.float64)
        options = f"-s {solver} -c {1 / (alpha * X.shape[0])} -e {0.5**n} -B 1 -q"
        model = train(problem(signs, rows), parameter(options))
        coef, intercept = model.get_decfun()
        side = 1.0 if model.get_labels()[0] == 1 else -1.0
        return side * np.array(coef), side * intercept

    return {
        "liblinear 2, primal": lambda n: fit(n, 0),
        "liblinear 2, dual": lambda n: fit(n, 7),
    }


def of_torch(loss, X, y, alpha):
    """L-BFGS on all rows, Adam on minibatches, as one writes them by hand."""
    import torch

    torch.set_num_threads(1)
    dtype = torch.float32 if X.dtype == np.float32 else torch.float64
    n_classes = len(np.unique(y)) if loss == "log_loss" else 1
    n_scores = n_classes if n_classes > 2 else 1
    if n_classes > 2:
        targets, of_scores = torch.from_numpy(y), torch.nn.functional.cross_entropy
    else:
        targets = torch.from_numpy(y if n_classes == 1 else (y == np.max(y))).to(dtype)

        def of_scores(z, t):
            if n_classes == 1:
                return 0.5 * torch.nn.functional.mse_loss(z[:, 0], t)
            return torch.nn.functional.binary_cross_entropy_with_logits(z[:, 0], t)

    def tensor(rows):
        if not sp.issparse(rows):
            return torch.from_numpy(rows)
        return torch.sparse_csr_tensor(rows.indptr, rows.indices, rows.data, rows.shape)

    def objective(inputs, t, w, b):
        return of_scores(inputs @ w + b, t) + alpha / 2 * (w * w).sum()

    def zeros():
        w = torch.zeros((X.shape[1], n_scores), dtype=dtype, requires_grad=True)
        return w, torch.zeros(n_scores, dtype=dtype, requires_grad=True)

    def done(w, b):
        return w.detach().numpy().T, b.detach().numpy()

    def lbfgs(n):
        inputs, (w, b) = tensor(X), zeros()
        rule = torch.optim.LBFGS(
            [w, b], max_iter=n, max_eval=10 * n, tolerance_grad=0.0, tolerance_change=0.0,
            line_search_fn="strong_wolfe",
        )  # fmt: skip

        def closure():
            rule.zero_grad()
            value = objective(inputs, targets, w, b)
            value.backward()
            return value

        rule.step(closure)
        return done(w, b)

    def adam(n, rate, size):
        inputs, (w, b) = None if sp.issparse(X) else tensor(X), zeros()
        rule = torch.optim.Adam([w, b], lr=rate)
        torch.manual_seed(0)
        for _ in range(n):
            order = torch.randperm(X.shape[0])
            for first in range(0, X.shape[0], size):
                rows = order[first : first + size]
                part = tensor(X[rows.numpy()]) if inputs is None else inputs[rows]
                rule.zero_grad()
                objective(part, targets[rows], w, b).backward()
                rule.step()
        return done(w, b)

    return {
        "PyTorch, LBFGS": lbfgs,
        "PyTorch, Adam": lambda n: adam(n, 1e-2, 256),
        "PyTorch, Adam, large batches": lambda n: adam(n, 1e-2, 2048),
    }


OPTIONAL = {
    "cyanure": of_cyanure, "snapml": of_snapml, "liblinear": of_liblinear, "torch": of_torch,
}  # fmt: skip


def rivals(packages, loss, X, y, alpha):
    """{name: function of a budget} of scikit-learn and of the packages named."""
    found = of_sklearn(loss, X, y, alpha)
    for package in packages:
        found |= OPTIONAL[package](loss, X, y, alpha)
    return found


def installed():
    """The optional packages that are here; says which are not."""
    return [name for name in OPTIONAL if has(name)]
