"""A rule bound to arrays: the state and the steps of a loop that the user writes.

Convention: the arrays are the user's own and are updated in place. Everything is validated
before the first array is touched.
"""

import copy

import numpy as np
from sklearn.base import clone

from .._component import Component
from .arrays import arrays_of, as_groups, check_distinct, check_unchanged
from .gradients import as_gradient, as_pair, check_jac, numerical_gradient

SAVED = {"state", "param_groups", "t", "epoch", "memories"}


class Bound:
    """A rule bound to arrays; made by ``optimizer.bind(arrays)``.

    Two habits are served. TensorFlow's::

        pairs = loop.compute_gradients(fun, jac)      # may be changed in between
        loop.apply_gradients(pairs)

    and PyTorch's::

        loop.zero_grad()
        loop.accumulate(grads)
        loop.step()

    Parameters
    ----------
    optimizer : Optimizer
        The recipe, which is not changed.
    params : list of ndarray or list of dict
        See `Optimizer.bind`.

    Attributes
    ----------
    params : list of ndarray
        The bound arrays, the very same objects.
    param_groups : list of dict
        Arrays (``params``) and the keywords of their rule, which may be changed between steps,
        schedules in place too.
    grads : list
        What has been accumulated for each array, or None.
    state : dict
        Index of an array -> its ``t``, slots and scalars; made by its first update.
    t : int
        Updates done: the count that a schedule per step is given.
    epoch : int
        Calls of `end_epoch`: the count that a schedule per epoch is given.

    Notes
    -----
    Of the arguments of TensorFlow's ``minimize``, ``var_list`` is what was bound, and
    ``global_step`` is `t`. ``gate_gradients`` has one value, its strictest: all gradients are
    computed, at the same point, before any is used. In place of ``grad_loss``, multiply within
    `fun` or `jac`. A parameter without a gradient is skipped in silence, as in PyTorch; Keras
    warns.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.optimizers import SGD
    >>> w, b = np.ones(2), np.zeros(1)
    >>> loop = SGD(0.1, momentum=0.9).bind([w, b])
    >>> loop.accumulate([np.array([1.0, 2.0]), None])
    >>> loop.step()
    >>> w, b
    (array([0.9, 0.8]), array([0.]))
    """

    def __init__(self, optimizer, params):
        self.optimizer = optimizer.check().with_settings(_copied(optimizer.settings()))
        self.param_groups = []
        self.params = []
        self.grads = []
        self.state = {}
        self.t = 0
        self.epoch = 0
        self._rules = []
        self._indices = []
        for group in as_groups(params):
            self.add_param_group(group)

    def add_param_group(self, group):
        """Bind more arrays: a dict with ``params`` and any of the optimizer's keywords.

        Raises
        ------
        TypeError, ValueError
            As in `Optimizer.bind`; nothing more is bound then.
        """
        arrays = arrays_of(group)
        check_distinct(arrays, self.params)
        settings = _copied(self.optimizer.settings() | _settings(group))
        self._rules.append(_Rule(self.optimizer, settings))
        self._indices.append([len(self.params) + k for k in range(len(arrays))])
        self.param_groups.append({"params": arrays} | settings)
        self.params += arrays
        self.grads += [None] * len(arrays)

    # TensorFlow's habit --------------------------------------------------------------------

    def compute_gradients(self, fun, jac=None):
        """Gradients of a function of the bound arrays, all at their present values.

        Parameters
        ----------
        fun : callable
            ``fun(*params)`` gives a number; of an array, the sum is differentiated. With
            ``jac=True`` it gives a pair (number, gradients).
        jac : callable, True or None, default=None
            ``jac(*params)`` gives one gradient for each array (for a single array, it may be
            given as it is): None, an array, a sparse matrix, or a tuple (indices, values) of
            rows. None in place of the function differentiates numerically.

        Returns
        -------
        list of tuple (gradient, parameter)
            In the order of the arrays; a gradient is None or a new array. No parameter is
            changed: `fun` and `jac` see copies.

        Raises
        ------
        TypeError, ValueError
            If `jac` is something else, or doesn't give one fitting gradient for each array.
        """
        jac = check_jac(jac)
        points = [w.copy() for w in self.params]
        if jac is None:
            grads = numerical_gradient(fun, points)
        else:
            grads = self._one_each(as_pair(fun(*points))[1] if jac is True else jac(*points))
        return [(as_gradient(g, w), w) for g, w in zip(grads, self.params, strict=True)]

    def apply_gradients(self, pairs):
        """One update from (gradient, parameter) pairs; None skips its parameter.

        Raises
        ------
        ValueError
            If there is no gradient at all, a parameter isn't bound or occurs twice, or a
            gradient doesn't fit its parameter. No array has been changed then.
        """
        grads = [None] * len(self.params)
        for g, w in pairs:
            i = self._index(w)
            if grads[i] is not None:
                raise ValueError(
                    f"got two gradients for the bound array {i}, expected one; add them up"
                )
            grads[i] = as_gradient(g, w)
        if all(g is None for g in grads):
            raise ValueError(
                "got no gradients, expected at least one (gradient, parameter) pair whose "
                "gradient is not None; check that the function depends on the bound arrays"
            )
        self._update(grads)

    def minimize(self, fun, jac=None):
        """One update: ``apply_gradients(compute_gradients(fun, jac))`` and nothing else."""
        self.apply_gradients(self.compute_gradients(fun, jac))

    # PyTorch's habit -----------------------------------------------------------------------

    def zero_grad(self, set_to_none=True):
        """Forget the accumulated gradients: None, so that `step` skips the array, or zeros.

        ``set_to_none=False`` writes the zeros into the arrays of `grads`.
        """
        if set_to_none:
            self.grads = [None] * len(self.grads)
        for g in self.grads:
            if g is not None:
                g.fill(0)

    def accumulate(self, grads):
        """Add gradients, one for each array in order, to those that are there; None adds none.

        Raises
        ------
        TypeError, ValueError
            If there isn't one fitting gradient for each array; nothing has been added then.
        """
        new = [as_gradient(g, w) for g, w in zip(self._one_each(grads), self.params, strict=True)]
        self.grads = [_add(old, g) for old, g in zip(self.grads, new, strict=True)]

    def step(self, closure=None):
        """One update from the accumulated gradients; an array without one is skipped.

        Parameters
        ----------
        closure : callable or None, default=None
            Called once before the update, to accumulate gradients anew.

        Returns
        -------
        object
            What the closure returned, or None.
        """
        loss = None if closure is None else closure()
        if any(g is not None for g in self.grads):
            self._update(self.grads)
        return loss

    # time and result -----------------------------------------------------------------------

    @property
    def learning_rates(self):
        """The rate of each group at the next update."""
        return [rule.rate(self.t, self.epoch) for rule in self._current_rules()]

    def end_epoch(self, objective=None, stalled=False):
        """Tell the schedules that an epoch has ended; True if one of them changed its rate.

        Parameters
        ----------
        objective : float or None, default=None
            What `Plateau` watches; None shows the epoch to no schedule.
        stalled : bool, default=False
            Whether there has been no progress for long, which `Adaptive` waits for.
        """
        rules = self._current_rules()
        self.epoch += 1
        if objective is None and not stalled:
            return False
        objective = np.inf if objective is None else float(objective)
        return any([rule.observe(objective, stalled) for rule in rules])

    def solution(self):
        """The arrays to use: the parameters, or their averages under `Averaged`."""
        found = []
        for rule, indices in zip(self._current_rules(), self._indices, strict=True):
            for i in indices:
                touched = i in self.state
                found += (
                    rule.optimizer.solution([self.params[i]], [self.state[i]])
                    if touched
                    else [self.params[i]]
                )
        return found

    # saving and loading --------------------------------------------------------------------

    def state_dict(self):
        """All that a later loop needs to go on, without the parameters: a dict of copies.

        Returns
        -------
        dict
            ``state`` as the attribute, ``param_groups`` with indices as ``params``, ``t``,
            ``epoch``, and ``memories``, one for each group's schedule.
        """
        groups = [
            group | {"params": indices}
            for group, indices in zip(self.param_groups, self._indices, strict=True)
        ]
        return copy.deepcopy(
            {
                "state": self.state,
                "param_groups": groups,
                "t": self.t,
                "epoch": self.epoch,
                "memories": [rule.memory for rule in self._current_rules()],
            }
        )

    def load_state_dict(self, state_dict):
        """Go on from a `state_dict`; its keywords replace those of the groups.

        Raises
        ------
        ValueError
            If it is something else, or the groups or the shapes differ from those of this loop,
            which is then as it was before.
        """
        if not isinstance(state_dict, dict) or not state_dict.keys() >= SAVED:
            raise ValueError(
                f"got {state_dict!r:.60}, expected a dict with the keys {sorted(SAVED)}; "
                "give what state_dict() returned"
            )
        saved = copy.deepcopy(state_dict)
        sizes = [len(indices) for indices in self._indices]
        saved_sizes = [len(group.get("params", ())) for group in saved["param_groups"]]
        if saved_sizes != sizes:
            raise ValueError(
                f"got a state of groups with {saved_sizes} arrays, expected {sizes}; "
                "bind the same arrays in the same groups"
            )
        all_settings = [_settings(group) for group in saved["param_groups"]]
        expected = self.optimizer.settings().keys()
        for settings in all_settings:
            if settings.keys() != expected:
                raise ValueError(
                    f"got a state with the keywords {sorted(settings)}, expected "
                    f"{sorted(expected)}; bind the optimizer that the state was saved from"
                )
        rules = [_Rule(self.optimizer, settings) for settings in all_settings]
        for rule, memory in zip(rules, saved["memories"], strict=True):
            rule.memory = memory
        optimizers = [
            rule.optimizer for rule, n in zip(rules, sizes, strict=True) for _ in range(n)
        ]
        state = {
            i: _fitting(slots, optimizers[i].init([self.params[i]])[0], i)
            for i, slots in saved["state"].items()
        }
        for group, settings in zip(self.param_groups, all_settings, strict=True):
            group.update(settings)
        self._rules, self.state = rules, state
        self.t, self.epoch = saved["t"], saved["epoch"]

    # inside --------------------------------------------------------------------------------

    def _update(self, grads):
        rules = self._current_rules()  # a wrong keyword is an error before anything is changed,
        rates = [rule.rate(self.t, self.epoch) for rule in rules]  # and so is a wrong rate
        for rule, rate, indices in zip(rules, rates, self._indices, strict=True):
            params = [self.params[i] for i in indices]
            own = [grads[i] for i in indices]
            for i, w, g in zip(indices, params, own, strict=True):
                if g is not None and i not in self.state:
                    self.state[i] = rule.optimizer.init([w])[0]
            state = [self.state.get(i) for i in indices]
            rule.optimizer.step(params, own, state, rate)
        self.t += 1

    def _current_rules(self):
        """The rules of the groups, made anew where a keyword has been changed."""
        if len(self.param_groups) != len(self._rules):
            raise ValueError(
                f"got {len(self.param_groups)} groups, expected the {len(self._rules)} that were "
                "bound; call add_param_group to bind more"
            )
        for k, (group, indices) in enumerate(zip(self.param_groups, self._indices, strict=True)):
            check_unchanged(group, [self.params[i] for i in indices])
            settings = _settings(group)
            if _parts(settings) != self._rules[k].parts:
                states = [self.state[i] for i in indices if i in self.state]
                self._rules[k] = self._rules[k].changed(settings, states)
        return self._rules

    def _index(self, w):
        for i, own in enumerate(self.params):
            if own is w:
                return i
        raise ValueError(
            f"got a gradient for {type(w).__name__} {w!r}, which is not bound; expected one of "
            "the arrays given to bind, the same object, or add_param_group before"
        )

    def _one_each(self, grads):
        """The gradients as a list, one for each array."""
        rows = isinstance(grads, tuple) and len(grads) == 2  # (indices, values)
        if len(self.params) == 1 and (rows or not isinstance(grads, list | tuple)):
            return [grads]
        if not np.iterable(grads):
            raise TypeError(
                f"got {grads!r} as gradients, expected a list with one for each of the "
                f"{len(self.params)} bound arrays"
            )
        grads = list(grads)
        if len(grads) != len(self.params):
            raise ValueError(
                f"got {len(grads)} gradients for {len(self.params)} bound arrays, expected one "
                "for each, None for those without"
            )
        return grads


class _Rule:
    """What a group's keywords mean: a checked optimizer, its schedule and that one's memory."""

    def __init__(self, optimizer, settings):
        self.settings, self.parts = settings, _parts(settings)
        self.optimizer = optimizer.with_settings(settings).check()
        self.schedule = self.optimizer.schedule()
        self.memory = self.schedule.init()
        self.rate(0, 0)  # a schedule that lacks something says so before the first step

    def changed(self, settings, states):
        """The rule under other keywords; the schedule goes on if it is the same object."""
        missing = self.settings.keys() - settings.keys()
        if missing:
            raise ValueError(
                f"got a group without {sorted(missing)}, expected all keywords of the optimizer; "
                "set a keyword instead of deleting it"
            )
        rule = _Rule(self.optimizer, settings)
        if settings.get("learning_rate") is self.settings.get("learning_rate"):
            rule.memory = self.memory
        for slots in states:
            rule.optimizer.adopt(self.optimizer, slots)
        return rule

    def rate(self, t, epoch):
        return float(self.schedule.rates(np.array([t]), epoch, self.memory)[0])

    def observe(self, objective, stalled):
        return self.schedule.observe(self.memory, objective, stalled)


def _settings(group):
    return {name: value for name, value in group.items() if name != "params"}


def _copied(settings):
    """The same keywords, with components of their own."""
    return {k: clone(v) if isinstance(v, Component) else v for k, v in settings.items()}


def _parts(value):
    """What a value is made of, by which edits in place are seen."""
    if isinstance(value, Component):
        return [type(value), _parts(vars(value))]
    if isinstance(value, dict):
        return {name: _parts(part) for name, part in value.items()}
    if isinstance(value, list):
        return value.copy()
    return value.tolist() if isinstance(value, np.ndarray) else value


def _add(old, g):
    """Add g to what has been accumulated, in place; None is none."""
    if old is None or g is None:
        return g if old is None else old
    old += g
    return old


def _fitting(saved, template, index):
    """Saved slots in the dtypes of a fresh state."""
    if saved.keys() != template.keys():
        raise ValueError(
            f"got the state {sorted(saved)} of array {index}, expected {sorted(template)}; "
            "bind the optimizer that the state was saved from"
        )
    for name, value in template.items():
        if np.shape(saved[name]) != np.shape(value):
            raise ValueError(
                f"got {name} of shape {np.shape(saved[name])} for array {index}, expected "
                f"{np.shape(value)}; bind arrays of the same shapes"
            )
    cast = {
        name: np.asarray(saved[name], value.dtype)
        for name, value in template.items()
        if name != "t"
    }
    return {"t": int(saved["t"])} | cast
