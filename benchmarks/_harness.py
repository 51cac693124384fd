"""Timing side by side: rivals in the same run, interleaved, medians, one thread unless said.

Import it before NumPy, so that the thread counts hold.
"""

import os

THREADS = os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", THREADS)
os.environ.setdefault("MKL_NUM_THREADS", THREADS)

import sys
import time
from pathlib import Path

import numpy as np

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def side_by_side(rivals, repeats=7):
    """Median seconds of processor time of each function, called in turn.

    Processor time, because all run in one thread: other work on the machine counts less.

    Parameters
    ----------
    rivals : dict of callable
    repeats : int
        Counted rounds, after one round to warm up.

    Returns
    -------
    dict of float
    """
    times = {name: [] for name in rivals}
    for round_ in range(repeats + 1):
        for name, run in rivals.items():
            begun = time.process_time()
            run()
            if round_:
                times[name].append(time.process_time() - begun)
    return {name: float(np.median(values)) for name, values in times.items()}


def report(title, seconds, ours, mark=None):
    """Print the times of a row and how many times as fast as each rival ours is."""
    ratios = {name: value / seconds[ours] for name, value in seconds.items() if name != ours}
    text = ", ".join(f"{name} {1e3 * value:.1f} ms" for name, value in seconds.items())
    speed = ", ".join(f"{ratio:.2f} times {name}" for name, ratio in ratios.items())
    verdict = ""
    if mark is not None:
        verdict = f" (mark {mark:g}: {'met' if min(ratios.values()) >= mark else 'MISSED'})"
    print(f"{title}: {text}: {speed}{verdict}", flush=True)
    return ratios


def load_module():
    """The loader of the shared folder, which must be there."""
    sys.path.insert(0, str(DATA))
    import load as module

    return module


def load(name):
    """A data set of the shared folder, or None with a sentence where it is absent."""
    if not (DATA / "load.py").exists():
        print(f"{name}: skipped, the data sets are not in {DATA.name}/ beside the checkout")
        return None
    return load_module().load(name)
