"""selftest: every lesson has questions that can be answered, and a word for every answer."""

import json
import sys

import jupyterquiz
import jupytext
import pytest
from test_notebooks import SOURCES

from course_utils import selftest

LESSONS = [path.stem[:2] for path in SOURCES if path.stem[:2] != "00"]
lessons = pytest.mark.parametrize("lesson", LESSONS)


@lessons
def test_there_are_three_to_six_questions_each_with_a_right_and_a_wrong_answer(lesson):
    questions = selftest.questions(lesson)
    assert 3 <= len(questions) <= 6
    for question in questions:
        right = [answer for answer in question["answers"] if answer.get("correct")]
        assert right and len(right) < len(question["answers"]), question["question"]
        if question["type"] == "multiple_choice":
            assert len(right) == 1, question["question"]
        assert all(len(answer["feedback"]) > 10 for answer in question["answers"]), question["question"]


@lessons
def test_numeric_ranges_hold_one_right_answer_and_do_not_overlap(lesson):
    for question in selftest.questions(lesson):
        if question["type"] == "numeric":
            ranges = sorted(answer["range"] for answer in question["answers"] if answer["type"] == "range")
            assert all(low < high for low, high in ranges)
            assert all(before[1] < after[0] for before, after in zip(ranges, ranges[1:], strict=False))
            assert question["answers"][-1]["type"] == "default"


@lessons
def test_the_lesson_asks_its_own_questions(lesson):
    (path,) = [path for path in SOURCES if path.stem[:2] == lesson]
    cells = [cell for cell in jupytext.read(path).cells if "self-test" in cell.metadata.get("tags", [])]
    assert [cell.source for cell in cells] == [f'selftest.ask("{lesson}")']


def test_questions_are_shown_with_everything_they_need_and_no_link_to_the_network(monkeypatch):
    shown = []
    module = sys.modules[jupyterquiz.display_quiz.__module__]
    monkeypatch.setattr(module, "display", lambda thing: shown.append(thing.data))
    selftest.ask("01")
    page = "\n".join(shown)
    for question in selftest.questions("01"):
        assert json.dumps(question["question"])[1:-1] in page
    assert "<script src" not in page


def test_a_lesson_without_questions_is_named():
    with pytest.raises(ValueError, match="no self-test for lesson '5'"):
        selftest.questions("5")


@pytest.mark.parametrize(
    ("guess", "truth", "words"),
    [
        (None, 2.047, "spread: 2.047 | no guess yet"),
        (None, -2e-7, "spread: 0 | no guess yet"),
        (0.6, 2.047, "spread: 2.047 | you guessed 0.6 and were off by 1.4"),
        ("wide", 2.047, "spread: write your guess as one number"),
        (["b", "a", "c"], ["a", "b", "c"], "spread: a < b < c | you have 1 of 3 in the right place"),
        (["a", "b", "c"], ["a", "b", "c"], "3 of 3"),
        (None, ["a", "b"], "spread: a < b | no guess yet"),
        (["a", "a"], ["a", "b"], "spread: write each of these names once, smallest first: a, b."),
    ],
)
def test_a_prediction_is_compared_with_what_came_out(guess, truth, words, capsys):
    selftest.compare(guess, truth, "spread")
    assert words in capsys.readouterr().out
