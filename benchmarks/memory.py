"""Peak memory of a fit above X itself, in every batch mode.

    python benchmarks/memory.py [--json FILE]

Each fit in a process of its own, on 1,000,000 rows. It may take 5 % of X or 50 MB, whichever is
more. Needs Linux, where a process can read and reset its peak.
"""

from _harness import Table, parser  # first, so that the thread counts hold

import subprocess
import sys
from pathlib import Path

MARK_SHARE, MARK_MB = 0.05, 50
MODES = {
    "stochastic": {"batch_size": 1, "learning_rate": 1e-3},
    "minibatch": {"batch_size": 256, "learning_rate": 1e-3},
    "full batch": {"batch_size": "full", "learning_rate": 1e-3},
    "defaults": {},
}
CONTAINERS = ("float64", "float32", "CSR", "memory-mapped")


def measure(container, mode):
    """Run one fit in this process and print megabytes: X, and the peak above it."""
    import os
    import tempfile

    import numpy as np
    import scipy.sparse as sp

    from skgd import GDClassifier

    def peak():
        """Highest memory of the process in MB, since the last `forget_peak`."""
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    def forget_peak():
        Path("/proc/self/clear_refs").write_text("5")

    def make(container):
        rng = np.random.default_rng(0)
        n, d = 1_000_000, 54
        dtype = np.float32 if container == "float32" else np.float64
        if container == "CSR":
            indices = rng.integers(0, 1000, (n, 30), dtype=np.int32)
            indices.sort(axis=1)
            X = sp.csr_matrix(
                (np.ones(n * 30), indices.ravel(), np.arange(0, 30 * n + 1, 30, dtype=np.int32)),
                shape=(n, 1000),
            )
            X.sum_duplicates()
            size = (X.data.nbytes + X.indices.nbytes + X.indptr.nbytes) / 2**20
        else:
            X = np.empty((n, d), dtype)
            for k in range(0, n, 10_000):
                X[k : k + 10_000] = rng.standard_normal((10_000, d))
            size = X.nbytes / 2**20
        if container == "memory-mapped":
            path = os.path.join(tempfile.mkdtemp(), "X.npy")
            np.save(path, X)
            X = np.load(path, mmap_mode="r")
            X.sum()  # its pages count as memory of the process once they are read
        return X, rng.integers(0, 2, n).astype(np.int64), size

    X, y, size = make(container)
    make_small = np.random.default_rng(1).standard_normal((300, X.shape[1]))
    model = GDClassifier(max_iter=3, tol=None, **MODES[mode])
    model.fit(make_small, y[:300])
    forget_peak()
    before = peak()
    model.fit(X, y)
    print(size, peak() - before)


def main():
    table = Table(__doc__, parser(__doc__).parse_args())
    for container in CONTAINERS:
        for mode in MODES:
            call = [sys.executable, __file__, "--measure", container, mode]
            size, above = map(float, subprocess.check_output(call).split())
            values = {"skgd": above, "allowed": max(MARK_SHARE * size, MARK_MB)}
            work = f"{container}, {mode}, X of {size:.0f} MB"
            table.row(work, values, 1, at_most=True, unit="MB")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(*sys.argv[2:])
    else:
        main()
