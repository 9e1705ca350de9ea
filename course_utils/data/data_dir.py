"""The folder that `COURSE_DATA_DIR` names, and what lies where: what one may not look at is never taken for absent.

`COURSE_DATA_DIR=drawn` names none: where the source is open, images are drawn, and nothing is downloaded.
"""

import os
import stat
from pathlib import Path

from course_utils.data.cache import DataError, cause, named_path

DRAWN = "drawn"


def kind_of(path: Path) -> str:
    """One of "folder", "file", "other", or "" where nothing is. Raises `DataError` where one may not look."""
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "other" if os.path.islink(path) else ""  # a link that leads nowhere
    except OSError as error:
        raise DataError(
            f"{path} cannot be looked at: {cause(error)}. Make the folders that lead there readable, or name another."
        ) from error
    return "folder" if stat.S_ISDIR(mode) else "file" if stat.S_ISREG(mode) else "other"


def data_dir() -> Path | None:
    """The user's folder, or None if none is named. Raises `DataError` if it is none."""
    setting = os.environ.get("COURSE_DATA_DIR")
    if not setting or setting == DRAWN:
        return None
    root = named_path(setting, "COURSE_DATA_DIR")
    if kind_of(root) != "folder":
        advice = "Correct COURSE_DATA_DIR, or unset it to use the cache or a download."
        raise DataError(f"COURSE_DATA_DIR names {root}, which is not an existing folder. {advice}")
    return root


def passed_over(lacking: str) -> str:
    """That the user's folder is of no use here, as it lacks this; empty if there is no such folder. It has no path."""
    root = data_dir()
    return f"COURSE_DATA_DIR names {root.name or root}, which has no {lacking}" if root else ""


def drawn_asked() -> str:
    """Why images are drawn where the source is open: `COURSE_DATA_DIR=drawn`. Empty if nobody asked for it."""
    return "COURSE_DATA_DIR=drawn was asked for" if os.environ.get("COURSE_DATA_DIR") == DRAWN else ""
