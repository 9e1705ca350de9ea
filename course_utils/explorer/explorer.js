// The explorer: render({model, el}) for anywidget, and for a page with the same two things.

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
  const payload = JSON.parse(model.get("payload")), flat = payload.latent_dim === 2;
  const words = {role: "region", "aria-label": "Explorer of a variational autoencoder"}; // a <section> is a slide to reveal.js
  const root = element("div", {className: "vae-explorer wide roomy", innerHTML: SKELETON}, words), find = name => root.querySelector(name);
  el.replaceChildren(root);
  keepKeys(root);
  const plane = find(".plane canvas"), engine = engineOf(payload), view = planeView(plane, payload), state = stateOf(payload);
  const shared = {payload, root, find, engine, view, state, changed, quiet};

  // The newest point is decoded; those that were passed on the way are left out.
  let busy = false, again = false, stopped = false, speaking = 0;
  async function decode() {
    again = true;
    if (busy) return;
    busy = true;
    while (again && !stopped) {
      again = false;
      const z = state.code(), {outputs, milliseconds} = await engine.run("decode", [z]);
      paint(find(".decoded canvas"), outputs[0], payload.shape);
      root.dataset.code = Array.from(z).join(" ");
      root.dataset.milliseconds = milliseconds.toFixed(1);
      root.dataset.images = Number(root.dataset.images || 0) + 1;
    }
    busy = false;
  }

  // Waits until the reader's point is decoded; true if the explorer is gone.
  async function quiet() {
    while (busy && !stopped) await new Promise(done => setTimeout(done, 30));
    return stopped;
  }

  function speak() {
    const {far, of, votes} = view.near(state.values), part = value => value.toFixed(2).replace("-", "−");
    const kinds = votes.slice(0, 3).map(([name, number]) => `${name} ${number}`).join(", ");
    const place = `(${part(state.values[0])}, ${part(state.values[1])})`;
    const warning = far ? " Far from every code: the decoder was never asked for this." : "";
    const words = (kinds ? `At ${place}, the ${of} nearest images: ${kinds}.` : `At ${place}.`) + warning;
    find(".decoded canvas").setAttribute("aria-label", `The decoded image. ${words}`);
    find(".words").textContent = words;
  }

  function changed() {
    look.draw();
    decode();
    clearTimeout(speaking);
    speaking = setTimeout(speak, 150);
    slide();
  }

  const look = lookOf(shared), slide = sliders(find(".sliders"), shared);
  handOn(plane, shared);
  givenImages(shared);
  const [across, up] = payload.axes.map(({name}) => name), images = view.number.toLocaleString("en");
  find(".axis").textContent = flat ? "z₁ across, z₂ up; dashed: the prior" : `${across} across, ${up} up`;
  find(".foot").textContent = `${images} images, ${payload.latent_dim} latent dimensions.` + (payload.note ? ` ${payload.note}.` : "");
  changed();
  decode().then(() => { if (flat && payload.shape[1] <= 64) look.survey(); });
  return () => {
    stopped = true;
    engine.stop();
    look.stop();
  };
}

export default {render};
