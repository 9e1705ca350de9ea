"""What ``python -m course_utils.train`` runs."""

import contextlib
import sys

from course_utils.train import main

if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main())
