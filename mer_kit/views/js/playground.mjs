// The playground of notebook 03: sharpening on a triangle, two segments mixed by ear and eye, two dropout passes as bars.

const LEAST = 1e-12; // what a probability of 0 counts as in a logarithm, as in Python

/** Return Sharpen(p, T) = softmax(log p / T), paper Eq. (4). */
export function sharpen(p, temperature) {
  const logs = p.map((value) => Math.log(Math.max(value, LEAST)) / temperature), top = Math.max(...logs);
  const powers = logs.map((value) => Math.exp(value - top));
  return shares(powers);
}

/** Return ½ [KL(P‖Q) + KL(Q‖P)] in nats, paper Eq. (9). */
export function symmetricKl(first, second) {
  const log = (value) => Math.log(Math.max(value, LEAST));
  return 0.5 * first.reduce((sum, p, k) => sum + (p - second[k]) * (log(p) - log(second[k])), 0);
}

function shares(values) {
  const sum = values.reduce((a, b) => a + b, 0);
  return values.map((value) => value / sum);
}

const full = (entry) => (entry.word ? `${entry.name} ${entry.word}` : entry.name);

/** Return a polite line; only the last of a quick row of sentences is spoken. */
function speaker() {
  let timer = 0;
  const node = h("p", { class: "words", "aria-live": "polite", "data-part": "words" });
  const say = (text) => {
    clearTimeout(timer);
    timer = setTimeout(() => { node.textContent = text; }, node.textContent ? 200 : 0);
  };
  return { node, say, dispose: () => clearTimeout(timer) };
}

/** Return a labelled slider that shows its value beside it. */
function slider(label, name, { min, max, step, value, change }) {
  const shown = h("output", { class: "number", text: value.toFixed(2) });
  const input = h("input", { type: "range", min, max, step, "data-part": name });
  input.value = value;
  input.addEventListener("input", () => { shown.textContent = Number(input.value).toFixed(2); change(Number(input.value)); });
  return h("label", { class: "slider" }, h("span", { text: label }), input, shown);
}

function choice(label, name, options, change) {
  const box = h("select", { "data-part": name, onchange: () => change(box.value) },
    ...options.map(([value, text]) => h("option", { value, text })));
  return { node: h("label", { class: "choice" }, h("span", { text: label }), box), box };
}

/** Return a table with horizontal bars: for every class one row a series, its number beside the bar. */
function bars(caption, classes, series) {
  const cells = [], body = h("tbody");
  for (const [k, entry] of classes.entries())
    series.forEach(({ name, look }, at) => {
      const bar = h("i", { class: look }), number = h("b");
      bar.style.setProperty("--colour", entry.colour);
      cells.push({ k, at, bar, number });
      body.append(h("tr", { class: at === 0 ? "first" : null },
        ...(at === 0 ? [h("th", { scope: "rowgroup", rowspan: series.length, text: full(entry) })] : []),
        ...(series.length > 1 ? [h("td", { class: "series", text: name })] : []),
        h("td", { class: "bar" }, h("div", {}, h("span", {}, bar), number))));
    });
  const set = (values) => cells.forEach(({ k, at, bar, number }) => {
    bar.style.inlineSize = `${100 * values[at][k]}%`;
    number.textContent = values[at][k].toFixed(3);
    number.dataset.value = values[at][k];
  });
  return { node: h("table", { class: "bars" }, h("caption", { text: caption }), body), set };
}

// ---- sharpening ------------------------------------------------------------------------------------------------------

const MATH = "http://www.w3.org/1998/Math/MathML";
const m = (tag, ...children) => {
  const node = document.createElementNS(MATH, tag);
  node.append(...children);
  return node;
};

/** Return Eq. (4) with today's numbers in it: what the leading class becomes. */
function formula(p, temperature) {
  const exponent = (1 / temperature).toFixed(2).replace(/\.?0+$/, ""), lead = p.indexOf(Math.max(...p));
  const power = (value) => m("msup", m("mn", value.toFixed(2)), m("mn", exponent));
  const sum = p.flatMap((value, k) => (k ? [m("mo", "+"), power(value)] : [power(value)]));
  const whole = m("math", m("mfrac", power(p[lead]), m("mrow", ...sum)), m("mo", "="),
    m("mn", sharpen(p, temperature)[lead].toFixed(2)));
  whole.setAttribute("displaystyle", "true");
  return whole;
}

/** Corners of the triangle of three classes, or of the line of two; and the lattice of its field of arrows. */
const PLACES = {
  2: { box: "0 0 340 150", corners: [[30, 80], [310, 80]], steps: 16 },
  3: { box: "0 0 340 312", corners: [[170, 30], [26, 279], [314, 279]], steps: 11 },
};

function lattice(n, steps) {
  const points = [];
  for (let i = 0; i <= steps; i++)
    if (n === 2) points.push([i / steps, 1 - i / steps]);
    else for (let j = 0; j <= steps - i; j++) points.push([i / steps, j / steps, (steps - i - j) / steps]);
  return points;
}

/** Return an arrow from a to b as path data; no head where it would be longer than the arrow. */
function arrow([x0, y0], [x1, y1], head) {
  const length = Math.hypot(x1 - x0, y1 - y0), line = `M${x0.toFixed(1)} ${y0.toFixed(1)}L${x1.toFixed(1)} ${y1.toFixed(1)}`;
  if (length < 0.6 * head) return length > 0.5 ? line : "";
  const at = Math.atan2(y1 - y0, x1 - x0), wing = (turn) =>
    `${(x1 - head * Math.cos(at + turn)).toFixed(1)} ${(y1 - head * Math.sin(at + turn)).toFixed(1)}`;
  return `${line}M${wing(0.45)}L${x1.toFixed(1)} ${y1.toFixed(1)}L${wing(-0.45)}`;
}

/** Return a class's mark: a circle, square, triangle or diamond, so that its colour need not be read alone. */
function mark(k, x, y, r, properties) {
  const shapes = ["M-1 0A1 1 0 1 0 1 0A1 1 0 1 0-1 0Z", "M-.9-.9H.9V.9H-.9Z", "M0-1.1L1.05.8H-1.05Z", "M0-1.25L1.05 0L0 1.25L-1.05 0Z"];
  return s("path", { d: shapes[k % 4], transform: `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${r})`, ...properties });
}

function sharpening(el, data) {
  const classes = data.classes, n = Math.min(3, classes.length), { box, corners, steps } = PLACES[n];
  let among = data.among, p = shares(among.map((k) => data.segments[0].p[k])), temperature = data.temperature, picked = 0;
  const talk = speaker();
  const xy = (values) => [0, 1].map((axis) => values.reduce((sum, value, k) => sum + value * corners[k][axis], 0));

  const field = s("path", { class: "field" }), names = s("g", {}), dots = s("g", { class: "dots" });
  const path = s("path", { class: "path" }), image = s("circle", { class: "image", r: 7 });
  const handle = s("g", { class: "handle" }, s("circle", { class: "reach", r: 18 }), s("circle", { class: "point", r: 6.5 }));
  const svg = s("svg", { viewBox: box, "aria-hidden": "true" },
    s("polygon", { class: "simplex", points: corners.map((corner) => corner.join()).join(" ") }), field, names, dots, path, image, handle);
  const keys = n === 3 ? "Arrow keys move it" : "Left and right arrow keys move it";
  const plot = h("div", { class: "plot", role: "slider", tabindex: 0, "data-part": "plot", "aria-valuemin": 0, "aria-valuemax": 100,
    "aria-label": `Prediction p. ${keys}, with Shift faster; Home goes to the middle`,
    onkeydown: key, onpointerdown: grab, onpointermove: drag, onpointerup: drop, onpointercancel: drop }, svg);

  const which = n < classes.length && choice("Three of the four classes", "among",
    classes.map((_, out) => classes.map((_, k) => k).filter((k) => k !== out)).reverse()
      .map((three) => [three.join(), three.map((k) => classes[k].name).join(", ")]), regroup);
  if (which) which.box.value = among.join();
  const segment = choice("Segment of U", "segment",
    [["", "none: the point is yours"], ...data.segments.map((one, at) => [at, one.name])], (at) => pick(at === "" ? -1 : Number(at)));
  segment.box.value = "0";
  const heat = slider("Temperature T", "temperature", { min: 0.05, max: 2, step: 0.05, value: temperature, change: (value) => { temperature = value; show(true); } });
  const equation = h("p", { class: "formula", "aria-hidden": "true" });
  const note = h("p", { class: "quiet", "data-part": "note" });
  const right = h("div", { class: "side" });
  const legend = h("p", { class: "legend", "aria-hidden": "true" }, h("span", { text: "U, by erased label:" }),
    ...classes.map((entry, k) => h("span", {}, s("svg", { viewBox: "-6 -6 12 12" }, mark(k, 0, 0, 4.4, { fill: entry.colour })), entry.name)));
  let table = null;

  el.append(h("div", { class: "row controls" }, ...(which ? [which.node] : []), segment.node, heat),
    h("div", { class: "parts" }, h("div", { class: "stage" }, plot, legend), right), talk.node);

  function regroup(value) {
    const before = new Map(among.map((k, at) => [k, p[at]]));
    among = value.split(",").map(Number);
    const kept = among.map((k) => before.get(k) ?? 0);
    p = picked >= 0 ? renormalised(picked) : shares(kept.some((one) => one > 0) ? kept : among.map(() => 1));
    arrange();
  }
  function mass(at) { return among.reduce((total, k) => total + data.segments[at].p[k], 0); }
  function renormalised(at) { return shares(among.map((k) => Math.max(data.segments[at].p[k], LEAST))); }
  function pick(at) {
    picked = at;
    segment.box.value = at < 0 ? "" : String(at);
    if (at >= 0) p = renormalised(at);
    show(true);
  }

  /** Move the point to a place of the picture; outside, the nearest edge by cutting off what is negative. */
  function move([x, y]) {
    let values;
    if (n === 2) {
      const share = (corners[1][0] - x) / (corners[1][0] - corners[0][0]);
      values = [share, 1 - share];
    } else {
      const [[ax, ay], [bx, by], [cx, cy]] = corners, area = (by - cy) * (ax - cx) + (cx - bx) * (ay - cy);
      const first = ((by - cy) * (x - cx) + (cx - bx) * (y - cy)) / area;
      const second = ((cy - ay) * (x - cx) + (ax - cx) * (y - cy)) / area;
      values = [first, second, 1 - first - second];
    }
    p = shares(values.map((value) => Math.max(0, value)));
    picked = -1;
    segment.box.value = "";
    show(true);
  }
  let held = false;
  const place = (event) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    return [at.x, at.y];
  };
  function grab(event) {
    if (event.button > 0) return;
    event.preventDefault();
    plot.focus({ preventScroll: true });
    if (event.target.dataset.row) return pick(Number(event.target.dataset.row));
    held = true;
    plot.setPointerCapture(event.pointerId);
    move(place(event));
  }
  function drag(event) { if (held) move(place(event)); }
  function drop() { held = false; }
  function key(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (steps) {
      const [x, y] = xy(p), step = event.shiftKey ? 28 : 3;
      const across = n === 2 && steps[1] ? [-steps[1], 0] : steps;
      move([x + step * across[0], y + step * across[1]]);
    } else if (event.key === "Home") { p = shares(among.map(() => 1)); pick(-1); }
    else return;
    event.preventDefault();
    event.stopPropagation(); // a notebook around has its own meaning for these keys
  }

  /** Draw what changes with the choice of classes: their names and the segments' marks. */
  function arrange() {
    const chosen = among.map((k) => classes[k]);
    names.replaceChildren(...chosen.map((entry, at) => {
      const [x, y] = corners[at], top = n === 3 && at === 0;
      const anchor = top ? "middle" : at === (n === 3 ? 1 : 0) ? "start" : "end";
      return s("text", { x: top ? x : x + (anchor === "start" ? -22 : 22), y: top ? y - 12 : y + (n === 3 ? 26 : -34), "text-anchor": anchor,
        "font-size": 12.5, "font-weight": 600 }, full(entry));
    }));
    dots.replaceChildren(...data.segments.map((one, row) => {
      const [x, y] = xy(renormalised(row)), entry = classes[one.label];
      const below = n === 2 ? 16 + 9 * (row % 4) : 0;
      return mark(one.label, x, y + below, 4, { fill: entry.colour, "data-row": row,
        "fill-opacity": Math.max(0.2, Math.min(1, mass(row))).toFixed(2) });
    }));
    table = bars("p, and Sharpen(p, T) of paper Eq. (4)", chosen, [{ name: "p", look: "pale" }, { name: "Sharpen", look: "solid" }]);
    right.replaceChildren(table.node, equation, note);
    show(false);
  }
  function show(aloud) {
    const after = sharpen(p, temperature), [x, y] = xy(p), goal = xy(after);
    field.setAttribute("d", lattice(n, steps).map((values) => {
      const from = xy(values), to = xy(sharpen(values, temperature)), up = n === 2 ? -14 : 0;
      // A third of the way, and never far into the next point's arrow: direction and strength, not the destination.
      const far = Math.hypot(to[0] - from[0], to[1] - from[1]), part = far ? Math.min(1 / 3, 26 / far) : 0;
      return arrow([from[0], from[1] + up], [from[0] + part * (to[0] - from[0]), from[1] + up + part * (to[1] - from[1])], 4.5);
    }).join(""));
    path.setAttribute("d", arrow([x, y], goal, 11));
    image.setAttribute("cx", goal[0]);
    image.setAttribute("cy", goal[1]);
    handle.setAttribute("transform", `translate(${x.toFixed(2)} ${y.toFixed(2)})`);
    for (const dot of dots.children) dot.classList.toggle("picked", Number(dot.dataset.row) === picked);
    table.set([p, after]);
    equation.replaceChildren(formula(p, temperature));
    const said = among.map((k, at) => `${classes[k].name} ${percent(p[at])}`).join(", ");
    plot.setAttribute("aria-valuenow", Math.round(100 * p[0]));
    plot.setAttribute("aria-valuetext", said);
    const lead = p.indexOf(Math.max(...p)), name = full(classes[among[lead]]);
    note.textContent = picked < 0 ? "" : `Erased label: ${full(classes[data.segments[picked].label])}.` +
      (n < classes.length ? ` ${percent(mass(picked))} of its probability lies on these three classes, here taken for all.` : "");
    if (aloud || !talk.node.textContent)
      talk.say(`T = ${temperature.toFixed(2)}: p is ${said}; ${name} goes from ${p[lead].toFixed(2)} to ${after[lead].toFixed(2)}.`);
  }
  arrange();
  return talk.dispose;
}

// ---- mixup -----------------------------------------------------------------------------------------------------------

/** Two decoded sounds, each with its own gain: δ is heard while it moves. */
function mixer(sounds, changed) {
  let context = null, decoding = null, sources = [], gains = [], began = 0, length = 0, heard = "", ticket = 0;
  const level = (delta) => ({ first: [1, 0], second: [0, 1], mixture: [delta, 1 - delta] })[heard];

  function silence() {
    for (const source of sources) { source.onended = null; source.stop(); source.disconnect(); }
    for (const gain of gains) gain.disconnect();
    sources = [];
    gains = [];
  }
  async function play(name, delta) {
    const mine = ++ticket;
    context ??= new AudioContext();
    context.resume();
    decoding ??= Promise.all(sounds.map((sound) => context.decodeAudioData(typed(sound, Uint8Array).buffer)));
    const buffers = await decoding;
    if (mine !== ticket) return;
    silence();
    heard = name;
    length = Math.min(...buffers.map((buffer) => buffer.duration));
    began = context.currentTime + 0.02;
    buffers.forEach((buffer, at) => {
      const source = new AudioBufferSourceNode(context, { buffer, loop: true, loopStart: 0, loopEnd: length });
      const gain = new GainNode(context, { gain: level(delta)[at] });
      source.connect(gain).connect(context.destination);
      source.start(began);
      sources.push(source);
      gains.push(gain);
    });
    changed();
  }
  function stop() { ticket++; silence(); heard = ""; changed(); }
  return {
    play, stop,
    heard: () => heard,
    now: () => Math.max(0, context.currentTime - (context.outputLatency || 0) - began) % length,
    levels: () => gains.map((gain) => gain.gain.value),
    set(delta) { if (heard) gains.forEach((gain, at) => gain.gain.setTargetAtTime(level(delta)[at], context.currentTime, 0.015)); },
    dispose() { ticket++; silence(); heard = ""; context?.close(); },
  };
}

/** Paint a picture of levels 0…255 (frames × bands) with a table of 256 colours, low bands at the bottom. */
function paint(canvas, levels, frames, bands, colours) {
  const image = new ImageData(frames, bands);
  for (let frame = 0; frame < frames; frame++)
    for (let band = 0; band < bands; band++) {
      const at = 4 * ((bands - 1 - band) * frames + frame), colour = 3 * Math.round(levels[frame * bands + band]);
      image.data.set([colours[colour], colours[colour + 1], colours[colour + 2], 255], at);
    }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** Return Eq. (6) or (7) with today's δ in it. */
function sum(letter, delta) {
  const of = (which) => m("msub", m("mi", letter), m("mi", which));
  return m("math", m("mi", letter), m("mo", "="), m("mn", delta.toFixed(2)), of("p"), m("mo", "+"),
    m("mn", (1 - delta).toFixed(2)), of("q"));
}

function mixup(el, data) {
  const { frames, bands, classes } = data, [first, second] = data.mels.map(raw), colours = raw(data.colours);
  const mixed = new Float32Array(first.length), talk = speaker(), calm = matchMedia("(prefers-reduced-motion: reduce)");
  let delta = data.delta, frame = 0;

  const titles = { first: data.names[0], mixture: "their mixture", second: data.names[1] };
  const pictures = {};
  const pictureOf = (name) => {
    const canvas = h("canvas", { width: frames, height: bands, role: "img", "aria-label": `Log-mel of ${titles[name]}` });
    const head = h("span", { class: "playhead", hidden: true });
    const button = h("button", { type: "button", "data-do": name, "aria-pressed": "false", onclick: () => toggle(name) });
    pictures[name] = { canvas, head, button };
    return h("figure", {}, h("figcaption", { text: titles[name] }), h("div", { class: "mel" }, canvas, head), button);
  };
  const sound = data.sounds ? mixer(data.sounds, changed) : null;
  const row = h("div", { class: "mels" }, ...["first", "mixture", "second"].map(pictureOf));
  const table = bars("Target of the mixture, paper Eq. (7)", classes, [{ name: "y", look: "solid" }]);
  const sums = h("p", { class: "formula", "aria-hidden": "true" });
  const notice = h("p", { class: "quiet", role: "status" });
  el.append(row, h("div", { class: "parts" },
    h("div", { class: "side" }, slider("Weight δ of the first", "delta", { min: 0, max: 1, step: 0.01, value: delta, change }), sums, notice),
    h("div", { class: "side" }, table.node)), talk.node);

  function change(value) { delta = value; sound?.set(delta); show(true); }
  function toggle(name) {
    if (sound.heard() === name) return sound.stop();
    sound.play(name, delta).catch(() => { notice.textContent = "This browser cannot play the sounds; the pictures work without them."; });
  }
  function changed() {
    el.dataset.state = sound?.heard() || "silent";
    for (const [name, { button, head }] of Object.entries(pictures)) {
      const on = sound?.heard() === name;
      button.hidden = !sound;
      button.setAttribute("aria-pressed", String(on));
      button.textContent = `${on ? "■ Stop" : "▶ Hear"} the ${name}`;
      head.hidden = !on;
    }
    cancelAnimationFrame(frame);
    if (sound?.heard()) tick();
  }
  function tick() {
    if (!el.isConnected) return sound.stop(); // the page threw the view away without saying so
    el.dataset.levels = sound.levels().map((value) => value.toFixed(3)).join(" ");
    const head = pictures[sound.heard()].head;
    head.hidden = calm.matches;
    head.style.insetInlineStart = `${Math.min(100, (100 * sound.now()) / data.seconds)}%`;
    frame = requestAnimationFrame(tick);
  }
  function show(aloud) {
    for (let i = 0; i < mixed.length; i++) mixed[i] = delta * first[i] + (1 - delta) * second[i];
    paint(pictures.mixture.canvas, mixed, frames, bands, colours);
    const target = data.targets[0].map((value, k) => delta * value + (1 - delta) * data.targets[1][k]);
    table.set([target]);
    sums.replaceChildren(sum("x", delta), ", ", sum("y", delta));
    const said = classes.map((entry, k) => `${entry.name} ${target[k].toFixed(2)}`).join(", ");
    if (aloud || !talk.node.textContent) talk.say(`δ = ${delta.toFixed(2)}: the network is asked to answer ${said}.`);
  }
  paint(pictures.first.canvas, first, frames, bands, colours);
  paint(pictures.second.canvas, second, frames, bands, colours);
  changed();
  show(false);
  return () => { cancelAnimationFrame(frame); sound?.dispose(); talk.dispose(); };
}

// ---- R-Drop ----------------------------------------------------------------------------------------------------------

function passes(el, data) {
  const classes = data.classes, talk = speaker();
  let row = 0, pair = 0, drawn = [];
  const table = bars("Two dropout passes over one segment: same sound, same weights", classes,
    [{ name: "P₁", look: "solid" }, { name: "P₂", look: "hatched" }]);
  const segment = choice("Segment", "segment", data.segments.map((one, at) => [at, one.name]), (at) => { row = Number(at); pair = 0; drawn = []; draw(); });
  const another = h("button", { type: "button", "data-do": "another", text: "Draw another pair", onclick: () => { pair++; draw(); } });
  const number = h("p", { class: "formula", "data-part": "kl" });
  const strip = s("svg", { viewBox: "0 0 340 58", class: "strip", "aria-hidden": "true" });
  const mean = h("p", { class: "quiet", "data-part": "mean" });
  el.append(h("div", { class: "row controls" }, segment.node, another),
    h("div", { class: "parts" }, h("div", { class: "side" }, table.node), h("div", { class: "side" }, number, strip, mean)), talk.node);

  const all = () => data.segments[row].passes.length >> 1;
  const both = (at) => data.segments[row].passes.slice(2 * at, 2 * at + 2);
  function draw() {
    pair %= all();
    const [first, second] = both(pair), kl = symmetricKl(first, second);
    if (drawn.length < all()) drawn.push(kl);
    table.set([first, second]);
    number.textContent = `½ [KL(P₁‖P₂) + KL(P₂‖P₁)] = ${kl.toFixed(3)} nats`;
    number.dataset.value = kl;
    const average = drawn.reduce((a, b) => a + b, 0) / drawn.length;
    const end = Math.max(...Array.from({ length: all() }, (_, at) => symmetricKl(...both(at))), 1e-6);
    const x = (value) => 12 + (316 * value) / end;
    strip.replaceChildren(
      s("line", { x1: 12, x2: 328, y1: 34, y2: 34, class: "axis" }), s("text", { x: 12, y: 52, "font-size": 11 }, "0"),
      s("text", { x: 328, y: 52, "font-size": 11, "text-anchor": "end" }, `${end.toFixed(3)} nats`),
      ...drawn.map((value, at) => s("circle", { cx: x(value), cy: 24, r: 5, class: at === Math.min(pair, drawn.length - 1) ? "now" : "past" })),
      s("path", { d: `M${x(average).toFixed(1)} 40V8`, class: "mean" }));
    const pairs = `${drawn.length} ${drawn.length === 1 ? "pair" : "pairs"} drawn`;
    mean.textContent = `${pairs}${drawn.length === all() ? " (all that were computed)" : ""}, mean ${average.toFixed(3)} nats: what R-Drop charges for this segment.`;
    const words = [first, second].map((p) => p.indexOf(Math.max(...p))).map((k) => full(classes[k]));
    talk.say(`Pass 1 says ${words[0]}, pass 2 says ${words[1]}; they are ${kl.toFixed(3)} nats apart.`);
  }
  draw();
  return talk.dispose;
}

/** Build one part of the playground in an element; return what takes it down. */
export function mount(el, data) {
  el.classList.add("mer", "mer-playground");
  ownKeys(el);
  const take = { sharpening, mixup, passes }[data.part](el, data);
  return () => { take(); el.replaceChildren(); };
}

export default {
  render({ model, el }) {
    return mount(el, model.get("data"));
  },
};
