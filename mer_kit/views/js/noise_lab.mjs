// The noise lab: epochs, τ, mixtures, brush, list, path and data map over the archived probabilities of one fold.

const TINY = 2 ** -24, ROWS = 50, RIGHT = "#5790fc", WRONG = "#e42536", GREY = "#86868f", DOUBT = "#b05aa5";

// ---- numbers: the same as mer_kit.training.evaluation.losses, loss_split.Mixture, loss_split.split, diagnostics ---------------

/** Return losses −log p(label) in nats, Float64Array. */
function lossesOf(p) {
  const out = new Float64Array(p.length);
  for (let i = 0; i < out.length; i++) out[i] = 0 - Math.log(Math.max(p[i], TINY));  // 0 for p = 1, not −0
  return out;
}

/** Return a loss on the mixture's 0–1 scale, clipped to its percentiles. */
function normalise(mixture, loss) {
  const span = Math.max(mixture.high - mixture.low, 1e-12);
  return (Math.min(Math.max(loss, mixture.low), mixture.high) - mixture.low) / span;
}

/** Return the two weighted densities at a normalised loss (Eq. 3). */
function densities({ weights, means, sds }, x) {
  return [0, 1].map((k) => weights[k] * Math.exp(-0.5 * ((x - means[k]) / sds[k]) ** 2) / (sds[k] * Math.sqrt(2 * Math.PI)));
}

/** Return the function from a normalised loss to ω; `clamp` keeps it level beyond the vertex of the log ratio. */
function posterior({ weights, means, sds }, clamp) {
  const precise = sds.map((sd) => sd ** -2), bend = precise[0] - precise[1];
  const vertex = (precise[0] * means[0] - precise[1] * means[1]) / bend;
  const level = clamp && Math.abs(bend) >= 1e-12 * Math.max(...precise);
  const [logs0, logs1] = [0, 1].map((k) => Math.log(weights[k]) - Math.log(sds[k]));
  return (x) => {
    const at = level ? (bend > 0 ? Math.max(x, vertex) : Math.min(x, vertex)) : x;
    const first = logs0 - 0.5 * ((at - means[0]) / sds[0]) ** 2, second = logs1 - 0.5 * ((at - means[1]) / sds[1]) ** 2;
    return 1 / (1 + Math.exp(Math.min(Math.max(second - first, -700), 700)));
  };
}

/** Return ω of every loss; `mixtures` is one for all or one per class (null: all its losses are equal, ω is 1). */
function omegas(loss, label, mixtures, clamp) {
  const ways = mixtures.map((mixture) => mixture && posterior(mixture, clamp)), one = mixtures.length === 1;
  const out = new Float64Array(loss.length).fill(1);
  for (let i = 0; i < loss.length; i++) {
    const k = one ? 0 : label[i];
    if (ways[k]) out[i] = ways[k](normalise(mixtures[k], loss[i]));
  }
  return out;
}

/** Return the rows by ω, smallest first, larger losses first among equals. */
function byOmega(omega, loss) {
  return radix(radix(Uint32Array.from(omega.keys()), loss, true), omega, false);
}

/** Return rows in the order of their values (float64, none below 0), equal ones as they stood: bits are in that order too. */
function radix(rows, values, descending) {
  const words = new Uint16Array(values.slice().buffer), flip = descending ? 65535 : 0;
  for (let digit = 0; digit < 4; digit++) {
    const ends = new Uint32Array(65537), out = new Uint32Array(rows.length);
    for (let i = 0; i < rows.length; i++) ends[(words[4 * rows[i] + digit] ^ flip) + 1] += 1;
    for (let key = 1; key < 65537; key++) ends[key] += ends[key - 1];
    for (let i = 0; i < rows.length; i++) out[ends[words[4 * rows[i] + digit] ^ flip]++] = rows[i];
    rows = out;
  }
  return rows;
}

/** Return the n rows with the smallest values, in order: only those are compared one by one. */
function least(rows, valueOf, n) {
  const values = new Float64Array(rows.length);
  for (let i = 0; i < rows.length; i++) values[i] = valueOf(rows[i]);
  const edge = rows.length > n ? values.slice().sort()[n - 1] : Infinity, found = [];
  for (let i = 0; i < rows.length; i++) if (values[i] <= edge) found.push(i);
  return found.sort((a, b) => values[a] - values[b] || rows[a] - rows[b]).slice(0, n).map((i) => rows[i]);
}

/** Return how many of the ordered rows have ω ≤ τ. */
function below(omega, order, tau) {
  let low = 0, high = order.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (omega[order[middle]] > tau) high = middle; else low = middle + 1;
  }
  return low;
}

/** Return what the training's cap and guards make of the cut ω > τ: how many go to U, and why not, if so. */
function divide({ loss, omega, order, label }, tau, rules, mixtures, classes) {
  const n = loss.length, asked = below(omega, order, tau), most = Math.floor(rules.max_unlabelled * n + 1e-9);
  const inU = Math.min(asked, most), counts = new Array(classes).fill(0), present = new Array(classes).fill(0);
  let sumU = 0, sum = 0;
  for (let i = 0; i < n; i++) {
    const row = order[i];
    sum += loss[row];
    present[label[row]] += 1;
    if (i < inU) sumU += loss[row]; else counts[label[row]] += 1;
  }
  const gap = inU > 0 && inU < n ? sumU / inU - (sum - sumU) / (n - inU) : 0, share = (n - inU) / n;
  const thin = counts.findIndex((count, k) => present[k] >= rules.min_per_class && count < rules.min_per_class);
  let refusal = "";
  if (mixtures.every((mixture) => mixture === null)) refusal = "all losses are equal";
  else if (share < rules.clean_share[0] || share > rules.clean_share[1])
    refusal = `X would hold ${(100 * share).toFixed(1)} % of the segments, outside ${rules.clean_share.map((v) => Math.round(100 * v)).join("–")} %`;
  else if (gap < rules.min_gap) refusal = `X and U differ by ${gap.toFixed(2)} nat, under ${rules.min_gap}`;
  else if (thin >= 0) refusal = `class ${thin} would keep ${counts[thin]} segments in X, under ${rules.min_per_class}`;
  return { asked, capped: asked > most, inU: refusal ? 0 : inU, refusal };
}

/** Return precision, recall and noise recall of the cut ω > τ, and their counts, over the segments whose truth is known. */
function quality(omega, label, truth, tau) {
  let rightX = 0, wrongX = 0, rightU = 0, wrongU = 0;
  for (let i = 0; i < omega.length; i++) {
    if (truth[i] < 0) continue;
    const right = truth[i] === label[i];
    if (omega[i] > tau) right ? rightX++ : wrongX++;
    else right ? rightU++ : wrongU++;
  }
  return {
    rightX, wrongX, rightU, wrongU,
    precision: rightX / (rightX + wrongX), recall: rightX / (rightX + rightU), noiseRecall: wrongU / (wrongX + wrongU),
  };
}

/** Return the ROC curve of ω (share of wrong labels kept, share of right labels kept) and the area under it. */
function roc(omega, order, label, truth) {
  const points = [[1, 1]];
  let right = 0, wrong = 0, area = 0;
  for (let i = 0; i < order.length;) {
    let r = 0, w = 0;
    for (const value = omega[order[i]]; i < order.length && omega[order[i]] === value; i++) {
      const row = order[i];
      if (truth[row] >= 0) truth[row] === label[row] ? r++ : w++;
    }
    area += r * (wrong + w / 2);
    right += r;
    wrong += w;
    points.push([wrong, right]);
  }
  const curve = points.map(([w, r], i) => (i ? [1 - w / wrong, 1 - r / right] : [1, 1]));
  return { curve, area: right && wrong ? area / (right * wrong) : NaN };
}

/** Return heights of the histogram: for each bin the share of [right or unknown, wrong] labels, as densities. */
function histogram(rows, place, bins, isWrong) {
  const heights = Array.from({ length: bins }, () => [0, 0]);
  for (const row of rows) heights[Math.min(bins - 1, Math.floor(place(row) * bins))][isWrong(row) ? 1 : 0] += bins / rows.length;
  return heights;
}

// ---- data -----------------------------------------------------------------------------------------------------------

const halvesOf = (raw) => halves(new DataView(raw.buffer, raw.byteOffset, raw.byteLength));
const count = (n) => n.toLocaleString("en-GB");
const two = (x) => (Number.isFinite(x) ? x.toFixed(2) : "–");

/** Return the fold: its arrays, its passes and mixtures, those that are not here yet asked from the kernel. */
function foldOf(data, talk, arrived) {
  const a = data.arrays, S = data.segments, held = new Map(), traces = new Map(), asked = new Set();
  const fold = {
    label: typed(a.label, Uint8Array), truth: typed(a.truth, Int8Array), clip: typed(a.clip, Uint32Array),
    start: typed(a.start, Float32Array), confidence: typed(a.confidence, Float32Array),
    variability: typed(a.variability, Float32Array), correctness: typed(a.correctness, Float32Array),
  };
  const inU = typed(a.in_u, Uint8Array);
  const fits = { false: [...data.fits.all], true: [...data.fits.class] };
  const ask = (message) => {
    const key = JSON.stringify(message);
    if (talk && !asked.has(key)) { asked.add(key); talk.send(message); }
  };
  fold.forget = (message) => (message ? asked.delete(JSON.stringify(message)) : asked.clear());  // it may be asked again
  if (a.p) {
    const p = typed(a.p, Uint8Array), model = typed(a.model, Uint8Array);
    for (let e = 0; e < data.epochs; e++)
      held.set(e + 1, { raw: p.subarray(2 * e * S, 2 * (e + 1) * S), model: model.subarray(e * S, (e + 1) * S) });
  }
  talk?.on("fit", (reply) => { fits[reply.per_class][reply.after - 1] = reply.mixtures; arrived("fit"); });
  talk?.on("pass", (reply, [p, model]) => {
    held.set(reply.after, { raw: typed(p, Uint8Array), model: typed(model, Uint8Array) });
    arrived("pass");
  });
  talk?.on("trace", (reply, [p]) => { traces.set(reply.row, halvesOf(typed(p, Uint8Array))); arrived("trace"); });
  fold.mixtures = (after, perClass) => {
    const found = fits[perClass][after - 1];
    if (!found) ask({ kind: "fit", after, per_class: perClass });
    return found;
  };
  fold.nextMissing = (perClass) => {
    for (let e = 1; e <= data.epochs; e++) if (!fits[perClass][e - 1]) return e;
    return 0;
  };
  fold.pass = (after) => {
    const found = held.get(after);
    if (!found) ask({ kind: "pass", after });
    else found.p ??= halvesOf(found.raw);
    return found;
  };
  fold.trace = (row) => {
    if (traces.has(row)) return traces.get(row);
    if (held.size < data.epochs) { ask({ kind: "trace", row }); return null; }
    const own = Float32Array.from({ length: data.epochs }, (_, e) => {
      const { raw } = held.get(e + 1);
      return halves(new DataView(raw.buffer, raw.byteOffset + 2 * row, 2))[0];
    });
    traces.set(row, own);
    return own;
  };
  fold.trained = (after, row) => { const at = (after - 1) * S + row; return (inU[at >> 3] >> (at & 7)) & 1; };
  fold.wrong = (row) => fold.truth[row] >= 0 && fold.truth[row] !== fold.label[row];
  return fold;
}

// ---- pictures: each is given a width and draws itself anew --------------------------------------------------------------

function path(points, properties) {
  return s("path", { d: points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join(""), fill: "none", ...properties });
}

function word(x, y, text, properties = {}) {
  return s("text", { x, y, text, ...properties });
}

/** Return a frame's scales and its empty SVG of this size. */
function frame(width, height, room, x, y) {
  const left = room.left, right = width - room.right, top = room.top, bottom = height - room.bottom;
  const sx = (value) => left + (right - left) * (value - x[0]) / (x[1] - x[0]);
  const sy = (value) => bottom - (bottom - top) * (value - y[0]) / (y[1] - y[0]);
  const node = s("svg", { viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" });
  return { node, sx, sy, left, right, top, bottom };
}

/** Draw the histogram with both Gaussians and, below it on the same axis, ω cut at τ. */
function drawHill(view, { width, mixture, hill, tau, brush, data, small }) {
  const f = frame(width, small ? 400 : 470, { left: 52, right: 14, top: 22, bottom: 64 }, [0, 1], [0, 1]);
  const upper = f.bottom - (small ? 116 : 140), tallest = hill.tallest;
  const top = (density) => upper - (upper - f.top) * Math.sqrt(density / tallest);
  const strip = (omega) => f.bottom - (f.bottom - upper - 30) * omega;
  f.node.append(s("defs", {}, s("pattern", { id: `${view.name}-hatch`, width: 7, height: 7, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    s("rect", { width: 7, height: 7, fill: WRONG, "fill-opacity": .35 }), s("line", { y2: 7, stroke: WRONG, "stroke-width": 4 }))));
  const w = (f.right - f.left) / data.bins, bars = { plain: "", wrong: "" };
  hill.heights.forEach(([right, wrong], i) => {
    const at = f.left + i * w, one = top(right), two = top(right + wrong);
    bars.plain += `M${at} ${upper}V${one}h${w}V${upper}Z`;
    if (wrong) bars.wrong += `M${at} ${one}V${two}h${w}V${one}Z`;
  });
  f.node.append(
    s("rect", { class: "brush", x: f.sx(brush[0]), y: f.top - 8, width: Math.max(2, f.sx(brush[1]) - f.sx(brush[0])), height: upper - f.top + 8 }),
    s("path", { d: bars.plain, fill: data.truth ? RIGHT : GREY, "fill-opacity": .5 }),
    s("path", { d: bars.wrong, fill: `url(#${view.name}-hatch)` }),
    s("line", { class: "axis", x1: f.left, x2: f.right, y1: upper, y2: upper }),
    word(f.left, f.top - 10, "how many (root scale)", { class: "quiet small" }),
  );
  if (!mixture) {
    f.node.append(word((f.left + f.right) / 2, upper / 2, "no mixture: all losses are equal", { "text-anchor": "middle" }));
    return f;
  }
  for (const k of [0, 1])
    f.node.append(path(hill.curves.map((point) => [f.sx(point.x), top(point.d[k])]), { stroke: k ? WRONG : RIGHT, "stroke-width": 3.5, "stroke-dasharray": k ? "9 5" : null }));
  const cuts = hill.regions.slice(1).map(([low]) => f.sx(low)), beside = mixture.means[0] + .7 * mixture.sds[0];
  const crossed = cuts.find((cut) => cut > f.sx(beside) - 8 && cut < f.sx(beside) + 62), noisy = Math.min(mixture.means[1], .9);
  f.node.append(
    word((crossed ?? f.sx(beside)) + 9, Math.max(f.top + 36, top(densities(mixture, beside)[0]) - 8), "clean", { class: "halo name" }),
    word(f.sx(noisy), Math.max(f.top + 36, top(densities(mixture, noisy)[1]) - 12), "noisy", { class: "halo name", "text-anchor": "middle" }));
  for (const [low, high, kept] of hill.regions) {
    f.node.append(s("rect", { x: f.sx(low), width: f.sx(high) - f.sx(low), y: strip(1), height: f.bottom - strip(1), fill: kept ? RIGHT : WRONG, "fill-opacity": .22 }));
    if (f.sx(high) - f.sx(low) > 22)
      f.node.append(word(f.sx((low + high) / 2), strip(.5) + 11, kept ? "X" : "U", { class: "set", "text-anchor": "middle" }));
    if (high < 1) f.node.append(
      s("line", { class: "cut", x1: f.sx(high), x2: f.sx(high), y1: f.top, y2: f.bottom }),
      word(Math.min(f.sx(high) + 7, f.right - 64), f.top + 8, `ω = ${two(tau)}`, { class: "strong" }));
  }
  f.node.append(
    path(hill.curves.map((point) => [f.sx(point.x), strip(point.raw)]), { class: "formula" }),
    path(hill.curves.map((point) => [f.sx(point.x), strip(point.omega)]), { class: "used" }),
    s("line", { class: "tau", x1: f.left, x2: f.right, y1: strip(tau), y2: strip(tau) }),
    word(f.left - 8, strip(tau) + 5, "τ", { class: "strong", "text-anchor": "end" }),
    word(f.left - 8, strip(1) + 5, "1", { "text-anchor": "end", class: Math.abs(1 - tau) < .12 ? "gone" : "" }),
    word(f.left - 8, strip(0) + 5, "0", { "text-anchor": "end", class: tau < .12 ? "gone" : "" }),
    word(f.left - 8, strip(1) - 12, "ω", { class: "strong", "text-anchor": "end" }),
    s("line", { class: "axis", x1: f.left, x2: f.right, y1: f.bottom, y2: f.bottom }),
  );
  for (const tick of small ? [0, .5, 1] : [0, .25, .5, .75, 1]) {
    const nats = mixture.low + tick * (mixture.high - mixture.low), anchor = tick === 0 ? "start" : tick === 1 ? "end" : "middle";
    f.node.append(
      s("line", { class: "axis", x1: f.sx(tick), x2: f.sx(tick), y1: f.bottom, y2: f.bottom + 5 }),
      word(f.sx(tick), f.bottom + 21, String(tick), { "text-anchor": anchor }),
      word(f.sx(tick), f.bottom + 39, `${nats.toFixed(2)} nats`, { "text-anchor": anchor, class: "quiet small" }));
  }
  f.node.append(word((f.left + f.right) / 2, f.bottom + 59, "loss of the segment against its label →", { "text-anchor": "middle" }));
  return f;
}

/** Draw the ROC curve with the place of τ on it. */
function drawRoc(width, curve, q) {
  const side = Math.min(width, 250), f = frame(side, side, { left: 34, right: 12, top: 10, bottom: 42 }, [0, 1], [0, 1]);
  const step = Math.max(1, Math.floor(curve.length / 400));
  const thinned = curve.filter((_, i) => i % step === 0 || i === curve.length - 1);
  f.node.append(
    s("rect", { class: "box", x: f.left, y: f.top, width: f.right - f.left, height: f.bottom - f.top }),
    s("line", { class: "tau", x1: f.left, y1: f.bottom, x2: f.right, y2: f.top }),
    path(thinned.map(([x, y]) => [f.sx(x), f.sy(y)]), { stroke: RIGHT, "stroke-width": 3.5 }),
    s("circle", { class: "here", cx: f.sx(q.wrongX / (q.wrongX + q.wrongU)), cy: f.sy(q.recall), r: 7 }),
    word(f.left - 6, f.top + 8, "1", { "text-anchor": "end" }), word(f.left - 6, f.bottom, "0", { "text-anchor": "end" }),
    word(f.left, f.bottom + 17, "0"), word(f.right, f.bottom + 17, "1", { "text-anchor": "end" }),
    word((f.left + f.right) / 2, f.bottom + 35, "wrong labels kept in X", { "text-anchor": "middle", class: "small" }),
    s("text", { class: "small", "text-anchor": "middle", transform: `translate(16 ${(f.top + f.bottom) / 2}) rotate(-90)`, text: "right labels kept" }),
  );
  return f.node;
}

/** Draw one segment's ω over the epochs: the line, τ, and a U wherever the training had it in U. */
function drawPath(width, { omega, tau, after, inU, said }) {
  const n = omega.length, f = frame(width, 280, { left: 40, right: 16, top: 14, bottom: 84 }, [1, Math.max(2, n)], [0, 1]);
  f.node.append(
    s("line", { class: "now", x1: f.sx(after), x2: f.sx(after), y1: f.top, y2: f.bottom }),
    s("line", { class: "axis", x1: f.left, x2: f.right, y1: f.bottom, y2: f.bottom }),
    s("line", { class: "tau", x1: f.left, x2: f.right, y1: f.sy(tau), y2: f.sy(tau) }),
    word(f.left - 8, f.sy(tau) + 5, "τ", { class: "strong", "text-anchor": "end" }),
    word(f.left - 8, f.sy(1) + 5, "1", { "text-anchor": "end", class: tau > .9 ? "gone" : "" }),
    word(f.left - 8, f.sy(0) + 5, "0", { "text-anchor": "end", class: tau < .1 ? "gone" : "" }),
    path(omega.map((value, e) => [f.sx(e + 1), f.sy(value)]), { class: "used" }));
  omega.forEach((value, e) => {
    f.node.append(s("circle", { cx: f.sx(e + 1), cy: f.sy(value), r: 5, class: value > tau ? "kept" : "doubted" }));
    if (inU[e]) f.node.append(
      s("rect", { x: f.sx(e + 1) - 9, y: f.bottom + 34, width: 18, height: 20, rx: 3, fill: WRONG, "fill-opacity": .25 }),
      word(f.sx(e + 1), f.bottom + 49, "U", { "text-anchor": "middle", class: "strong" }));
  });
  const every = Math.max(1, Math.ceil(n * 34 / (f.right - f.left)));
  for (let e = 1; e <= n; e += every) f.node.append(word(f.sx(e), f.bottom + 26, String(e), { "text-anchor": "middle" }));
  f.node.append(word((f.left + f.right) / 2, f.bottom + 76, said, { "text-anchor": "middle", class: "small" }));
  return f.node;
}

/** Draw the axes of the data map; the points are on the canvas below it. */
function drawMapAxes(width, height, most) {
  const f = frame(width, height, { left: 56, right: 12, top: 10, bottom: 44 }, [0, most], [0, 1]);
  f.node.append(s("rect", { class: "box", x: f.left, y: f.top, width: f.right - f.left, height: f.bottom - f.top }));
  for (const tick of [0, .5, 1]) f.node.append(word(f.left - 6, f.sy(tick) + 5, String(tick), { "text-anchor": "end" }));
  for (const tick of [0, .1, .2, .3, .4].filter((value) => value <= most)) f.node.append(word(f.sx(tick), f.bottom + 18, String(tick), { "text-anchor": tick ? "middle" : "start" }));
  for (const [x, y, text, anchor] of [[.01, .94, "easy to learn", "start"], [.99, .5, "ambiguous", "end"], [.01, .03, "never learned: suspect", "start"]])
    f.node.append(word(f.sx(x * most), f.sy(y), text, { "text-anchor": anchor, class: "halo" }));
  f.node.append(
    word((f.left + f.right) / 2, f.bottom + 37, "variability over the epochs →", { "text-anchor": "middle", class: "small" }),
    s("text", { class: "small", "text-anchor": "middle", transform: `translate(14 ${(f.top + f.bottom) / 2}) rotate(-90)`, text: "confidence in the label →" }));
  return f;
}

/** Paint the points: a dot, and a cross (or a ring) for those of which to be doubtful, so that shape tells as well as colour. */
function paintMap(canvas, f, fold, data, width, height) {
  const scale = window.devicePixelRatio || 1, pen = canvas.getContext("2d"), n = data.segments;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  pen.scale(scale, scale);
  const alpha = n > 5000 ? .35 : .6, marks = new Path2D();
  pen.globalAlpha = alpha;
  pen.fillStyle = data.truth ? RIGHT : GREY;
  for (let i = 0; i < n; i++) {
    const x = f.sx(fold.variability[i]), y = f.sy(fold.confidence[i]);
    if (data.truth ? fold.wrong(i) : fold.correctness[i] < .5) {
      if (data.truth) { marks.moveTo(x - 3, y - 3); marks.lineTo(x + 3, y + 3); marks.moveTo(x - 3, y + 3); marks.lineTo(x + 3, y - 3); }
      else { marks.moveTo(x + 2.5, y); marks.arc(x, y, 2.5, 0, 7); }
    } else pen.fillRect(x - 1.5, y - 1.5, 3, 3);
  }
  pen.globalAlpha = Math.min(1, alpha + .3);
  pen.strokeStyle = data.truth ? WRONG : DOUBT;
  pen.lineWidth = data.truth ? 1.6 : 1.1;
  pen.stroke(marks);
}

// ---- sound ------------------------------------------------------------------------------------------------------------

/** Return {can, toggle, stop}: plays one segment at a time, from the page or from the kernel. */
function speaker(data, talk, changed, failed) {
  const made = new Map(), audio = new Audio();
  let wanted = null;
  const begin = (row) => {
    audio.src = made.get(row);
    audio.play().catch((error) => { if (error.name !== "AbortError" && wanted === row) { stop(); failed("The browser cannot play this sound."); } });
  };
  const stop = () => { wanted = null; audio.pause(); changed(null); };
  audio.addEventListener("ended", stop);
  const embedded = data.sounds ?? {};
  talk?.on("play", (reply, [sound]) => {
    if (!made.has(reply.row)) made.set(reply.row, address(typed(sound, Uint8Array), reply.mime));
    if (wanted === reply.row) begin(reply.row);
  });
  return {
    can: (row) => Boolean(talk) || row in embedded,
    stop,
    toggle(row) {
      if (wanted === row) return stop();
      audio.pause();
      wanted = row;
      changed(row);
      if (!made.has(row) && row in embedded) made.set(row, address(bytes(embedded[row].data), embedded[row].mime));
      if (made.has(row)) begin(row); else talk.send({ kind: "play", row });
    },
    close() { wanted = null; audio.pause(); audio.removeAttribute("src"); for (const url of made.values()) URL.revokeObjectURL(url); },
  };
}

// ---- the view -----------------------------------------------------------------------------------------------------------

const ORDERS = {
  loud: "brushed, largest loss first",
  quiet: "brushed, smallest loss first",
  omega: "brushed, smallest ω first",
  never: "never learned (lowest confidence)",
  torn: "most ambiguous (largest variability)",
};
let mounted = 0;

/** Build the lab in `el`; return a function that takes it down. */
export function mount(el, data, talk) {
  el.classList.add("mer", "mer-noise_lab");
  ownKeys(el);
  const name = `noise-lab-${mounted++}`, fold = foldOf(data, talk, arrived), K = data.classes.length;
  const state = { after: data.after, tau: data.tau, perClass: data.per_class, klass: 0, brush: [.8, 1], order: "loud", row: null, heard: Object.keys(data.sounds ?? {}).length > 0 };
  const everyRow = [...fold.label.keys()];
  let now = null, width = 0, listed = [], timer = 0, map = null, playing = null;
  const sound = speaker(data, talk, showPlaying, say);
  const ui = build();
  el.append(...ui.parts);
  talk?.on("sorry", refused);
  const watch = new ResizeObserver(() => { if (el.clientWidth && inner() !== width) { width = inner(); look(); } });
  watch.observe(el);
  width = el.clientWidth ? inner() : 800;
  look();
  return () => { watch.disconnect(); clearTimeout(timer); sound.close(); el.replaceChildren(); el.classList.remove("mer", "mer-noise_lab"); };

  /** Return the width within the edge that leaves room for the focus ring (4 px in the style sheet). */
  function inner() { return Math.max(240, el.clientWidth - 8); } // a page that is being laid out may have next to no room yet

  // -- building

  function slider(label, min, max, step, value, input) {
    const out = h("output"), range = h("input", { type: "range", min, max, step, value, id: `${name}-${label.replaceAll(" ", "-")}`, oninput: () => input(Number(range.value)) });
    return { out, range, node: h("div", { class: "slider" }, h("label", { for: range.id }, label), out, range) };
  }

  function build() {
    const epoch = slider("after epoch", 1, data.epochs, 1, state.after, (value) => change({ after: value }));
    const tau = slider("threshold τ", 0, 1, .01, state.tau, (value) => move({ tau: value }));
    const whole = h("button", { type: "button", text: "one for all", onclick: () => change({ perClass: false }) });
    const each = h("button", { type: "button", text: "one per class", onclick: () => change({ perClass: true }) });
    const klass = h("select", { "aria-label": "class whose hill is shown", onchange: () => change({ klass: Number(klass.value) }) },
      ...data.classes.map((one, k) => h("option", { value: k, text: `${one.name} ${one.word}` })));
    const mixtures = h("div", { class: "row", role: "group", "aria-label": "mixtures" }, h("span", { text: "mixture" }), whole, each, klass);
    const phase = h("p", { class: "phase" });
    const from = brushEnd("from", 0), to = brushEnd("to", 1);
    const order = h("select", { id: `${name}-order`, onchange: () => move({ order: order.value }) },
      ...Object.entries(ORDERS).map(([value, text]) => h("option", { value, text })));
    const heard = h("input", { type: "checkbox", checked: state.heard, onchange: () => move({ heard: heard.checked }) });
    const list = h("tbody", { onkeydown: walk });
    const heads = ["", "clip", "seconds", "label", "model", ...(data.truth ? ["truth"] : []), "loss", "ω", "in"];
    const table = h("table", {}, h("thead", {}, h("tr", {}, ...heads.map((text) => (text ? h("th", { scope: "col", text }) : h("td", {}, h("span", { class: "unseen", text: "sound" })))))), list);
    const hill = h("div", { class: "hill", onpointerdown: drag });
    const canvas = h("canvas", { "aria-hidden": "true" }), mapped = h("div", { class: "map", onclick: pick }, canvas);
    const legend = h("ul", { class: "legend" }, ...[
      ...(data.truth ? [["bar right", "right label"], ["bar wrong", "wrong label"]] : [["bar any", "segments"]]),
      ["line clean", "clean Gaussian"], ["line noisy", "noisy Gaussian"], ["line omega", "ω as used"], ["line raw", "ω by the formula"],
    ].map(([kind, text]) => h("li", {}, h("i", { class: kind }), text)));
    const key = h("ul", { class: "legend" }, ...(data.truth
      ? [["dot right", "right label"], ["cross", "wrong label"]]
      : [["dot any", "the model mostly agreed"], ["ring", "the model mostly disagreed"]]).map(([kind, text]) => h("li", {}, h("i", { class: kind }), text)));
    const sides = h("div", { class: "sides" }), measures = h("div", { class: "measures" }), curve = h("div", { class: "roc" });
    const words = h("p", { class: "words", "aria-live": "polite" }), note = h("p", { class: "note" });
    const trail = h("div", { class: "trail" }), trailWords = h("p", { class: "quiet" }), mapWords = h("p", { class: "quiet" }), listWords = h("p", { class: "quiet" });
    const parts = [
      h("div", { class: "controls" }, epoch.node, tau.node, mixtures),
      phase,
      h("div", { class: "top" }, h("div", { class: "left" }, legend, hill), h("div", { class: "right" }, sides, measures, curve)),
      words, note,
      h("section", { "aria-label": "list of segments" },
        h("h3", { text: "Hear them" }),
        h("div", { class: "row" }, h("label", { for: order.id, text: "list" }), order, h("span", { class: "ends" }, "brush ", from.node, to.node),
          ...(state.heard ? [h("label", {}, heard, " only those whose sound is in this page")] : [])),
        listWords,
        h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "segments" }, table)),
      h("div", { class: "bottom" },
        h("section", { "aria-label": "path of one segment" }, h("h3", { text: "One segment through the training" }), trailWords, trail),
        h("section", { "aria-label": "data map" }, h("h3", { text: "Data map" }), key, mapped, mapWords)),
    ];
    return { parts, epoch, tau, whole, each, klass, phase, from, to, order, list, hill, canvas, mapped, sides, measures, curve, words, note, trail, trailWords, mapWords, listWords };
  }

  function brushEnd(text, which) {
    const input = h("input", { type: "number", min: 0, max: 1, step: .01, value: state.brush[which], oninput: () => {
      const value = Math.min(1, Math.max(0, Number(input.value)));
      if (input.value === "" || !Number.isFinite(value)) return;
      const brush = [...state.brush];
      brush[which] = value;
      brush[1 - which] = which ? Math.min(brush[0], value) : Math.max(brush[1], value);
      move({ brush });
    } });
    return { input, node: h("label", {}, `${text} `, input) };
  }

  // -- moving

  /** Is what was last asked for what is shown? Not while its pass or its mixtures are on their way. */
  function current() { return now !== null && now.after === state.after && now.perClass === state.perClass; }

  /** A change that needs another pass or another mixture. */
  function change(part) {
    Object.assign(state, part);
    look();
  }

  /** A change on the same pass: nothing is computed anew but what it touches; a pass on its way is drawn when it comes. */
  function move(part) {
    Object.assign(state, part);
    if ("tau" in part) ui.tau.out.textContent = two(state.tau);
    if (!current()) return;
    if ("tau" in part) { drawTop(); drawTrail(); markSets(); }
    else { if ("brush" in part) drawHillOnly(); fillList(); }
  }

  function arrived(kind) {
    if (kind === "trace") drawTrail();
    else if (!current()) look();
    else drawTrail();
  }

  /** Say what the kernel refused; what was wished for does not come, so the controls go back to what is shown. */
  function refused({ text, to }) {
    const wished = !to || (to.after === state.after && (to.per_class ?? state.perClass) === state.perClass);
    fold.forget(to);
    if (!to || (to.kind === "play" && to.row === playing)) sound.stop();
    if (now && !current() && wished) {
      Object.assign(state, { after: now.after, perClass: now.perClass });
      look();
    }
    say(text);
  }

  /** Say something at once, in place of what the last movement would be said to have led to. */
  function say(text) {
    clearTimeout(timer);
    ui.words.textContent = text;
  }

  function look() {
    const mixtures = fold.mixtures(state.after, state.perClass), pass = fold.pass(state.after);
    ui.epoch.range.value = state.after;
    ui.epoch.out.textContent = `${state.after} of ${data.epochs}`;
    ui.whole.setAttribute("aria-pressed", String(!state.perClass));
    ui.each.setAttribute("aria-pressed", String(state.perClass));
    ui.klass.hidden = !state.perClass;
    if (!mixtures || !pass) return say("Fitting the mixtures of this pass …");
    if (!current()) {
      const loss = lossesOf(pass.p), omega = omegas(loss, fold.label, mixtures, data.clamp), order = byOmega(omega, loss);
      now = { after: state.after, perClass: state.perClass, mixtures, loss, omega, order, label: fold.label, model: pass.model };
      if (data.truth) now.roc = roc(omega, order, fold.label, fold.truth);
    }
    now.hill = hillOf();
    drawTop();
    if (map?.within !== width) drawMap();
    fillList();
    drawTrail();
  }

  /** Return what the histogram shows of this pass: rows, bars, curves on a grid. */
  function hillOf() {
    const mixture = now.mixtures[state.perClass ? state.klass : 0];
    const rows = state.perClass ? everyRow.filter((row) => fold.label[row] === state.klass) : everyRow;
    const top = now.loss.reduce((most, value) => Math.max(most, value), 1e-12);
    const place = mixture ? (row) => normalise(mixture, now.loss[row]) : (row) => now.loss[row] / top;
    const heights = histogram(rows, place, data.bins, fold.wrong), hill = { mixture, rows, place, heights, curves: [] };
    if (mixture) {
      const used = posterior(mixture, data.clamp), raw = posterior(mixture, false);
      for (let i = 0; i <= 400; i++) hill.curves.push({ x: i / 400, d: densities(mixture, i / 400), omega: used(i / 400), raw: raw(i / 400) });
    }
    hill.tallest = 1.05 * Math.max(...heights.map(([a, b]) => a + b), ...hill.curves.flatMap(({ d }) => d));
    return hill;
  }

  /** Return [from, to, in X] of the stretches of normalised loss that the cut makes. */
  function regions(hill) {
    const out = [];
    for (const { x, omega } of hill.curves) {
      const kept = omega > state.tau;
      if (!out.length) out.push([0, 1, kept]);
      else if (out.at(-1)[2] !== kept) { out.at(-1)[1] = x; out.push([x, 1, kept]); }
    }
    return out;
  }

  // -- drawing

  function drawTop() {
    ui.tau.out.textContent = two(state.tau);
    ui.tau.range.value = state.tau;
    ui.phase.textContent = phaseWords();
    drawHillOnly();
    drawSides();
  }

  function drawHillOnly() {
    const wide = width >= 760, w = wide ? Math.floor((width - 24) * .66) : width;
    now.hill.regions = regions(now.hill);
    const f = drawHill({ name }, { width: w, mixture: now.hill.mixture, hill: now.hill, tau: state.tau, brush: state.brush, data, small: width < 520 });
    ui.hill.replaceChildren(f.node);
    now.frame = f;
    for (const [end, value] of [[ui.from, state.brush[0]], [ui.to, state.brush[1]]])
      if (document.activeElement !== end.input) end.input.value = value.toFixed(2);
  }

  function drawSides() {
    const n = data.segments, inU = below(now.omega, now.order, state.tau), inX = n - inU;
    const q = data.truth ? quality(now.omega, fold.label, fold.truth, state.tau) : null;
    const bar = (letter, all, wrong, right) => h("div", { class: "side" },
      h("b", { text: letter }),
      h("div", { class: "bar" }, ...(q ? [h("i", { class: "right", style: `width:${100 * right / n}%` }), h("i", { class: "wrong", style: `width:${100 * wrong / n}%` }), h("i", { class: "any", style: `width:${100 * (all - right - wrong) / n}%` })]
        : [h("i", { class: "any", style: `width:${100 * all / n}%` })])),
      h("span", {}, h("strong", { text: count(all) }), ` · ${percent(all / n)}`, ...(q ? [h("small", { text: ` ${count(wrong)} wrong` })] : [])));
    ui.sides.replaceChildren(bar("X", inX, q?.wrongX, q?.rightX), bar("U", inU, q?.wrongU, q?.rightU));
    if (q) {
      const measure = (value, text) => h("div", {}, h("b", { text: value }), h("span", { text }));
      ui.measures.replaceChildren(measure(percent(q.precision), "of X has right labels (precision)"), measure(percent(q.recall), "of the right labels are in X (recall)"),
        measure(percent(q.noiseRecall), "of the wrong labels are in U"), measure(two(now.roc.area), "area under the ROC curve of ω"));
      ui.curve.replaceChildren(...(Number.isFinite(now.roc.area) ? [drawRoc(250, now.roc.curve, q)] : []));  // none where all labels are right, or all wrong
    } else if (!ui.measures.childElementCount)
      ui.measures.append(h("p", { class: "quiet", text: "Nobody knows the truth of these segments, so no precision, recall or ROC curve can be told. Listen instead." }));
    ui.note.textContent = noteWords(inU);
    clearTimeout(timer);  // a reader of screens hears where a movement ends, not every step of it
    timer = setTimeout(() => { ui.words.textContent = soFar(inX, inU, q); }, 250);
  }

  function soFar(inX, inU, q) {
    const shown = state.perClass ? ` One mixture per class; the hill is that of ${className(state.klass)}.` : "";
    const told = q ? ` Precision ${percent(q.precision)}, recall ${percent(q.recall)}, wrong labels found ${percent(q.noiseRecall)}, area under the ROC curve ${two(now.roc.area)}.` : "";
    return `After epoch ${state.after} at τ = ${two(state.tau)}: ${count(inX)} segments in X, ${count(inU)} in U (${percent(inU / data.segments)}).${told}${shown}`;
  }

  /** Return a guard's reason with the class's name for its number. */
  function spoken(reason) { return reason.replace(/class (\d+)/, (_, k) => className(Number(k))); }

  function className(k) { return `${data.classes[k].name} ${data.classes[k].word}`.trim(); }

  function phaseWords() {
    const { phase } = data.training[state.after - 1], next = state.after + 1;
    if (phase === "ssl") return `This pass decided on X and U for epoch ${next}.`;
    if (phase === "training over") return "The last pass: nothing was trained after it.";
    return phase === "warmup" ? `Epoch ${next} was still warm-up and trusted every label.` : `This training divided nothing; epoch ${next} trusted every label.`;
  }

  /** Say where the training's own cap and guards part from the plain cut, and what the training had. */
  function noteWords(asked) {
    const { phase, n_labelled, n_unlabelled, note } = data.training[state.after - 1];
    const d = divide(now, state.tau, data.rules, now.mixtures, K), parts = [];
    if (d.refusal) parts.push(`Shown is the plain cut ω > τ. In a training the guards would refuse it (${spoken(d.refusal)}) and keep every label.`);
    else if (d.capped) parts.push(`Shown is the plain cut ω > τ. In a training the cap of ${percent(data.rules.max_unlabelled)} (max_unlabelled) would send only the ${count(d.inU)} most doubtful of these ${count(asked)} to U.`);
    const had = `X ${count(n_labelled)} and U ${count(n_unlabelled)}`, fitted = data.per_class ? "one mixture per class" : "one mixture for all";
    const own = `with ${fitted} and its own τ = ${two(data.tau)}`, why = note ? ` (${spoken(note)})` : "";
    parts.push(phase === "ssl" ? `The training really had, ${own}: ${had}${why}.` : `Had the training divided here ${own}, it would have had ${had}${why}.`);
    return parts.join(" ");
  }

  // -- the list

  function fillList() {
    const { rows, place } = now.hill, [low, high] = state.brush, whole = state.order === "never" || state.order === "torn";
    let chosen = whole ? everyRow : rows.filter((row) => { const x = place(row); return x >= low && x <= high; });
    const total = chosen.length;
    if (state.heard) chosen = chosen.filter((row) => sound.can(row));
    const keys = { loud: (i) => -now.loss[i], quiet: (i) => now.loss[i], omega: (i) => now.omega[i], never: (i) => fold.confidence[i], torn: (i) => -fold.variability[i] };
    listed = least(chosen, keys[state.order], ROWS);
    ui.listWords.textContent = whole ? `${count(listed.length)} of ${count(total)} segments` : `${count(total)} segments between ${two(low)} and ${two(high)}${listed.length < total ? `; ${count(listed.length)} are listed` : ""}. Drag over the histogram to choose others.`;
    ui.list.replaceChildren(...listed.map(line));
    tabStop();
    showPlaying(playing);
    ringMap();
  }

  function line(row) {
    const [clip, title] = data.clips[fold.clip[row]], what = describe(row), cell = (text, more = {}) => h("td", { text, ...more });
    const button = h("button", { type: "button", class: "play", tabindex: -1, disabled: !sound.can(row), "data-row": row, "aria-label": `play ${what}`, text: "▶", onclick: () => { select(row); sound.toggle(row); } });
    const differs = now.model[row] !== fold.label[row];
    return h("tr", { "data-row": row, class: row === state.row ? "chosen" : "", onclick: (event) => { if (!event.target.closest("button")) select(row); } },
      h("td", {}, button),
      h("th", { scope: "row", title: title || null, text: clip }), cell(`${clock(Math.round(10 * fold.start[row]) / 10)}–${clock(Math.round(10 * (fold.start[row] + data.seconds)) / 10)}`),
      cell(className(fold.label[row])), cell(className(now.model[row]), { class: differs ? "strong" : "" }),
      ...(data.truth ? [cell(fold.truth[row] < 0 ? "?" : `${fold.wrong(row) ? "✗ " : "✓ "}${className(fold.truth[row])}`)] : []),
      cell(two(now.loss[row]), { class: "number" }), cell(two(now.omega[row]), { class: "number" }), cell(now.omega[row] > state.tau ? "X" : "U", { class: "set" }));
  }

  function describe(row) {
    return `${data.clips[fold.clip[row]][0]} from ${clock(Math.round(10 * fold.start[row]) / 10)}, labelled ${className(fold.label[row])}`;
  }

  function markSets() {
    for (const tr of ui.list.children) tr.lastChild.textContent = now.omega[Number(tr.dataset.row)] > state.tau ? "X" : "U";
  }

  /** One place of the list is reached by Tab, the others by the arrow keys. */
  function tabStop() {
    const buttons = [...ui.list.querySelectorAll("button:not(:disabled)")];
    const stop = buttons.find((one) => Number(one.dataset.row) === state.row) ?? buttons[0];
    for (const one of buttons) one.tabIndex = one === stop ? 0 : -1;
  }

  function walk(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key], buttons = [...ui.list.querySelectorAll("button:not(:disabled)")];
    const at = buttons.indexOf(document.activeElement);
    if (!step || at < 0) return;
    event.preventDefault();
    const next = buttons[Math.min(buttons.length - 1, Math.max(0, at + step))];
    select(Number(next.dataset.row));
    next.focus();
  }

  function select(row) {
    state.row = row;
    for (const tr of ui.list.children) tr.classList.toggle("chosen", Number(tr.dataset.row) === row);
    tabStop();
    drawTrail();
    ringMap();
  }

  function showPlaying(row) {
    playing = row;
    for (const button of ui.list.querySelectorAll("button")) {
      const on = Number(button.dataset.row) === row;
      button.textContent = on ? "■" : "▶";
      button.setAttribute("aria-label", `${on ? "stop" : "play"} ${describe(Number(button.dataset.row))}`);
    }
  }

  // -- the path and the map

  function drawTrail() {
    const row = state.row;
    if (row === null) {
      ui.trailWords.textContent = "Choose a segment in the list or on the map: its ω after every epoch stands here.";
      ui.trail.replaceChildren();
      return;
    }
    const { after, perClass } = now, p = fold.trace(row), missing = fold.nextMissing(perClass);
    if (missing) fold.mixtures(missing, perClass);
    if (!p) return;
    const omega = Array.from(p, (value, e) => {
      const mixtures = missing && e + 1 >= missing ? null : fold.mixtures(e + 1, perClass);
      return mixtures ? omegas(lossesOf([value]), [fold.label[row]], mixtures, data.clamp)[0] : NaN;
    }).filter((value) => !Number.isNaN(value));
    const inU = Array.from(omega, (_, e) => fold.trained(e + 1, row)), times = inU.filter(Boolean).length;
    const used = data.training.filter(({ phase }) => phase === "ssl").length;
    ui.trailWords.textContent = `${describe(row)}; the model says ${className(now.model[row])}.${missing ? " Fitting the other passes …" : ""}`;
    ui.trail.replaceChildren(
      drawPath(Math.max(200, ui.trail.clientWidth || width), { omega, tau: state.tau, after, inU, said: "after epoch (U: the training doubted it)" }),
      h("p", { class: "unseen", text: `ω after each epoch: ${omega.map(two).join(", ")}. In U by ${times} of the ${used} divisions of the training.` }));
  }

  function drawMap() {
    const w = Math.max(200, ui.mapped.clientWidth || width);
    const height = Math.min(340, Math.max(260, Math.round(.75 * w)));
    const most = Math.max(.3, 1.12 * fold.variability.reduce((a, b) => Math.max(a, b), 0)), f = drawMapAxes(w, height, most);
    ui.mapped.replaceChildren(ui.canvas, f.node);
    paintMap(ui.canvas, f, fold, data, w, height);
    const rings = s("g");
    f.node.append(rings);
    map = { within: width, f, rings };
  }

  /** Ring the listed segments on the map, and the chosen one with a larger ring. */
  function ringMap() {
    if (!map) return;
    const at = (row) => ({ cx: map.f.sx(fold.variability[row]), cy: map.f.sy(fold.confidence[row]) });
    map.rings.replaceChildren(...listed.map((row) => s("circle", { ...at(row), r: 5, class: "listed" })),
      ...(state.row === null ? [] : [s("circle", { ...at(state.row), r: 10, class: "here" })]));
    ui.mapWords.textContent = "Small rings: the listed segments. A click plays the nearest one; by keyboard, choose “never learned” or “most ambiguous” in the list above.";
  }

  function pick(event) {
    const box = ui.canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    let best = -1, least = 20 ** 2;
    for (let i = 0; i < data.segments; i++) {
      const far = (map.f.sx(fold.variability[i]) - x) ** 2 + (map.f.sy(fold.confidence[i]) - y) ** 2;
      // In a page without a kernel few segments have a sound: the nearest of them is meant.
      if (far < least && sound.can(i)) { least = far; best = i; }
    }
    if (best < 0) return say("No segment that can be heard is near this place.");
    select(best);
    if (playing !== best) sound.toggle(best);
    say(`${describe(best)}: confidence ${two(fold.confidence[best])}, variability ${two(fold.variability[best])}.`);
  }

  /** Draw a brush with the pointer; a plain click leaves it as it is. */
  function drag(event) {
    if (event.button !== 0 || !now?.frame) return;
    const box = ui.hill.getBoundingClientRect(), { left, right } = now.frame;
    const place = (x) => Math.min(1, Math.max(0, (x - box.left - left) / (right - left))), first = place(event.clientX);
    const moved = (next) => {
      const last = place(next.clientX);
      if (Math.abs(last - first) < .01) return;
      const brush = [Math.min(first, last), Math.max(first, last)].map((value) => Math.round(100 * value) / 100);
      if (state.order === "never" || state.order === "torn") ui.order.value = state.order = "loud";
      move({ brush });
    };
    const done = () => { ui.hill.removeEventListener("pointermove", moved); ui.hill.removeEventListener("pointerup", done); ui.hill.removeEventListener("pointercancel", done); };
    ui.hill.setPointerCapture(event.pointerId);
    ui.hill.addEventListener("pointermove", moved);
    ui.hill.addEventListener("pointerup", done);
    ui.hill.addEventListener("pointercancel", done);
  }
}

export default {
  render({ model, el }) {
    return lively(model, mount, el, model.get("data"));
  },
};
