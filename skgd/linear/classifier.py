"""Linear classification by gradient descent."""

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, unique_labels

from .._compat import StrOptions
from ..losses import Loss
from ._base import BaseGD
from ._shared_docs import documented


def _has_proba(estimator):
    """Whether the loss models probabilities."""
    if estimator._loss().has_proba:
        return True
    raise AttributeError(
        f"probabilities are not available for loss={estimator.loss!r}; use 'log_loss' or "
        "'modified_huber', or wrap the model in CalibratedClassifierCV"
    )


@documented
class GDClassifier(ClassifierMixin, BaseGD):
    r"""Linear classification trained by gradient descent.

    Minimises the weighted mean of the losses plus a penalty,

    .. math:: F(w, b) = \frac{\sum_i s_i\, \ell(y_i, w^\top x_i + b)}{\sum_i s_i}
              + \alpha\, P(w),

    with :math:`P` half the squared norm for ``"l2"``, the sum of absolute values for ``"l1"``
    and a mixture of both for ``"elasticnet"``. The intercept is never penalised. With more
    than two classes ``"log_loss"`` is softmax; the other losses train one score a class
    against the rest, all in one pass, and F is the sum over the scores.

    Parameters
    ----------
    loss : str or Loss, default="log_loss"
        ``"log_loss"``, ``"hinge"``, ``"squared_hinge"``, ``"modified_huber"``,
        ``"perceptron"``, or a regression loss on targets -1 and +1: ``"squared_error"``,
        ``"huber"``, ``"epsilon_insensitive"``, ``"squared_epsilon_insensitive"``; or an
        object, such as one of your own.
    {parameters}
    class_weight : dict, "balanced" or None, default=None
        Weight of each class, multiplied into the weights of its rows; ``"balanced"`` gives
        all classes the same total weight, in `partial_fit` by running totals.

    Attributes
    ----------
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Coefficients, in the dtype of X.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Intercepts.
    classes_ : ndarray of shape (n_classes,)
        The class labels.
    {attributes}

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from skgd import GDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = GDClassifier().fit(X, y)
    >>> round(model.score(X, y), 2)
    0.97

    References
    ----------
    L. Bottou, F. Curtis and J. Nocedal, "Optimization methods for large-scale machine
    learning", SIAM Review 60(2), 2018.
    """

    _task = "classification"
    _losses = Loss
    _parameter_constraints = {
        "loss": [str, Loss],
        **BaseGD._parameter_constraints,
        "class_weight": [dict, StrOptions({"balanced"}), None],
    }

    def __init__(
        self,
        loss="log_loss",
        *,
        penalty="l2",
        alpha=1e-4,
        l1_ratio=0.15,
        fit_intercept=True,
        positive=False,
        optimizer="auto",
        learning_rate="auto",
        eta0=0.01,
        power_t=0.5,
        precondition="auto",
        batch_size="auto",
        shuffle=True,
        max_iter=1000,
        tol=1e-3,
        n_iter_no_change=5,
        early_stopping=False,
        validation_fraction=0.1,
        epsilon=0.1,
        average=False,
        class_weight=None,
        warm_start=False,
        n_jobs=None,
        random_state=None,
        verbose=0,
    ):
        self.loss = loss
        self.penalty = penalty
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.eta0 = eta0
        self.power_t = power_t
        self.precondition = precondition
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.epsilon = epsilon
        self.average = average
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # coefficients that can't be negative can't separate all that is separable
        tags.classifier_tags.poor_score = self.positive
        return tags

    # ---- targets: -1 and +1 for two classes, else class indices ----

    def _y_checks(self):
        return {}

    def _encode(self, y, weight, first, classes=None, partial=False):
        if y.dtype.kind not in "biuUS":  # integers and strings are labels without a look
            check_classification_targets(y)
        if first:
            self.classes_ = self._classes_of(y, weight, classes, partial)
        elif classes is not None and not np.array_equal(self.classes_, unique_labels(classes)):
            raise ValueError(
                f"got classes={classes!r}, expected {self.classes_!r} as in the first call, "
                "or nothing"
            )
        return self._codes(y, weight)

    def _classes_of(self, y, weight, classes, partial):
        if classes is not None:
            found = unique_labels(classes)
        elif partial:
            raise ValueError(
                "classes must be passed on the first call to partial_fit: all labels that will "
                "ever come, such as classes=np.unique(y)"
            )
        else:
            used = y if weight is None else y[weight > 0]
            found = _distinct(used if len(used) else y)
        if len(found) < 2:
            raise ValueError(
                f"got y with {len(found)} class, expected at least 2 classes; the only class is "
                f"{found[0]}; where more will come, partial_fit and compute_gradients take classes"
            )
        return found

    def _codes(self, y, weight=None):
        if len(self.classes_) == 2:
            positive = y == self.classes_[1]
            known = positive | (y == self.classes_[0])
            codes = np.where(positive, 1.0, -1.0)
        else:
            index = np.searchsorted(self.classes_, y)
            index[index == len(self.classes_)] = 0
            known = self.classes_[index] == y
            codes = index.astype(np.float64)
        if not known.all():
            ignored = False if weight is None else weight == 0
            if not (known | ignored).all():
                raise ValueError(
                    f"got labels {np.unique(y[~known])!r} that are not in classes "
                    f"{self.classes_!r}; pass all labels as `classes` to the first partial_fit "
                    "or compute_gradients"
                )
        return codes

    def _encode_validation(self, y):
        return self._codes(y)

    def _indices(self, y):
        """Class indices from encoded targets."""
        return (y > 0).astype(np.intp) if len(self.classes_) == 2 else y.astype(np.intp)

    def _row_weights(self, y, weight, partial=False):
        if self.class_weight is None:
            return weight
        index = self._indices(y)
        if self.class_weight == "balanced" and partial:
            totals = np.bincount(index, weights=weight, minlength=len(self.classes_))
            self._class_totals = getattr(self, "_class_totals", 0.0) + totals
            seen = self._class_totals > 0
            factors = np.zeros(len(self.classes_))
            factors[seen] = self._class_totals.sum() / (
                len(self.classes_) * self._class_totals[seen]
            )
        elif self.class_weight == "balanced":
            counts = np.bincount(index, weights=weight, minlength=len(self.classes_))
            factors = counts.sum() / (len(self.classes_) * np.maximum(counts, 1e-300))
        else:
            factors = compute_class_weight(
                self.class_weight, classes=self.classes_, y=self.classes_[index]
            )
        return factors[index] if weight is None else weight * factors[index]

    def _columns_for(self, y):
        n_classes = len(self.classes_)
        loss = self._loss()
        if n_classes == 2:
            return loss, 1, None, np.array([-1.0, 1.0])
        loss = loss.for_classes(n_classes)
        labels = np.arange(float(n_classes))
        return loss, n_classes, None if loss.rowwise else labels, labels

    def _any_targets(self):
        return np.zeros(1)

    def _held_out(self, y, n_held, random_state):
        """Stratified where every class has rows enough for both sides."""
        _, counts = np.unique(y, return_counts=True)
        if counts.min() < 2 or n_held < len(counts) or len(y) - n_held < len(counts):
            return super()._held_out(y, n_held, random_state)
        split = StratifiedShuffleSplit(test_size=n_held, random_state=random_state)
        return next(split.split(np.zeros((len(y), 1)), y))[1]

    # ---- the calls ----

    def fit(self, X, y, coef_init=None, intercept_init=None, sample_weight=None, *,
            X_val=None, y_val=None, sample_weight_val=None):  # fmt: skip
        """Train the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Not copied if it is C-ordered float32 or float64, or CSR.
        y : array-like of shape (n_samples,)
            Class labels.
        coef_init, intercept_init : array-like, default=None
            Where to start, shaped as ``coef_`` and ``intercept_``.
        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight 0 is no row; only the ratios of weights matter.
        X_val, y_val, sample_weight_val : array-like, default=None
            Rows to score after each epoch; with `early_stopping`, what decides when to stop.

        Returns
        -------
        self : object

        Raises
        ------
        DivergenceError
            If the parameters or the objective leave all bounds.
        """
        return self._fit(
            X, y, coef_init, intercept_init, sample_weight, X_val, y_val, sample_weight_val
        )

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train one epoch over the rows given, from where the last call ended.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come; needed in the first call.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self : object
        """
        return self._partial_fit(X, y, sample_weight, classes=classes)

    def compute_gradients(self, X, y, sample_weight=None, *, classes=None):
        """Gradient of the smooth objective over the rows given; changes no parameter.

        The smooth objective is the weighted mean of the losses plus the l2 part of the penalty;
        both gradients are taken at the same, current parameters.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), default=None
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come; needed in the first call if y does not have them all.

        Returns
        -------
        coef_gradient : ndarray, shaped as ``coef_``
        intercept_gradient : ndarray, shaped as ``intercept_``

        Notes
        -----
        With `apply_gradients` and `end_epoch` this is the loop of `fit` without its shuffling and
        stopping::

            for batch in batches:
                model.apply_gradients(model.compute_gradients(X[batch], y[batch]))
            model.end_epoch()

        What is "auto" is settled from the rows of the first call. Where that is accelerated
        descent, the gradient is taken where the method looks ahead to and not at ``coef_``.
        """
        return self._compute_gradients(X, y, sample_weight, classes)

    def decision_function(self, X):
        """Scores: positive means the second class, or the largest score wins.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
        """
        scores = self._raw_scores(X)
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict(self, X):
        """Predict class labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        scores = self._raw_scores(X)
        return self.classes_[_winners(scores)]

    @available_if(_has_proba)
    def predict_proba(self, X):
        """Probabilities of the classes, for ``"log_loss"`` and ``"modified_huber"``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        scores = self.decision_function(X)
        return self._loss().for_classes(len(self.classes_)).predict_proba(scores)

    @available_if(_has_proba)
    def predict_log_proba(self, X):
        """Logarithms of `predict_proba`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def _score(self, scores, y, sample_weight):
        if not np.isfinite(scores).all():
            return -np.inf
        return float(
            accuracy_score(self._indices(y), _winners(scores), sample_weight=sample_weight)
        )


def _winners(scores):
    """Index of the class of each row of scores (n, 1) or (n, K)."""
    if scores.shape[1] == 1:
        return (scores[:, 0] > 0).astype(np.intp)
    return scores.argmax(axis=1)


def _distinct(y):
    """Distinct labels, ascending; of small whole numbers by counting, which takes a tenth of the
    time."""
    if y.dtype.kind in "bi" or (y.dtype.kind == "u" and y.dtype.itemsize < 8):
        low = int(y.min())
        if int(y.max()) - low < len(y):
            return (np.flatnonzero(np.bincount(y.astype(np.intp) - low)) + low).astype(y.dtype)
    return np.unique(y)
