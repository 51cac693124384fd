"""Parameter objects: losses, penalties, optimizers and schedules.

A component is a recipe. It stores its arguments and nothing else, so it can be cloned,
pickled, printed and searched (``optimizer__momentum``) like any scikit-learn estimator.
Whatever changes while a model is trained lives in a `State`, never on a component.

A family is a direct subclass of `Component`. Its members register themselves by name::

    class Adam(Optimizer, name="adam"): ...
"""

import numpy as np
from sklearn.base import clone

from ._compat import Parametrized


class Component(Parametrized):
    """Base of every parameter object; one registry for each family.

    Attributes
    ----------
    registry : dict
        On a family: its members by the name users write. Class attribute.
    name : str
        The name a member is registered under. Class attribute.
    """

    _parameter_constraints: dict = {}

    def __init_subclass__(cls, name=None, **kwargs):
        super().__init_subclass__(**kwargs)
        if Component in cls.__bases__:
            cls.registry = {}
        if name is not None:
            cls.name = name
            cls.registry[name] = cls

    def check(self):
        """Raise one sentence if an argument is out of its range; return the component."""
        self._validate_params()
        return self


def resolve(spec, family):
    """Turn what the user wrote into a component: the only place where strings are looked up.

    Parameters
    ----------
    spec : str or Component
        A registered name, or an instance, which is cloned.
    family : type
        The family it must belong to, such as `Loss`.

    Returns
    -------
    Component
        A new instance with checked arguments.

    Raises
    ------
    ValueError
        If no member of the family has that name.
    TypeError
        If `spec` is neither a name nor an instance of the family.
    """
    if isinstance(spec, str):
        if spec not in family.registry:
            raise ValueError(
                f"got {family.__name__.lower()} {spec!r}, expected one of "
                f"{sorted(family.registry)} or an instance of {family.__name__}"
            )
        return family.registry[spec]()
    if isinstance(spec, family):
        return clone(spec).check()
    raise TypeError(
        f"got {spec!r} of type {type(spec).__name__}, expected the name of a "
        f"{family.__name__.lower()} ({', '.join(sorted(family.registry))}) "
        f"or an instance of {family.__name__}"
    )


def same_settings(mine, yours):
    """Whether two dicts of parameters, as ``get_params`` gives them, mean the same.

    Components are compared by their classes, as their own parameters are in the dicts.
    """
    return mine.keys() == yours.keys() and all(
        _same(value, yours[name]) for name, value in mine.items()
    )


def same(mine, yours):
    """Whether two components are of one class and have the same parameters."""
    return same_settings({"": mine} | mine.get_params(), {"": yours} | yours.get_params())


def _same(a, b):
    if isinstance(a, Component):
        return type(a) is type(b)
    return a is b or np.array_equal(a, b)
