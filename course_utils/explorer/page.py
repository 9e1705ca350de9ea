"""The explorer as one file, in a cell of a live notebook, and as a figure where neither can be."""

import base64
import html
import importlib.util
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from course_utils import plots
from course_utils.border import files
from course_utils.explorer import payload

HERE = Path(__file__).parent
SCRIPTS = ("layers", "engine", "pictures", "view", "look", "hand", "pad", "given", "explorer")
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>
body {{ margin: 0; padding: 24px 16px; background: #eef2f5; color: #1b2733; font-family: system-ui, sans-serif; }}
h1 {{ font-size: 24px; max-width: 1060px; margin: 0 auto 16px; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #0b0f13; color: #e6ecf2; }} }}
@media (max-width: 640px) {{ body {{ padding: 12px 8px; }} h1 {{ font-size: 19px; margin-bottom: 10px; }} }}
{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
<div id="explorer"></div>
</main>
{script}
</body>
</html>
"""
SCRIPT = """<script type="application/json" id="payload-{place}">{payload}</script>
<script type="module">
{module}
const place = document.getElementById("{place}"), text = document.getElementById("payload-{place}").textContent;
render({{model: {{get: () => text}}, el: place}});
</script>
"""


def module() -> str:
    """The ES module, for anywidget and for a page: ``render({model, el})`` builds the explorer in ``el``."""
    return "\n".join((HERE / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)


def style() -> str:
    """The module's style sheet; every rule begins with ``.vae-explorer``."""
    return (HERE / "explorer.css").read_text(encoding="utf-8")


def script(known: dict, place: str) -> str:
    """HTML for the end of a page: it puts the explorer into the element with the id ``place``. ``style`` is extra."""
    text = json.dumps(known, separators=(",", ":")).replace("<", "\\u003c")
    return SCRIPT.format(place=place, payload=text, module=module())


def save_html(
    model,
    images: np.ndarray,
    labels: np.ndarray | None,
    path: str | Path,
    *,
    class_names: Sequence[str] | None = None,
    directions: Mapping[str, np.ndarray] | None = None,
    along: str = "dimensions",
    title: str = "Touch the latent plane of a VAE",
) -> Path:
    """Write the explorer of ``plane`` as one HTML file of at most 4 MB that needs no network, kernel or server.

    Args:
        path: of the file, ``"plane.html"``; one that is there is replaced, whole or not at all.
        title: of the page.

    All others are those of ``plane``.

    Returns:
        The path.

    Raises:
        ValueError: what ``plane`` raises.
        OSError: for a file that cannot be written.
    """
    known = payload.payload_of(model, images, labels, class_names, directions, along, "save_html")
    page = PAGE.format(title=html.escape(title), style=style(), script=script(known, "explorer"))
    path = Path(path).expanduser()
    files.write_whole(path, lambda part: part.write_text(page, encoding="utf-8"))
    return path


def plane(
    model,
    images: np.ndarray,
    labels: np.ndarray | None = None,
    *,
    class_names: Sequence[str] | None = None,
    directions: Mapping[str, np.ndarray] | None = None,
    along: str = "dimensions",
):
    """The plane of a VAE, to be touched: drag the point, and the decoded image follows; lesson 05 uses it.

    The browser computes the networks; no kernel is asked. With more than two latent dimensions there are sliders along
    the eight axes in which the codes vary most, and the plane has the first two of them. Without anywidget or a
    notebook, a figure comes in its place.

    Args:
        model: ``models.VAE`` of ``posterior_of`` and ``bernoulli_of``, ``gaussian_of`` or ``calibrated_gaussian_of``
            over ``keras.Sequential`` networks.
        images: ``(number, height, width, channels)`` of the model's shape, uint8 or floats in [0, 1]. Up to 3,000 of
            them, spread over the set, are encoded, 300 of 256x256x3.
        labels: ``(number,)``, whole numbers that count along ``class_names``, or None.
        class_names: ten at most; ``class 0``, ``class 1``, ... without them.
        directions: names and vectors ``(latent_dim,)``, such as ``{"glasses": with_them - without}``: a slider each.
        along: what the axes are, ``"dimensions"`` of the code or ``"principal"`` directions of the codes. The point
            starts at zero, with ``"principal"`` at the mean of the codes.

    Returns:
        A widget, or a matplotlib figure.

    Raises:
        ValueError: for a layer that has no translation, for networks that are too large for a page, and for images,
            labels, names and directions that do not fit.
    """
    known = payload.payload_of(model, images, labels, class_names, directions, along, "plane")
    if not (importlib.util.find_spec("anywidget") and _has_kernel()):
        return figure(model, known)
    return _widget(json.dumps(known, separators=(",", ":")), figure(model, known))


def _has_kernel() -> bool:
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return hasattr(get_ipython(), "kernel")


def _widget(text: str, still):
    import anywidget
    import traitlets

    class Explorer(anywidget.AnyWidget):
        """Text alone crosses: some widget managers drop binary buffers."""

        _esm, _css = module(), style()
        payload = traitlets.Unicode().tag(sync=True)

        def _repr_mimebundle_(self, **kwargs):
            # With a picture beside it, for pages and stored notebooks in which no widget lives.
            found = super()._repr_mimebundle_(**kwargs)
            bundle, metadata = found if isinstance(found, tuple) else (found or {}, {})
            return bundle | {"image/png": picture}, metadata

    drawn, file = io.BytesIO(), io.BytesIO()
    still.savefig(drawn, format="png")
    plt.close(still)
    # 256 colours: a third of the bytes, which a stored notebook with photographs needs.
    Image.open(drawn).convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT).save(file, "png", optimize=True)
    picture = base64.b64encode(file.getvalue()).decode()
    return Explorer(payload=text)


def figure(model, known: dict):
    """The static figure: codes of the images, and decoded points of the two dimensions in which they vary most."""
    axes, number = known["axes"][:2], 12
    codes = np.frombuffer(base64.b64decode(known["codes"]), "<f4").reshape(-1, len(known["axes"]))[:, :2]
    labels, names = known["labels"], known["names"]
    if labels is None:
        labels, names = np.zeros(len(codes), int), ["images"]
    drawn, (left, right) = plt.subplots(1, 2, figsize=(13, 6.2))
    plots.latent_plane(left, codes, np.array(labels), names, "Codes of the images")
    reach = max(2.5, float(np.quantile(np.abs(codes), 0.99)))
    places = ((np.arange(number) + 0.5) / number * 2 - 1) * reach
    grid = np.stack([np.tile(places, number), np.repeat(places[::-1], number)], axis=-1)
    vectors, start = np.array([axis["vector"] for axis in axes]), np.array(known["start"])
    grid = (start + (grid - vectors @ start) @ vectors).astype(np.float32)
    tiles = np.concatenate([model.decoder(grid[i : i + 12], training=False).mean() for i in range(0, len(grid), 12)])
    right.imshow(plots.mosaic(np.clip(tiles, 0, 1), columns=number), extent=[-reach, reach, -reach, reach])
    right.set(title="What the decoder makes of each place")
    for axis in (left, right):
        axis.set(xlabel=_label(axes[0]), ylabel=_label(axes[1]), aspect="equal")
    return drawn


def _label(axis: dict) -> str:
    kind, number = axis["name"].split()
    return f"latent dimension {number}" if kind == "dimension" else f"principal direction {number} of the codes"
