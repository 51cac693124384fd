"""Minimise a function of one array, in SciPy's terms."""

import inspect
from numbers import Real

import numpy as np
from scipy.optimize import OptimizeResult

from .gradients import as_pair, check_jac, numerical_gradient


def minimize(
    optimizer,
    fun,
    x0,
    *,
    args=(),
    jac=None,
    bounds=None,
    constraints=(),
    callback=None,
    maxiter=1000,
    tol=1e-8,
    disp=False,
    **unknown,
):
    """See `Optimizer.minimize`; bounds, constraints and unknown options are refused."""
    if bounds is not None or not _is_empty(constraints):
        raise ValueError(
            f"got bounds or constraints, which {type(optimizer).__name__} can't keep; expected "
            "none; try method='L-BFGS-B' for bounds and 'trust-constr' for constraints"
        )
    if unknown:
        raise TypeError(
            f"got the options {sorted(unknown)}, expected only maxiter, tol and disp; leave the "
            "others out"
        )
    _check_limit("maxiter", maxiter, 1000)
    if tol is not None:
        _check_limit("tol", tol, 1e-8)
    evaluate = _Objective(fun, check_jac(jac), args if isinstance(args, tuple) else (args,))
    w = _start(x0)
    loop = optimizer.bind([w])
    notify = _notifier(callback)
    point = found = evaluate(w)  # where the rule is, and what it offers
    nit, status = 0, _status(point, found, nit=0, maxiter=maxiter, tol=tol)
    while status is None:
        loop.apply_gradients([(point.jac, w)])
        loop.end_epoch(point.fun)
        nit += 1
        (offered,) = loop.solution()
        last, point = found, evaluate(w)
        found = point if np.array_equal(offered, w) else evaluate(offered)
        status = _status(point, found, nit=nit, maxiter=maxiter, tol=tol)
        if status == DIVERGED:
            found = found if _is_finite(found) else last
        elif notify(found):
            status = STOPPED
    message = MESSAGES[status].format(nit=nit, largest=_largest(found), tol=tol, maxiter=maxiter)
    result = OptimizeResult(
        x=found.x,
        fun=found.fun,
        jac=found.jac,
        nit=nit,
        nfev=evaluate.nfev,
        njev=evaluate.njev,
        success=status == CONVERGED,
        status=status,
        message=message + evaluate.remark,
    )
    if disp:
        print(result.message, *(f"{name}: {result[name]}" for name in SHOWN), sep="\n    ")
    return result


SHOWN = ("fun", "nit", "nfev", "njev")
CONVERGED, OUT_OF_ITERATIONS, DIVERGED, STOPPED = 0, 1, 2, 99
MESSAGES = {
    CONVERGED: "Converged: the largest entry of the gradient is {largest:.3g}, at most tol={tol}.",
    OUT_OF_ITERATIONS: (
        "Stopped after maxiter={maxiter} iterations: the largest entry of the gradient is "
        "{largest:.3g}, expected at most tol={tol}; try more iterations or another learning rate."
    ),
    DIVERGED: (
        "Diverged: the function or its gradient is not finite after {nit} iterations; x is the "
        "last point where it was, if there is one; try a smaller learning rate."
    ),
    STOPPED: "`callback` raised `StopIteration` after {nit} iterations.",
}


def _status(point, found, nit, maxiter, tol):
    """Why to stop with the rule at a point and this found, or None."""
    if not (_is_finite(point) and _is_finite(found)):
        return DIVERGED
    if tol is not None and _largest(found) <= tol:
        return CONVERGED
    return OUT_OF_ITERATIONS if nit >= maxiter else None


def _is_finite(point):
    return np.isfinite(point.fun) and np.isfinite(point.jac).all()


def _largest(point):
    return np.max(np.abs(point.jac), initial=0.0)


def _check_limit(name, value, usual):
    if not (isinstance(value, Real) and value >= 0):
        raise (ValueError if isinstance(value, Real) else TypeError)(
            f"got {name}={value!r}, expected a number that is not negative; try {name}={usual}"
        )


class _Objective:
    """Value and gradient at a point, counted; the user's functions see copies."""

    def __init__(self, fun, jac, args):
        self.fun, self.jac, self.args = fun, jac, args
        self.nfev = self.njev = 0
        self.remark = ""
        self._both = self._given
        if jac is True:
            self._both = self._paired
        elif jac is None:
            self._both = self._numerical
            self.remark = " The gradient was found by central differences of fun."

    def __call__(self, w):
        x = w.copy()
        value, grad = self._both(x)
        grad = np.asarray(grad, dtype=w.dtype)
        if grad.shape != w.shape:
            raise ValueError(
                f"got a gradient of shape {grad.shape} at a point of shape {w.shape}, "
                "expected the same shape"
            )
        self.njev += 1
        return OptimizeResult(x=x, fun=_number(value), jac=grad.copy())

    def _call(self, x):
        self.nfev += 1
        return self.fun(x.copy(), *self.args)

    def _value(self, x):
        return _number(self._call(x))

    def _paired(self, x):
        return as_pair(self._call(x))

    def _given(self, x):
        return self._value(x), self.jac(x.copy(), *self.args)

    def _numerical(self, x):
        return self._value(x), numerical_gradient(self._value, [x])[0]


def _number(value):
    """The value of a function as a float."""
    array = np.asarray(value)
    if array.size != 1 or array.dtype.kind not in "fiub":
        raise ValueError(
            f"got a function value of shape {array.shape} and dtype {array.dtype}, expected one "
            "real number; try np.sum"
        )
    return float(array.item())


def _start(x0):
    """A fresh array of floats to work on."""
    w = np.atleast_1d(np.array(x0))
    if w.dtype.kind not in "fiub":
        raise TypeError(f"got x0 of dtype {w.dtype}, expected real numbers")
    if not np.isfinite(w).all():
        raise ValueError(f"got x0={x0!r}, expected finite numbers; start at np.zeros(n)")
    return w if w.dtype.kind == "f" else w.astype(np.float64)


def _is_empty(constraints):
    return constraints is None or (hasattr(constraints, "__len__") and len(constraints) == 0)


def _notifier(callback):
    """A function that shows a point to the callback; True if it asks to stop."""
    if callback is None:
        return lambda point: False
    by_keyword = set(inspect.signature(callback).parameters) == {"intermediate_result"}

    def notify(point):
        shown = OptimizeResult(x=point.x.copy(), fun=point.fun)
        try:
            callback(intermediate_result=shown) if by_keyword else callback(shown.x)
        except StopIteration:
            return True
        return False

    return notify
