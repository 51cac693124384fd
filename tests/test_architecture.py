"""The rules of the house: who may import whom, what documents say, what an import costs."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import skgd

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "skgd"

# imports go from a floor to one further down, or stay on it
FLOORS = [
    {"display", "rate_range"},
    {"linear"},
    {"auto", "leaps"},
    {"suboptimality", "stopping", "train"},
    {"whitening", "problem"},
    {"metric", "data"},
    {"optimizers"},
    {"schedules", "losses", "penalties"},
    {"_component", "_core", "exceptions", "_compat", "_threads"},
]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
MODULES = sorted(PACKAGE.rglob("*.py"))


def room_of(path):
    """The folder or file of the package that a module is in."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(path):
    """Absolute names that a module imports, at its top or within functions."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = [*above, *([node.module] if node.module else [])]
            yield from (".".join([*module, alias.name]) for alias in node.names)


def name(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_imports_run_downward(path):
    room = room_of(path)
    if room == "__init__":
        return
    assert room in FLOOR, f"{room} has no floor yet: give it one in {name(Path(__file__))}"
    for found in imported(path):
        if found.startswith("skgd."):
            target = found.split(".")[1]
            assert target in FLOOR, f"{found} is imported from the top of the package"
            assert FLOOR[target] >= FLOOR[room], f"{found} is above {room}"


def test_core_imports_nothing_from_the_package():
    for path in (*PACKAGE.glob("_core/*.pyx"), *PACKAGE.glob("_core/*.pxd")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if re.match(r"\s*(from|import|cimport)\b", line):
                assert "skgd" not in line.replace("skgd._core", ""), f"{name(path)}: {line}"
                assert not re.match(r"\s*from \.\.", line), f"{name(path)}: {line}"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_private_scikit_learn_stays_in_one_file(path):
    if path.name == "_compat.py":
        return
    private = [
        found
        for found in imported(path)
        if found.startswith("sklearn.") and re.search(r"\._(?!_)", found)
    ]
    assert not private


def run(code):
    """What a new interpreter prints."""
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_costs_no_more_than_scikit_learn():
    """No package, optional or not, that scikit-learn would not import by itself."""
    listing = "import sys; print(*{name.split('.')[0] for name in sys.modules})"
    ours = set(run(f"import skgd; {listing}").split())
    theirs = set(run(f"import sklearn.linear_model; {listing}").split())
    more = {module for module in ours - theirs if not module.startswith("_cython_")}
    assert more - {"skgd"} <= set(sys.stdlib_module_names)


DOCUMENTS = ["README.md", "CONTRIBUTING.md", *map(name, sorted(ROOT.glob("docs/*.md")))]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_code_in_documents_runs(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert blocks or document not in ("README.md", "docs/extending.md")
    run("\n".join(blocks))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_in_documents_lead_somewhere(document):
    path = ROOT / document
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / link).exists(), link


def public_classes():
    """The classes that users can name."""
    for place in ("", ".losses", ".optimizers", ".penalties", ".schedules"):
        module = importlib.import_module("skgd" + place)
        for found in map(vars(module).get, module.__all__):
            if inspect.isclass(found):
                yield found


@pytest.mark.parametrize("cls", list(public_classes()), ids=lambda cls: cls.__name__)
def test_public_classes_are_documented(cls):
    text = inspect.getdoc(cls)
    assert text[0].isupper()
    arguments = list(inspect.signature(cls).parameters.values())
    named = {a.name for a in arguments if a.kind not in (a.VAR_POSITIONAL, a.VAR_KEYWORD)}
    if named:
        assert "Parameters\n----------" in text
    described = re.findall(r"^(\w+(?:, \w+)*) : ", text, flags=re.MULTILINE)
    missing = named - {word for line in described for word in line.split(", ")}
    assert not missing
    is_base = cls.__subclasses__() and "::\n" in text  # shows how to write a new one instead
    assert is_base or "Examples\n--------\n>>> " in text


def test_public_names_exist():
    assert set(skgd.__all__) <= set(dir(skgd))
