"""Drive JupyterLab as a reader does: python tools/clients.py [05 06]. Needs Chromium or Chrome; a few minutes a lesson.

Opens a lesson from the file browser, runs all cells at the smoke budget, and looks: no cell failed, films move,
exercises answer, the self-test reacts to a click, solutions stay collapsed, and the explorer shows what the kernel's
model decodes. Pictures of what was seen: build/clients/.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from slides import browser

ROOT = Path(__file__).parents[1]
OUT = ROOT / "build" / "clients"
CELLS = "window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells"
ERRORS = f"{CELLS}.flatMap(cell => (cell.outputs || []).filter(output => output.output_type === 'error'))"
TO_RUN = (
    f"{CELLS}.filter(cell => cell.cell_type === 'code' && cell.source.trim() && cell.execution_count === null).length"
)
HAS_FILM = "(cell.metadata.tags || []).some(tag => /^(film|front-walk|front-directions)$/.test(tag))"
HAS_EXPLORER = rf"{CELLS}.some(cell => /^explorer\.plane\(/m.test(cell.source))"
SHOW = """index => {
    const content = window.jupyterapp.shell.currentWidget.content;
    content.activeCellIndex = index;
    return content.scrollToItem(index, 'start');
}"""
ACTIVE = "window.jupyterapp.shell.currentWidget.content.activeCellIndex"
RED = """canvas => {
    const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return Array.from(data).filter((_, i) => i % 4 === 0);
}"""
ASK = """async expression => {
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    const asked = kernel.requestExecute({code: "", silent: true, user_expressions: {x: expression}});
    const {data, evalue} = (await asked.done).content.user_expressions.x;
    return data ? data["text/plain"] : evalue;
}"""


def serve(folder: Path) -> tuple[subprocess.Popen, str]:
    """JupyterLab on this folder; returns its process and address when it answers."""
    address = "http://127.0.0.1:8899"
    options = ["--no-browser", "--port=8899", "--IdentityProvider.token=", "--expose-app-in-browser", "--allow-root"]
    command = [sys.executable, "-m", "jupyter", "lab", *options, f"--ServerApp.root_dir={folder}"]
    environment = {**os.environ, "COURSE_BUDGET": "smoke"}
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{address}/api")
            return server, address
        except OSError:
            time.sleep(0.5)
    server.kill()
    sys.exit("JupyterLab did not start within a minute.")


def index_of(page: Page, condition: str) -> int:
    """Place of the first cell for which a condition in JavaScript holds."""
    found = page.evaluate(f"{CELLS}.findIndex(cell => {condition})")
    assert found >= 0, condition
    return found


def cell_at(page: Page, index: int):
    """A cell, brought into view."""
    page.evaluate(SHOW, index)
    page.wait_for_timeout(1500)
    return page.locator(f'.jp-Cell[data-windowed-list-index="{index}"]')


def check_explorer(page: Page, lesson: str) -> str:
    """Drag the point of a live widget and move it by keys; the picture must be what the kernel's model decodes."""
    index = index_of(page, r"/^explorer\.plane\(/m.test(cell.source)")
    model = page.evaluate(f"/^explorer\\.plane\\((.+?), /m.exec({CELLS}[{index}].source)[1]")
    cell = cell_at(page, index)
    cell.locator(".vae-explorer[data-images]").wait_for()
    plane = cell.locator(".plane canvas")
    plane.scroll_into_view_if_needed()
    box, active = plane.bounding_box(), page.evaluate(ACTIVE)
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    seen = []
    for share in (0.6, 0.7, 0.8):
        page.mouse.move(box["x"] + share * box["width"], box["y"] + 0.4 * box["height"])
        page.wait_for_timeout(700)
        seen.append(cell.locator(".vae-explorer").get_attribute("data-code"))
    page.mouse.up()
    for key in ("ArrowDown", "ArrowLeft", "Shift+ArrowUp"):
        page.keyboard.press(key)
        page.wait_for_timeout(700)
        seen.append(cell.locator(".vae-explorer").get_attribute("data-code"))
    assert len(set(seen)) == 6, "the point did not follow hand and keys"
    assert page.evaluate(ACTIVE) == active, "the keys moved the notebook's cells too"
    page.screenshot(path=OUT / f"{lesson}_explorer.png")
    code = [float(part) for part in seen[-1].split()]
    shown = cell.locator(".decoded canvas").evaluate(RED)
    says = page.evaluate(
        ASK, f"({model}).decoder(np.array([{code}], np.float32)).mean().numpy()[..., 0].ravel().tolist()"
    )
    expected = json.loads(says)
    worst = max(abs(one - 255 * other) for one, other in zip(shown, expected, strict=True))
    assert worst < 0.6 and max(expected) - min(expected) > 0.1, worst
    return f"the explorer follows hand and keys and decodes as the kernel does, to {worst:.2f}/255, "


def check(page: Page, address: str, path: Path) -> None:
    lesson = path.stem[:2]
    page.goto(f"{address}/lab?reset")
    page.locator(f'.jp-DirListing-item:has-text("{path.name}")').dblclick()
    page.wait_for_function(
        f"window.jupyterapp?.shell.currentWidget?.content?.model && {CELLS}.length > 10", timeout=60_000
    )
    page.wait_for_timeout(3000)
    page.get_by_role("menuitem", name="Edit", exact=True).click()
    page.get_by_role("menuitem", name="Clear Outputs of All Cells").click()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_function(f"{TO_RUN} === 0 || {ERRORS}.length > 0", timeout=1_500_000, polling=2000)
    errors = page.evaluate(f"{ERRORS}.map(error => error.ename + ': ' + error.evalue)")
    assert not errors, errors

    if page.evaluate(f"{CELLS}.some(cell => {HAS_FILM})"):
        film = cell_at(page, index_of(page, HAS_FILM))
        frames = []
        for number in range(12):  # a film may rest on its last frame for some seconds
            page.wait_for_timeout(700)
            frames.append(film.locator("img").first.screenshot(path=OUT / f"{lesson}_film{number:02d}.png"))
        assert len(set(frames)) > 1, "the film stands still"

    answers = page.evaluate(
        f"{CELLS}.map((cell, i) => /^checks\\.\\w+\\(/m.test(cell.source) ? i : -1).filter(i => i >= 0)"
    )
    assert answers, "no exercise"
    for index in answers:
        said = page.evaluate(f"{CELLS}[{index}].outputs.map(output => output.text || '').join('')")
        assert said.strip(), f"the check in cell {index} says nothing"

    explored = check_explorer(page, lesson) if page.evaluate(HAS_EXPLORER) else ""
    question = index_of(page, "(cell.metadata.tags || []).includes('self-test')")
    quiz = cell_at(page, question)
    quiz.locator(".MCButton").first.click()
    page.wait_for_timeout(500)
    feedback = " ".join(quiz.locator(".Feedback").all_inner_texts()).strip()
    assert len(feedback) > 10, "no feedback from the self-test"
    page.screenshot(path=OUT / f"{lesson}_selftest.png")

    solutions = page.evaluate(
        f"{CELLS}.map((c, i) => c.cell_type === 'code' && (c.metadata.tags || []).includes('solution') ? i : -1)"
        ".filter(i => i >= 0)"
    )
    assert solutions, "no solution"
    for index in solutions:
        solution = cell_at(page, index)
        assert solution.locator(".jp-InputPlaceholder").count() and not solution.locator(".cm-editor:visible").count()
    page.screenshot(path=OUT / f"{lesson}_end.png")
    print(
        f"lesson {lesson}: ran, films move, {len(answers)} checks speak, {explored}self-test says '{feedback}', "
        f"{len(solutions)} solutions collapsed",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lessons", nargs="*", metavar="NN", default=["05", "06"], help="default: 05 06")
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as play:
        folder = Path(shutil.copytree(ROOT / "notebooks", Path(scratch) / "notebooks"))
        server, address = serve(folder)
        program = play.chromium.launch(executable_path=browser())
        try:
            for lesson in options.lessons:
                (path,) = folder.glob(f"{lesson}_*.ipynb")
                page = program.new_page(viewport={"width": 1400, "height": 900})
                check(page, address, path)
                page.close()
        finally:
            program.close()
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
