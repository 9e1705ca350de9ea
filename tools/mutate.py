"""Damage what a lesson's claims are about, and list those that notice nothing: python tools/mutate.py 02 [--most 12]

For each claim cell, the cells that it depends on are executed again with one thing changed: a tenth of the steps, a
term dropped, a plus for a minus, two arguments swapped, a constant doubled, labels shuffled. A check that passes all of
these asserts little. Read each one that is listed: some are right to survive (a shape, a fact about the library), the
others need a narrower bound, or no sentence. Runs at the smoke budget; what crashes by a change counts neither way.

Where a lesson trains for minutes, python tools/mutate.py 06 --values executes it once, and damages what each check
reads: numbers and arrays doubled, halved, shuffled, made all alike, entries of a table exchanged, the variables
of a model shuffled. COURSE_BUDGET=laptop asks the same of the bounds that hold there.
"""

import argparse
import ast
import contextlib
import copy
import functools
import io
import linecache
import os
import random
import re
import time
import types
from dataclasses import dataclass
from pathlib import Path

import jupytext
import numpy as np

SOURCES = Path(__file__).parents[1] / "notebooks" / "source"
TRAINS = re.compile(r"fit|train|minimi[sz]e|apply")
DRAWS = {"plt", "axis", "axes", "figure", "plots", "checks", "selftest", "np", "tf", "left", "right"}


@dataclass
class Cell:
    """A code cell: its statements, whether it is a claim, the names that it sets or changes, and those it reads."""

    tree: ast.Module
    claim: bool

    def __post_init__(self):
        nodes = list(ast.walk(self.tree))
        names = [node for node in nodes if isinstance(node, ast.Name)]
        self.reads = {node.id for node in names if isinstance(node.ctx, ast.Load)}
        self.sets = {node.id for node in names if isinstance(node.ctx, ast.Store)}
        self.sets |= {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
        for node in nodes:
            if isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.ctx, ast.Store):
                self.sets |= base(node)
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                self.sets |= base(node.value.func) - DRAWS
            if isinstance(node, ast.Call) and TRAINS.search(ast.unparse(node.func)):
                self.sets |= {each.id for each in ast.walk(node) if isinstance(each, ast.Name)} - DRAWS


def base(node: ast.AST) -> set[str]:
    """The name in front of the dots and brackets: {"model"} of ``model.layers[0]``."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return {node.id} if isinstance(node, ast.Name) else set()


def is_check(node: ast.stmt) -> bool:
    """Whether a statement asserts something."""
    return any(
        isinstance(each, ast.Assert) or (isinstance(each, ast.Attribute) and each.attr.startswith("assert_"))
        for each in ast.walk(node)
    )


def only_shows(node: ast.stmt) -> bool:
    """Whether a statement imports, prints or draws: a change in it changes no number."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return bool(base(node.value.func) & (DRAWS | {"print"}))
    return isinstance(node, (ast.Import, ast.ImportFrom))


def read(path: Path) -> list[Cell]:
    """The code cells of a source, without solutions and self-tests."""
    code = [
        (each.source, each.metadata.get("tags", [])) for each in jupytext.read(path).cells if each.cell_type == "code"
    ]
    left_out = {"solution", "self-test"}
    return [Cell(ast.parse(source), "claim" in tags) for source, tags in code if not left_out & set(tags)]


def needed(cells: list[Cell], claim: int) -> list[int]:
    """The cells that a claim depends on, itself included: followed back by names."""
    wanted, found = set(cells[claim].reads), [claim]
    for index in range(claim - 1, -1, -1):
        imports = any(isinstance(node, (ast.Import, ast.ImportFrom)) for node in cells[index].tree.body)
        if imports or cells[index].sets & wanted:
            found.insert(0, index)
            wanted |= cells[index].reads
    return found


def changes(node: ast.AST):
    """(what, changed node) for each way to damage one node of the syntax tree."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
        other = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        yield "sign", ast.BinOp(node.left, other, node.right)
        yield "term dropped", node.left
    if isinstance(node, ast.Call) and len(node.args) > 1 and not any(isinstance(a, ast.Starred) for a in node.args[:2]):
        yield "arguments swapped", ast.Call(node.func, [node.args[1], node.args[0], *node.args[2:]], node.keywords)
    if isinstance(node, ast.Constant) and type(node.value) in (int, float) and node.value not in (0, 1):
        yield "constant doubled", ast.Constant(node.value * 2)
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
        if base(node) == {"budget"} and re.search("steps|epochs", node.attr):
            yield "a tenth of it", ast.parse(f"max(1, {ast.unparse(node)} // 10)", mode="eval").body
        if node.attr.endswith("labels"):
            shuffled = f"__import__('numpy').random.default_rng(0).permutation({ast.unparse(node)})"
            yield "labels shuffled", ast.parse(shuffled, mode="eval").body


def mutants(tree: ast.Module, claim: bool):
    """(what, changed copy of a cell's tree), one change each; the checks of a claim stay as they are."""
    places = [
        (parent, field, index, node)
        for statement in tree.body
        if not (claim and is_check(statement)) and not only_shows(statement)
        for parent in ast.walk(statement)
        for field, value in ast.iter_fields(parent)
        for index, node in enumerate(value if isinstance(value, list) else [value])
        if isinstance(node, ast.expr)
    ]
    for parent, field, index, node in places:
        for what, new in changes(node):
            old = getattr(parent, field)
            setattr(parent, field, [*old[:index], new, *old[index + 1 :]] if isinstance(old, list) else new)
            text = f"{what}: {ast.unparse(node)} -> {ast.unparse(new)}"
            yield text[:110], copy.deepcopy(tree)
            setattr(parent, field, old)


def execute(cells: list[Cell], order: list[int], changed: dict[int, ast.Module]) -> list[bool] | None:
    """Run cells in a fresh namespace; which checks of the last one passed, or None if anything else failed."""
    import matplotlib.pyplot as plt

    space = {"__name__": "__main__"}
    passed = []
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            for index in order:
                for statement in changed.get(index, cells[index].tree).body:
                    last, check = index == order[-1], cells[index].claim and is_check(statement)
                    if check and not last:
                        continue
                    code = ast.fix_missing_locations(ast.Module([statement], []))
                    try:
                        exec(compile(code, f"<cell {index}>", "exec"), space)
                        passed += [True] if check else []
                    except AssertionError:
                        if not check:
                            return None
                        passed.append(False)
        except Exception:
            return None
        finally:
            plt.close("all")
    return passed


def survivors(path: Path, most: int, only: list[int] | None = None, report=print) -> list[str]:
    """The checks of a lesson that pass whatever is changed, as source text."""
    cells, found = read(path), []
    ways_of = functools.cache(lambda index: list(mutants(cells[index].tree, cells[index].claim)))
    for claim in [index for index, cell in enumerate(cells) if cell.claim and (not only or index in only)]:
        checks = [statement for statement in cells[claim].tree.body if is_check(statement)]
        orders = needed(cells, claim), list(range(claim + 1))  # all of them, where names do not show a dependence
        order = next((order for order in orders if all(execute(cells, order, {}) or [False])), None)
        if order is None:
            report(f"cell {claim}: does not run as it is")
            continue
        ways = [(index, *way) for index in order for way in ways_of(index)]
        random.Random(claim).shuffle(ways)
        ways.sort(key=lambda way: not way[1].startswith(("a tenth", "labels")))
        alive, tried = set(range(len(checks))), 0
        for index, what, tree in ways:
            if not alive or tried == most:
                break
            result = execute(cells, order, {index: tree})
            if result is not None and len(result) == len(checks):
                tried += 1
                killed = {number for number in alive if not result[number]}
                alive -= killed
                if killed:
                    report(f"cell {claim}: {len(alive)} of {len(checks)} left after cell {index}, {what}")
        for number in sorted(alive):
            found.append(ast.unparse(checks[number]))
            report(f"cell {claim} SURVIVES {tried} changes: {found[-1][:300]}")
    return found


class Watched(ast.NodeTransformer):
    """A claim cell whose checks, each part of an `and` by itself, note their failure under their number and go on."""

    def __init__(self):
        self.checks = []

    def watched(self, statement: ast.stmt) -> ast.stmt:
        number = len(self.checks)
        self.checks.append(ast.unparse(statement))
        (frame,) = ast.parse(
            f"try:\n    pass\nexcept AssertionError:\n    _seen[{number}] = False\n"
            f"except Exception:\n    pass\nelse:\n    _seen.setdefault({number}, True)"
        ).body
        frame.body = [statement]
        return frame

    def visit_Assert(self, node):
        both = isinstance(node.test, ast.BoolOp) and isinstance(node.test.op, ast.And)
        return [self.watched(ast.Assert(part)) for part in (node.test.values if both else [node.test])]

    def visit_Expr(self, node):
        return self.watched(node) if is_check(node) else node


def damaged(value):
    """(what, changed value) for each way to damage a number, an array, or a table of them; nothing for other things."""
    rng = np.random.default_rng(0)
    if isinstance(value, (bool, np.bool_, str, bytes, type)) or value is None:
        return
    if isinstance(value, (int, float, np.number)):
        yield "doubled", value * 2 if value else 1
        yield "halved", type(value)(value / 2) if value else -1
    elif isinstance(value, np.ndarray) or hasattr(value, "numpy"):
        array = np.asarray(value)
        if array.dtype.kind in "iuf":
            yield "doubled", array * array.dtype.type(2)
            yield "halved", (array / 2).astype(array.dtype)
        if array.ndim and len(array) > 1:
            yield "shuffled", rng.permutation(array)
            if array.dtype.kind == "f":
                yield "all alike", np.full_like(array, array.mean())
    elif isinstance(value, (dict, list, tuple)) and 0 < len(value) < 200:
        keys, entries = (list(value), list(value.values())) if isinstance(value, dict) else (None, list(value))

        def rebuilt(entries):
            if keys is not None:
                return dict(zip(keys, entries, strict=True))
            return value._make(entries) if hasattr(value, "_make") else type(value)(entries)

        if len(entries) > 1:
            yield "entries exchanged", rebuilt(entries[1:] + entries[:1])
        for index, entry in enumerate(entries[:8]):
            for what, changed in damaged(entry):
                yield f"entry {index} {what}", rebuilt([*entries[:index], changed, *entries[index + 1 :]])
    elif isinstance(getattr(value, "history", None), dict):  # what fit returns
        for what, changed in damaged(value.history):
            yield what, types.SimpleNamespace(**vars(value) | {"history": changed})


@contextlib.contextmanager
def shuffled(module):
    """A model or a distribution whose variables have other numbers, shuffled or doubled, for a while."""
    before, rng = [np.asarray(variable) for variable in module.variables], np.random.default_rng(0)
    try:
        for variable, value in zip(module.variables, before, strict=True):
            variable.assign(rng.permutation(value.ravel()).reshape(value.shape) if value.size > 1 else value * 2)
        yield
    finally:
        for variable, value in zip(module.variables, before, strict=True):
            variable.assign(value)


def found_by(statement: ast.stmt, space: dict) -> list[str]:
    """The names of the lesson that a statement reads, also by way of the lesson's own functions."""
    wanted, found = sorted(Cell(ast.Module([statement], []), True).reads), []
    for name in wanted:
        if name in found or name not in space:
            continue
        found.append(name)
        if isinstance(space[name], types.FunctionType) and space[name].__globals__ is space:
            inner = [each for each in space[name].__code__.co_consts if isinstance(each, types.CodeType)]
            wanted.extend(read for code in (space[name].__code__, *inner) for read in code.co_names)
    return found


def blind(path: Path, seconds: float = 30.0, report=print) -> list[str]:
    """The checks of a lesson that pass whatever is done to what they read; each statement has so many seconds."""
    import matplotlib.pyplot as plt
    import tensorflow as tf

    space, survive = {"__name__": "__main__"}, []

    def run(tree, name):
        text, seen = ast.unparse(tree), {}
        linecache.cache[name] = len(text), None, text.splitlines(keepends=True), name  # where AutoGraph reads it
        space["_seen"] = seen
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            exec(compile(text, name, "exec"), space)
        plt.close("all")
        return seen

    for number, cell in enumerate(read(path)):
        for part in [[each] for each in cell.tree.body] if cell.claim else [cell.tree.body]:
            watch, tree = Watched(), ast.Module(part, [])
            if not cell.claim or isinstance(part[0], (ast.FunctionDef, ast.ClassDef)) or not is_check(part[0]):
                run(tree, f"<cell {number}>")
                continue
            names = found_by(part[0], space)
            tree = watch.visit(tree)
            honest = run(tree, f"<claim {number}>")
            before, deadline = dict(space), time.monotonic() + seconds
            ways = [(name, None) for name in names if isinstance(space[name], tf.Module) and space[name].variables]
            ways += [(name, changed) for name in names for _, changed in damaged(space[name])]
            random.Random(number).shuffle(ways)
            alive, tried = {each for each, passed in honest.items() if passed}, 0
            for name, changed in ways:
                if not alive or time.monotonic() > deadline:
                    break
                with shuffled(before[name]) if changed is None else contextlib.nullcontext():
                    space[name] = before[name] if changed is None else changed
                    with contextlib.suppress(Exception):  # what crashes counts neither way
                        alive -= {each for each, passed in run(tree, f"<claim {number}>").items() if not passed}
                        tried += 1
                space.clear()
                space.update(before)
            for each, text in enumerate(watch.checks):
                if each not in honest:
                    report(f"cell {number} not reached at this budget: {text[:300]}")
                elif each in alive or not honest[each]:
                    state = f"SURVIVES {tried} of {len(ways)} changes" if honest[each] else "FAILS AS IT IS"
                    survive.append(text)
                    report(f"cell {number} {state}: {text[:300]}")
    return survive


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lesson", help="its number, for instance 02")
    parser.add_argument("--most", type=int, default=12, help="changes that are tried on a claim (12)")
    parser.add_argument("--cells", type=int, nargs="*", help="only the claims in these code cells, counted from 0")
    parser.add_argument("--values", action="store_true", help="run the lesson once, and change what its checks read")
    options = parser.parse_args()
    os.environ.setdefault("COURSE_BUDGET", "smoke")
    os.environ.setdefault("MPLBACKEND", "Agg")
    (lesson,) = SOURCES.glob(f"{options.lesson}_*.py")
    show = functools.partial(print, flush=True)
    left = blind(lesson, report=show) if options.values else survivors(lesson, options.most, options.cells, show)
    print(f"{len(left)} checks survive everything")
