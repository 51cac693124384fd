"""Timing side by side: rivals in the same run, interleaved, medians, one thread unless said.

Import it before NumPy, so that the thread counts hold. A program makes one `Table`, which prints
its rows as they come and writes them as JSON where ``--json FILE`` was given.
"""

import os

THREADS = os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", THREADS)
os.environ.setdefault("MKL_NUM_THREADS", THREADS)

import argparse
import json
import platform
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
OURS = "skgd"
PACKAGES = ("numpy", "scipy", "scikit-learn", "torch", "cyanure", "snapml", "liblinear-official")


def side_by_side(rivals, repeats=7, budget=10.0, clock=time.process_time):
    """Median seconds of each function, called in turn.

    Processor time, because all run in one thread: other work on the machine counts less. Where
    threads are compared, pass ``clock=time.perf_counter``.

    Parameters
    ----------
    rivals : dict of callable
    repeats : int
        Counted rounds, after one round to warm up.
    budget : float
        Seconds after which no further round begins, once two were counted.

    Returns
    -------
    dict of float
    """
    times = {name: [] for name in rivals}
    started = time.perf_counter()
    for round_ in range(repeats + 1):
        if round_ > 2 and time.perf_counter() - started > budget:
            break
        for name, run in rivals.items():
            begun = clock()
            run()
            if round_:
                times[name].append(clock() - begun)
    return {name: float(np.median(values)) for name, values in times.items()}


def parser(doc):
    """An argument parser with what all programs take."""
    made = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--json", metavar="FILE", type=Path, help="write the rows to this file")
    return made


def machine():
    """What the figures depend on, in words."""
    processor = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        processor = names[0].split(":")[1].strip() if names else processor
    packages = [f"Python {platform.python_version()}"]
    for name in PACKAGES:
        try:
            packages.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            packages.append(f"no {name}")
    return {"processor": processor, "threads": THREADS, "versions": ", ".join(packages)}


class Table:
    """Rows of a program; each holds ours to one rival.

    Parameters
    ----------
    doc : str
        What the program is for; its first line is the title.
    options : argparse.Namespace
        With ``json``, a path or None.
    """

    def __init__(self, doc, options):
        self.title, self.file = doc.splitlines()[0].rstrip("."), options.json
        self.rows, self.means, self.machine = [], {}, machine()
        print(
            f"{self.title}\n{self.machine['processor']}, threads of OpenMP and BLAS: {THREADS}; "
            f"{self.machine['versions']}",
            flush=True,
        )

    def row(self, work, values, marks=None, *, ours=OURS, group=None, at_most=False, unit="s"):
        """Hold ours to each rival.

        Parameters
        ----------
        work : str
        values : dict of float
            Seconds, or another measure of which less is better.
        marks : float, dict of float or None
            By rival, or one for all: how many times as fast ours is to be; with `at_most`, how
            many times as much it may take.
        group : str
            Rows that the figure shows in one line; `work` by default.
        """
        for rival in values:
            if rival == ours:
                continue
            mark = marks.get(rival) if isinstance(marks, dict) else marks
            ratio = values[rival] / values[ours]
            ratio = 1 / ratio if at_most else ratio
            met = None if mark is None else bool(ratio <= mark if at_most else ratio >= mark)
            row = {
                "work": work, "group": group or work, "ours": ours, "rival": rival, "unit": unit,
                "our_value": values[ours], "rival_value": values[rival], "ratio": ratio,
                "at_most": at_most, "mark": mark, "met": met,
            }  # fmt: skip
            self.rows.append(row)
            print(sentence(row), flush=True)
        self.write()

    def mean(self, group, mark=None):
        """Judge the geometric mean of the ratios of a group."""
        self.means[group] = mark
        print(mean_sentence(self.rows, group, mark), flush=True)
        self.write()

    def write(self):
        """Write what there is so far."""
        if self.file:
            found = {"program": Path(sys.argv[0]).name, "title": self.title, **self.machine}
            found |= {"means": self.means, "rows": self.rows}
            self.file.write_text(json.dumps(found, indent=1) + "\n")


def amount(value, unit):
    """A measured number, short."""
    if unit == "s":
        for unit in ("s", "ms", "µs"):
            if value >= 1 or unit == "µs":
                break
            value *= 1e3
    return f"{value:.3g} {unit}" if value < 100 else f"{value:.0f} {unit}"


def sentence(row):
    """A row in words."""
    verdict = ""
    if row["mark"] is not None:
        bound = "at most" if row["at_most"] else "at least"
        verdict = f" (mark: {bound} {row['mark']:g}, {'met' if row['met'] else 'MISSED'})"
    ours, rival = (amount(row[key], row["unit"]) for key in ("our_value", "rival_value"))
    how = f"{row['ratio']:.2f} " + ("times as much" if row["at_most"] else "times as fast")
    return f"{row['work']}: {row['ours']} {ours}, {row['rival']} {rival}: {how}{verdict}"


def mean_sentence(rows, group, mark=None):
    """The geometric mean of the ratios of a group, in words."""
    ratios = [row["ratio"] for row in rows if row["group"] == group]
    mean = float(np.exp(np.mean(np.log(ratios))))
    verdict = ""
    if mark is not None:
        verdict = f" (mark: at least {mark:g}, {'met' if mean >= mark else 'MISSED'})"
    return f"Geometric mean of {len(ratios)} rows, {group}: {mean:.2f} times as fast{verdict}"


def has(package):
    """Whether a rival's package is installed; says so where it isn't."""
    if find_spec(package):
        return True
    print(f"{package} is not installed, so it is left out")
    return False


def load_module():
    """The loader of the shared folder, which must be there."""
    sys.path.insert(0, str(DATA))
    import load as module

    return module


def load(name):
    """The training part of a shared data set, or None with a sentence where it is absent."""
    if not (DATA / "load.py").exists():
        print(f"{name}: left out, the data sets are not in shared/{DATA.name}/ beside the checkout")
        return None
    X, _, y, _ = load_module().split(name)
    return X, y
