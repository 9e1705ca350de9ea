"""The habits of a public project: each file is of its published form, and the commands in it are the course's."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[0-9]*.yml"))
SCHEMAS = {
    "vendor.github-workflows": WORKFLOWS,
    "custom.github-workflows-require-timeout": WORKFLOWS,
    "vendor.github-issue-forms": FORMS,
    "vendor.github-issue-config": [ROOT / ".github" / "ISSUE_TEMPLATE" / "config.yml"],
    "vendor.dependabot": [ROOT / ".github" / "dependabot.yml"],
    "vendor.citation-file-format": [ROOT / "CITATION.cff"],
}


def read(*names):
    return ROOT.joinpath(*names).read_text(encoding="utf-8")


@pytest.mark.parametrize("schema", SCHEMAS)
def test_files_are_of_their_published_form(schema):
    check = pytest.importorskip("check_jsonschema", reason="the extra 'dev' is not installed")
    assert SCHEMAS[schema]
    assert check.main(["--builtin-schema", schema, *map(str, SCHEMAS[schema])], standalone_mode=False) == 0


def test_a_file_of_another_form_would_be_noticed(tmp_path):
    check = pytest.importorskip("check_jsonschema", reason="the extra 'dev' is not installed")
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(WORKFLOWS[0].read_text(encoding="utf-8").replace("runs-on", "run-on"), encoding="utf-8")
    assert check.main(["--builtin-schema", "vendor.github-workflows", str(wrong)], standalone_mode=False) == 1


def test_workflows_run_what_there_is():
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), flags=re.M))
    for path in WORKFLOWS:
        text = path.read_text(encoding="utf-8")
        assert set(re.findall(r"\bmake ([a-z]+)", re.sub("#.*", "", text))) <= targets, path.name
        for script in re.findall(r"python (tools/\w+\.py)", text):
            assert (ROOT / script).exists(), script


def test_tools_find_each_other_when_they_are_started_by_their_path():
    """`python tools/site.py` has tools/ on its path, and not the folder around it."""
    for path in (ROOT / "tools").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        both = re.findall(
            r"^( *)if __package__:.*\n\1    from tools.* import .+\n\1else:\n\1    (?:import|from) ", text, re.M
        )
        assert len(both) == len(re.findall(r"^ *(?:from|import) tools\b", text, re.M)), path.name


def test_every_python_and_both_ends_of_tensorflow_are_tested():
    text, project = read(".github", "workflows", "test.yml"), read("pyproject.toml")
    pythons = re.findall(r'"(3\.\d+)"', re.search(r"python: \[.*\]", text)[0])
    first, after = re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', project).groups()
    assert pythons == [f"3.{minor}" for minor in range(int(first), int(after))]
    lowest = re.search(r'"tensorflow>=(2\.\d+),', project)[1]
    assert f"'=={lowest}.*'" in text and "-c constraints.txt" not in text.partition("windows:")[0]
    assert "os: [ubuntu-latest, macos-latest]" in text and "tensorflow: [oldest, newest]" in text


def test_windows_runs_the_lines_of_the_readme():
    windows = read(".github", "workflows", "test.yml").partition("windows:")[2]
    lines = [line for line in re.findall(r"- run: (.+)", windows) if "nbconvert" not in line]
    block = read("README.md").partition("Without `make`")[2].split("```")[1].strip().splitlines()
    assert lines == [line for line in block if "jupyter lab" not in line]


def test_the_extras_are_named_alike_everywhere():
    (extras,) = set(re.findall(r'-e "?(\.\[lab,dev,[a-z,]+\])', read(".github", "workflows", "test.yml")))
    assert extras in read("tools", "environment.py")


def test_codespaces_and_binder_start_lesson_00_at_the_smoke_budget_on_drawn_images():
    container = json.loads(read(".devcontainer", "devcontainer.json"))
    assert container["containerEnv"] == {"COURSE_BUDGET": "smoke", "COURSE_DATA_DIR": "drawn"}
    (opened,) = container["customizations"]["codespaces"]["openFiles"]
    assert (ROOT / opened).exists() and (ROOT / container["postCreateCommand"].split()[1]).exists()
    version = re.search(r"python-(3\.\d+)", read("binder", "runtime.txt"))[1]
    assert container["image"].endswith(f":{version}")
    if os.name != "nt":
        says = "import os; print(os.environ['COURSE_BUDGET'], os.environ['COURSE_DATA_DIR'])"
        ran = subprocess.run([ROOT / "binder" / "start", sys.executable, "-c", says], capture_output=True, text=True)
        assert ran.stdout.split() == ["smoke", "drawn"]
    constraints, course = [line for line in read("binder", "requirements.txt").splitlines() if line[0] == "-"]
    assert (ROOT / "binder" / constraints.split()[1]).exists() and course == "-e .[lab]"
    assert f"main?urlpath=lab/tree/{opened})" in read("README.md")


def test_the_link_for_a_hub_opens_a_lesson_of_the_repository_that_pyproject_names():
    repository = re.search(r'^Repository = "(.+)"', read("pyproject.toml"), flags=re.M)[1]
    link = re.search(r"^https://\S+git-pull\?(\S+)$", read("teaching", "README.md"), flags=re.M)[1]
    asked = dict(part.split("=") for part in link.split("&"))
    assert asked["repo"] == repository
    assert (ROOT / asked["urlpath"].removeprefix(f"lab/tree/{asked['targetPath']}/")).exists()


def test_the_changelog_has_the_version_and_the_licences_are_told_apart():
    version = re.search(r'^version = "(.+)"', read("pyproject.toml"), flags=re.M)[1]
    assert f"## {version}, " in read("CHANGELOG.md")
    licences = read("README.md").partition("## Licences")[2]
    for what in ("code", "text", "figures", "weights", "data: Fashion-MNIST", "data: MNIST", "data: Cartoon Set"):
        assert re.search(rf"^\| {what}", licences, flags=re.M), what


def test_no_badge_is_shown_for_what_is_not_there():
    """A badge is a picture from elsewhere; the course has one, Colab's."""
    pages = [*ROOT.glob("*.md"), *ROOT.glob("*/*.md"), *ROOT.glob("notebooks/source/*.py")]
    shown = {url for page in pages for url in re.findall(r"!\[[^\]]*\]\((https?:[^)]+)\)", page.read_text("utf-8"))}
    assert shown == {"https://colab.research.google.com/assets/colab-badge.svg"}
