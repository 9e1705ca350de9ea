"""Make or update the environment in .venv. `make` calls this with the Python that it found; no package is needed.

The pinned versions of constraints.txt are tried first, then the ranges of pyproject.toml. What is there already stays
until its successor has been fetched, so that a set-up without a network takes nothing away.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
VENV = ROOT / ".venv"
WHAT = ["-e", ".[lab,dev,slides,site]"]
ROOM = 4e9  # bytes

FULL = (
    "The disk is full. The environment takes some 3 GB, and as much again while it is being made: make room, then run "
    "the same command again."
)
OFFLINE = (
    "The packages could not be fetched: this machine did not reach the package index (no network, or a proxy that pip "
    "does not know: set HTTPS_PROXY). Connect, then run the same command again."
)
CERTIFICATE = (
    "The packages could not be fetched: the certificate of the package index was not accepted. Behind a proxy that "
    "opens connections, name its certificate by PIP_CERT; otherwise look at the clock of this machine. Then run the "
    "same command again."
)
DEBIAN = "This Python cannot make a virtual environment. On Debian and Ubuntu: apt install python3-venv"
WITHOUT_PIP = (
    "The environment in .venv has no pip; uv makes such ones. Go on with uv (uv sync --all-extras, uv run ...), or let "
    "make have one of its own: make clean, then the same command again."
)
CAUSES = (
    (r"No module named pip\b", WITHOUT_PIP),
    (r"No space left on device|Errno 28|disk quota", FULL),
    (r"CERTIFICATE_VERIFY_FAILED|SSLError|certificate verify failed", CERTIFICATE),
    (r"NewConnectionError|ConnectTimeout|ReadTimeout|ProxyError|Network is unreachable|getaddrinfo", OFFLINE),
    (r"name resolution|Name or service not known|Connection (?:refused|reset|aborted)|nodename nor servname", OFFLINE),
)
UNFIT = r"No matching distribution|ResolutionImpossible|requires? a different Python|conflicting dependencies"
NOTHING = r"\(from versions: none\)"  # the index has no version at all, unless it says that they are for other Pythons


def cause(log: str) -> str:
    """What stopped pip, and what to do, from what it said; empty where the versions do not fit this Python."""
    for pattern, says in CAUSES:
        if re.search(pattern, log, flags=re.I):
            return says
    if re.search(NOTHING, log) and not re.search("requires? a different Python", log, flags=re.I):
        return OFFLINE
    if re.search(UNFIT, log, flags=re.I):
        return ""
    errors = [line for line in log.splitlines() if re.match(r"\s*(?:ERROR|error)\b", line)]
    return "pip stopped with: " + (errors or log.splitlines() or ["no word"])[-1].strip()


def refuse_wrong_folder() -> None:
    """Stop where the clone cannot be written, or has no room for an environment."""
    try:
        VENV.mkdir(exist_ok=True)
        (VENV / ".writable").write_text("")
        (VENV / ".writable").unlink()
    except OSError as error:
        sys.exit(
            f"The environment cannot be made in {VENV}: {error.strerror}. Clone the course into a folder that you can "
            "write to, and run make there."
        )
    free = shutil.disk_usage(VENV).free
    if free < ROOM and not (VENV / ".ready").exists():
        sys.exit(f"The environment takes some 3 GB and needs 4 GB while it is made; {free / 1e9:.1f} GB are free here.")


def make() -> Path:
    """The environment's Python; an environment of another Python is replaced."""
    python = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    show = "import platform; print(platform.python_version())"
    try:
        found = subprocess.run([str(python), "-c", show], capture_output=True, text=True).stdout.strip()
    except OSError:
        found = ""
    if found == platform.python_version() and (VENV / "pyvenv.cfg").exists():
        return python
    command = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode:
        log = ran.stdout + ran.stderr
        known = DEBIAN if "ensurepip" in log or "No module named venv" in log else cause(log)
        sys.exit(known or f"This Python could not make a virtual environment: {log.strip().splitlines()[-1]}")
    return python


def install(python: Path, pins: list[str]) -> str:
    """Install the course with pip; returns what pip said if it failed, and nothing else."""
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *pins, *WHAT]
    ran = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return ran.stdout or "pip gave no reason" if ran.returncode else ""


def main() -> None:
    refuse_wrong_folder()
    print(f"Setting up {VENV.name} (once; some 3 GB, a few minutes) ...", flush=True)
    python = make()
    log = install(python, ["-c", "constraints.txt"])
    if log and not cause(log):
        print("The pinned versions do not fit this Python; taking the newest ones that the course allows.", flush=True)
        log = install(python, [])
    if log:
        sys.exit(cause(log) or f"No version of a package that the course needs fits this Python:\n{log.strip()[-600:]}")
    (VENV / ".ready").write_text("")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. Run the same command to go on.")
