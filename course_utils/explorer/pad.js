// A pad to draw on; what was drawn is scaled and put into the middle, as the training images are.

function drawingPad({shape, extent}, drawn, cleared) {
  const side = 224, words = "A pad to draw on with a mouse or a finger. Without one, choose an image above or upload one.";
  const pad = element("canvas", {width: side, height: side, className: "pad"}, {role: "img", "aria-label": words});
  const clear = element("button", {type: "button", textContent: "Clear"}), [height, width] = shape;
  const context = pad.getContext("2d", {willReadFrequently: true});
  let box = null, last = [0, 0]; // the frame of what was drawn, and the end of the stroke

  function wipe() {
    context.fillStyle = "#000";
    context.fillRect(0, 0, side, side);
    context.fillStyle = "#8a94a0";
    context.font = "22px system-ui, sans-serif";
    context.textAlign = "center";
    context.fillText("draw here", side / 2, side / 2 + 7);
    box = null;
  }

  function stroke(event) {
    const edge = pad.getBoundingClientRect(), scale = side / edge.width;
    const x = (event.clientX - edge.left) * scale, y = (event.clientY - edge.top) * scale;
    if (!box) {
      context.fillStyle = "#000";
      context.fillRect(0, 0, side, side);
      box = [x, y, x, y];
    }
    Object.assign(context, {lineWidth: 18, lineCap: "round", lineJoin: "round", strokeStyle: "#fff"});
    context.beginPath();
    context.moveTo(...(event.type === "pointerdown" ? [x, y] : last));
    context.lineTo(x, y);
    context.stroke();
    last = [x, y];
    box = [Math.min(box[0], x), Math.min(box[1], y), Math.max(box[2], x), Math.max(box[3], y)];
  }

  pad.addEventListener("pointerdown", event => {
    pad.setPointerCapture(event.pointerId);
    stroke(event);
    event.preventDefault();
  });
  pad.addEventListener("pointermove", event => { if (pad.hasPointerCapture(event.pointerId)) stroke(event); });
  pad.addEventListener("pointerup", () => {
    if (!box) return;
    const line = 9, left = Math.max(0, box[0] - line), top = Math.max(0, box[1] - line);
    const w = Math.min(side, box[2] + line) - left, h = Math.min(side, box[3] + line) - top;
    const scale = extent * width / Math.max(w, h);
    const place = [(width - w * scale) / 2, (height - h * scale) / 2, w * scale, h * scale];
    drawn(pixelsOf(pad, shape, place, [left, top, w, h]));
  });
  clear.addEventListener("click", () => { wipe(); cleared(); });
  wipe();
  return [pad, clear];
}
