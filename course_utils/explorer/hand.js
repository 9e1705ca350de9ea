// Where the point is: the hand and the keys on the plane, and the sliders.

const dot = (values, vector) => vector.reduce((sum, part, i) => sum + part * values[i], 0);

// A code is what was left behind (the start, or the mean of a given image's posterior), with other coordinates along the
// axes, which are orthonormal, and named directions added. `values` are its coordinates, whatever moved it there.
function stateOf({axes, directions, start}) {
  const shares = directions.map(({vector}) => axes.map(axis => dot(vector, axis.vector)));
  const rests = directions.map(({vector}, d) => vector.map((part, i) =>
    part - axes.reduce((sum, axis, k) => sum + shares[d][k] * axis.vector[i], 0)));
  let base = null, origin = null;
  const state = {
    strengths: directions.map(() => 0), posterior: null,
    leave(code) {
      base = Float32Array.from(code);
      origin = axes.map(({vector}) => dot(base, vector));
      this.values = origin.slice();
      this.strengths.fill(0);
    },
    add(d, strength) {
      shares[d].forEach((share, k) => { this.values[k] += share * (strength - this.strengths[d]); });
      this.strengths[d] = strength;
    },
    code() {
      const z = base.slice(), move = (vector, amount) => vector.forEach((part, i) => { z[i] += amount * part; });
      axes.forEach(({vector}, k) => move(vector, this.values[k] - origin[k]));
      rests.forEach((vector, d) => move(vector, this.strengths[d]));
      return z;
    },
  };
  state.leave(start);
  return state;
}

function handOn(plane, {view, state, changed}) {
  const middle = state.values.slice(0, 2);
  function move(x, y) {
    const inside = value => Math.max(-view.reach, Math.min(view.reach, value));
    state.values[0] = inside(x);
    state.values[1] = inside(y);
    changed();
  }
  const follow = event => {
    const box = plane.getBoundingClientRect();
    move(...view.place((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height));
  };
  plane.addEventListener("pointerdown", event => {
    plane.setPointerCapture(event.pointerId);
    plane.focus({preventScroll: true});
    follow(event);
    event.preventDefault();
  });
  plane.addEventListener("pointermove", event => { if (plane.hasPointerCapture(event.pointerId)) follow(event); });
  plane.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]}[event.key];
    const size = (event.shiftKey ? 0.5 : 0.1) * Math.max(1, Math.round(view.reach / 5));
    if (event.key === "Home") move(...middle);
    else if (steps) move(state.values[0] + size * steps[0], state.values[1] + size * steps[1]);
    else return;
    event.preventDefault();
  });
}

// Sliders, where there is more than the plane shows; returns what brings them up to date.
function sliders(place, {payload, view, state, changed}) {
  const updates = [];
  function add(name, most, now, set) {
    const slider = element("input", {type: "range", min: -most, max: most, step: most > 5 ? 0.25 : 0.05, value: 0}), output = element("output");
    slider.addEventListener("input", () => { set(Number(slider.value)); changed(); });
    place.append(element("label", {}, {}, element("span", {textContent: name}), slider, output));
    updates.push(() => {
      slider.value = now();
      output.textContent = now().toFixed(1).replace("-", "−");
    });
  }
  if (payload.latent_dim > 2)
    payload.axes.forEach(({name}, k) => add(name, Math.max(3, view.reach), () => state.values[k], value => { state.values[k] = value; }));
  payload.directions.forEach(({name}, k) => add(name, 3, () => state.strengths[k], value => state.add(k, value)));
  place.hidden = updates.length === 0;
  place.parentElement.classList.toggle("many", updates.length > 3);
  return () => updates.forEach(update => update());
}

// Keys that the explorer uses have other meanings around it: cells of a notebook, slides of a deck.
function keepKeys(root) {
  const used = {BUTTON: ["Enter", " "], INPUT: ["Home", "End"], CANVAS: ["Home"]};
  root.addEventListener("keydown", event => {
    const mine = used[event.target.tagName] || [];
    if (mine.includes(event.key) || (event.key.startsWith("Arrow") && event.target.tagName !== "BUTTON")) event.stopPropagation();
  });
  root.setAttribute("data-lm-suppress-shortcuts", "true"); // JupyterLab hears keys first
  root.setAttribute("data-prevent-swipe", ""); // so does reveal.js, of fingers
}
