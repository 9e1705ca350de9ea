// Numbers to pictures, and pictures to numbers from 0 to 1; channels last, as in the networks.

function paint(canvas, pixels, [height, width, channels]) {
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

// Of anything that can be drawn; `place` is the part of the image that it fills, `cut` the part of the source.
function pixelsOf(source, [height, width, channels], place = [0, 0, width, height], cut = null) {
  const canvas = document.createElement("canvas"), pixels = new Float32Array(width * height * channels);
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", {willReadFrequently: true});
  context.imageSmoothingQuality = "high";
  context.fillRect(0, 0, width, height);
  context.drawImage(source, ...(cut || []), ...place);
  const found = context.getImageData(0, 0, width, height).data;
  for (let i = 0; i < width * height; i++) {
    if (channels === 3) for (let c = 0; c < 3; c++) pixels[3 * i + c] = found[4 * i + c] / 255;
    else pixels[i] = (0.299 * found[4 * i] + 0.587 * found[4 * i + 1] + 0.114 * found[4 * i + 2]) / 255;
  }
  return pixels;
}

// The middle of a picture of any size, as a square.
const middleOf = ({width, height}) => {
  const side = Math.min(width, height);
  return [(width - side) / 2, (height - side) / 2, side, side];
};

// An element with its properties and attributes, and what is in it.
function element(tag, properties = {}, attributes = {}, ...parts) {
  const made = Object.assign(document.createElement(tag), properties);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...parts);
  return made;
}
