"""What a reader is asked: predictions before a cell runs, and the short self-test at the end of a lesson.

The self-test is shown by jupyterquiz; its questions lie in ``selftests/NN.json``.
"""

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


def compare(guess, truth, what: str) -> None:
    """Print how far a prediction, made before the cell ran, is from what came out.

    Args:
        guess: a number, or an order as a list of names; None while the reader has not committed to one.
        truth: the number that came out, or the same names in the order that came out.
        what: what was to be predicted, with its unit.
    """
    if isinstance(truth, (list, tuple)):
        result = " < ".join(truth)
        if guess is not None and sorted(map(str, guess)) != sorted(truth):
            print(f"{what}: write each of these names once, smallest first: {', '.join(sorted(truth))}.")
            return
        places = sum(mine == right for mine, right in zip(guess or (), truth, strict=False))
        verdict = f"you have {places} of {len(truth)} in the right place"
    else:
        result = f"{round(float(truth), 4) + 0.0:.4g}"
        if guess is not None and not isinstance(guess, (int, float)):
            print(f"{what}: write your guess as one number, for instance 0.5.")
            return
        verdict = f"you guessed {guess:g} and were off by {abs(guess - truth):.2g}" if guess is not None else ""
    print(f"{what}: {result} | " + (verdict if guess is not None else "no guess yet: write one in the cell above"))
