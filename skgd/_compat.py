"""The one file that touches private or version-dependent scikit-learn.

Everything else in the package imports these names from here.
"""

from functools import cache

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import (
    Interval,
    Options,
    RealNotInt,
    StrOptions,
    make_constraint,
)
from sklearn.utils.validation import _check_sample_weight

__all__ = ["Interval", "Options", "Parametrized", "RealNotInt", "StrOptions", "check_weights"]


class Parametrized(BaseEstimator):
    """A `BaseEstimator` that reads the signature and the constraints of its class once, not at
    every call."""

    @classmethod
    @cache
    def _get_param_names(cls):
        return super()._get_param_names()

    @classmethod
    @cache
    def _constraints(cls):
        """The constraints of each parameter, as objects."""
        found = cls._parameter_constraints
        return {
            name: [make_constraint(each) for each in found[name]]
            for name in cls._get_param_names()
            if found.get(name, "no_validation") != "no_validation"
        }

    def _validate_params(self):
        for name, constraints in self._constraints().items():
            value = getattr(self, name)
            for constraint in constraints:
                if constraint.is_satisfied_by(value):
                    break
            else:
                super()._validate_params()  # says what is wrong


def check_weights(sample_weight, X):
    """Return finite, non-negative float64 weights of shape (n_samples,)."""
    import numpy as np

    return _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
