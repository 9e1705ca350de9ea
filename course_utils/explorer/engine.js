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
