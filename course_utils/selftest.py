"""The short self-test at the end of a lesson, asked by jupyterquiz. The questions lie in ``selftests/NN.json``."""

import json
from importlib.resources import files

# White text on each of them has a contrast of 7 to 1 or more.
COLOURS = {
    "--jq-multiple-choice-bg": "#22304a",
    "--jq-many-choice-bg": "#22304a",
    "--jq-numeric-bg": "#22304a",
    "--jq-incorrect-color": "#8a2b00",
    "--jq-correct-color": "#005c43",
}


def questions(lesson: str) -> list[dict]:
    """The questions of a lesson in jupyterquiz's format.

    Args:
        lesson: its number as in the file name, for instance ``"05"``.

    Raises:
        ValueError: for a lesson without questions.
    """
    path = files("course_utils") / "selftests" / f"{lesson}.json"
    if not path.is_file():
        raise ValueError(f"There is no self-test for lesson '{lesson}'. Write its number as in the file name: '05'.")
    return json.loads(path.read_text(encoding="utf-8"))


def ask(lesson: str) -> None:
    """Show the questions of a lesson; a click on an answer says whether it is right, and why."""
    from jupyterquiz import display_quiz

    display_quiz(questions(lesson), shuffle_answers=False, colors=COLOURS, border_radius=4, max_width=760)
