"""What `import skgd` costs, against `import sklearn.linear_model`, which it needs itself.

    python benchmarks/import_time.py [--json FILE]

Each import in a process of its own, in turn; processor time of that process. Bytecode is written
in the first round, which is not counted, as installing a package writes it.
"""

from _harness import Table, parser  # first, so that the thread counts hold

import os
import resource
import subprocess
import sys

import numpy as np

IMPORTS = {"skgd": "import skgd", "sklearn.linear_model": "import sklearn.linear_model"}
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
REPEATS, MARK = 15, 1.05


def seconds_of(statement):
    """Processor time of a process that runs this."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", statement], check=True, env=ENVIRONMENT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    table = Table(__doc__, parser(__doc__).parse_args())
    times = {name: [] for name in IMPORTS}
    for _ in range(REPEATS + 1):
        for name, statement in IMPORTS.items():
            times[name].append(seconds_of(statement))
    medians = {name: float(np.median(each[1:])) for name, each in times.items()}
    table.row("import", medians, MARK, at_most=True)


if __name__ == "__main__":
    main()
