// Axes: scales, ticks, labels and other parts of the SVG pictures.

/** Return the linear function from a domain [low, high] to a range of pixels [from, to]. */
const linear = ([low, high], [from, to]) => (value) => from + ((to - from) * (value - low)) / (high - low);

/** Return an empty SVG of this size with the scales x and y inside margins {left, right, top, bottom}. */
function createFrame(width, height, margins, xDomain, yDomain) {
  const left = margins.left, right = width - margins.right, top = margins.top, bottom = height - margins.bottom;
  const node = resize(s("svg", { "aria-hidden": "true" }), width, height);
  return { node, left, right, top, bottom, x: linear(xDomain, [left, right]), y: linear(yDomain, [bottom, top]) };
}

const resize = (svg, width, height) => dress(svg, { viewBox: `0 0 ${width} ${height}`, width, height });
const label = (x, y, text, properties = {}) => s("text", { x, y, text, ...properties });

/** Return a text that is written upwards along a vertical axis. */
const verticalLabel = (x, y, text) =>
  s("text", { transform: `translate(${x} ${y}) rotate(-90)`, "text-anchor": "middle", text, class: "small" });

const segmentLine = (x1, y1, x2, y2, properties = {}) => s("line", { x1, y1, x2, y2, ...properties });

/** Return a path through points [x, y]. */
function curve(points, properties = {}) {
  const d = points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
  return s("path", { d, fill: "none", ...properties });
}

/** Return the definition of a hatched pattern: lines of a colour and width, over a background if one is given. */
function hatch(id, size, colour, width, background = null) {
  const back = background ? [s("rect", { width: size, height: size, fill: background, "fill-opacity": .35 })] : [];
  return s("defs", {}, s("pattern", { id, width: size, height: size, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    ...back, segmentLine(0, 0, 0, size, { stroke: colour, "stroke-width": width })));
}

/** The steps of a time axis, seconds; of these the smallest is used whose ticks are far enough apart. */
const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800];

/** Return the ticks, labels and the title of a time axis below y, from second `first` to `last`; minutes for long songs. */
function timeAxis(x, y, first, last, { gap = 40, ticks = true } = {}) {
  const scale = (x(last) - x(first)) / (last - first), minutes = last > 150, parts = [];
  const step = TIME_STEPS.find((one) => one * scale >= gap) ?? 3600;
  for (let second = Math.ceil(first / step) * step; second <= last + 1e-9; second += step) {
    if (ticks) parts.push(segmentLine(x(second), y, x(second), y + 4, { class: "tick" }));
    parts.push(label(x(second), y + 16, minutes ? clock(second) : String(second), { "text-anchor": "middle" }));
  }
  const title = label((x(first) + x(last)) / 2, y + 31, minutes ? "minutes" : "seconds", { "text-anchor": "middle" });
  return [...parts, title];
}

/** Return positions near `wanted` that are at least `gap` apart and between low and high. */
function spread(wanted, gap, low, high) {
  const order = ranked(wanted), out = [...wanted];
  let floor = low, roof = high;
  for (const i of order.toReversed()) floor = (out[i] = Math.max(out[i], floor)) + gap;
  for (const i of order) roof = (out[i] = Math.min(out[i], roof)) - gap;
  return out;
}

/** Paint `count` frames of a spectrogram (levels 0…255, frames × bands) from `first` on, low bands at the bottom. */
function paintSpectrogram(canvas, levels, bands, palette, first, count) {
  canvas.width = count;
  canvas.height = bands;
  const pen = canvas.getContext("2d"), image = pen.createImageData(count, bands);
  for (let frame = 0; frame < count; frame++)
    for (let band = 0; band < bands; band++) {
      const i = 4 * ((bands - 1 - band) * count + frame), colour = 3 * Math.round(levels[(first + frame) * bands + band]);
      image.data.set([...palette.subarray(colour, colour + 3), 255], i);
    }
  pen.putImageData(image, 0, 0);
}
