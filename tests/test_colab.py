"""Colab: what its runtimes have preinstalled satisfies the course, and the walk through them finds what it needs."""

import re
import subprocess
import sys

import pytest
from test_notebooks import ROOT

from tools import colab, colab_runtimes

RUNTIMES = colab_runtimes.runtimes()
each_runtime = pytest.mark.parametrize("runtime", RUNTIMES.values(), ids=RUNTIMES)


@each_runtime
def test_a_runtime_is_of_a_python_and_a_tensorflow_that_the_course_supports(runtime):
    assert runtime.python in ("3.10", "3.11", "3.12", "3.13")
    versions = {name: runtime.packages[name] for name in ("tensorflow", "tf-keras", "ipython", "ipykernel", "numpy")}
    assert versions["tensorflow"].split(".")[:2] == versions["tf-keras"].split(".")[:2]
    assert all(re.fullmatch(r"\d+(\.\d+)+", version) for version in runtime.packages.values())
    assert list(runtime.packages) == sorted(runtime.packages)


def test_the_newest_the_one_before_and_two_older_tensorflows_are_there():
    assert {runtime.packages["tensorflow"][:4] for runtime in RUNTIMES.values()} == {"2.18", "2.19", "2.20"}
    assert list(RUNTIMES) == sorted(RUNTIMES) and list(RUNTIMES)[-2:] == ["2026-07", "2026-08"]


@each_runtime
def test_the_set_up_cell_replaces_no_package_of_a_runtime(runtime):
    """pip leaves a package where every range allows the version that is there."""
    needed = colab_runtimes.needed()
    assert len(needed) > 10
    for requirement in needed:
        version = runtime.packages.get(colab_runtimes.canonicalize_name(requirement.name))
        assert version is None or version in requirement.specifier, f"{requirement} replaces {version}"
    # What is not in the file is downloaded at the start of every session, but for urllib3, which requests brings along.
    missing = {requirement.name for requirement in needed} - {*runtime.packages, "urllib3"}
    assert missing <= {"jupyterquiz", "anywidget"}


def test_a_runtime_is_written_afresh_from_the_two_files_that_colab_publishes(tmp_path, monkeypatch):
    newest = list(RUNTIMES.values())[-1]
    freeze = (
        "# generated\nabsl-py==1.4.0\ngoogle-colab @ file:///colabtools/dist/google-colab-1.0.0.tar.gz\ntorch==2.9.0\n"
    )
    freeze += "".join(f"{name.replace('-', '_')}=={version}\n" for name, version in newest.packages.items())
    os_info = "# generated\nUbuntu 22.04.5 LTS\nPython 3.13.7\nR version 4.5.2\n"
    for name in RUNTIMES:
        (tmp_path / f"{name}.txt").write_text((colab_runtimes.FOLDER / f"{name}.txt").read_text())
    monkeypatch.setattr(colab_runtimes, "FOLDER", tmp_path)
    path = colab_runtimes.write("2026-09", freeze, os_info)
    assert colab_runtimes.read(path) == newest._replace(name="2026-09", python="3.13")
    assert list(colab_runtimes.runtimes())[-1] == "2026-09"
    again = colab_runtimes.write(newest.name, freeze, os_info)
    assert again.read_text() == (ROOT / "tools" / "colab" / again.name).read_text()
    with pytest.raises(ValueError, match="no line 'Python 3.x'"):
        colab_runtimes.write("2026-09", freeze, "Ubuntu")
    with pytest.raises(ValueError, match="no line 'tensorflow=='"):
        colab_runtimes.write("2026-09", "torch==2.9.0", os_info)
    path.write_text(freeze)
    with pytest.raises(ValueError, match="2026-09.txt names no Python. .*colab_runtimes.py 2026-09"):
        colab_runtimes.read(path)


def test_an_interpreter_is_asked_for_its_version_and_where_there_is_none_the_way_out_is_said(tmp_path, monkeypatch):
    here = "{}.{}".format(*sys.version_info)
    shim, real = tmp_path / "shims", tmp_path / "bin"
    for folder in (shim, real):
        folder.mkdir()
    (shim / f"python{here}").write_text("#!/bin/sh\necho 'not switched on' >&2\nexit 127\n")
    (shim / f"python{here}").chmod(0o755)
    monkeypatch.setenv("PATH", str(shim))
    with pytest.raises(FileNotFoundError, match=f"no Python {here} on the PATH.*PATH=/folder/with/python{here}:"):
        colab.interpreter(here)
    (real / "python3").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", f"{shim}:{real}")
    assert colab.interpreter(here) == real / "python3"


def test_a_kernel_of_the_walk_takes_the_path_of_colab(tmp_path):
    variables = colab.surroundings(tmp_path / "env" / "bin" / "python", tmp_path)
    asked = "import sys, google.colab.output; print('google.colab' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", asked], env=variables, capture_output=True, text=True, check=True)
    assert ran.stdout == "True\n"
    assert variables["COURSE_SOURCE"].startswith("git+file:") and "COURSE_DATA_DIR" not in variables


def test_progress_is_no_news_and_a_warning_is():
    progress = (
        "\rPreparing drawn avatars:   0%|          | 0/64 [00:00<?, ? images/s]\n 40%|####| 17.1M/42.3M [00:02<00:04]\n"
    )
    assert colab.beside_progress(progress) == ""
    assert colab.beside_progress(progress + "UserWarning: 50% of it\n") == "UserWarning: 50% of it"


def test_what_tensorflow_says_by_itself_is_set_aside_and_nothing_else():
    known = frozenset({colab.without_numbers("2026-11-25 13:12:57.349730: I cudart_stub.cc:31] no drivers")})
    later = "2027-01-02 03:04:05.123456: I cudart_stub.cc:31] no drivers\n"
    assert colab.beside_progress(later, known) == ""
    assert colab.beside_progress(later + "2027-01-02 03:04:05.123456: E other.cc:31] failed", known).endswith("failed")
