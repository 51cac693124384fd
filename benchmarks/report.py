"""docs/speed.md and docs/speed.svg from the rows that the benchmarks wrote.

    python benchmarks/report.py FILE.json [FILE.json ...] [--docs FOLDER]

Nothing in them comes from elsewhere. Needs matplotlib for the figure.
"""

import argparse
import json
from pathlib import Path

from _harness import amount, mean_sentence
from all import PROGRAMS

DOCS = Path(__file__).resolve().parent.parent / "docs"
INTRODUCTION = """# How fast

`pip install "skgd[bench]"`, then `python benchmarks/all.py` in a checkout makes this page and its
figure. Rivals run in the same process and in turn; times are medians of processor time, on the wall
where threads are compared. What a row measures is in the docstring of its program. The marks were
set before the work began.

{machine}

![How many times as fast as each rival, with the marks](speed.svg)

Each dot is a row of a table below, each upright line a mark.
"""
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200)
MET, MISSED, NO_MARK = "#1b7837", "#c2410c", "#57606a"


def read(files):
    """{program: its file's content}, rows of several files of a program joined."""
    found = {}
    for file in files:
        content = json.loads(file.read_text())
        if (known := found.get(content["program"])) is None:
            found[content["program"]] = content
        else:
            known["rows"] += content["rows"]
            known["means"] |= content["means"]
    order = [f"{name}.py" for name in PROGRAMS]
    return dict(sorted(found.items(), key=lambda item: order.index(item[0])))


def mark_of(row):
    """The mark in words."""
    if row["mark"] is None:
        return ""
    return f"at {'most' if row['at_most'] else 'least'} {row['mark']:g}"


def verdict(row):
    return {None: "", True: "met", False: "**missed**"}[row["met"]]


def section(program, content):
    """The lines of a program's table."""
    rows = content["rows"]
    lines = [f"\n## {content['title']}\n", f"`python benchmarks/{program}`\n"]
    lines += ["| work | ours | rival | ratio | mark | |", "| --- | --- | --- | --- | --- | --- |"]
    for row in rows:
        ours = amount(row["our_value"], row["unit"])
        if row["ours"] != "skgd":
            ours = f"{row['ours']} {ours}"
        rival = f"{row['rival']} {amount(row['rival_value'], row['unit'])}"
        cells = (row["work"], ours, rival, f"{row['ratio']:.2f}", mark_of(row), verdict(row))
        lines.append(f"| {' | '.join(cells)} |")
    for group, mark in content["means"].items():
        lines.append(f"\n{mean_sentence(rows, group, mark)}.")
    return lines


def strips(contents):
    """[(label, [(speed, met)], mark)]: rows of one group and rival, faster to the right."""
    found = []
    for content in contents.values():
        rows = [row for row in content["rows"] if row["unit"] == "s"]

        def label(row):
            alone = row["group"].startswith("time to ")
            return row["group"] if alone else f"{row['group']}, against {row['rival']}"

        groups = {}
        for row in rows:
            groups.setdefault(label(row), []).append(row)
        for name, group in groups.items():
            turn = -1 if group[0]["at_most"] else 1
            mark = group[0]["mark"]
            dots = [(row["ratio"] ** turn, row["met"]) for row in group]
            found.append((name, dots, None if mark is None else mark**turn))
    return found


def draw(contents, path):
    """The figure."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "skgd"  # the same file for the same numbers
    import matplotlib.pyplot as plt

    lines = strips(contents)
    figure, axes = plt.subplots(figsize=(10, 1.3 + 0.3 * len(lines)), layout="constrained")
    axes.axvline(1, color="#d0d7de", zorder=0)
    for height, (_, dots, mark) in enumerate(lines):
        axes.axhline(height, color="#eef1f4", zorder=0)
        for speed, met in dots:
            colour = {None: NO_MARK, True: MET, False: MISSED}[met]
            axes.plot(speed, height, "o", color=colour, markersize=6, alpha=0.75, mew=0)
        if mark is not None:
            axes.plot([mark, mark], [height - 0.35, height + 0.35], color="black", lw=2)
    axes.set_yticks(range(len(lines)), [name for name, _, _ in lines])
    axes.invert_yaxis()
    axes.set_xscale("log")
    ticks = [value for value in TICKS if axes.get_xlim()[0] <= value <= axes.get_xlim()[1]]
    axes.set_xticks(ticks, [f"{value:g}" for value in ticks])
    axes.minorticks_off()
    axes.set_xlabel("times as fast as the rival (logarithmic)")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    handles = [
        plt.Line2D([], [], marker="o", ls="", color=colour, label=text)
        for colour, text in ((MET, "mark met"), (MISSED, "mark missed"), (NO_MARK, "no mark"))
    ]
    handles.append(plt.Line2D([], [], marker="|", ls="", color="black", ms=12, mew=2, label="mark"))
    figure.legend(handles=handles, loc="outside upper center", ncols=4, frameon=False)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=110)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("files", nargs="+", type=Path)
    arguments.add_argument("--docs", type=Path, default=DOCS)
    options = arguments.parse_args()
    contents = read(options.files)
    machines = {
        f"{c['processor']}, {c['threads']} thread unless said; {c['versions']}."
        for c in contents.values()
    }
    lines = [INTRODUCTION.format(machine="\n".join(sorted(machines)))]
    for program, content in contents.items():
        lines += section(program, content)
    rows = [row for content in contents.values() for row in content["rows"]]
    missed = [row for row in rows if row["met"] is False]
    draw(contents, options.docs / "speed.svg")
    (options.docs / "speed.md").write_text("\n".join(lines) + "\n")
    print(f"{len(rows)} rows; {len(missed)} missed their marks")
    for row in missed:
        print(f"  {row['work']}, {row['rival']}: {row['ratio']:.2f}, {mark_of(row)}")


if __name__ == "__main__":
    main()
