"""tools/mutate.py: it changes one thing at a time, and tells checks that notice from checks that do not."""

import ast

import numpy as np
import pytest
import tf_keras as keras

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


def test_a_check_that_no_value_disturbs_is_named_and_each_part_of_one_by_itself(lesson):
    """`place` is 3: twice it, or half of it, is noticed by the first check alone."""
    lesson.write_text(LESSON.replace("assert isinstance", "assert place > 0 and place < 5.9 and isinstance"), "utf-8")
    lines = []
    left = mutate.blind(lesson, report=lines.append)
    assert left == [
        "assert place > 0",
        "assert isinstance(place, float)",
        "np.testing.assert_allclose(place, abs(place), rtol=3)",
    ]
    assert lines[0].startswith("cell 4 SURVIVES 2 of 2 changes") and len(lines) == 3


def test_what_a_check_reads_by_way_of_a_function_and_a_comprehension_in_it_is_found():
    space = {"rows": {"VAE": 3.0}}
    exec("def largest(names):\n    return max([rows[name] for name in names])", space)
    (check,) = ast.parse("assert largest(['VAE']) > 2").body
    assert set(mutate.found_by(check, space)) == {"largest", "rows"}


def test_tables_arrays_and_histories_are_damaged_one_part_at_a_time():
    ways = dict(mutate.damaged({"VAE": 1.5, "PCA": np.array([1.0, 4.0])}))
    assert ways["entries exchanged"]["PCA"] == 1.5 and ways["entry 0 doubled"]["VAE"] == 3
    assert list(ways["entry 1 all alike"]["PCA"]) == [2.5, 2.5] and ways["entry 1 all alike"]["VAE"] == 1.5
    assert not list(mutate.damaged("words")) and not list(mutate.damaged(True)) and not list(mutate.damaged(len))
    history = dict(mutate.damaged(keras.callbacks.History()))
    assert history == {}
    seen = keras.callbacks.History()
    seen.history = {"loss": [3.0, 2.0]}
    assert dict(mutate.damaged(seen))["entry 0 entries exchanged"].history == {"loss": [2.0, 3.0]}
    assert seen.history == {"loss": [3.0, 2.0]}


def test_shuffled_variables_are_put_back():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
    before = model.get_weights()[0]
    with mutate.shuffled(model):
        inside = model.get_weights()[0]
    assert not np.array_equal(inside, before) and np.array_equal(np.sort(inside.ravel()), np.sort(before.ravel()))
    assert np.array_equal(model.get_weights()[0], before)


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
