"""Linear models trained by gradient descent you can configure, as scikit-learn estimators."""

from .exceptions import DivergenceError
from .linear import GDClassifier, GDRegressor
from .rate_range import learning_rate_range

__version__ = "0.1.0"
__all__ = ["DivergenceError", "GDClassifier", "GDRegressor", "__version__", "learning_rate_range"]
