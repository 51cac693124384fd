"""The parameters and attributes that both estimators document in the same words."""

PARAMETERS = """\
penalty : {"l2", "l1", "elasticnet"}, Penalty or None, default="l2"
    What is added to the loss. l1 and bounds are proximal steps, so that zeros are exact.
alpha : float, default=1e-4
    Strength of the penalty.
l1_ratio : float, default=0.15
    Share of l1 in ``"elasticnet"``, in [0, 1].
fit_intercept : bool, default=True
    Whether to fit an intercept.
positive : bool, default=False
    Whether to hold the coefficients at or above zero.
optimizer : str or Optimizer, default="auto"
    The rule of the steps, such as ``"sgd"``, ``"adam"`` or ``SGD(momentum=0.9)``. ``"auto"`` is
    plain SGD where `learning_rate` is set, else the package's choice. Around a rule,
    ``Clipped`` clips gradients and ``Averaged`` makes ``coef_`` an average.
learning_rate : float, str, Schedule or callable, default="auto"
    A number is that constant rate; ``"auto"`` finds one from the data; ``"constant"``,
    ``"invscaling"``, ``"adaptive"`` and ``"optimal"`` are scikit-learn's, with `eta0` and
    `power_t`; a schedule, or a function of the count of updates, gives a rate for each.
eta0 : float, default=0.01
    First rate of scikit-learn's named schedules.
power_t : float, default={power_t}
    Exponent of ``"invscaling"``.
precondition : {"auto", "diagonal", "whiten"} or None, default="auto"
    Metric of the steps, never of the objective: ``"diagonal"`` steps as if the columns were
    standardised, ``"whiten"`` as if the objective were as curved in every direction, which costs a
    Cholesky factor of the columns, and which only the package's own method combines with l1 or
    bounds; ``"auto"`` is one of the two where the package chooses the method, else None.
batch_size : {"auto", "full"}, int or float, default="auto"
    Rows of a step: ``"full"`` is batch, 1 stochastic and an int minibatch gradient descent; a
    float in (0, 1) is that share of the rows; ``"auto"`` is min(256, n) where `learning_rate`
    is set. The last, short batch is divided by its own number of rows.
shuffle : bool, default=True
    Whether to visit the rows in a new random order each epoch.
max_iter : int, default=1000
    The most epochs of a `fit`.
tol : float or None, default=1e-3
    Stop when the estimated share of the objective that is left to gain, (F - F*) / (F0 - F*),
    is at most this, F0 being the objective of zero coefficients and the best intercept; or,
    at a rate that was set, when the best epoch has not improved by this share of what was
    gained for `n_iter_no_change` epochs. None makes exactly `max_iter` epochs.
n_iter_no_change : int, default=5
    Epochs to wait for progress.
early_stopping : bool, default=False
    Whether to stop by the score on rows that are held out, and return the best epoch's model.
validation_fraction : float, default=0.1
    Share of the rows to hold out, where `fit` gets no `X_val`.
epsilon : float, default=0.1
    Threshold of ``"huber"``, ``"epsilon_insensitive"`` and ``"squared_epsilon_insensitive"``.
average : bool or int, default=False
    Return the average of the parameters after the first `average` updates; True is 1.
warm_start : bool, default=False
    Whether `fit` goes on from where the last call ended, for up to `max_iter` more epochs.
n_jobs : int or None, default=None
    Threads: over the rows of a full batch, or over scores that don't depend on each other.
random_state : int, RandomState or None, default=None
    Seed of the order of the rows and of the rows held out.
verbose : int, default=0
    Whether to print a line after each epoch."""

ATTRIBUTES = """\
n_features_in_ : int
    Number of features seen during `fit`.
feature_names_in_ : ndarray of shape (n_features_in_,)
    Names of the features, where X had names that are all strings.
n_iter_ : int
    Epochs of the last call.
t_ : int
    Updates done so far, in all calls.
loss_curve_ : ndarray of shape (n_iter_,)
    Of each epoch, the mean over its batches of the objective before the update.
validation_scores_ : ndarray of shape (n_iter_,)
    Score on the held-out rows after each epoch; NaN where there were none.
best_iter_ : int
    The epoch, from 1, of the best validation score, or else the last.
history_ : dict of ndarray
    Of each epoch: ``objective``, ``validation_score``, ``learning_rate``, ``seconds``, and
    ``exact_objective`` and ``gradient_norm``, NaN where no full gradient was taken, and
    ``suboptimality``, the estimated (F - F*) / (F0 - F*), NaN where there was none; above `tol`
    it may be too low.
suboptimality_bound_ : float
    The estimate that ended the fit, made to err on the high side; NaN where something else did.
stop_reason_ : str
    Why the last call ended, in words.
learning_rate_ : float or Schedule
    The rate, or the schedule of rates, that was used.
batch_size_ : int
    Rows of a step.
optimizer_ : Optimizer
    The rule of the steps, without an `Averaged` around it.
precondition_ : str or None
    The metric of the steps."""


def documented(cls):
    """Fill the shared parameters and attributes into the docstring of an estimator."""
    power_t = cls.__init__.__kwdefaults__["power_t"]
    parameters = PARAMETERS.replace("{power_t}", str(power_t))
    for name, text in (("{parameters}", parameters), ("{attributes}", ATTRIBUTES)):
        cls.__doc__ = cls.__doc__.replace(name, text.replace("\n", "\n    "))
    return cls
