"""The folder that `COURSE_DATA_DIR` names: what is said where it is of no use."""

import os
from pathlib import Path


def passed_over(lacking: str) -> str:
    """That the user's folder is of no use here, as it lacks this; empty if there is no such folder. It has no path."""
    if not os.environ.get("COURSE_DATA_DIR"):
        return ""
    root = Path(os.environ["COURSE_DATA_DIR"]).expanduser().absolute()
    return f"COURSE_DATA_DIR names {root.name or root}, which has no {lacking}"
