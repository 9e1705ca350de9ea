// A given image to its posterior: the examples, an upload, a drawing; its ellipse and six draws from it.

function givenImages({payload, find, root, engine, state, changed}) {
  const {shape, latent_dim: size} = payload, along = vector => values => dot(values, vector);
  let turn = 0; // an image that was given later replaces one that is still on its way

  async function encode(pixels, name) {
    const mine = ++turn, input = payload.binary ? pixels.map(value => value > 0.5 ? 1 : 0) : pixels;
    const {outputs: [numbers]} = await engine.run("encode", [input]);
    if (mine !== turn) return;
    const mean = numbers.slice(0, size), deviation = numbers.slice(size).map(value => Math.exp(value / 2));
    const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
    const draws = Array.from({length: 6}, () => mean.map((value, i) => value + deviation[i] * normal()));
    const [across, up] = payload.axes.map(({vector}) => along(vector));
    const wide = payload.axes.map(({vector}) => Math.hypot(...vector.map((part, i) => part * deviation[i])));
    state.posterior = {ellipse: [across(mean), up(mean), wide[0], wide[1]], places: draws.map(z => [across(z), up(z)])};
    state.leave(mean);
    const shown = find(".given canvas");
    paint(shown, input, shape);
    find(".given").hidden = false;
    shown.setAttribute("role", "img");
    shown.setAttribute("aria-label", `The given image: ${name}`);
    root.dataset.mean = Array.from(mean).join(" ");
    root.dataset.deviation = Array.from(deviation).join(" ");
    changed();
    const decoded = await engine.run("decode", draws);
    if (mine !== turn) return;
    find(".draws div").replaceChildren(...decoded.outputs.map(output => {
      const canvas = document.createElement("canvas");
      paint(canvas, output, shape);
      return canvas;
    }));
    find(".draws").hidden = false;
  }

  function forget() {
    turn++;
    state.posterior = null;
    find(".given").hidden = find(".draws").hidden = true;
    changed();
  }

  payload.examples.forEach(({name, picture}, k) => {
    const image = element("img", {src: picture, alt: name || `image ${k + 1}`, className: shape[1] < 100 ? "small" : ""});
    const button = element("button", {type: "button", title: name}, {}, image);
    button.addEventListener("click", () => encode(pixelsOf(image, shape), image.alt));
    find(".examples").append(button);
  });

  const file = element("input", {type: "file", accept: "image/*", hidden: true});
  const upload = element("button", {type: "button", textContent: "Upload an image"});
  upload.addEventListener("click", () => file.click());
  file.addEventListener("change", async () => {
    if (!file.files.length) return;
    try {
      const bitmap = await createImageBitmap(file.files[0]);
      await encode(pixelsOf(bitmap, shape, undefined, middleOf(bitmap)), file.files[0].name);
    } catch { find(".words").textContent = "That file is not an image which this browser can read."; }
    file.value = "";
  });
  if (shape[2] === 1) find(".own").append(...drawingPad(payload, pixels => encode(pixels, "a drawing"), forget));
  find(".own").append(upload, file);
}
