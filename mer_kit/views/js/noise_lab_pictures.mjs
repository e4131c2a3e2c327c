// The noise lab's pictures. Each one is drawn anew for a width.

const RIGHT = "#5790fc", WRONG = "#e42536", GREY = "#86868f", DOUBT = "#b05aa5";
const twoDigits = (value) => (Number.isFinite(value) ? value.toFixed(2) : "–");

/** Return what the histogram shows of one mixture: its table, four curves over the axis 0…1, and the largest density. */
function histogramOf({ groups, curves }, group) {
  const [clean, noisy, omega, formula] = inParts(inParts(curves, groups.length)[group], 4);
  const tallest = 1.05 * Math.max(...groups[group].bars.map(([right, wrong]) => right + wrong), ...clean, ...noisy);
  return { ...groups[group], clean, noisy, omega, formula, tallest };
}

/** Draw the histogram of the losses with both Gaussians and, below it on the same axis, ω cut at τ. Return its frame. */
function drawHistogram({ id, width, histogram, tau, brush, truth }) {
  const narrow = width < 520, margins = { left: 52, right: 14, top: 22, bottom: 64 };
  const f = createFrame(width, narrow ? 400 : 470, margins, [0, 1], [0, 1]);
  f.floor = f.bottom - (narrow ? 116 : 140);
  f.density = (value) => f.floor - (f.floor - f.top) * Math.sqrt(value / histogram.tallest);
  f.omega = linear([0, 1], [f.bottom, f.floor + 30]);
  const hatchId = `${id}-hatch`;
  f.node.append(
    hatch(hatchId, 7, WRONG, 4, WRONG),
    s("rect", { class: "brush", x: f.x(brush[0]), y: f.top - 8, width: Math.max(2, f.x(brush[1]) - f.x(brush[0])), height: f.floor - f.top + 8 }),
    ...histogramBars(f, histogram.bars, truth ? RIGHT : GREY, `url(#${hatchId})`),
    segmentLine(f.left, f.floor, f.right, f.floor, { class: "axis" }),
    label(f.left, f.top - 10, "how many (root scale)", { class: "quiet small" }));
  if (!histogram.fitted) {
    f.node.append(label((f.left + f.right) / 2, f.floor / 2, "no mixture: all losses are equal", { "text-anchor": "middle" }));
    return f;
  }
  const cuts = stretches(histogram.omega, tau);
  f.node.append(...gaussians(f, histogram), ...gaussianNames(f, histogram, cuts), ...cutStretches(f, cuts, tau),
    ...omegaCurves(f, histogram, tau), ...lossAxis(f, histogram.axis, narrow ? [0, .5, 1] : [0, .25, .5, .75, 1]));
  return f;
}

/** Return two paths: the bars of all labels that are not wrong, and on top of them those of the wrong ones. */
function histogramBars(f, bars, fill, hatched) {
  const width = (f.right - f.left) / bars.length;
  const bar = (i, from, to) => `M${f.left + i * width} ${f.density(from)}V${f.density(to)}h${width}V${f.density(from)}Z`;
  const plain = bars.map(([right], i) => bar(i, 0, right)), wrong = bars.map(([right, bad], i) => (bad ? bar(i, right, right + bad) : ""));
  return [s("path", { d: plain.join(""), fill, "fill-opacity": .5 }), s("path", { d: wrong.join(""), fill: hatched })];
}

const along = (f, values, y) => Array.from(values, (value, i) => [f.x(i / (values.length - 1)), y(value)]);

function gaussians(f, { clean, noisy }) {
  const line = (values, look) => curve(along(f, values, f.density), { "stroke-width": 3.5, ...look });
  return [line(clean, { stroke: RIGHT }), line(noisy, { stroke: WRONG, "stroke-dasharray": "9 5" })];
}

/** Return the names of both Gaussians; a name that a cut would cross moves to the right of it. */
function gaussianNames(f, { names: [clean, noisy] }, cuts) {
  const x = f.x(clean[0]), crossed = cuts.slice(1).map(([from]) => f.x(from)).find((cut) => cut > x - 8 && cut < x + 62);
  const y = (density, gap) => Math.max(f.top + 36, f.density(density) - gap);
  return [
    label((crossed ?? x) + 9, y(clean[1], 8), "clean", { class: "halo name" }),
    label(f.x(noisy[0]), y(noisy[1], 12), "noisy", { class: "halo name", "text-anchor": "middle" }),
  ];
}

/** Return the stretches of X and U on the strip of ω, and a line through both pictures at each cut. */
function cutStretches(f, cuts, tau) {
  const parts = [], top = f.omega(1);
  for (const [low, high, kept] of cuts) {
    const from = f.x(low), width = f.x(high) - from;
    parts.push(s("rect", { x: from, width, y: top, height: f.bottom - top, fill: kept ? RIGHT : WRONG, "fill-opacity": .22 }));
    if (width > 22) parts.push(label(from + width / 2, f.omega(.5) + 11, kept ? "X" : "U", { class: "set", "text-anchor": "middle" }));
    if (high === 1) continue;
    parts.push(segmentLine(f.x(high), f.top, f.x(high), f.bottom, { class: "cut" }),
      label(Math.min(f.x(high) + 7, f.right - 64), f.top + 8, `ω = ${twoDigits(tau)}`, { class: "strong" }));
  }
  return parts;
}

/** Return the labels 0, τ and 1 of an axis of ω; where τ is near an end, its label takes the place of the end's. */
function tauLabels(f, y, tau, near) {
  const at = (value, text, look) => label(f.left - 8, y(value) + 5, text, { "text-anchor": "end", class: look });
  return [segmentLine(f.left, y(tau), f.right, y(tau), { class: "tau" }), at(tau, "τ", "strong"),
    at(1, "1", 1 - tau < near ? "gone" : ""), at(0, "0", tau < near ? "gone" : "")];
}

function omegaCurves(f, { omega, formula }, tau) {
  return [
    curve(along(f, formula, f.omega), { class: "formula" }),
    curve(along(f, omega, f.omega), { class: "used" }),
    ...tauLabels(f, f.omega, tau, .12),
    label(f.left - 8, f.omega(1) - 12, "ω", { class: "strong", "text-anchor": "end" }),
  ];
}

/** Return the axis of losses: 0 to 1, and below it the same places in nats. */
function lossAxis(f, axis, ticks) {
  const nats = linear([0, 1], axis), parts = [segmentLine(f.left, f.bottom, f.right, f.bottom, { class: "axis" })];
  for (const tick of ticks) {
    const x = f.x(tick), anchor = { 0: "start", 1: "end" }[tick] ?? "middle";
    parts.push(segmentLine(x, f.bottom, x, f.bottom + 5, { class: "axis" }),
      label(x, f.bottom + 21, String(tick), { "text-anchor": anchor }),
      label(x, f.bottom + 39, `${nats(tick).toFixed(2)} nats`, { "text-anchor": anchor, class: "quiet small" }));
  }
  const title = "loss of the segment against its label →";
  return [...parts, label((f.left + f.right) / 2, f.bottom + 59, title, { "text-anchor": "middle" })];
}

/** Draw the ROC curve with a dot at [wrong labels kept, right labels kept]. */
function drawRoc(width, points, dot) {
  const side = Math.min(width, 250), f = createFrame(side, side, { left: 34, right: 12, top: 10, bottom: 42 }, [0, 1], [0, 1]);
  f.node.append(
    s("rect", { class: "box", x: f.left, y: f.top, width: f.right - f.left, height: f.bottom - f.top }),
    segmentLine(f.left, f.bottom, f.right, f.top, { class: "tau" }),
    curve(points.map(([x, y]) => [f.x(x), f.y(y)]), { stroke: RIGHT, "stroke-width": 3.5 }),
    s("circle", { class: "here", cx: f.x(dot[0]), cy: f.y(dot[1]), r: 7 }),
    label(f.left - 6, f.top + 8, "1", { "text-anchor": "end" }), label(f.left - 6, f.bottom, "0", { "text-anchor": "end" }),
    label(f.left, f.bottom + 17, "0"), label(f.right, f.bottom + 17, "1", { "text-anchor": "end" }),
    label((f.left + f.right) / 2, f.bottom + 35, "wrong labels kept in X", { "text-anchor": "middle", class: "small" }),
    verticalLabel(16, (f.top + f.bottom) / 2, "right labels kept"));
  return f.node;
}

/** Draw one segment's ω over the epochs: the line, τ, and a U wherever the training had the segment in U. */
function drawTrail(width, { omega, tau, after, inU }) {
  const n = omega.length, margins = { left: 40, right: 16, top: 14, bottom: 84 };
  const f = createFrame(width, 280, margins, [1, Math.max(2, n)], [0, 1]);
  f.node.append(
    segmentLine(f.x(after), f.top, f.x(after), f.bottom, { class: "now" }),
    segmentLine(f.left, f.bottom, f.right, f.bottom, { class: "axis" }),
    ...tauLabels(f, f.y, tau, .1),
    curve(omega.map((value, i) => [f.x(i + 1), f.y(value)]), { class: "used" }));
  omega.forEach((value, i) => {
    const x = f.x(i + 1);
    f.node.append(s("circle", { cx: x, cy: f.y(value), r: 5, class: value > tau ? "kept" : "doubted" }));
    if (inU[i]) f.node.append(
      s("rect", { x: x - 9, y: f.bottom + 34, width: 18, height: 20, rx: 3, fill: WRONG, "fill-opacity": .25 }),
      label(x, f.bottom + 49, "U", { "text-anchor": "middle", class: "strong" }));
  });
  const step = Math.max(1, Math.ceil(n * 34 / (f.right - f.left)));
  for (let epoch = 1; epoch <= n; epoch += step) f.node.append(label(f.x(epoch), f.bottom + 26, String(epoch), { "text-anchor": "middle" }));
  f.node.append(label((f.left + f.right) / 2, f.bottom + 76, "after epoch (U: in U during training)", { "text-anchor": "middle", class: "small" }));
  return f.node;
}

/** Draw the axes of the data map; the points are on a canvas below them. */
function drawMapAxes(width, height, most) {
  const f = createFrame(width, height, { left: 56, right: 12, top: 10, bottom: 44 }, [0, most], [0, 1]);
  const regions = [[.01, .94, "easy to learn", "start"], [.99, .5, "ambiguous", "end"], [.01, .03, "never learned: suspect", "start"]];
  f.node.append(
    s("rect", { class: "box", x: f.left, y: f.top, width: f.right - f.left, height: f.bottom - f.top }),
    ...[0, .5, 1].map((tick) => label(f.left - 6, f.y(tick) + 5, String(tick), { "text-anchor": "end" })),
    ...[0, .1, .2, .3, .4].filter((tick) => tick <= most)
      .map((tick) => label(f.x(tick), f.bottom + 18, String(tick), { "text-anchor": tick ? "middle" : "start" })),
    ...regions.map(([x, y, text, anchor]) => label(f.x(x * most), f.y(y), text, { "text-anchor": anchor, class: "halo" })),
    label((f.left + f.right) / 2, f.bottom + 37, "variability over the epochs →", { "text-anchor": "middle", class: "small" }),
    verticalLabel(14, (f.top + f.bottom) / 2, "confidence in the label →"));
  return f;
}

/** Paint the map's points: squares, and crosses (wrong labels) or rings (mostly disagreed), so that shape tells them apart. */
function paintMap(canvas, f, fold, data, width, height) {
  const scale = window.devicePixelRatio || 1, pen = canvas.getContext("2d"), marks = [];
  dress(canvas, { width: Math.round(width * scale), height: Math.round(height * scale), style: `width:${width}px;height:${height}px` });
  pen.scale(scale, scale);
  const alpha = data.segments > 5000 ? .35 : .6;
  pen.globalAlpha = alpha;
  pen.fillStyle = data.truth ? RIGHT : GREY;
  for (let i = 0; i < data.segments; i++) {
    const x = f.x(fold.variability[i]), y = f.y(fold.confidence[i]);
    if (data.truth && fold.wrong(i)) marks.push(`M${x - 3} ${y - 3}l6 6m-6 0l6-6`);
    else if (!data.truth && fold.correctness[i] < .5) marks.push(`M${x + 2.5} ${y}a2.5 2.5 0 1 0-5 0a2.5 2.5 0 1 0 5 0`);
    else pen.fillRect(x - 1.5, y - 1.5, 3, 3);
  }
  pen.globalAlpha = Math.min(1, alpha + .3);
  pen.strokeStyle = data.truth ? WRONG : DOUBT;
  pen.lineWidth = data.truth ? 1.6 : 1.1;
  pen.stroke(new Path2D(marks.join("")));
}
