"""The arrays that a loop may be bound to."""

import warnings

import numpy as np


def as_list(params):
    """A list of arrays or groups out of what the user gave."""
    if isinstance(params, np.ndarray):
        raise TypeError(
            f"got one array of shape {params.shape}, expected a list of arrays; write bind([w])"
        )
    if isinstance(params, set | frozenset):
        raise TypeError("got a set of arrays, whose order is not defined; expected a list")
    if not np.iterable(params):
        raise TypeError(f"got {params!r}, expected a list of arrays; write bind([w])")
    return list(params)


def as_groups(params):
    entries = as_list([params] if isinstance(params, dict) else params)
    if not entries:
        raise ValueError("got no arrays to update, expected at least one; write bind([w])")
    if all(isinstance(entry, dict) for entry in entries):
        return entries
    return [{"params": entries}]


def arrays_of(group):
    """The arrays of a group, which may hold one by itself."""
    if not isinstance(group, dict):
        raise TypeError(
            f"got a group of type {type(group).__name__}, expected a dict; "
            'write {"params": [w], "learning_rate": 0.1}'
        )
    if "params" not in group:
        raise ValueError(
            f'got a group with the keys {sorted(group)}, expected "params" among them; '
            'write {"params": [w], "learning_rate": 0.1}'
        )
    params = group["params"]
    arrays = [params] if isinstance(params, np.ndarray) else as_list(params)
    if not arrays:
        raise ValueError(
            "got a group without arrays, expected at least one; "
            'write {"params": [w], "learning_rate": 0.1}'
        )
    return [check_array(w) for w in arrays]


def check_array(w):
    """The array itself, or a sentence if it can't be updated in place."""
    if not isinstance(w, np.ndarray):
        raise TypeError(
            f"got a parameter of type {type(w).__name__}, expected a NumPy array, which can be "
            "updated in place; write np.asarray(w, dtype=float)"
        )
    if w.dtype.kind != "f":
        raise TypeError(
            f"got a parameter of dtype {w.dtype}, expected floats; write w.astype(float)"
        )
    if not w.flags.writeable:
        raise ValueError(
            "got a read-only parameter, expected an array that can be updated in place; "
            "write w.copy()"
        )
    return w


def check_unchanged(group, bound):
    """Raise a sentence if a group no longer holds the arrays it was bound with."""
    if list(map(id, group.get("params", ()))) != list(map(id, bound)):
        raise ValueError(
            f"got a group whose params were changed, expected the {len(bound)} bound to it; "
            "call add_param_group to bind more"
        )


def check_distinct(new, bound):
    bound = {id(w) for w in bound}
    if any(id(w) in bound for w in new):
        raise ValueError(
            "got an array that is in another group already, expected each array in one group"
        )
    if len({id(w) for w in new}) < len(new):
        warnings.warn(
            "an array is in a group twice and will be updated twice a step; give it once",
            UserWarning,
            stacklevel=5,
        )
