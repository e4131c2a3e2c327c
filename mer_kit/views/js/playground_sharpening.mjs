// Sharpening on a triangle of three classes (or a line of two). The point moves on a lattice whose sharpened values were
// computed in Python, as were those of the segments.

/** For n classes: the drawing's box and corners, the field of arrows' steps, and the arrow keys' moves on the lattice. */
const TRIANGLE = {
  box: "0 0 340 312", corners: [[170, 30], [26, 279], [314, 279]], arrows: 11,
  keys: { ArrowLeft: [0, 1, -1], ArrowRight: [0, -1, 1], ArrowUp: [2, -1, -1], ArrowDown: [-2, 1, 1] },
};
const LINE = {
  box: "0 0 340 150", corners: [[30, 80], [310, 80]], arrows: 16,
  keys: { ArrowLeft: [1, -1], ArrowRight: [-1, 1], ArrowUp: [-1, 1], ArrowDown: [1, -1] },
};
const SHIFT_STEPS = 9;

/** Return the look-up of sharpened values: of a point of the lattice (whole numbers), and of a segment on some classes. */
function sharpeningTables({ lattice, temperatures, subsets }) {
  const { points, steps } = lattice, n = points[0].length, scale = 65535;
  const places = new Map(points.map((point, i) => [point.join(), i])), values = typed(lattice.sharpened, Uint16Array);
  const segments = Object.fromEntries(Object.entries(subsets).map(([key, { sharpened }]) => [key, typed(sharpened, Float32Array)]));
  return {
    steps,
    /** The table holds points in descending order; sharpening keeps the order of the classes. */
    ofPoint(point, temperature) {
      const order = ranked(point), out = [];
      const first = n * (nearestPlace(temperatures, temperature) * points.length + places.get(order.map((k) => point[k]).join()));
      order.forEach((k, i) => { out[k] = values[first + i] / scale; });
      return out;
    },
    ofSegment(among, row, temperature) {
      const rows = subsets[among].p.length, first = n * (nearestPlace(temperatures, temperature) * rows + row);
      return [...segments[among].subarray(first, first + n)];
    },
  };
}

/** Return the point of the lattice (whole numbers that sum to `steps`) nearest to some values, negative ones set to 0. */
function toLattice(values, steps) {
  const kept = values.map((value) => Math.max(0, value)), sum = kept.reduce((a, b) => a + b, 0);
  const exact = kept.map((value) => (steps * value) / sum), point = exact.map(Math.floor);
  const rest = steps - point.reduce((a, b) => a + b, 0);
  for (const k of ranked(exact.map((value, i) => value - point[i])).slice(0, rest)) point[k] += 1;
  return point;
}

/** Return the points of a coarser lattice as points of the full one. */
function arrowPoints(n, arrows, steps) {
  const points = [], each = steps / arrows;
  for (let i = 0; i <= arrows; i++) {
    if (n === 2) points.push([i * each, steps - i * each]);
    for (let j = 0; n === 3 && j <= arrows - i; j++) points.push([i * each, j * each, steps - (i + j) * each]);
  }
  return points;
}

/** Return an arrow as path data; without a head where the head would be longer than the arrow. */
function arrow([x0, y0], [x1, y1], head) {
  const length = Math.hypot(x1 - x0, y1 - y0), angle = Math.atan2(y1 - y0, x1 - x0);
  const line = `M${x0.toFixed(1)} ${y0.toFixed(1)}L${x1.toFixed(1)} ${y1.toFixed(1)}`;
  if (length < 0.6 * head) return length > 0.5 ? line : "";
  const wing = (turn) => `${(x1 - head * Math.cos(angle + turn)).toFixed(1)} ${(y1 - head * Math.sin(angle + turn)).toFixed(1)}`;
  return `${line}M${wing(0.45)}L${x1.toFixed(1)} ${y1.toFixed(1)}L${wing(-0.45)}`;
}

/** Return a class's mark: a circle, square, triangle or diamond, so that classes differ in more than their colour. */
function classMark(k, x, y, r, properties) {
  const shapes = ["M-1 0A1 1 0 1 0 1 0A1 1 0 1 0-1 0Z", "M-.9-.9H.9V.9H-.9Z", "M0-1.1L1.05.8H-1.05Z", "M0-1.25L1.05 0L0 1.25L-1.05 0Z"];
  return s("path", { d: shapes[k % 4], transform: `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${r})`, ...properties });
}

/** Return Eq. (4) with the present numbers: what the leading class becomes. */
function sharpeningFormula(p, after, temperature) {
  const exponent = (1 / temperature).toFixed(2).replace(/\.?0+$/, ""), lead = indexOfLargest(p);
  const power = (value) => math("msup", math("mn", value.toFixed(2)), math("mn", exponent));
  const sum = p.flatMap((value, k) => (k ? [math("mo", "+"), power(value)] : [power(value)]));
  const whole = math("math", math("mfrac", power(p[lead]), math("mrow", ...sum)), math("mo", "="), math("mn", after[lead].toFixed(2)));
  whole.setAttribute("displaystyle", "true");
  return whole;
}

/** The plot and its controls. `picked` is a segment's row, or -1 where `point` of the lattice is shown. */
class SharpeningTriangle {
  constructor(el, data) {
    this.n = Math.min(3, data.classes.length);
    Object.assign(this, { el, data, layout: this.n === 3 ? TRIANGLE : LINE, tables: sharpeningTables(data) });
    Object.assign(this, { among: data.among, temperature: data.temperature, picked: 0, point: null, dragged: false });
    this.voice = createAnnouncer();
    this.build();
    this.arrange();
  }

  remove() { this.voice.dispose(); }

  build() {
    const { data, layout } = this;
    this.parts = {
      field: s("path", { class: "field" }), names: s("g", {}), dots: s("g", { class: "dots" }), path: s("path", { class: "path" }),
      image: s("circle", { class: "image", r: 7 }),
      handle: s("g", { class: "handle" }, s("circle", { class: "reach", r: 18 }), s("circle", { class: "point", r: 6.5 })),
    };
    const { field, names, dots, path, image, handle } = this.parts;
    this.svg = s("svg", { viewBox: layout.box, "aria-hidden": "true" },
      s("polygon", { class: "simplex", points: layout.corners.map((corner) => corner.join()).join(" ") }), field, names, dots, path, image, handle);
    this.plot = this.buildPlot();
    this.subset = this.subsetChoice();
    this.segment = choice("Segment of U", "segment", [["", "none: move the point"], ...data.segments.map((one, row) => [row, one.name])],
      (row) => this.pick(row === "" ? -1 : Number(row)));
    this.segment.box.value = "0";
    this.equation = h("p", { class: "formula", "aria-hidden": "true" });
    this.note = h("p", { class: "quiet", "data-part": "note" });
    this.side = h("div", { class: "side" });
    const temperature = numberSlider("Temperature T", "temperature", { min: 0.05, max: 2, step: 0.05, value: this.temperature },
      (value) => { this.temperature = value; this.show(true); });
    this.el.append(h("div", { class: "row controls" }, ...(this.subset ? [this.subset.node] : []), this.segment.node, temperature),
      h("div", { class: "parts" }, h("div", { class: "stage" }, this.plot, this.legend()), this.side), this.voice.node);
  }

  buildPlot() {
    const keys = this.n === 3 ? "Arrow keys move it" : "Left and right arrow keys move it";
    return h("div", { class: "plot", role: "slider", tabindex: 0, "data-part": "plot", "aria-valuemin": 0, "aria-valuemax": 100,
      "aria-label": `Prediction p. ${keys}, with Shift faster; Home goes to the middle`,
      onkeydown: (event) => this.key(event), onpointerdown: (event) => this.grab(event),
      onpointermove: (event) => { if (this.dragged) this.moveTo(event); },
      onpointerup: () => { this.dragged = false; }, onpointercancel: () => { this.dragged = false; } }, this.svg);
  }

  /** Return the choice of three classes, or null where there are no more. */
  subsetChoice() {
    const { classes } = this.data, all = classes.map((_, k) => k);
    if (this.n === classes.length) return null;
    const threes = all.map((out) => all.filter((k) => k !== out)).reverse();
    const made = choice("Three of the four classes", "among",
      threes.map((three) => [three.join(), three.map((k) => classes[k].name).join(", ")]), (value) => this.regroup(value));
    made.box.value = this.among.join();
    return made;
  }

  legend() {
    const icon = (entry, k) => s("svg", { viewBox: "-6 -6 12 12" }, classMark(k, 0, 0, 4.4, { fill: entry.colour }));
    return h("p", { class: "legend", "aria-hidden": "true" }, h("span", { text: "U, by erased label:" }),
      ...this.data.classes.map((entry, k) => h("span", {}, icon(entry, k), entry.name)));
  }

  // ---- where the point is

  get group() { return this.data.subsets[this.among.join()]; }

  /** The probabilities that are shown, on the chosen classes. */
  get p() { return this.picked >= 0 ? this.group.p[this.picked] : this.point.map((value) => value / this.tables.steps); }

  get after() {
    if (this.picked >= 0) return this.tables.ofSegment(this.among.join(), this.picked, this.temperature);
    return this.tables.ofPoint(this.point, this.temperature);
  }

  xy(values) {
    return [0, 1].map((axis) => values.reduce((sum, value, k) => sum + value * this.layout.corners[k][axis], 0));
  }

  pick(row) {
    if (row < 0) this.point = toLattice(this.p, this.tables.steps);
    this.picked = row;
    this.segment.box.value = row < 0 ? "" : String(row);
    this.show(true);
  }

  setPoint(values) {
    this.point = toLattice(values, this.tables.steps);
    this.picked = -1;
    this.segment.box.value = "";
    this.show(true);
  }

  /** Choose other classes; a point keeps its probabilities of the classes that stay. */
  regroup(value) {
    const p = this.p, before = new Map(this.among.map((k, i) => [k, p[i]]));
    this.among = value.split(",").map(Number);
    const kept = this.among.map((k) => before.get(k) ?? 0);
    if (this.picked < 0) this.point = toLattice(kept.some((one) => one > 0) ? kept : kept.map(() => 1), this.tables.steps);
    this.arrange();
  }

  /** Move the point to the pointer; outside of the triangle, to the edge. */
  moveTo(event) {
    const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(this.svg.getScreenCTM().inverse());
    const [[ax, ay], [bx, by], [cx, cy] = []] = this.layout.corners;
    if (this.n === 2) {
      const first = (bx - x) / (bx - ax);
      return this.setPoint([first, 1 - first]);
    }
    const area = (by - cy) * (ax - cx) + (cx - bx) * (ay - cy);
    const first = ((by - cy) * (x - cx) + (cx - bx) * (y - cy)) / area, second = ((cy - ay) * (x - cx) + (ax - cx) * (y - cy)) / area;
    return this.setPoint([first, second, 1 - first - second]);
  }

  grab(event) {
    if (event.button > 0) return;
    event.preventDefault();
    this.plot.focus({ preventScroll: true });
    if (event.target.dataset.row) return this.pick(Number(event.target.dataset.row));
    this.dragged = true;
    this.plot.setPointerCapture(event.pointerId);
    this.moveTo(event);
  }

  key(event) {
    const move = keyStep(event, { ...this.layout.keys, Home: null });
    if (move === null) this.setPoint(this.among.map(() => 1));
    if (!move) return;
    const from = toLattice(this.p, this.tables.steps), times = event.shiftKey ? SHIFT_STEPS : 1;
    this.setPoint(from.map((value, k) => value + times * move[k]));
  }

  // ---- what is drawn

  /** Draw what depends on the choice of classes: their names and the segments' marks. */
  arrange() {
    const { data, among, parts, n } = this, chosen = among.map((k) => data.classes[k]);
    parts.names.replaceChildren(...chosen.map((entry, i) => this.cornerName(entry, i)));
    parts.dots.replaceChildren(...data.segments.map((one, row) => {
      const [x, y] = this.xy(this.group.p[row]), below = n === 2 ? 16 + 9 * (row % 4) : 0;
      const opacity = clamp(this.group.mass[row], 0.2, 1).toFixed(2);
      return classMark(one.label, x, y + below, 4, { fill: data.classes[one.label].colour, "data-row": row, "fill-opacity": opacity });
    }));
    this.table = barTable("p, and Sharpen(p, T) of paper Eq. (4)", chosen, [{ name: "p", look: "pale" }, { name: "Sharpen", look: "solid" }]);
    this.side.replaceChildren(this.table.node, this.equation, this.note);
    this.show(false);
  }

  cornerName(entry, i) {
    const [x, y] = this.layout.corners[i], style = { "font-size": 12.5, "font-weight": 600 };
    if (this.n === 3 && i === 0) return label(x, y - 12, className(entry), { "text-anchor": "middle", ...style });
    const left = i === this.n - 2; // the last but one corner is on the left
    return label(x + (left ? -22 : 22), y + (this.n === 3 ? 26 : -34), className(entry), { "text-anchor": left ? "start" : "end", ...style });
  }

  /** Return the arrows of the field. They show direction and strength: a third of the way, and not far into the next arrow. */
  arrows() {
    const { steps } = this.tables, up = this.n === 2 ? -14 : 0;
    return arrowPoints(this.n, this.layout.arrows, steps).map((point) => {
      const from = this.xy(point.map((value) => value / steps)), to = this.xy(this.tables.ofPoint(point, this.temperature));
      const far = Math.hypot(to[0] - from[0], to[1] - from[1]), part = far ? Math.min(1 / 3, 26 / far) : 0;
      return arrow([from[0], from[1] + up], [from[0] + part * (to[0] - from[0]), from[1] + up + part * (to[1] - from[1])], 4.5);
    }).join("");
  }

  show(aloud) {
    const { p, after, parts } = this, from = this.xy(p), to = this.xy(after);
    parts.field.setAttribute("d", this.arrows());
    parts.path.setAttribute("d", arrow(from, to, 11));
    dress(parts.image, { cx: to[0], cy: to[1] });
    parts.handle.setAttribute("transform", `translate(${from[0].toFixed(2)} ${from[1].toFixed(2)})`);
    for (const dot of parts.dots.children) dot.classList.toggle("picked", Number(dot.dataset.row) === this.picked);
    this.table.set([p, after]);
    this.equation.replaceChildren(sharpeningFormula(p, after, this.temperature));
    this.describe(p, after, aloud);
  }

  describe(p, after, aloud) {
    const { data: { classes, segments }, among, picked, n } = this, lead = indexOfLargest(p);
    const values = among.map((k, i) => `${classes[k].name} ${percent(p[i])}`).join(", ");
    dress(this.plot, { "aria-valuenow": Math.round(100 * p[0]), "aria-valuetext": values });
    let note = "";
    if (picked >= 0) note = `Erased label: ${className(classes[segments[picked].label])}.`;
    if (picked >= 0 && n < classes.length) note += ` These three classes hold ${percent(this.group.mass[picked])} of its probability, here scaled to 100 %.`;
    this.note.textContent = note;
    if (aloud || !this.voice.node.textContent)
      this.voice.say(`T = ${this.temperature.toFixed(2)}: p is ${values}; ${className(classes[among[lead]])} goes from ${p[lead].toFixed(2)} to ${after[lead].toFixed(2)}.`);
  }
}
