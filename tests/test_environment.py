"""make's set-up: the reason that it gives is the right one, and what it advises works."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import environment

ROOT = Path(__file__).parents[1]
MAKE = shutil.which("make")


def make(folder, *arguments):
    command = [MAKE, "-C", str(folder), ".venv/.ready", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def clone(tmp_path):
    """What the set-up reads, and nothing else, in a folder of its own."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "tools/environment.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("python", ["/no/such/python3.12", "/bin/true", "/bin/echo", "/bin/cat"])
def test_what_is_no_python_is_named_so(python, clone):
    ran = make(clone, f"PYTHON={python}")
    assert ran.returncode and f"{python} cannot be started, or is no Python" in ran.stdout
    assert not (clone / ".venv").exists()


def test_a_python_of_another_version_is_named(clone):
    old = clone / "python3.9"
    old.write_text("#!/bin/sh\necho Python 3.9\n")
    old.chmod(0o755)
    assert f"{old} is Python 3.9. Try: make PYTHON=" in make(clone, f"PYTHON={old}").stdout


def test_a_clone_that_cannot_be_written_is_named_and_nothing_is_advised_that_does_not_help(clone):
    (clone / ".venv").write_text("a file stands where the folder should be made")
    ran = make(clone, f"PYTHON={sys.executable}")
    assert ran.returncode and "Clone the course into a folder that you can write to" in ran.stderr
    assert "apt install" not in ran.stderr + ran.stdout and "Traceback" not in ran.stderr


def test_without_a_network_the_set_up_says_so(clone, monkeypatch):
    """An index at an address of this machine where nobody listens."""
    for name, value in {
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_RETRIES": "0",
        "PIP_NO_CACHE_DIR": "1",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    ran = make(clone, f"PYTHON={sys.executable}")
    assert ran.returncode and environment.OFFLINE in ran.stderr
    assert "do not fit" not in ran.stdout and not (clone / ".venv" / ".ready").exists()


@pytest.mark.parametrize(
    "log, says",
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", environment.FULL),
        ("Retrying after connection broken by 'SSLError(SSLCertVerificationError(1, ...", environment.CERTIFICATE),
        ("'NewConnectionError(': Failed to establish a new connection: [Errno 101]')", environment.OFFLINE),
        ("'ProxyError('Cannot connect to proxy.'", environment.OFFLINE),
        (".venv/bin/python: No module named pip", environment.WITHOUT_PIP),
        ("ERROR: No matching distribution found for numpy==2.4.6", ""),
        ("ERROR: ResolutionImpossible: for help visit", ""),
        ("Could not find a version that satisfies setuptools>=77 (from versions: none)", environment.OFFLINE),
        ("(from versions: none) Ignored versions that require a different python version: 1.0", ""),
        (
            "WARNING: x\nERROR: Failed building wheel for h5py",
            "pip stopped with: ERROR: Failed building wheel for h5py",
        ),
        ("", "pip stopped with: no word"),
    ],
)
def test_the_cause_is_read_from_what_pip_says(log, says):
    assert environment.cause(log) == says


@pytest.fixture
def steps(clone, monkeypatch):
    """The set-up in a folder of its own with a pip that gives prepared answers; yields the pins of each call."""
    calls, answers = [], []
    monkeypatch.setattr(environment, "ROOT", clone)
    monkeypatch.setattr(environment, "VENV", clone / ".venv")
    monkeypatch.setattr(environment, "make", lambda: Path("python"))
    monkeypatch.setattr(environment, "install", lambda python, pins: calls.append(pins) or answers.pop(0))
    return calls, answers


def test_where_the_pins_do_not_fit_the_ranges_are_taken(steps, capsys):
    calls, answers = steps
    answers += ["ERROR: No matching distribution found for numpy==2.4.6", ""]
    environment.main()
    assert calls == [["-c", "constraints.txt"], []] and "do not fit this Python" in capsys.readouterr().out
    assert (environment.VENV / ".ready").exists()


def test_a_full_disk_is_not_answered_by_a_second_attempt(steps):
    calls, answers = steps
    answers += ["[Errno 28] No space left on device"]
    with pytest.raises(SystemExit, match="The disk is full"):
        environment.main()
    assert len(calls) == 1 and not (environment.VENV / ".ready").exists()


def test_too_little_room_is_known_before(steps, monkeypatch):
    monkeypatch.setattr(environment, "ROOM", 1e18)
    with pytest.raises(SystemExit, match="GB are free here"):
        environment.main()
    assert not steps[0]


def test_a_python_without_ensurepip_gets_the_advice_for_debian(clone, monkeypatch):
    monkeypatch.setattr(environment, "VENV", clone / ".venv")
    broken = clone / "python"
    broken.write_text(
        "#!/bin/sh\necho 'The virtual environment was not created because ensurepip is not available.'\nexit 1\n"
    )
    broken.chmod(0o755)
    monkeypatch.setattr(environment.sys, "executable", str(broken))
    with pytest.raises(SystemExit, match="apt install python3-venv"):
        environment.make()


def test_an_environment_that_is_there_stays_until_its_successor_is_fetched(clone, monkeypatch):
    """After a pull that changed the dependencies, a set-up without a network takes nothing away."""
    monkeypatch.setattr(environment, "VENV", clone / ".venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment.VENV)], check=True)
    (environment.VENV / "kept").write_text("")
    assert environment.make().exists() and (environment.VENV / "kept").exists()
