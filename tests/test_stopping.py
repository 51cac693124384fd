"""What a loss curve says of the epochs to come."""

import numpy as np
import pytest

from skgd.stopping import SLOWER, still_to_fall

EPOCHS = np.arange(1.0, 200.0)


@pytest.mark.parametrize("power", [0.3, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("k", [8, 20, 100])
def test_a_curve_that_falls_like_a_power_is_known_from_its_first_epochs(power, k):
    left = EPOCHS[k - 1] ** -power
    assert left <= still_to_fall(list(3.0 + EPOCHS[:k] ** -power)) <= 1.3 * SLOWER * left


@pytest.mark.parametrize("k", [8, 20, 100])
def test_a_curve_that_falls_faster_has_no_more_left_than_that(k):
    curve = np.exp(-0.1 * EPOCHS)
    assert curve[k - 1] <= still_to_fall(list(curve[:k]))


@pytest.mark.parametrize("curve", [[3.0, 2.0, 1.5], list(-EPOCHS), [1.0] * 20])
def test_a_curve_that_is_short_or_falls_no_slower_tells_nothing(curve):
    assert still_to_fall(curve) == np.inf
