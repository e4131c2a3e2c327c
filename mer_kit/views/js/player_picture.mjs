// The player's picture: the curves of all classes and, below them, bands of leading classes, truth and rejected labels.

const SMALL = 11, STRIP = 20;
const OVERLAP = 1e-6; // seconds; less than this is a rounding error

/** Return the sentence for a segment: who leads, all shares, the other curve's leader, the truth, the rejected label, the tags. */
function segmentSentence(data, row, shown) {
  const [p, other] = shown.map((c) => data.curves[c].probabilities[row]), from = data.start_s[row], to = data.end_s[row];
  const named = (k) => className(data.classes[k]);
  const [first, ...others] = ranked(p), rest = others.map((k) => `${named(k)} ${percent(p[k])}`).join(", ");
  let words = `${short(from)} to ${short(to)} s: ${named(first)} leads, ${percent(p[first])}; ${rest}.`;
  if (other) {
    const [best] = ranked(other);
    words += ` By ${data.curves[shown[1]].name} ${named(best)} leads, ${percent(other[best])}.`;
  }
  const overlap = (span) => Math.min(to, span.end_s) - Math.max(from, span.start_s);
  const truth = (data.truth ?? []).filter((span) => overlap(span) > OVERLAP).map((span) => span.leader);
  if (truth.length) words += ` Truth: ${[...new Set(truth)].join(", ")}.`;
  const lost = (data.rejected ?? []).reduce((sum, span) => sum + Math.max(0, overlap(span)), 0);
  if (lost > OVERLAP) words += ` Label rejected for ${short(lost)} of ${short(to - from)} s.`;
  if (data.tags?.length) words += ` Tags: ${data.tags[row]}.`;
  return words;
}

/** Return a short line in a class's colour and dash, for legends. */
function lineSample(entry, second) {
  const line = segmentLine(1, 5, 27, 5, { style: `--c:${entry.colour}`, "stroke-dasharray": entry.dash || null });
  return s("svg", { viewBox: "0 0 28 10", width: 28, height: 10, "aria-hidden": "true", class: second ? "second" : "first" }, line);
}

/** Return a function that measures the width of a text in pixels. */
function textMeasure() {
  const measure = document.createElement("canvas").getContext("2d");
  measure.font = `${SMALL + 1}px system-ui, sans-serif`;
  return (text) => measure.measureText(text).width;
}

function playerBands(data, shown) {
  const bands = shown.map((c) => ({ name: shown.length > 1 ? data.curves[c].name : "leads", spans: data.curves[c].leaders, kind: "leads" }));
  if (data.truth?.length) bands.push({ name: "truth", spans: data.truth, kind: "truth" });
  if (data.rejected?.length) bands.push({ name: "rejected", spans: data.rejected, kind: "rejected" });
  return bands;
}

function playerLayout(data, bands, width) {
  const narrow = width < 520, wide = textMeasure(), first = data.start_s[0], last = data.end_s.at(-1);
  const ends = data.classes.map((entry) => (narrow ? entry.name : className(entry)));
  const left = Math.ceil(Math.max(wide("100 %"), ...bands.map((band) => wide(band.name)))) + 10;
  const right = width - Math.ceil(Math.max(...ends.map(wide))) - (narrow ? 12 : 32);
  const top = 10, bottom = top + (narrow ? 190 : 240), under = bottom + 8, foot = under + STRIP * bands.length;
  return {
    narrow, wide, first, last, ends, left, right, top, bottom, under, foot, height: foot + 34,
    x: linear([first, last], [left, right]), y: linear([0, 1], [bottom, top]), second: linear([left, right], [first, last]),
    centre: data.start_s.map((start, row) => (start + data.end_s[row]) / 2),
  };
}

const playerText = (x, y, text, properties = {}) => label(x, y, text, { "font-size": SMALL, ...properties });

function playerGrid({ left, right, x, y, first, last, foot }) {
  const grid = s("g", { class: "grid" }), labels = [0, 0.5, 1].map((share) => playerText(left - 6, y(share) + 4, percent(share), { "text-anchor": "end" }));
  grid.append(...[0, 0.25, 0.5, 0.75, 1].map((share) => segmentLine(left, y(share), right, y(share))), ...labels,
    ...timeAxis(x, foot, first, last, { gap: 44 }));
  return grid;
}

/** Return the lines of all curves and the dots that follow the chosen segment; the first curve is on top. */
function playerLines(data, shown, { x, y, centre }) {
  const lines = s("g", {}), dots = s("g", { class: "dots" });
  for (const c of [...shown].reverse()) {
    const second = shown.length > 1 && c === shown[1], p = data.curves[c].probabilities;
    data.classes.forEach((entry, k) => {
      const points = centre.map((at, row) => [x(at).toFixed(1), y(p[row][k]).toFixed(1)]), style = `--c:${entry.colour}`;
      lines.append(s("polyline", { class: second ? "second" : "first", "data-curve": c, points: points.join(" "), style, "stroke-dasharray": entry.dash || null }));
      if (points.length <= 60 && !second) lines.append(...points.map(([cx, cy]) => s("circle", { cx, cy, r: 2.2, style })));
      dots.append(s("circle", { r: second ? 3 : 4.5, style, "data-class": k, "data-curve": c }));
    });
  }
  return { lines, dots };
}

/** Return the classes' names at the ends of the first curve. */
function playerEndLabels(data, shown, place) {
  const { y, x, centre, top, bottom, right, narrow, ends } = place, labels = s("g", { class: "ends" });
  const wanted = data.curves[shown[0]].probabilities.at(-1).map((p) => y(p)), heights = spread(wanted, 15, top + 2, bottom);
  data.classes.forEach((entry, k) => {
    const from = x(centre.at(-1)), to = right + (narrow ? 4 : 24);
    const points = `${from},${wanted[k]} ${right + 4},${heights[k]} ${to - 4},${heights[k]}`;
    if (!narrow) labels.append(s("polyline", { points, class: "lead", style: `--c:${entry.colour}` }));
    labels.append(playerText(to, heights[k] + 4, ends[k], { "font-size": SMALL + 1 }));
  });
  return labels;
}

/** Return one band of spans: a class's colour and name, or a hatched pattern. */
function playerBand(band, upper, data, place, pattern) {
  const { x, first, last, left, wide } = place, strip = s("g", { "data-band": band.kind });
  strip.append(playerText(left - 6, upper + 12.5, band.name, { "text-anchor": "end" }));
  for (const span of band.spans) {
    const from = x(Math.max(first, span.start_s)), to = x(Math.min(last, span.end_s)), room = to - from;
    if (!(room > 0)) continue;
    const entry = data.classes.find((one) => one.name === span.leader);
    const box = { x: from + 0.5, y: upper, width: Math.max(1, room - 1), height: STRIP - 4, rx: 2 };
    strip.append(s("rect", { ...box, fill: entry ? entry.colour : `url(#${pattern})`, class: entry ? null : "hatched" }));
    if (entry && room > wide(span.leader) + 4)
      strip.append(playerText((from + to) / 2, upper + 12.5, span.leader, { "text-anchor": "middle", style: `fill:${entry.ink}` }));
  }
  return strip;
}

/** Draw everything into an SVG of a given width; return where things are. */
function drawPlayer(svg, data, shown, width) {
  const bands = playerBands(data, shown), place = playerLayout(data, bands, width), pattern = uniqueId("hatch");
  const { top, foot, left } = place, { lines, dots } = playerLines(data, shown, place);
  const mark = s("rect", { class: "mark", "data-part": "mark", y: top - 4, height: foot - top + 4, x: left, width: 0 });
  const playhead = segmentLine(left, top - 6, left, foot, { class: "playhead", "data-part": "playhead" });
  const strips = s("g", {}, hatch(pattern, 6, "currentColor", 3),
    ...bands.map((band, i) => playerBand(band, place.under + i * STRIP, data, place, pattern)));
  resize(svg, width, place.height);
  svg.replaceChildren(playerGrid(place), mark, strips, lines, playerEndLabels(data, shown, place), dots, playhead);
  return { ...place, mark, dots, playhead };
}
