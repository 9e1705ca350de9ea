"""Train the avatar VAE of lesson 06 from a terminal: python -m course_utils.train --help"""

import contextlib
import re
import sys

from course_utils.command import in_one_line, parser, run, tensorflow_error

ARGUMENTS = {
    r"batch_size=(\d+)": r"--batch \1",
    r"A lower peak_rate helps most often: try (\S+), or float32 in": r"Try --peak-rate \1, or --precision float32 in",
    r"A lower peak_rate helps most often: try (\S+)": r"A lower rate helps most often: try --peak-rate \1",
    r"(another folder than \S+)": r"\1, by --resume,",
    r"name another folder": r"name another folder by --resume",
}


def _in_terms_of_the_command(error: Exception) -> str:
    """The message of an error, with the options of the command in place of the arguments of a function."""
    told = str(error)
    if not told and isinstance(error, MemoryError):  # Python's own says nothing
        return "There is not enough memory. Close what else uses it, or take a smaller --batch, or fewer --images."
    for argument, option in ARGUMENTS.items():
        told = re.sub(argument, option, told)
    return told


def main(arguments: list[str] | None = None) -> int:
    """The command. Returns its exit code: 0, 1 for a failure with a message, 130 after Ctrl-C."""
    options = parser().parse_args(arguments)
    try:
        run(options)
    except KeyboardInterrupt:
        print(f"\nInterrupted. What was done is in {options.resume}; run the same command to go on.", file=sys.stderr)
        return 130
    except (ValueError, OSError, RuntimeError, MemoryError, ArithmeticError) as error:
        print(f"{parser().prog}: {_in_terms_of_the_command(error)}", file=sys.stderr)
        return 1
    except tensorflow_error() as error:
        print(f"{parser().prog}: {in_one_line(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main())
