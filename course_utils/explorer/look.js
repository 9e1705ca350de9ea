// What the plane shows (codes, landscape), and how: light or dark, narrow or wide.

function lookOf({payload, root, find, view, engine, state, quiet}) {
  const look = {landscape: false, codes: true, tiles: null}, switches = {}, plane = find(".plane canvas");

  function draw() {
    const style = getComputedStyle(root), dark = root.dataset.theme === "dark";
    const letters = parseFloat(style.fontSize), paper = style.getPropertyValue("--plane");
    const shown = {dark, paper, letters, ink: style.color, codes: look.codes};
    view.draw(state.values, state.posterior, {...shown, landscape: look.landscape ? look.tiles : null});
  }

  // The landscape first comes without the codes on it, which a second press puts there.
  function switchOf(kind) {
    const button = element("button", {type: "button", textContent: kind});
    button.addEventListener("click", () => {
      look[kind] = !look[kind];
      if (kind === "landscape") look.codes = !look.landscape;
      press();
    });
    switches[kind] = button;
    find(".switches").append(button);
  }
  function press() {
    for (const [kind, button] of Object.entries(switches)) button.setAttribute("aria-pressed", look[kind]);
    view.stale();
    draw();
  }

  // The landscape is decoded a little at a time, between what the reader asks for.
  async function survey(number = 17) {
    const [height, width] = payload.shape, sheet = element("canvas", {width: number * width, height: number * height});
    const context = sheet.getContext("2d"), tile = document.createElement("canvas");
    const middle = i => ((2 * i + 1) / number - 1) * view.reach;
    for (let j = 0; j < number; j++) {
      for (let i = 0; i < number; i++) {
        if (await quiet()) return;
        const {outputs} = await engine.run("decode", [Float32Array.of(middle(i), -middle(j))]);
        paint(tile, outputs[0], payload.shape);
        context.drawImage(tile, i * width, j * height);
      }
    }
    look.tiles = sheet;
    switchOf("landscape");
    press();
    root.dataset.landscape = "ready";
  }

  // Light or dark, as the page around it is.
  function theme() {
    let dark = matchMedia("(prefers-color-scheme: dark)").matches;
    for (let at = root.parentElement; at; at = at.parentElement || (at.getRootNode().host ?? null)) {
      const [r, g, b, opacity = 1] = (getComputedStyle(at).backgroundColor.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
      if (opacity > 0.5) { dark = 0.3 * r + 0.59 * g + 0.11 * b < 128; break; }
    }
    root.dataset.theme = dark ? "dark" : "light";
    view.stale();
    draw();
  }

  const preference = matchMedia("(prefers-color-scheme: dark)"), attributes = new MutationObserver(theme);
  const attributeFilter = ["class", "style", "data-theme", "data-jp-theme-light"];
  for (const part of [document.documentElement, document.body]) attributes.observe(part, {attributes: true, attributeFilter});
  preference.addEventListener("change", theme);
  const size = new ResizeObserver(() => {
    const pixels = plane.clientWidth;
    for (const [name, least] of [["wide", 640], ["roomy", 900]]) // nothing is known while it is hidden
      if (root.clientWidth) root.classList.toggle(name, root.clientWidth >= least);
    if (pixels) { view.resize(pixels, Math.min(2, devicePixelRatio || 1)); draw(); }
  });
  size.observe(root);
  size.observe(plane);
  switchOf("codes");
  press();
  theme();

  return {
    draw, survey,
    stop() {
      size.disconnect();
      attributes.disconnect();
      preference.removeEventListener("change", theme);
    },
  };
}
