// The noise lab's data: arrays of one fold, and the tables of each pass, requested from the kernel where they are missing.

const halves = (source) => typed(source, Float16Array);

/** Return the fold: arrays of its segments, and the passes and tables that are in the page or have arrived.
 *
 *  `arrived()` is called when a pass or a table comes from the kernel. */
function createFold(data, talk, arrived) {
  const passes = storedPasses(data), tables = storedTables(data), requested = new Set();
  const request = (message) => {
    const key = JSON.stringify(message);
    if (!talk || requested.has(key)) return;
    requested.add(key);
    talk.send(message);
  };
  talk?.on("pass", (reply, [p, model]) => {
    passes.set(reply.after, { bits: typed(p, Uint16Array), model: typed(model, Uint8Array) });
    arrived();
  });
  talk?.on("fit", (reply, [omega, curves]) => {
    tables.set(tableKey(reply.after, reply.per_class), { ...reply.tables, omega: halves(omega), curves: halves(curves) });
    arrived();
  });
  return {
    ...segmentArrays(data),
    /** Return the pass after an epoch; if it is not there, request it and return undefined. */
    pass(after) {
      if (!passes.has(after)) request({ kind: "pass", after });
      return passes.get(after);
    },
    /** Return the tables of a pass for one mixture or one per class; if they are not there, request them. */
    tables(after, perClass) {
      const key = tableKey(after, perClass);
      if (!tables.has(key)) request({ kind: "fit", after, per_class: perClass });
      return tables.get(key);
    },
    /** Return the first epoch whose tables are missing, or 0. */
    missing(perClass) {
      const epochs = Array.from({ length: data.epochs }, (_, i) => i + 1);
      return epochs.find((after) => !tables.has(tableKey(after, perClass))) ?? 0;
    },
    /** Allow a refused message (or all) to be requested again. */
    forget: (message) => (message ? requested.delete(JSON.stringify(message)) : requested.clear()),
  };
}

const tableKey = (after, perClass) => `${after} ${perClass ? "class" : "all"}`;

function segmentArrays({ arrays, segments }) {
  const inU = typed(arrays.in_u, Uint8Array), lossOfHalf = typed(arrays.loss_of_half, Float32Array);
  const label = typed(arrays.label, Uint8Array), truth = typed(arrays.truth, Int8Array);
  const floats = ["start", "confidence", "variability", "correctness"].map((name) => [name, typed(arrays[name], Float32Array)]);
  return {
    label, truth, clip: typed(arrays.clip, Uint32Array), ...Object.fromEntries(floats),
    /** Whether a segment's label is known to be wrong. */
    wrong: (row) => truth[row] >= 0 && truth[row] !== label[row],
    /** Whether the training had a segment in U after a pass. */
    wasInU(after, row) {
      const bit = (after - 1) * segments + row;
      return Boolean((inU[bit >> 3] >> (bit & 7)) & 1);
    },
    /** Return the losses (nats) of a pass. */
    losses: ({ bits }) => Float32Array.from(bits, (half) => lossOfHalf[half]),
  };
}

/** Return an array cut into n parts of one length. */
function inParts(array, n) {
  const length = array.length / n;
  return Array.from({ length: n }, (_, i) => array.subarray(i * length, (i + 1) * length));
}

/** Return after → {bits of p, model} of the passes that came with the data. */
function storedPasses({ arrays, epochs }) {
  if (!arrays.p) return new Map();
  const model = inParts(typed(arrays.model, Uint8Array), epochs);
  return new Map(inParts(typed(arrays.p, Uint16Array), epochs).map((bits, i) => [i + 1, { bits, model: model[i] }]));
}

/** Return key → tables with ω and curves of the passes that came with the data. */
function storedTables({ tables, arrays }) {
  return new Map(Object.entries(tables).filter(([, every]) => every.length).flatMap(([name, every]) => {
    const [omega, curves] = ["omega", "curves"].map((part) => inParts(halves(arrays[`${part}_${name}`]), every.length));
    return every.map((table, i) => [`${i + 1} ${name}`, { ...table, omega: omega[i], curves: curves[i] }]);
  }));
}

/** Return the stretches [from, to, in X] of the axis that a threshold makes of the curve of ω. */
function stretches(omega, tau) {
  const out = [];
  omega.forEach((value, i) => {
    const x = i / (omega.length - 1), kept = value > tau;
    if (!out.length) out.push([0, 1, kept]);
    else if (out.at(-1)[2] !== kept) { out.at(-1)[1] = x; out.push([x, 1, kept]); }
  });
  return out;
}

/** Return the n rows with the smallest values, ascending. Only the candidates are sorted one by one. */
function smallest(rows, valueOf, n) {
  const values = Float64Array.from(rows, valueOf);
  const limit = rows.length > n ? values.slice().sort()[n - 1] : Infinity, places = [];
  for (let i = 0; i < rows.length; i++) if (values[i] <= limit) places.push(i);
  return places.sort((a, b) => values[a] - values[b] || rows[a] - rows[b]).slice(0, n).map((i) => rows[i]);
}
