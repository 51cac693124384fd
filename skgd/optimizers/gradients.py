"""Gradients: how they are computed, and what forms they may have.

Convention: inside the package a gradient is None or an array of its own, which shares no memory
with any other, with the shape and dtype of its parameter. The user's functions see copies of the
parameters.
"""

import numpy as np
from scipy.sparse import issparse


def numerical_gradient(fun, params):
    """Gradient of ``fun(*params)`` by central differences, in two calls for each number.

    The step is the cube root of the machine's epsilon times max(1, |w|), which balances the
    error of the formula and that of rounding at about 1e-10. Where fun returns an array, its
    sum is differentiated. The parameters are copied, not touched.
    """

    def total():
        value = np.asarray(fun(*(w.copy() for w in points)))
        if value.dtype.kind not in "fiub":
            raise TypeError(
                f"got a function value of dtype {value.dtype}, expected real numbers; return a "
                "number, or an array whose sum is to be differentiated"
            )
        return value.sum()

    points = [np.array(w, dtype=np.float64) for w in params]
    grads = [np.empty_like(w) for w in points]
    for point, grad in zip(points, grads, strict=True):
        for i in np.ndindex(point.shape):
            middle = point[i]
            width = np.cbrt(np.finfo(np.float64).eps) * max(1.0, abs(middle))
            below, above = middle - width, middle + width
            point[i] = above
            high = total()
            point[i] = below
            low = total()
            point[i] = middle
            grad[i] = (high - low) / (above - below)
    return grads


def check_jac(jac):
    """A function, True, or None where the gradient is to be found numerically."""
    if jac is None or jac is False:
        return None
    if jac is not True and not callable(jac):
        raise TypeError(
            f"got jac={jac!r}, expected a function, True or None; try None for central differences"
        )
    return jac


def as_pair(found):
    """What fun returned under jac=True, as (value, gradient)."""
    if not isinstance(found, tuple | list) or len(found) != 2:
        raise TypeError(
            f"got {type(found).__name__} from a function with jac=True, expected a pair (value, "
            "gradient); try jac=None"
        )
    return found


def as_gradient(g, w):
    """Bring a gradient of w into the package's form.

    Parameters
    ----------
    g : None, array-like, scipy.sparse matrix, or tuple (indices, values)
        The tuple holds rows of the gradient; those that occur twice are added up, and so are
        duplicate entries of a sparse matrix. The update equals that of the dense gradient.
    w : ndarray
        The parameter.

    Returns
    -------
    ndarray or None
        A new array.

    Raises
    ------
    TypeError
        If g is not made of real numbers.
    ValueError
        If it doesn't fit the shape of w.
    """
    if g is None:
        return None
    if issparse(g):
        g = g.toarray()
        g = g.ravel() if w.ndim == 1 else g
    if isinstance(g, tuple):
        g = _from_rows(g, w)
    dense = np.asarray(g)
    if dense.dtype.kind not in "fiub":
        raise TypeError(
            f"got a gradient of dtype {dense.dtype}, expected real numbers; "
            "give None for a parameter without a gradient"
        )
    if dense.shape != w.shape:
        raise ValueError(
            f"got a gradient of shape {dense.shape} for a parameter of shape {w.shape}, "
            "expected the same shape"
        )
    return dense.astype(w.dtype)


def _from_rows(pair, w):
    """The dense gradient of a pair (indices, values)."""
    if len(pair) != 2 or np.asarray(pair[0]).dtype.kind not in "iu":
        raise TypeError(
            f"got the tuple {pair!r} as a gradient, expected (indices, values) with integer "
            "indices of rows; write a dense gradient as an array"
        )
    indices, values = np.asarray(pair[0]), np.asarray(pair[1])
    if values.shape != indices.shape + w.shape[1:]:
        raise ValueError(
            f"got values of shape {values.shape} for {indices.size} rows of a parameter of "
            f"shape {w.shape}, expected the shape {indices.shape + w.shape[1:]}"
        )
    if indices.size and not (-len(w) <= indices.min() and indices.max() < len(w)):
        raise ValueError(f"got the row {indices.max()} in a gradient, expected rows below {len(w)}")
    dense = np.zeros_like(w)
    np.add.at(dense, indices, values)
    return dense
