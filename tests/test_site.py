"""site: its pages say what they should, and in a browser they need nothing from elsewhere, on a screen and a phone."""

import functools
import html
import re
import runpy
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
LESSONS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
DECKS = sorted(path.stem for path in (ROOT / "slides").glob("[0-9]*.md"))


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The site, built once, with an empty page in the place of each deck: their tests are elsewhere."""
    pytest.importorskip("myst_nb", reason="the extra 'site' is not installed")
    from tools import site

    folder = tmp_path_factory.mktemp("site")
    (folder / "decks").mkdir()
    for deck in DECKS:
        (folder / "decks" / f"{deck}.html").write_text("<!doctype html><title>deck</title>", encoding="utf-8")
    return site.build(folder / "decks", folder / "pages").parent


@pytest.fixture(scope="module")
def texts(pages):
    """Path below the site and text of every page but the decks."""
    found = {path.relative_to(pages).as_posix(): path.read_text(encoding="utf-8") for path in pages.rglob("*.html")}
    return {name: text for name, text in found.items() if Path(name).stem not in DECKS or "notebooks/" in name}


def test_the_glossary_has_thirty_words_in_order_each_linked_to_a_lesson_that_has_it():
    entries = re.split(r"^## ", (ROOT / "site" / "glossary.md").read_text(encoding="utf-8"), flags=re.M)[1:]
    words = [entry.partition("\n")[0] for entry in entries]
    assert len(words) == 30 and words == sorted(words, key=str.lower)
    for word, entry in zip(words, entries, strict=True):
        (target,) = set(re.findall(r"\]\(\.\./(notebooks/[^)]+)\)", entry))
        assert re.search(re.escape(word.split()[0][:6]), (ROOT / target).read_text(encoding="utf-8"), re.I), word


def test_every_link_on_the_site_leads_somewhere(pages, texts):
    anchors = {name: set(re.findall(r'\bid="([^"]+)"', text)) for name, text in texts.items()}
    for name, text in texts.items():
        text = re.sub(r"(<script[^>]*>).*?</script>", r"\1", text, flags=re.S)
        for target in re.findall(r'<(?:a|link|script|img)\b[^>]*?\b(?:href|src)="([^"]+)"', text):
            path, _, anchor = unquote(html.unescape(target)).partition("#")
            if re.match(r"https?:|data:|mailto:", path):
                continue
            file = (pages / name).parent / path.partition("?")[0] if path else pages / name
            assert file.is_file(), f"{name}: {target}"
            place = file.resolve().relative_to(pages.resolve()).as_posix()
            assert not anchor or place not in anchors or anchor in anchors[place] | {"top"}, f"{name}: {target}"


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_opens_in_colab_and_is_downloaded_as_it_is_in_the_course(lesson, pages, texts):
    page = texts[f"notebooks/{lesson}.html"]
    assert re.search(rf'<a class="button" href="https://colab[^"]+/{lesson}\.ipynb">Open in Colab</a>', page)
    assert f'<a class="button" href="{lesson}.ipynb" download>Download</a>' in page
    assert (pages / "notebooks" / f"{lesson}.ipynb").read_bytes() == (ROOT / f"notebooks/{lesson}.ipynb").read_bytes()
    assert (f"slides/{lesson}.html" in page) == (lesson in DECKS)


@pytest.mark.parametrize("lesson", LESSONS)
def test_pictures_are_described_solutions_folded_and_formulas_drawn(lesson, texts):
    page = texts[f"notebooks/{lesson}.html"].partition("<article")[2].partition("</article>")[0]
    notebook = nbformat.read(ROOT / "notebooks" / f"{lesson}.ipynb", as_version=4)
    for image in re.findall(r"<img[^>]*>", page):
        assert re.search(r'alt="[^"]{20,}"', image), image[-200:]
    tags = [cell.metadata.get("tags", []) for cell in notebook.cells if cell.cell_type == "code"]
    folded = sum("solution" in cell or "hide-input" in cell for cell in tags)
    assert page.count('<details class="admonition hide above-input">') == folded >= 1
    assert not re.search(r"\$\$|\\frac|\\mathbb", re.sub(r"<pre>.*?</pre>", "", page, flags=re.S)), "raw TeX"


def test_the_sidebar_has_the_course_the_guide_and_the_tables(texts):
    sidebar = texts["index.html"].partition('<div class="sidebar-tree">')[2].partition("</aside>")[0]
    names = re.findall(r'<a class="reference internal" href="([^"]+)">([^<]+)</a>', sidebar)
    pages = {page: name for page, name in names}
    assert {f"notebooks/{lesson}.html" for lesson in LESSONS} <= set(pages)
    assert {"glossary.html", "use.html", "teaching/README.html", "slides/README.html", "CHANGELOG.html"} <= set(pages)
    tables = {f"benchmarks/{path.stem}.html" for path in (ROOT / "benchmarks").glob("*.md")}
    assert tables and tables <= set(pages)
    assert pages.get("benchmarks/reference.html", "Reference table") == "Reference table"


def test_names_of_functions_in_formulas_stand_apart_from_what_follows_and_precedes():
    pytest.importorskip("latex2mathml", reason="the extra 'site' is not installed")
    mathml = runpy.run_path(str(ROOT / "site" / "conf.py"))["mathml"]
    assert mathml(r"x \log p", "inline").count("<mspace") == 2
    assert mathml(r"\log p(x)", "inline").count("<mspace") == 1
    assert "<mspace" not in mathml(r"\log(x) + \log_2 x", "inline")


CHECK = """() => {
    const problems = [], root = document.documentElement;
    if (root.scrollWidth > root.clientWidth) problems.push(`overflow: ${root.scrollWidth}`);
    const article = document.querySelector('article'), right = root.clientWidth + 1;
    for (const element of article.querySelectorAll('p, li, img, math, table, pre, h1, h2, h3, .button')) {
        const frame = element.closest('.formula, .table-wrapper, pre, .highlight, .output, .cell_output');
        if (!frame && element.getBoundingClientRect().right > right)
            problems.push(`overflow: ${element.tagName} ${element.textContent.slice(0, 40)}`);
    }
    const levels = [...article.querySelectorAll('h1, h2, h3, h4, h5')].map(element => +element.tagName[1]);
    levels.forEach((level, index) => {
        if (level > (levels[index - 1] || 0) + 1) problems.push(`heading ${index + 1} is of level ${level}`);
    });
    if (levels.filter(level => level === 1).length !== 1) problems.push('not one h1');
    const luminance = colour => {
        const parts = colour.match(/[0-9.]+/g).slice(0, 3).map(value => value / 255)
            .map(value => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
    };
    const ground = element => {
        for (let at = element; at; at = at.parentElement) {
            const colour = getComputedStyle(at).backgroundColor;
            if (!/rgba\\(.*, 0\\)|transparent/.test(colour)) return colour;
        }
        return 'rgb(255, 255, 255)';
    };
    const samples = 'article h1, article h2, article p, article p a, .button, .buttons a, article code, pre span, ' +
        '.output pre, summary, td, .sidebar-tree a, .related-pages a, footer';
    for (const element of document.querySelectorAll(samples)) {
        if (!element.textContent.trim() || !element.getClientRects().length) continue;
        const light = luminance(getComputedStyle(element).color), dark = luminance(ground(element));
        const contrast = (Math.max(light, dark) + 0.05) / (Math.min(light, dark) + 0.05);
        if (contrast < 4.5) problems.push(`contrast ${contrast.toFixed(2)}: ${element.textContent.slice(0, 40)}`);
    }
    return [...new Set(problems)].slice(0, 10);
}"""


class Quiet(SimpleHTTPRequestHandler):
    """A server that does not write what it served."""

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def visit(pages, chromium):
    """Opens a page from a server of this machine; yields the tab and what went wrong so far."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(pages)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_address[1]}/"
    context = chromium.new_context(reduced_motion="reduce")
    wrong, tab = [], context.new_page()

    def request(route):
        inside = route.request.url.startswith(address)
        if not inside:
            wrong.append(f"requested from elsewhere: {route.request.url}")
        route.continue_() if inside else route.abort()

    context.route("**/*", request)
    tab.on("response", lambda response: response.ok or response.status == 304 or wrong.append(response.url))
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("console", lambda message: message.type == "error" and wrong.append(message.text))
    yield lambda name: tab.goto(address + name) and tab, wrong
    context.close()
    server.shutdown()
    server.server_close()


def test_in_a_browser_pages_fit_a_screen_and_a_phone_in_light_and_dark(visit, texts):
    open_page, wrong = visit
    problems = []
    for name in sorted(set(texts) - {"genindex.html", "search.html"}):
        tab = open_page(name)
        for width, scheme in ((1280, "light"), (390, "dark")):
            tab.set_viewport_size({"width": width, "height": 844})
            tab.emulate_media(color_scheme=scheme)
            problems += [f"{name} at {width}: {problem}" for problem in tab.evaluate(CHECK)]
    assert not problems, "\n".join(problems)
    assert not wrong


def test_the_search_finds_what_a_reader_looks_for(visit):
    open_page, wrong = visit
    for word, expected in (("KL", "02 · The KL divergence"), ("reparameterization", "03 · Reparameterization")):
        tab = open_page(f"search.html?q={word}")
        tab.wait_for_selector("#search-results ul.search li a")
        assert any(expected in title for title in tab.locator("#search-results ul.search li").all_inner_texts()), word
    assert not wrong


def test_the_first_page_shows_the_film_and_leads_to_the_first_lesson_and_on(visit):
    open_page, _ = visit
    tab = open_page("index.html")
    film = tab.locator(".hero img")
    assert film.evaluate("image => image.complete && image.naturalWidth > 200") and "Film" in film.get_attribute("alt")
    frames = set()
    for _ in range(12):  # a film may rest on its last frame for some seconds
        frames.add(film.screenshot())
        tab.wait_for_timeout(600)
    assert len(frames) > 2, "the film stands still"
    tab.get_by_role("link", name="Start with lesson 00").click()
    tab.wait_for_url("**/notebooks/00_start_here.html")
    tab.locator("a.next-page").click()
    tab.wait_for_url("**/notebooks/01_autoencoder.html")
    assert tab.locator("button.copybtn").count() > 10


def test_the_first_page_has_the_plane_under_the_finger(visit):
    open_page, wrong = visit
    tab = open_page("index.html")
    for width in (1280, 390):
        tab.set_viewport_size({"width": width, "height": 844})
        tab.wait_for_selector("#plane .vae-explorer[data-images]")
        plane = tab.locator("#plane .plane canvas")
        plane.scroll_into_view_if_needed()
        plane.click(position={"x": 60, "y": 200})
        tab.wait_for_timeout(600)
        there = tab.get_attribute("#plane .vae-explorer", "data-code")
        picture = tab.locator("#plane .decoded canvas").evaluate("canvas => canvas.toDataURL()")
        plane.click(position={"x": 250, "y": 120})
        plane.press("ArrowRight")
        tab.wait_for_timeout(600)
        assert tab.get_attribute("#plane .vae-explorer", "data-code") != there
        assert tab.locator("#plane .decoded canvas").evaluate("canvas => canvas.toDataURL()") != picture
        assert "nearest images" in tab.inner_text("#plane .words")
        frame = tab.locator("#plane .vae-explorer").bounding_box()
        for part in tab.locator("#plane .vae-explorer :is(canvas, button, p, h3, label)").all():
            box = part.bounding_box()
            assert not box or box["x"] + box["width"] <= frame["x"] + frame["width"], part.evaluate("e => e.outerHTML")
    assert not wrong


def test_a_self_test_answers_on_the_site(visit):
    open_page, wrong = visit
    tab = open_page("notebooks/02_kl_divergence.html")
    question = tab.locator(".Quiz .Input-text, .Quiz .MCButton").first
    if question.evaluate("element => element.tagName") == "INPUT":
        question.fill("1")
        question.press("Enter")
    else:
        question.click()
    assert len(tab.locator(".Feedback").first.inner_text()) > 10
    assert not wrong
