// The layers of the course's networks, in plain JavaScript: channels last, numbers in and out in flat arrays.
// `layers.py` writes the descriptions. The whole file is one function, so that its text can be handed to a worker.

function vaeLayers() {
  function bytes(text) {
    const letters = atob(text), raw = new Uint8Array(letters.length);
    for (let i = 0; i < raw.length; i++) raw[i] = letters.charCodeAt(i);
    return raw;
  }

  function half(bits) {
    const sign = bits >> 15 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    return sign * 2 ** (exponent - 15) * (1 + fraction / 1024);
  }

  // Numbers of a packed array, as doubles, because they need no conversion in the loops below.
  function unpack({kind, text, low, step}) {
    const raw = bytes(text);
    if (kind === "float32") return new Float64Array(new Float32Array(raw.buffer));
    const numbers = new Float64Array(kind === "float16" ? raw.length / 2 : raw.length);
    if (kind === "float16") {
      const halves = new Uint16Array(raw.buffer);
      for (let i = 0; i < numbers.length; i++) numbers[i] = half(halves[i]);
      return numbers;
    }
    const lows = unpack({kind: "float32", text: low}), steps = unpack({kind: "float32", text: step});
    for (let i = 0, o = 0; i < numbers.length; i++, o = o + 1 === lows.length ? 0 : o + 1)
      numbers[i] = lows[o] + raw[i] * steps[o];
    return numbers;
  }

  // A convolution gathers: output pixels of one phase are the same sum over pieces of the padded input, moved along.
  // Strided convolutions have one phase; a transposed one has a phase for each position of its stride.
  function phasesOf(layer) {
    const [kh, kw] = layer.kernel.shape, [top, left] = layer.before, transposed = layer.type === "transposed";
    const [sh, sw] = layer.strides, [oh, ow] = layer.output, phases = [];
    const along = (phase, size, stride, before) => {
      const taps = [];
      for (let k = 0; k < size; k++) {
        if (!transposed) taps.push({k, shift: k - before});
        else if ((phase + before - k) % stride === 0) taps.push({k, shift: (phase + before - k) / stride});
      }
      return taps.sort((a, b) => a.shift - b.shift);
    };
    for (let y = 0; y < (transposed ? sh : 1); y++) {
      for (let x = 0; x < (transposed ? sw : 1); x++) {
        const step = transposed ? [sh, sw] : [1, 1], move = transposed ? [1, 1] : [sh, sw];
        const count = [Math.ceil((oh - y) / step[0]), Math.ceil((ow - x) / step[1])];
        phases.push({y, x, step, move, count, rows: along(y, kh, sh, top), columns: along(x, kw, sw, left)});
      }
    }
    return phases;
  }

  function convolution(layer) {
    if (layer.type === "dense") { // a convolution of one pixel
      const [inputs, outputs] = layer.kernel.shape;
      layer = {...layer, type: "conv", kernel: {...layer.kernel, shape: [1, 1, inputs, outputs]}, strides: [1, 1],
        before: [0, 0], input: [1, 1, inputs], output: [1, 1, outputs]};
    }
    const [height, width, cin] = layer.input, [oh, ow, cout] = layer.output, kw = layer.kernel.shape[1];
    const kernel = unpack(layer.kernel), bias = unpack(layer.bias), blocks = Math.ceil(cout / 4), phases = phasesOf(layer);
    let up = 0, down = 0, left = 0, right = 0; // how far the pieces reach beyond the input
    for (const {rows, columns, move, count} of phases) {
      for (const {shift} of rows) {
        up = Math.max(up, -shift);
        down = Math.max(down, (count[0] - 1) * move[0] + shift - height + 1);
      }
      for (const {shift} of columns) {
        left = Math.max(left, -shift);
        right = Math.max(right, (count[1] - 1) * move[1] + shift - width + 1);
      }
    }
    const line = (width + left + right) * cin, padded = new Float64Array((height + up + down) * line);
    for (const phase of phases) {
      const run = phase.columns.length * cin, size = phase.rows.length * run;
      phase.run = run;
      phase.starts = Int32Array.from(phase.rows, ({shift}) =>
        (shift + up) * line + (phase.columns.length ? phase.columns[0].shift + left : 0) * cin);
      // Weights in the order in which the loop wants them: four outputs side by side.
      phase.weights = new Float64Array(blocks * size * 4);
      let at = 0;
      for (let block = 0; block < blocks; block++)
        for (const row of phase.rows)
          for (const column of phase.columns)
            for (let c = 0; c < cin; c++)
              for (let o = 4 * block; o < 4 * block + 4; o++, at++)
                if (o < cout) phase.weights[at] = kernel[((row.k * kw + column.k) * cin + c) * cout + o];
    }
    const biases = new Float64Array(4 * blocks), out = new Float64Array(oh * ow * cout);
    biases.set(bias);

    return input => {
      for (let y = 0; y < height; y++)
        padded.set(input.subarray(y * width * cin, (y + 1) * width * cin), (y + up) * line + left * cin);
      for (const phase of phases) {
        const [stepY, stepX] = phase.step, [moveY, moveX] = phase.move;
        for (let block = 0; block < blocks; block++) {
          const lanes = Math.min(4, cout - 4 * block);
          for (let j = 0; j < phase.count[0]; j++) {
            const target = ((phase.y + j * stepY) * ow + phase.x) * cout + 4 * block;
            accumulate(padded, phase, j * moveY * line, moveX * cin, phase.count[1], block, biases, out, target,
              stepX * cout, lanes);
          }
        }
      }
      return out;
    };
  }

  // One line of pixels, two at a time, four outputs each: eight sums that stay in registers.
  function accumulate(padded, phase, base, move, count, block, biases, out, target, stride, lanes) {
    const {starts, run, weights} = phase, rows = starts.length, first = block * rows * run * 4;
    const b0 = biases[4 * block], b1 = biases[4 * block + 1], b2 = biases[4 * block + 2], b3 = biases[4 * block + 3];
    for (let i = 0; i < count; i += 2) {
      const gap = i + 1 < count ? move : 0;
      let p0 = b0, p1 = b1, p2 = b2, p3 = b3, q0 = b0, q1 = b1, q2 = b2, q3 = b3, w = first;
      for (let r = 0; r < rows; r++) {
        const from = base + i * move + starts[r];
        for (let a = from, end = from + run; a < end; a++, w += 4) {
          const p = padded[a], q = padded[a + gap];
          const w0 = weights[w], w1 = weights[w + 1], w2 = weights[w + 2], w3 = weights[w + 3];
          p0 += p * w0; p1 += p * w1; p2 += p * w2; p3 += p * w3;
          q0 += q * w0; q1 += q * w1; q2 += q * w2; q3 += q * w3;
        }
      }
      const at = target + i * stride;
      out[at] = p0;
      if (lanes > 1) out[at + 1] = p1;
      if (lanes > 2) out[at + 2] = p2;
      if (lanes > 3) out[at + 3] = p3;
      if (gap === 0) continue;
      const next = at + stride;
      out[next] = q0;
      if (lanes > 1) out[next + 1] = q1;
      if (lanes > 2) out[next + 2] = q2;
      if (lanes > 3) out[next + 3] = q3;
    }
  }

  function affine(layer) {
    const factor = unpack(layer.factor), shift = unpack(layer.shift), channels = factor.length;
    return values => values.map((value, i) => value * factor[i % channels] + shift[i % channels]);
  }

  function activation({name, slope}) {
    const functions = {
      relu: values => { for (let i = 0; i < values.length; i++) if (values[i] < 0) values[i] = 0; },
      leaky_relu: values => { for (let i = 0; i < values.length; i++) if (values[i] < 0) values[i] *= slope; },
      sigmoid: values => { for (let i = 0; i < values.length; i++) values[i] = 1 / (1 + Math.exp(-values[i])); },
      tanh: values => { for (let i = 0; i < values.length; i++) values[i] = Math.tanh(values[i]); },
    };
    return values => { functions[name](values); return values; };
  }

  // A description to a function from numbers in to numbers out.
  function build(description) {
    const makers = {dense: convolution, conv: convolution, transposed: convolution, affine, activation};
    const steps = description.map(layer => makers[layer.type](layer));
    return values => Float32Array.from(steps.reduce((numbers, step) => step(numbers), Float64Array.from(values)));
  }

  return {build, unpack};
}
