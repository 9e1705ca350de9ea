"""slides: what a lecture needs is in every deck, and a built deck works in a browser with the network off."""

import functools
import io
import re
from pathlib import Path

import jupytext
import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
DECKS = sorted((ROOT / "slides").glob("[0-9]*.md"))
SOURCES = sorted((ROOT / "notebooks" / "source").glob("[0-9A]*.py"))
decks = pytest.mark.parametrize("path", DECKS, ids=lambda path: path.stem)


def slides_of(path):
    """The slides after the title slide, as text."""
    return re.split(r"^## ", path.read_text(encoding="utf-8"), flags=re.M)[1:]


def test_there_is_a_deck_for_every_lesson():
    assert [path.stem for path in DECKS] == [path.stem for path in SOURCES if not path.stem.startswith("A")]


@decks
def test_a_deck_has_18_to_22_slides_for_45_minutes(path):
    slides = slides_of(path)
    assert 18 <= len(slides) + 1 <= 22
    minutes = [int(re.search(r"::: notes\n\((\d+) min\)", slide)[1]) for slide in slides]
    assert 40 <= sum(minutes) <= 45, sum(minutes)


@decks
def test_a_deck_asks_two_questions_names_a_mistake_and_marks_live_demos(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("::: question") == 2
    assert text.count("::: mistake") + len(re.findall(r"^## The common mistake", text, flags=re.M)) >= 1
    assert "ow it shows" in text
    assert len(re.findall(r"\{\.live\}", text)) >= 2


@decks
def test_every_second_slide_shows_something_and_the_notes_say_where_to_point(path):
    slides = slides_of(path)
    shown = [slide for slide in slides if "![](" in slide]
    assert len(shown) >= 0.5 * len(slides)
    assert sum("[Point]" in slide for slide in shown) >= 0.6 * len(shown)


@decks
def test_live_demo_markers_name_a_section_of_the_lesson(path):
    for lesson, section in re.findall(r'\[Live: ([0-9A]\d), "(.+?)"\]\{\.live\}', path.read_text(encoding="utf-8")):
        (source,) = [source for source in SOURCES if source.stem.startswith(lesson)]
        prose = "\n".join(cell.source for cell in jupytext.read(source).cells if cell.cell_type == "markdown")
        assert re.search(rf"^##+ {re.escape(section)}", prose, flags=re.M), section


@decks
def test_slides_are_short_and_take_every_picture_from_a_notebook(path):
    for slide in slides_of(path):
        shown = re.sub(r"::: notes\n.*?\n:::", "", slide, flags=re.S)
        assert not re.search(r"!\[.*?\]\((?!<[0-9A]\d: )", shown), "a picture that is not from a notebook"
        words = re.sub(r"\$\$.*?\$\$|\[\[.*?\]\]|!\[.*?\]\(.*?\)|```.*?```|\$.*?\$|\{.*?\}", " ", shown, flags=re.S)
        assert len(re.findall(r"[A-Za-z]{2,}", words)) <= 75, slide[:40]


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    pytest.importorskip("sphinx_revealjs", reason="the extra 'slides' is not installed")
    from tools import slides

    slides.OUT = tmp_path_factory.mktemp("slides")
    return functools.cache(slides.build)


def test_a_picture_or_number_that_is_not_there_stops_the_build():
    from tools import slides

    with pytest.raises(SystemExit, match="has 0 pictures whose alt text begins with 'No such'"):
        slides.filled("![](<05: No such>)", Path())
    with pytest.raises(SystemExit, match="prints 0 matches of 'no such"):
        slides.filled("[[05: no such ([0-9]+)]]", Path())
    assert slides.filled("[[05: themselves: ([0-9.]+) nats]]", Path()) == "189.86"


def test_a_part_of_a_picture_is_that_part_and_no_more(tmp_path):
    from tools import slides

    whole, _, alt = slides.picture("02", "Left: the logarithm")
    text = slides.filled("![](<02: Left: the logarithm>){part=50-100}", tmp_path)
    (file,) = tmp_path.iterdir()
    assert text == f"![Part of a figure. {alt}]({file})"
    right, all_of_it = (np.asarray(Image.open(source).convert("RGB")) for source in (file, io.BytesIO(whole)))
    np.testing.assert_array_equal(right, all_of_it[:, all_of_it.shape[1] // 2 :])


@decks
def test_a_built_deck_holds_everything_it_shows(path, built):
    page = built(path).read_text(encoding="utf-8")
    body = re.sub(r"<script.*?</script>|<style.*?</style>", "", page, flags=re.S)
    assert not re.search(r'(?:src|href)="(?!data:|#|https://)', body), "a file beside the deck"
    assert not re.search(r'<(?:img|script|link)[^>]+(?:src|href)="https?:', page), "something from the network"
    for image in re.findall(r"<img[^>]*>", body):
        assert re.search(r'alt="[^"]{20,}"', image), image[-200:]
    assert "Course Math" in page


CHECK = """() => {
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
    const slide = Reveal.getCurrentSlide(), problems = [];
    const scale = Reveal.getScale(), frame = {right: 1281, bottom: 721};
    for (const element of slide.querySelectorAll('h1, h2, p, li, img, math, math *, pre, table, .live, ' +
            '.vae-explorer :is(h3, canvas, button, figcaption, label, output)')) {
        if (element.closest('aside')) continue;
        const box = element.getBoundingClientRect();
        if (box.width === 0) continue;
        if (box.right > frame.right || box.bottom > frame.bottom || box.left < -1 || box.top < -1)
            problems.push(`overflow: ${element.tagName} ${element.textContent.slice(0, 40)} ${box.bottom}`);
        if (element.tagName === 'IMG' && !(element.complete && element.naturalWidth > 0)) problems.push('broken image');
        if (['IMG', 'CANVAS'].includes(element.tagName) || element.parentElement.closest('math')) continue;
        const style = getComputedStyle(element), size = parseFloat(style.fontSize) * scale;
        const words = element.textContent.slice(0, 40);
        if (words.trim() && size < 26) problems.push(`small: ${size} ${words}`);
        const light = luminance(style.color), dark = luminance(ground(element));
        const contrast = (Math.max(light, dark) + 0.05) / (Math.min(light, dark) + 0.05);
        if (contrast < 7) problems.push(`contrast ${contrast}: ${words}`);
    }
    const live = slide.querySelector('.live');
    for (const element of live ? slide.querySelectorAll('p, li, img, table, math[display=block]') : []) {
        const one = element.getBoundingClientRect(), two = live.getBoundingClientRect();
        if (!element.contains(live) && !live.contains(element) && one.bottom > two.top + 2)
            problems.push(`under the live marker: ${element.tagName} ${element.textContent.slice(0, 40)}`);
    }
    for (const formula of slide.querySelectorAll('math'))
        if (!formula.closest('aside') && formula.getBoundingClientRect().height < 10)
            problems.push('a formula not drawn');
    if (/\\$|\\\\frac|\\[\\[/.test(slide.innerText)) problems.push('raw TeX or an unfilled number');
    return problems;
}"""


@decks
def test_in_a_browser_nothing_is_requested_overflows_or_fails(path, built, chromium):
    context = chromium.new_context(viewport={"width": 1280, "height": 720}, offline=True)
    page, requests, messages = context.new_page(), [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.goto(built(path).as_uri())
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    number = page.evaluate("Reveal.getTotalSlides()")
    assert number == len(slides_of(path)) + 1
    problems = []
    for index in range(number):
        page.evaluate(f"Reveal.slide({index})")
        problems += [f"slide {index + 1}: {problem}" for problem in page.evaluate(CHECK)]
        page.keyboard.press("d")  # the dark variant, and back
        problems += [f"slide {index + 1}, dark: {problem}" for problem in page.evaluate(CHECK)]
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.keyboard.press("d")
        assert dark == "rgb(20, 24, 29)" and page.evaluate("Reveal.getIndices().h") == index
    assert not problems
    assert page.evaluate("document.querySelector('.progress').getBoundingClientRect().height") >= 6
    assert not messages
    assert [url for url in requests if not url.startswith(("data:", "blob:"))] == [built(path).as_uri()]
    context.close()


EXPLORERS = [
    (path, name) for path in DECKS for name in re.findall(r"^::: \{#(\w+) \.explorer\}", path.read_text("utf-8"), re.M)
]


def test_the_decks_of_the_plane_and_of_the_avatars_carry_them():
    found = {path.stem: name for path, name in EXPLORERS}
    assert found == {"05_fashion_mnist_vae": "plane", "06_cartoon_set": "avatars"}


@pytest.mark.parametrize("path, name", EXPLORERS, ids=lambda value: getattr(value, "stem", value))
def test_an_explorer_in_a_slide_follows_hand_and_keys_and_the_slide_stays(path, name, built, chromium):
    context = chromium.new_context(viewport={"width": 1280, "height": 720}, offline=True, has_touch=True)
    page = context.new_page()
    page.goto(built(path).as_uri())
    page.wait_for_selector(f"#{name} .vae-explorer[data-images]", state="attached")
    index = page.evaluate(f"Reveal.getSlides().findIndex(slide => slide.querySelector('#{name}'))")
    page.evaluate(f"Reveal.slide({index})")

    def now():
        page.wait_for_timeout(600)
        here = page.evaluate("Reveal.getIndices().h")
        return here, np.array(page.get_attribute(f"#{name} .vae-explorer", "data-code").split(), float)

    plane = page.locator(f"#{name} .plane canvas")
    box = plane.bounding_box()
    assert page.locator(f"#{name}").is_visible() and not page.locator(".explorer > p img").is_visible()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.3 * box["height"], steps=4)
    page.mouse.up()
    codes = [now()[1]]
    if len(codes[0]) == 2:
        assert abs(codes[0][0] / codes[0][1] - 0.6 / 0.4) < 0.05, "a slide is scaled, and the point is under the hand"
    finger = context.new_cdp_session(page)

    def swipe(y):
        for kind, x in (("touchStart", 500), ("touchMove", 350), ("touchMove", 200), ("touchEnd", None)):
            points = [{"x": x, "y": y}] if x else []
            finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    swipe(60)
    assert now()[0] == index + 1, "beside the explorer a finger turns the slide"
    page.evaluate(f"Reveal.slide({index})")
    acts = [
        lambda: swipe(500),
        *(functools.partial(page.keyboard.press, key) for key in ("ArrowRight", "ArrowDown", "Home")),
    ]
    for act in acts:
        act()
        here, code = now()
        assert here == index, "the slide was turned"
        assert np.abs(code - codes[-1]).max() > 0.05
        codes.append(code)
    page.keyboard.press("PageDown")  # as a lecturer's clicker
    assert now()[0] == index + 1
    page.evaluate(f"Reveal.slide({index})")
    page.locator(f"#{name} .examples button").last.press(" ")
    page.wait_for_selector(f"#{name} .draws canvas:nth-child(6)", state="attached")
    assert now()[0] == index
    problems = page.evaluate(CHECK)
    assert not problems
    for slider in page.locator(f"#{name} .sliders input").all()[-1:]:
        slider.press("ArrowRight")
        assert now()[0] == index
        slider.press("PageDown")
        assert now()[0] == index + 1
    context.close()


@decks
def test_a_pdf_has_as_many_pages_as_slides(path, built, chromium):
    pypdf = pytest.importorskip("pypdf")
    page = chromium.new_page()
    from tools import slides

    slides.print_to(page, built(path), built(path).with_suffix(".pdf"))
    assert len(pypdf.PdfReader(built(path).with_suffix(".pdf")).pages) == len(slides_of(path)) + 1
    for place in page.locator(".explorer").all():
        assert place.locator("p img").first.is_visible() and not place.locator(".vae-explorer").is_visible()
