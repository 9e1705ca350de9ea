// The plane on its canvas: prior, landscape, codes, an ellipse and its draws, and the point under the reader's hand.

function planeView(canvas, payload) {
  const all = new Float32Array(vaeLayers().unpack({kind: "float32", text: payload.codes}));
  const number = all.length / payload.axes.length, width = payload.axes.length;
  const at = (i, k) => all[i * width + k];
  const sorted = Float32Array.from({length: 2 * number}, (_, i) => Math.abs(at(i >> 1, i & 1))).sort();
  const reach = Math.max(2.6, 1.08 * sorted[Math.floor(0.997 * (sorted.length - 1))]);
  const medians = payload.names.map((name, label) => {
    const mine = [...Array(number).keys()].filter(i => payload.labels[i] === label);
    const middle = k => mine.map(i => at(i, k)).sort((a, b) => a - b)[mine.length >> 1];
    return mine.length ? {name, label, x: middle(0), y: middle(1)} : null;
  }).filter(Boolean);
  let side = 0, cache = null, usual = null;
  const across = x => (x / reach + 1) / 2 * side, up = y => (1 - y / reach) / 2 * side;

  function distancesTo(coordinate) {
    return Array.from({length: number}, (_, i) => {
      let sum = 0;
      for (let k = 0; k < width; k++) sum += (at(i, k) - coordinate(k)) ** 2;
      return [sum, i];
    });
  }

  // From its nearest neighbour, 95 images in 100 are closer than this.
  function usually() {
    const some = [...Array(number).keys()].filter(i => i % Math.ceil(number / 200) === 0);
    const least = some.map(j => Math.min(...distancesTo(k => at(j, k)).filter(([, i]) => i !== j).map(([sum]) => sum)));
    return Math.sqrt(least.sort((a, b) => a - b)[Math.floor(0.95 * least.length)]);
  }

  // A colour that can be seen on this page: dark ones are mixed with white on a dark page; letters are darker on a light one.
  function colour(label, dark, letters = false) {
    if (label === null) return dark ? "#7cc4f0" : "#0072b2";
    const parts = [1, 3, 5].map(i => parseInt(payload.colours[label].slice(i, i + 2), 16));
    const light = (0.3 * parts[0] + 0.59 * parts[1] + 0.11 * parts[2]) / 255;
    const share = dark ? Math.max(0, 0.68 - light) : 0, shade = letters && !dark ? Math.min(1, 0.42 / light) : 1;
    return `rgb(${parts.map(part => Math.round(shade * (part + (255 - part) * share))).join()})`;
  }

  function disc(context, x, y, radius, fill, line, thickness = 1.5) {
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    if (fill) { context.fillStyle = fill; context.fill(); }
    if (line) { context.strokeStyle = line; context.lineWidth = thickness; context.stroke(); }
  }

  function ground(context, {dark, ink, paper, landscape, codes, letters}) {
    context.fillStyle = paper;
    context.fillRect(0, 0, side, side);
    if (landscape) {
      context.imageSmoothingEnabled = false;
      context.drawImage(landscape, 0, 0, side, side);
      context.fillStyle = dark ? "rgba(0, 0, 0, .15)" : "rgba(255, 255, 255, .1)";
      context.fillRect(0, 0, side, side);
    }
    const line = landscape ? "rgba(255, 255, 255, .55)" : ink;
    context.globalAlpha = landscape ? 1 : 0.35;
    context.setLineDash([3, 4]);
    for (let sigma = 1; sigma <= 3; sigma++) disc(context, side / 2, side / 2, sigma / reach * side / 2, null, line, 1);
    context.setLineDash([]);
    context.globalAlpha = 1;
    const size = Math.max(1.6, side / 210);
    context.globalAlpha = landscape ? 0.9 : 0.62;
    for (let i = 0; codes && i < number; i++)
      disc(context, across(at(i, 0)), up(at(i, 1)), size, colour(payload.labels ? payload.labels[i] : null, dark || landscape));
    context.globalAlpha = 1;
    context.font = `600 ${Math.round(Math.max(0.75 * letters, side / 36))}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    const height = Math.max(letters, side / 24), places = [];
    for (const {name, label, x, y} of codes ? medians : []) {
      const half = context.measureText(name).width / 2, px = Math.min(side - half - 6, Math.max(half + 6, across(x)));
      const taken = py => places.some(p => Math.abs(p.px - px) < p.half + half && Math.abs(p.py - py) < height);
      let py = up(y);
      for (let n = 1; taken(py) && n < 40; n++) py += (n % 2 ? n : -n) * height / 3; // as near as there is room
      places.push({px, py, half});
      context.lineWidth = 4;
      context.strokeStyle = dark || landscape ? "#101418" : "#fff";
      context.strokeText(name, px, py);
      context.fillStyle = colour(label, Boolean(dark || landscape), true);
      context.fillText(name, px, py);
    }
    context.font = `${Math.round(0.8 * letters)}px system-ui, sans-serif`;
    for (const sigma of side / reach > 60 ? [1, 2] : []) { // of the prior, where codes are few and there is room
      const diagonal = sigma * Math.SQRT1_2;
      context.lineWidth = 4;
      context.strokeStyle = landscape ? "#101418" : paper;
      context.strokeText(`${sigma}σ`, across(-diagonal), up(diagonal));
      context.fillStyle = landscape ? "#fff" : ink;
      context.fillText(`${sigma}σ`, across(-diagonal), up(diagonal));
    }
  }

  return {
    number, at, reach,
    resize(pixels, ratio) {
      side = pixels;
      canvas.width = canvas.height = Math.round(pixels * ratio);
      canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
      cache = null;
    },
    stale() { cache = null; },
    place(x, y) { return [(2 * x - 1) * reach, (1 - 2 * y) * reach]; }, // from shares of the canvas
    draw(point, posterior, look) {
      if (!side) return;
      const context = canvas.getContext("2d"), ratio = canvas.width / side;
      if (!cache) {
        cache = document.createElement("canvas");
        cache.width = cache.height = canvas.width;
        const below = cache.getContext("2d");
        below.setTransform(ratio, 0, 0, ratio, 0, 0);
        ground(below, look);
      }
      context.drawImage(cache, 0, 0, side, side);
      if (posterior) {
        const [x, y, dx, dy] = posterior.ellipse, scale = side / 2 / reach;
        for (const times of [1, 2]) {
          context.beginPath();
          context.ellipse(across(x), up(y), Math.max(2, times * dx * scale), Math.max(2, times * dy * scale), 0, 0, 7);
          context.fillStyle = "rgba(230, 159, 0, .22)";
          context.fill();
          context.lineWidth = 2;
          context.strokeStyle = "#e69f00";
          context.stroke();
        }
        for (const draw of posterior.places) disc(context, across(draw[0]), up(draw[1]), 3.5, "#e69f00", "#000", 1);
      }
      const x = across(point[0]), y = up(point[1]);
      disc(context, x, y, 12, null, "#fff", 6);
      disc(context, x, y, 12, null, "#d32f4b", 3);
      disc(context, x, y, 2.5, "#d32f4b", "#fff", 1);
    },
    // What lies under a code, by its nearest neighbours among the codes of images; far is what few images are from others.
    near(values) {
      usual = usual ?? usually();
      const distances = distancesTo(k => values[k]);
      const ten = distances.sort((a, b) => a[0] - b[0]).slice(0, 10), votes = new Map();
      for (const [, i] of payload.labels ? ten : []) {
        const name = payload.names[payload.labels[i]];
        votes.set(name, (votes.get(name) || 0) + 1);
      }
      return {far: Math.sqrt(ten[0][0]) > 2 * usual, of: ten.length, votes: [...votes].sort((a, b) => b[1] - a[1])};
    },
  };
}
