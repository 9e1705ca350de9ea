"""An ordinary user, for tests of permissions: they do not count for root, who runs tests in containers."""

import codecs
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from PIL import Image

NOBODY = 65_534


@pytest.fixture
def ordinary(tmp_path, monkeypatch):
    """A folder of an ordinary user, as whom the test goes on, with the cache in it. Modes are restored afterwards."""
    root = os.geteuid() == 0
    folder = Path(tempfile.mkdtemp()) if root else tmp_path / "ordinary"
    folder.mkdir(exist_ok=True)
    Image.preinit()  # what is imported late may lie where only root can read
    [codecs.lookup(name) for name in ("utf-8-sig", "utf-16", "idna", "latin-1")]
    monkeypatch.setenv("COURSE_CACHE_DIR", str(folder / "cache"))
    if root:
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    yield folder
    if root:
        os.seteuid(0)
    for path, folders, _ in os.walk(folder):  # from the top down: a folder is opened before it is entered
        for name in folders:
            Path(path, name).chmod(0o700)
    if root:
        shutil.rmtree(folder)
