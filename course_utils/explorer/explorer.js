// The explorer: render({model, el}) for anywidget, and for a page with the same two things.

// Both networks in a worker, so that the page stays quick; here, where a page allows no workers.
function engineOf(payload) {
  const work = () => {
    let networks = null;
    onmessage = ({data}) => {
      if (data.payload) {
        const {build} = vaeLayers();
        networks = {decode: build(data.payload.decoder)};
        networks.later = () => build(data.payload.encoder);
        postMessage({id: 0});
        return;
      }
      if (data.kind === "encode" && !networks.encode) networks.encode = networks.later();
      const start = performance.now(), outputs = data.inputs.map(input => networks[data.kind](input));
      postMessage({id: data.id, outputs, milliseconds: performance.now() - start});
    };
  };
  const waiting = new Map();
  let worker = null, local = null, count = 0;
  const here = (kind, inputs) => {
    local = local || {};
    local[kind] = local[kind] || vaeLayers().build(kind === "decode" ? payload.decoder : payload.encoder);
    const start = performance.now(), outputs = inputs.map(input => local[kind](input));
    return {outputs, milliseconds: performance.now() - start};
  };
  const give_up = () => {
    if (worker) worker.terminate();
    worker = null;
    for (const {kind, inputs, resolve} of waiting.values()) resolve(here(kind, inputs));
    waiting.clear();
  };
  try {
    const address = URL.createObjectURL(new Blob([`${vaeLayers}\n(${work})()`], {type: "text/javascript"}));
    worker = new Worker(address);
    worker.onmessage = ({data}) => {
      if (waiting.has(data.id)) waiting.get(data.id).resolve(data);
      waiting.delete(data.id);
    };
    worker.onerror = event => { event.preventDefault(); give_up(); };
    worker.postMessage({payload: {decoder: payload.decoder, encoder: payload.encoder}});
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  } catch { give_up(); }
  return {
    run(kind, inputs) {
      if (!worker) return Promise.resolve(here(kind, inputs));
      const id = ++count;
      return new Promise(resolve => {
        waiting.set(id, {kind, inputs, resolve});
        worker.postMessage({id, kind, inputs});
      });
    },
    stop() { if (worker) worker.terminate(); },
  };
}

const SKELETON = `
  <div class="now">
    <div class="pictures">
      <figure class="given" hidden><canvas></canvas><figcaption>given</figcaption></figure>
      <figure class="decoded"><canvas role="img" aria-label="The decoded image"></canvas><figcaption>decoded</figcaption></figure>
    </div>
    <p class="words" role="status" aria-live="polite"></p>
  </div>
  <div class="plane">
    <canvas tabindex="0" role="application" aria-roledescription="plane of codes"
      aria-label="Plane of codes. Arrow keys move the point, with shift in larger steps; Home goes to the middle."></canvas>
    <div class="under"><span class="axis"></span><span class="switches"></span></div>
  </div>
  <div class="sliders"></div>
  <div class="ask">
    <h3>Where does an image land?</h3>
    <div class="examples"></div>
    <div class="own"></div>
    <div class="draws" hidden><span>Six draws from its posterior</span><div></div></div>
  </div>
  <p class="foot"></p>`;

function render({model, el}) {
  const payload = JSON.parse(model.get("payload")), [height, width, channels] = payload.shape;
  const root = document.createElement("section"), find = name => root.querySelector(name);
  root.className = "vae-explorer";
  root.setAttribute("aria-label", "Explorer of a variational autoencoder");
  root.innerHTML = SKELETON;
  el.replaceChildren(root);
  const engine = engineOf(payload), plane = find(".plane canvas"), view = planeView(plane, payload);
  const flat = payload.latent_dim === 2, look = {landscape: false, codes: true};
  const base = new Float32Array(payload.latent_dim), strengths = payload.directions.map(() => 0);
  let values = payload.axes.map(() => 0), posterior = null, tiles = null, stopped = false;

  const code = () => {
    const z = base.slice();
    payload.axes.forEach((axis, k) => { z[axis] = values[k]; });
    payload.directions.forEach(({vector}, k) => vector.forEach((part, i) => { z[i] += strengths[k] * part; }));
    return z;
  };

  function paint(canvas, pixels) {
    canvas.width = width;
    canvas.height = height;
    const image = new ImageData(width, height);
    for (let i = 0; i < width * height; i++) {
      for (let c = 0; c < 3; c++) image.data[4 * i + c] = Math.round(255 * pixels[i * channels + (channels === 3 ? c : 0)]);
      image.data[4 * i + 3] = 255;
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
    canvas.classList.toggle("small", width < 100);
  }

  // The newest point is decoded; those that were passed on the way are left out.
  let busy = false, again = false;
  async function decode() {
    again = true;
    if (busy) return;
    busy = true;
    while (again && !stopped) {
      again = false;
      const z = code(), {outputs, milliseconds} = await engine.run("decode", [z]);
      paint(find(".decoded canvas"), outputs[0]);
      root.dataset.code = Array.from(z).join(" ");
      root.dataset.milliseconds = milliseconds.toFixed(1);
      root.dataset.images = Number(root.dataset.images || 0) + 1;
    }
    busy = false;
  }

  let speaking = 0;
  function speak() {
    const {distance, of, votes} = view.near(values), part = value => value.toFixed(2).replace("-", "−");
    const kinds = votes.slice(0, 3).map(([name, number]) => `${name} ${number}`).join(", ");
    const place = `(${part(values[0])}, ${part(values[1])})`;
    const far = distance > (flat ? 0.35 : 0.8 * Math.sqrt(values.length)) ? " Far from every code: the decoder was never asked for this." : "";
    const words = (kinds ? `At ${place}, the ${of} nearest images: ${kinds}.` : `At ${place}.`) + far;
    find(".decoded canvas").setAttribute("aria-label", `The decoded image. ${words}`);
    find(".words").textContent = words;
  }

  function draw() {
    const dark = root.dataset.theme === "dark", style = getComputedStyle(root);
    const shown = {dark, ink: style.color, paper: style.getPropertyValue("--plane"), codes: look.codes, landscape: look.landscape ? tiles : null};
    view.draw(values, posterior, shown);
  }

  function changed() {
    draw();
    decode();
    clearTimeout(speaking);
    speaking = setTimeout(speak, 150);
    root.querySelectorAll(".sliders label").forEach((label, k) => {
      const value = k < values.length ? values[k] : strengths[k - values.length];
      label.querySelector("input").value = value;
      label.querySelector("output").textContent = Number(value).toFixed(1).replace("-", "−");
    });
  }

  function move(x, y) {
    const inside = value => Math.max(-view.reach, Math.min(view.reach, value));
    values[0] = inside(x);
    values[1] = inside(y);
    changed();
  }

  // Hand and keys.
  const follow = event => {
    const box = plane.getBoundingClientRect();
    move(...view.place(event.clientX - box.left, event.clientY - box.top));
  };
  plane.addEventListener("pointerdown", event => { plane.setPointerCapture(event.pointerId); plane.focus(); follow(event); event.preventDefault(); });
  plane.addEventListener("pointermove", event => { if (plane.hasPointerCapture(event.pointerId)) follow(event); });
  plane.addEventListener("keydown", event => {
    const steps = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]}[event.key], size = event.shiftKey ? 0.5 : 0.1;
    if (event.key === "Home") move(0, 0);
    else if (steps) move(values[0] + size * steps[0], values[1] + size * steps[1]);
    else return;
    event.preventDefault();
    event.stopPropagation(); // a notebook has meanings of its own for these keys
  });

  // Sliders, where there is more than the plane shows.
  const rows = (flat ? [] : payload.axes.map(axis => `dimension ${axis + 1}`)).concat(payload.directions.map(({name}) => name));
  rows.forEach((name, k) => {
    const index = flat ? k + values.length : k, label = document.createElement("label"), words = document.createElement("span");
    const slider = document.createElement("input"), output = document.createElement("output"), most = index < values.length ? Math.max(3, view.reach) : 2;
    words.textContent = name;
    Object.assign(slider, {type: "range", min: -most, max: most, step: 0.05, value: 0});
    slider.addEventListener("input", () => {
      if (index < values.length) values[index] = Number(slider.value);
      else strengths[index - values.length] = Number(slider.value);
      changed();
    });
    label.append(words, slider, output);
    find(".sliders").append(label);
  });
  find(".sliders").hidden = rows.length === 0;

  // An image to its posterior.
  async function encode(pixels, name) {
    const input = payload.binary ? pixels.map(value => value > 0.5 ? 1 : 0) : pixels;
    const {outputs: [numbers]} = await engine.run("encode", [input]), size = payload.latent_dim;
    const mean = numbers.slice(0, size), deviation = numbers.slice(size).map(value => Math.exp(value / 2));
    const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
    const draws = Array.from({length: 6}, () => mean.map((value, i) => value + deviation[i] * normal()));
    const [a, b] = payload.axes;
    posterior = {ellipse: [mean[a], mean[b], deviation[a], deviation[b]], places: draws.map(z => [z[a], z[b]])};
    base.set(mean);
    values = payload.axes.map(axis => mean[axis]);
    strengths.fill(0);
    paint(find(".given canvas"), input);
    find(".given").hidden = false;
    find(".given canvas").setAttribute("role", "img");
    find(".given canvas").setAttribute("aria-label", `The given image: ${name}`);
    root.dataset.mean = Array.from(mean).join(" ");
    root.dataset.deviation = Array.from(deviation).join(" ");
    changed();
    const decoded = await engine.run("decode", draws), row = find(".draws div");
    row.replaceChildren(...decoded.outputs.map(output => {
      const canvas = document.createElement("canvas");
      paint(canvas, output);
      return canvas;
    }));
    find(".draws").hidden = false;
  }

  // Numbers from 0 to 1 of anything that can be drawn; `place` is the part of the image that it fills.
  function pixelsOf(source, [x, y, w, h] = [0, 0, width, height], cut = null) {
    const canvas = document.createElement("canvas"), pixels = new Float32Array(width * height * channels);
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d", {willReadFrequently: true});
    context.imageSmoothingQuality = "high";
    context.fillRect(0, 0, width, height);
    if (cut) context.drawImage(source, ...cut, x, y, w, h);
    else context.drawImage(source, x, y, w, h);
    const found = context.getImageData(0, 0, width, height).data;
    for (let i = 0; i < width * height; i++) {
      if (channels === 3) for (let c = 0; c < 3; c++) pixels[3 * i + c] = found[4 * i + c] / 255;
      else pixels[i] = (0.299 * found[4 * i] + 0.587 * found[4 * i + 1] + 0.114 * found[4 * i + 2]) / 255;
    }
    return pixels;
  }

  payload.examples.forEach(({name, picture}, k) => {
    const button = document.createElement("button"), image = document.createElement("img");
    button.type = "button";
    button.title = name;
    Object.assign(image, {src: picture, alt: name || `image ${k + 1}`, className: width < 100 ? "small" : ""});
    button.append(image);
    button.addEventListener("click", () => encode(pixelsOf(image), image.alt));
    find(".examples").append(button);
  });

  const file = document.createElement("input"), upload = document.createElement("button");
  Object.assign(file, {type: "file", accept: "image/*", hidden: true});
  Object.assign(upload, {type: "button", textContent: "Upload an image"});
  upload.addEventListener("click", () => file.click());
  file.addEventListener("change", async () => {
    if (!file.files.length) return;
    try {
      const bitmap = await createImageBitmap(file.files[0]), side = Math.min(bitmap.width, bitmap.height);
      await encode(pixelsOf(bitmap, undefined, [(bitmap.width - side) / 2, (bitmap.height - side) / 2, side, side]), file.files[0].name);
    } catch { find(".words").textContent = "That file is not an image which this browser can read."; }
    file.value = "";
  });
  if (channels === 1) drawingPad();
  find(".own").append(upload, file);

  function drawingPad() {
    const pad = document.createElement("canvas"), clear = document.createElement("button"), side = 224, context = pad.getContext("2d", {willReadFrequently: true});
    pad.width = pad.height = side;
    pad.className = "pad";
    pad.setAttribute("role", "img");
    pad.setAttribute("aria-label", "A pad to draw on with a mouse or a finger. Without one, choose an image above or upload one.");
    Object.assign(clear, {type: "button", textContent: "Clear"});
    let box = null;
    const wipe = () => {
      context.fillStyle = "#000";
      context.fillRect(0, 0, side, side);
      context.fillStyle = "#8a94a0";
      context.font = "22px system-ui, sans-serif";
      context.textAlign = "center";
      context.fillText("draw here", side / 2, side / 2 + 7);
      box = null;
    };
    const stroke = event => {
      const edge = pad.getBoundingClientRect(), scale = side / edge.width, x = (event.clientX - edge.left) * scale, y = (event.clientY - edge.top) * scale;
      if (!box) { context.fillStyle = "#000"; context.fillRect(0, 0, side, side); box = [x, y, x, y]; }
      Object.assign(context, {lineWidth: 18, lineCap: "round", lineJoin: "round", strokeStyle: "#fff"});
      context.beginPath();
      context.moveTo(...(event.type === "pointerdown" ? [x, y] : last));
      context.lineTo(x, y);
      context.stroke();
      last = [x, y];
      box = [Math.min(box[0], x), Math.min(box[1], y), Math.max(box[2], x), Math.max(box[3], y)];
    };
    let last = [0, 0];
    pad.addEventListener("pointerdown", event => { pad.setPointerCapture(event.pointerId); stroke(event); event.preventDefault(); });
    pad.addEventListener("pointermove", event => { if (pad.hasPointerCapture(event.pointerId)) stroke(event); });
    pad.addEventListener("pointerup", () => {
      if (!box) return;
      // Scaled and put into the middle as the training images are.
      const edge = 9, left = Math.max(0, box[0] - edge), top = Math.max(0, box[1] - edge);
      const w = Math.min(side, box[2] + edge) - left, h = Math.min(side, box[3] + edge) - top, scale = payload.extent * width / Math.max(w, h);
      encode(pixelsOf(pad, [(width - w * scale) / 2, (height - h * scale) / 2, w * scale, h * scale], [left, top, w, h]), "a drawing");
    });
    clear.addEventListener("click", () => {
      wipe();
      posterior = null;
      find(".given").hidden = find(".draws").hidden = true;
      changed();
    });
    wipe();
    find(".own").append(pad, clear);
  }

  // What the plane shows: the landscape first without the codes on it, which a second press puts there.
  const switches = {};
  function switchOf(kind) {
    const button = document.createElement("button");
    Object.assign(button, {type: "button", textContent: kind});
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
  switchOf("codes");

  // The landscape is decoded a little at a time, between what the reader asks for.
  async function survey(number = 17) {
    const sheet = document.createElement("canvas"), context = sheet.getContext("2d"), tile = document.createElement("canvas");
    sheet.width = number * width;
    sheet.height = number * height;
    const middle = i => ((2 * i + 1) / number - 1) * view.reach;
    for (let j = 0; j < number; j++) {
      for (let i = 0; i < number; i++) {
        while (busy && !stopped) await new Promise(done => setTimeout(done, 30));
        if (stopped) return;
        const {outputs} = await engine.run("decode", [Float32Array.of(middle(i), -middle(j))]);
        paint(tile, outputs[0]);
        context.drawImage(tile, i * width, j * height);
      }
    }
    tiles = sheet;
    switchOf("landscape");
    press();
    root.dataset.landscape = "ready";
  }

  // Light or dark, as the page around it is.
  function theme() {
    let dark = matchMedia("(prefers-color-scheme: dark)").matches;
    for (let at = el; at; at = at.parentElement || (at.getRootNode().host ?? null)) {
      const [r, g, b, opacity = 1] = (getComputedStyle(at).backgroundColor.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
      if (opacity > 0.5) { dark = 0.3 * r + 0.59 * g + 0.11 * b < 128; break; }
    }
    root.dataset.theme = dark ? "dark" : "light";
    view.stale();
    draw();
  }
  const preference = matchMedia("(prefers-color-scheme: dark)"), attributes = new MutationObserver(theme);
  preference.addEventListener("change", theme);
  for (const part of [document.documentElement, document.body]) attributes.observe(part, {attributes: true, attributeFilter: ["class", "style", "data-theme", "data-jp-theme-light"]});
  const size = new ResizeObserver(() => {
    const pixels = plane.clientWidth;
    root.classList.toggle("wide", root.clientWidth >= 640);
    if (pixels) { view.resize(pixels, Math.min(2, devicePixelRatio || 1)); draw(); }
  });
  size.observe(root);
  size.observe(plane);

  find(".axis").textContent = flat ? "z₁ across, z₂ up; dashed: the prior" : `dimension ${payload.axes[0] + 1} across, ${payload.axes[1] + 1} up`;
  find(".foot").textContent = `${view.number.toLocaleString("en")} images, ${payload.latent_dim} latent dimensions.` + (payload.note ? ` ${payload.note}.` : "");
  press();
  theme();
  changed();
  decode().then(() => { if (flat && width <= 64) survey(); });
  return () => {
    stopped = true;
    engine.stop();
    size.disconnect();
    attributes.disconnect();
    preference.removeEventListener("change", theme);
  };
}

export default {render};
