"""The one file that touches private or version-dependent scikit-learn.

Everything else in the package imports these names from here.
"""

from functools import cache

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, Options, RealNotInt, StrOptions
from sklearn.utils.validation import _check_sample_weight

__all__ = ["Interval", "Options", "Parametrized", "RealNotInt", "StrOptions", "check_weights"]


class Parametrized(BaseEstimator):
    """A `BaseEstimator` that reads the signature of its class once, not at every call."""

    @classmethod
    @cache
    def _get_param_names(cls):
        return super()._get_param_names()


def check_weights(sample_weight, X):
    """Return finite, non-negative float64 weights of shape (n_samples,)."""
    import numpy as np

    return _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
