"""tools/mutate.py: it changes one thing at a time, and tells checks that notice from checks that do not."""

import ast

import pytest

from tools import mutate

LESSON = """\
# %%
import numpy as np

# %%
class budget:
    steps = 200


def descend(steps, rate):
    place = 5.0
    for _ in range(steps):
        place = place - rate * 2 * (place - 3.0)
    return place


# %%
unrelated = 17 + 4
print("figures", unrelated)

# %% [markdown]
# It ends at 3.

# %%
place = descend(budget.steps, 0.05)

# %% tags=["claim"]
assert abs(place - 3) < 1e-3
assert isinstance(place, float)
np.testing.assert_allclose(place, abs(place), rtol=3)

# %% tags=["solution"]
assert unrelated == 21
"""


@pytest.fixture
def lesson(tmp_path):
    path = tmp_path / "99_tiny.py"
    path.write_text(LESSON, encoding="utf-8")
    return path


def test_a_sharp_check_is_killed_and_blunt_ones_are_named(lesson):
    lines = []
    left = mutate.survivors(lesson, 12, report=lines.append)
    assert left == ["assert isinstance(place, float)", "np.testing.assert_allclose(place, abs(place), rtol=3)"]
    assert any("2 of 3 left after" in line for line in lines)


def test_a_claim_is_followed_back_to_what_it_depends_on(lesson):
    cells = mutate.read(lesson)
    assert len(cells) == 5 and [cell.claim for cell in cells] == [False] * 4 + [True]
    assert mutate.needed(cells, 4) == [0, 1, 3, 4]


def test_changes_are_made_one_at_a_time_and_taken_back():
    tree = ast.parse("total = loss(a, b) + 3 * budget.epochs - set_of.train_labels")
    before = ast.unparse(tree)
    changed = {what: ast.unparse(copy) for what, copy in mutate.mutants(tree, False)}
    assert ast.unparse(tree) == before and before not in changed.values()
    assert len(changed) == len(set(changed.values())) == 8
    for expected in (
        "total = loss(b, a) + 3 * budget.epochs - set_of.train_labels",
        "total = loss(a, b) + 6 * budget.epochs - set_of.train_labels",
        "total = loss(a, b) + 3 * max(1, budget.epochs // 10) - set_of.train_labels",
        "total = loss(a, b) + 3 * budget.epochs",
        "total = loss(a, b) - 3 * budget.epochs - set_of.train_labels",
        "total = loss(a, b) + 3 * budget.epochs + set_of.train_labels",
        "total = loss(a, b) - set_of.train_labels",
    ):
        assert expected in changed.values()
    assert any("permutation(set_of.train_labels)" in text for text in changed.values())


def test_what_crashes_counts_neither_way(lesson):
    cells = mutate.read(lesson)
    assert mutate.execute(cells, [0, 1, 3, 4], {}) == [True, True, True]
    assert mutate.execute(cells, [0, 1, 3, 4], {3: ast.parse("place = 1 / 0")}) is None
    assert mutate.execute(cells, [0, 1, 3, 4], {3: ast.parse("place = 4.0")}) == [False, True, True]


def test_checks_of_a_claim_and_pictures_are_left_alone():
    tree = ast.parse("x = 2 + y\nassert x < 2 + z\nprint(x - 1)\nplt.plot(x + 2)")
    changed = [ast.unparse(copy) for _, copy in mutate.mutants(tree, True)]
    assert changed and all("assert x < 2 + z\nprint(x - 1)\nplt.plot(x + 2)" in text for text in changed)
