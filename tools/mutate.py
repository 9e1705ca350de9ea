"""Damage what a lesson's claims are about, and list those that notice nothing: python tools/mutate.py 02 [--most 12]

For each claim cell, the cells that it depends on are executed again with one thing changed: a tenth of the steps, a
term dropped, a plus for a minus, two arguments swapped, a constant doubled, labels shuffled. A check that passes all of
these asserts little. Read each one that is listed: some are right to survive (a shape, a fact about the library), the
others need a narrower bound, or no sentence. Runs at the smoke budget; what crashes by a change counts neither way.
"""

import argparse
import ast
import contextlib
import copy
import functools
import io
import os
import random
import re
from dataclasses import dataclass
from pathlib import Path

import jupytext

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


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lesson", help="its number, for instance 02")
    parser.add_argument("--most", type=int, default=12, help="changes that are tried on a claim (12)")
    parser.add_argument("--cells", type=int, nargs="*", help="only the claims in these code cells, counted from 0")
    options = parser.parse_args()
    os.environ.setdefault("COURSE_BUDGET", "smoke")
    os.environ.setdefault("MPLBACKEND", "Agg")
    (lesson,) = SOURCES.glob(f"{options.lesson}_*.py")
    left = survivors(lesson, options.most, options.cells, lambda line: print(line, flush=True))
    print(f"{len(left)} checks survive everything")
