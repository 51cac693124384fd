"""What an optimizer is: a rule that turns a gradient into a change of the parameters.

Convention: an optimizer is a recipe and holds no state. `init` makes the state of a list of
arrays, one dict for each array: its slots (buffers of the array's shape), its scalars and
``t``, the number of updates it has had. `step` changes the arrays in place.
"""

from numbers import Real

import numpy as np
from sklearn.base import clone

from .._compat import Interval, StrOptions
from .._component import Component
from ..schedules import as_schedule
from .bound import Bound
from .minimize import minimize

NOT_NEGATIVE = [Interval(Real, 0, None, closed="left")]
DECAY = [Interval(Real, 0, 1, closed="left")]
LEARNING_RATE = [None, *NOT_NEGATIVE, callable, np.ndarray]
SPARSE_UPDATES = [StrOptions({"exact", "lazy"})]
SHARED = {
    "learning_rate": LEARNING_RATE,
    "weight_decay": NOT_NEGATIVE,
    "maximize": ["boolean"],
    "sparse_updates": SPARSE_UPDATES,
}


class Optimizer(Component):
    """Base class of optimizers.

    A new optimizer is one class with the names of its slots and `update`::

        class SignDescent(Optimizer, name="sign"):
            slots = ()

            def __init__(self, learning_rate=None):
                self.learning_rate = learning_rate

            def update(self, w, g, slots, t, rate):
                w -= rate * np.sign(g)

    Attributes
    ----------
    slots : tuple of str
        Names of the buffers kept for each parameter, in the order the kernel takes them.
        They are the same for all values of the arguments.
    scalars : tuple of str
        Names of the single numbers kept for each parameter array.
    default_rate : float
        The learning rate when it is used alone and none was given.
    kernel : str or None
        Name of the compiled version in ``skgd._core.rules``. It belongs to the class that
        names it; a subclass without its own `kernel` is called through NumPy.
    kernel_arguments : tuple of str
        The arguments that the kernel takes, weight_decay and maximize first.
    linear : bool
        Whether the step grows with the gradient, so that it can explode.
    recovers, plans : bool
        Whether it takes back steps that were too long, and whether a training loop finds its
        steps; see `Recovering` and `TruncatedNewton`.
    unit_free : bool
        Whether the rule finds the size of its steps by itself.
    sparse_updates : {"exact", "lazy"}
        On sparse rows in an estimator: "exact" gives the result of the same rows as a dense
        array; "lazy" leaves coefficients that no row of the batch touches alone, without decay,
        momentum or proximal step.
    """

    slots = ()
    scalars = ()
    default_rate = 0.001
    linear = False
    recovers = plans = False
    unit_free = False
    kernel = None
    kernel_arguments = ("weight_decay", "maximize")
    learning_rate = None
    weight_decay = 0.0
    maximize = False
    sparse_updates = "exact"

    # the rule ------------------------------------------------------------------------------

    def start(self, name, w):
        """First value of a slot (an array shaped as w) or of a scalar (a 0-d array)."""
        return np.zeros_like(w) if name in self.slots else np.zeros(())

    def init(self, params):
        """State for a list of arrays: a list of dicts, one for each array."""
        names = self.slots + self.scalars
        return [{"t": 0} | {name: self.start(name, w) for name in names} for w in params]

    def step(self, params, grads, state, rate):
        """Update the arrays in place; an array whose gradient is None is left alone."""
        rate = float(rate)  # a NumPy scalar would turn float32 arithmetic into float64
        for w, g, slots in zip(params, grads, state, strict=True):
            if g is not None:
                self.update(w, g, slots, slots["t"], rate)
                slots["t"] += 1

    def look_ahead(self, params, state):
        """Before the gradient: move the arrays to where the gradient is wanted."""

    def settle(self, params, state):
        """After the proximal step that follows `step` in an estimator: the last word."""

    def update(self, w, g, slots, t, rate):
        """Update one array w in place from its gradient g, which must not be changed.

        slots holds the buffers by name, to be changed in place; t counts the updates that
        this array had before, from 0.
        """
        raise NotImplementedError

    def adopt(self, before, slots):
        """Take over what the rule `before` has kept of an array: a loop's keywords were edited."""

    def descent(self, w, g):
        """The gradient to step against: negated to maximise, then with the weight decay.

        The decay comes after the sign, as in PyTorch, so that it shrinks in both cases.
        """
        if self.maximize:
            g = -g
        if self.weight_decay:
            g = g + self.weight_decay * w
        return g

    def step_size(self, w, slots, t, rate):
        """Size of the step in each coordinate, after `update`: the metric of a proximal step.

        At a fixed point of the rule under a constant gradient g the change of w is
        ``-step_size * g``. t is what the `update` just done was given.

        Why it is this: let w* minimise f + h, so that -g is a subgradient of h at w*, g the
        gradient of f. With the slots at rest, an update moves w* to w* - S g, and
        ``prox_{S h}(w* - S g) = w*`` holds exactly if ``-g`` is such a subgradient: the
        optimum stays where it is if the prox takes the very S of the step, and no other.
        """
        return rate

    @property
    def innermost(self):
        """The rule inside of all wrappers."""
        return self

    def solution(self, params, state):
        """The arrays that the rule offers as its result: the parameters themselves."""
        return params

    def kernel_settings(self):
        """The numbers that the compiled kernel takes: `kernel_arguments`, in its order."""
        return tuple(float(getattr(self, name)) for name in self.kernel_arguments)

    # its arguments -------------------------------------------------------------------------

    def check(self):
        super().check()
        self.schedule()
        return self

    def schedule(self):
        """The learning rate as a Schedule; `default_rate` where there is none."""
        given = self.learning_rate
        return as_schedule(self.default_rate if given is None else given)

    def settings(self):
        """The keywords of the rule, as a group of `bind` holds them."""
        return self.get_params(deep=False)

    def with_settings(self, settings):
        """The same rule with other keywords."""
        return clone(self).set_params(**settings)

    def for_estimator(self):
        """The same rule without the weight decay that it has by default alone."""
        settings = self.settings()
        if settings.get("weight_decay", 0.0) is not None:
            return self
        return self.with_settings(settings | {"weight_decay": 0.0})

    # its uses ------------------------------------------------------------------------------

    def bind(self, params):
        """Bind the rule to arrays that it updates in place: a loop you write yourself.

        Parameters
        ----------
        params : list of ndarray, or list of dict
            Writable arrays of floats, or groups: dicts with ``params``, one array or a list,
            and any of the optimizer's keywords.

        Returns
        -------
        Bound

        Raises
        ------
        TypeError, ValueError
            If an array can't be updated in place or is in two groups, if a keyword is wrong,
            or if the schedule needs a problem, as ``Optimal()`` does without its alpha.

        Examples
        --------
        >>> import numpy as np
        >>> from skgd.optimizers import SGD
        >>> w = np.array([1.0, 2.0])
        >>> loop = SGD(0.1).bind([w])
        >>> loop.minimize(lambda w: w @ w, jac=lambda w: 2 * w)
        >>> w
        array([0.8, 1.6])
        """
        return Bound(self, params)

    def minimize(self, fun, x0, jac=None, maxiter=1000, tol=1e-8, callback=None, args=()):
        """Minimise a function of one array.

        Parameters
        ----------
        fun : callable
            ``fun(x, *args)`` gives a number; with ``jac=True``, a pair (number, gradient). It
            and `jac` see copies of x.
        x0 : array-like of shape (n,)
            The start, never written.
        jac : callable, True or None, default=None
            ``jac(x, *args)`` gives the gradient; None differentiates numerically, by central
            differences, in 2 n calls of `fun` an iteration.
        maxiter : int, default=1000
            The most updates.
        tol : float or None, default=1e-8
            Stop when no entry of the gradient is larger; None makes exactly `maxiter` updates.
        callback : callable or None, default=None
            Called with the x to be returned after each update, as ``callback(xk)`` or as
            ``callback(intermediate_result=...)``; it may raise StopIteration.
        args : tuple or object, default=()
            Further arguments of `fun` and `jac`.

        Returns
        -------
        scipy.optimize.OptimizeResult
            With ``x``, ``fun``, ``jac``, ``nit``, ``nfev``, ``njev``, ``success``, ``status``
            (0 converged, 1 out of iterations, 2 diverged, 99 stopped by the callback) and
            ``message``, all of the returned x. Where the fit diverged, that is the last one at
            which `fun` and its gradient were finite.

        Raises
        ------
        TypeError, ValueError
            If an argument or what `fun` or `jac` returned is of the wrong type, shape or size.

        Notes
        -----
        An iteration is an update and an epoch, for schedules that count epochs. Under
        `Averaged`, x is the average and `fun` is called there too, which is twice an iteration.
        As a method of SciPy, ``options={"disp": True}`` prints a summary.

        Examples
        --------
        >>> import numpy as np
        >>> from skgd.optimizers import SGD
        >>> found = SGD(0.1).minimize(lambda x: np.sum((x - 3) ** 2), [0.0])
        >>> found.x.round(4), found.nit
        (array([3.]), 91)
        """
        return minimize(
            self, fun, x0, args=args, jac=jac, maxiter=maxiter, tol=tol, callback=callback
        )

    def __call__(
        self,
        fun,
        x0,
        args=(),
        jac=None,
        hess=None,
        hessp=None,
        bounds=None,
        constraints=(),
        callback=None,
        **options,
    ):
        """The protocol of ``scipy.optimize.minimize(fun, x0, method=SGD(0.01))``."""
        return minimize(
            self,
            fun,
            x0,
            args=args,
            jac=jac,
            bounds=bounds,
            constraints=constraints,
            callback=callback,
            **options,
        )
