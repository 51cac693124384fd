"""Every benchmark, then the table and the figure in docs/.

    python benchmarks/all.py [--out FOLDER]

Takes about 20 minutes on one core. Each program runs in a process of its own and leaves its rows in
the folder; `report.py` makes docs/speed.md and docs/speed.svg from them.
"""

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROGRAMS = (
    "full_batch", "stochastic", "minibatch", "softmax", "columns", "time_to_solution",
    "fixed_cost", "predict", "memory", "import_time",
)  # fmt: skip


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--out", type=Path, default=HERE.parent / "build" / "speed")
    out = arguments.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("*.json"):  # else a program without data would seem to have run
        old.unlink()
    failed = []
    for name in PROGRAMS:
        call = [sys.executable, HERE / f"{name}.py", "--json", out / f"{name}.json"]
        if subprocess.run(call).returncode:
            failed.append(name)
        print(flush=True)
    files = sorted(out.glob("*.json"))
    subprocess.run([sys.executable, HERE / "report.py", *files], check=True)
    if failed:
        raise SystemExit(f"these ended with an error: {', '.join(failed)}")


if __name__ == "__main__":
    main()
