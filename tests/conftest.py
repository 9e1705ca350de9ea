"""Every test draws the same numbers in every run, alone or among others: what fails once can be repeated."""

import itertools
import random
import shutil
import sys

import numpy as np
import pytest

from course_utils import runtime

BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)


@pytest.fixture(autouse=True)
def same_random_numbers(monkeypatch):
    random.seed(runtime.SEED)
    if "tensorflow" in sys.modules:  # which takes seconds to load, and not every room's tests need it
        runtime.set_seed()
    make, seeds = np.random.default_rng, itertools.count()
    monkeypatch.setattr(np.random, "default_rng", lambda seed=None: make(next(seeds) if seed is None else seed))


@pytest.fixture(scope="session")
def chromium():
    if BROWSER is None:
        pytest.skip("no Chromium or Chrome on this machine")
    playwright = pytest.importorskip("playwright.sync_api", reason="the extra 'slides' is not installed")
    with playwright.sync_playwright() as play:
        program = play.chromium.launch(executable_path=BROWSER)
        yield program
        program.close()
