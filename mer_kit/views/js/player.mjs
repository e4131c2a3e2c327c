// The player: a song's probability curves with its sound. Choose a segment by click, drag or arrow key and hear just it.

/** Return the words for segment `row`: who leads, all shares, the other curve's leader, truth and what is disowned. */
function told(data, row, shown) {
  const [p, other] = shown.map((c) => data.curves[c].probabilities[row]), from = data.start_s[row], to = data.end_s[row];
  const ranked = (shares) => data.classes.map((_, k) => k).sort((a, b) => shares[b] - shares[a] || a - b);
  const named = (k) => `${data.classes[k].name} ${data.classes[k].emotion}`;
  const [first, ...others] = ranked(p), rest = others.map((k) => `${named(k)} ${percent(p[k])}`).join(", ");
  let words = `${seconds(from)} to ${seconds(to)} s: ${named(first)} leads, ${percent(p[first])}; ${rest}.`;
  if (other) {
    const [best] = ranked(other);
    words += ` By ${data.curves[shown[1]].name} ${named(best)} leads, ${percent(other[best])}.`;
  }
  const overlap = (span) => Math.min(to, span.end_s) - Math.max(from, span.start_s);
  const truth = (data.truth ?? []).filter((span) => overlap(span) > 1e-6).map((span) => span.leader);
  if (truth.length) words += ` Truth: ${[...new Set(truth)].join(", ")}.`;
  const lost = (data.disowned ?? []).reduce((sum, span) => sum + Math.max(0, overlap(span)), 0);
  if (lost > 1e-6) words += ` Label disowned for ${seconds(lost)} of ${seconds(to - from)} s.`;
  return words;
}

/** Return seconds without needless digits. */
function seconds(value) {
  return String(Number(value.toFixed(2)));
}

/** Return heights for labels that want to stand at `wanted`, at least `gap` apart and between `low` and `high`. */
function apart(wanted, gap, low, high) {
  const order = wanted.map((_, k) => k).sort((a, b) => wanted[a] - wanted[b]), out = [...wanted];
  let floor = low;
  for (const k of order) floor = (out[k] = Math.max(out[k], floor)) + gap;
  let roof = high;
  for (const k of order.reverse()) roof = (out[k] = Math.min(out[k], roof)) - gap;
  return out;
}

const ICONS = {
  play: "M3 1.5v11l9-5.5z", stop: "M2.5 2.5h9v9h-9z", pause: "M2.5 2h3v10h-3zM8.5 2h3v10h-3z",
  previous: "M10.5 1.5v11l-7-5.5zM2 2h1.5v10H2z", next: "M3.5 1.5v11l7-5.5zM10.5 2H12v10h-1.5z",
  loop: "M4 3h5a4 4 0 0 1 0 8H5a4 4 0 0 1-3.8-2.8l1.7-.5A2.2 2.2 0 0 0 5 9.2h4a2.2 2.2 0 0 0 0-4.4H4v2L.8 3.9 4 1z",
};

/** Return what is inside a button: an icon and its words. */
function face(icon, text) {
  const picture = s("svg", { viewBox: "0 0 14 14", width: 14, height: 14, "aria-hidden": "true", class: "icon" });
  picture.append(s("path", { d: ICONS[icon], fill: "currentColor" }));
  return [picture, h("span", { text })];
}

/** Return a short line in a class's colour and dash, for legends. */
function sample(entry, second) {
  const line = { x1: 1, x2: 27, y1: 5, y2: 5, style: `--c:${entry.colour}`, "stroke-dasharray": entry.dash || null };
  return s("svg", { viewBox: "0 0 28 10", width: 28, height: 10, "aria-hidden": "true", class: second ? "second" : "first" },
    s("line", line));
}

/** Draw all curves and bands into an SVG of a given width; return where things are. */
function draw(svg, data, shown, width) {
  const narrow = width < 520, small = 11, measure = document.createElement("canvas").getContext("2d");
  measure.font = `${small + 1}px system-ui, sans-serif`;
  const wide = (text) => measure.measureText(text).width;
  const bands = shown.map((c) => ({
    name: shown.length > 1 ? data.curves[c].name : "leads", spans: data.curves[c].leaders, kind: "leads",
  }));
  if (data.truth?.length) bands.push({ name: "truth", spans: data.truth, kind: "truth" });
  if (data.disowned?.length) bands.push({ name: "disowned", spans: data.disowned, kind: "disowned" });
  const ends = data.classes.map((entry) => (narrow ? entry.name : `${entry.name} ${entry.emotion}`));
  const left = Math.ceil(Math.max(wide("100 %"), ...bands.map((band) => wide(band.name)))) + 10;
  const right = width - Math.ceil(Math.max(...ends.map(wide))) - (narrow ? 12 : 32);
  const top = 10, bottom = top + (narrow ? 190 : 240), first = data.start_s[0], last = data.end_s.at(-1);
  const x = (second) => left + ((right - left) * (second - first)) / (last - first);
  const y = (p) => bottom - (bottom - top) * p;
  const step = 20, under = bottom + 8, foot = under + step * bands.length, height = foot + 34;
  const centre = data.start_s.map((start, row) => (start + data.end_s[row]) / 2);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("width", width);
  svg.setAttribute("height", height);
  const text = (content, at, more = {}) => s("text", { "font-size": small, ...at, ...more, text: content });

  const grid = s("g", { class: "grid" });
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    grid.append(s("line", { x1: left, x2: right, y1: y(share), y2: y(share) }));
    if (share * 2 === Math.round(share * 2))
      grid.append(text(percent(share), { x: left - 6, y: y(share) + 4 }, { "text-anchor": "end" }));
  }
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800];
  const each = steps.find((n) => ((right - left) * n) / (last - first) >= 44) ?? 3600;
  for (let second = Math.ceil(first / each) * each; second <= last + 1e-9; second += each) {
    grid.append(s("line", { x1: x(second), x2: x(second), y1: foot, y2: foot + 4, class: "tick" }));
    const label = last > 150 ? clock(second) : String(second);
    grid.append(text(label, { x: x(second), y: foot + 16 }, { "text-anchor": "middle" }));
  }
  grid.append(text(last > 150 ? "minutes" : "seconds", { x: (left + right) / 2, y: foot + 30 }, { "text-anchor": "middle" }));

  const mark = s("rect", { class: "mark", "data-part": "mark", y: top - 4, height: foot - top + 4, x: left, width: 0 });
  const lines = s("g", {}), dots = s("g", { class: "dots" });
  for (const c of [...shown].reverse()) {
    const second = shown.length > 1 && c === shown[1], p = data.curves[c].probabilities;
    data.classes.forEach((entry, k) => {
      const points = centre.map((at, row) => `${x(at).toFixed(1)},${y(p[row][k]).toFixed(1)}`);
      const look = { style: `--c:${entry.colour}`, "stroke-dasharray": entry.dash || null };
      lines.append(s("polyline", { class: second ? "second" : "first", "data-curve": c, points: points.join(" "), ...look }));
      if (points.length <= 60 && !second)
        for (const point of points) {
          const [cx, cy] = point.split(",");
          lines.append(s("circle", { cx, cy, r: 2.2, style: `--c:${entry.colour}` }));
        }
      dots.append(s("circle", { r: second ? 3 : 4.5, style: `--c:${entry.colour}`, "data-class": k, "data-curve": c }));
    });
  }
  const labels = s("g", { class: "ends" }), final = data.curves[shown[0]].probabilities.at(-1);
  const wanted = final.map((p) => y(p)), heights = apart(wanted, 15, top + 2, bottom);
  data.classes.forEach((entry, k) => {
    const from = x(centre.at(-1)), to = right + (narrow ? 4 : 24);
    if (!narrow)
      labels.append(s("polyline", { points: `${from},${wanted[k]} ${right + 4},${heights[k]} ${to - 4},${heights[k]}`,
        class: "lead", style: `--c:${entry.colour}` }));
    labels.append(text(ends[k], { x: to, y: heights[k] + 4, "font-size": small + 1 }));
  });

  const strips = s("g", {});
  const pattern = `hatch${Math.random().toString(36).slice(2)}`; // an id belongs to the whole page
  if (data.disowned?.length)
    strips.append(s("defs", {}, s("pattern", { id: pattern, width: 6, height: 6, patternUnits: "userSpaceOnUse",
      patternTransform: "rotate(45)" }, s("line", { x1: 0, x2: 0, y1: 0, y2: 6, stroke: "currentColor", "stroke-width": 3 }))));
  bands.forEach((band, row) => {
    const upper = under + row * step, strip = s("g", { "data-band": band.kind });
    strip.append(text(band.name, { x: left - 6, y: upper + 12.5 }, { "text-anchor": "end" }));
    for (const span of band.spans) {
      const from = x(Math.max(first, span.start_s)), to = x(Math.min(last, span.end_s)), room = to - from;
      if (!(room > 0)) continue;
      const entry = data.classes.find((one) => one.name === span.leader);
      const box = { x: from + 0.5, y: upper, width: Math.max(1, room - 1), height: step - 4, rx: 2 };
      strip.append(s("rect", { ...box, fill: entry ? entry.colour : `url(#${pattern})`, class: entry ? null : "hatched" }));
      if (entry && room > wide(span.leader) + 4) {
        const at = { x: (from + to) / 2, y: upper + 12.5, "text-anchor": "middle" };
        strip.append(text(span.leader, at, { style: `fill:${entry.ink}` }));
      }
    }
    strips.append(strip);
  });

  const playhead = s("line", { class: "playhead", "data-part": "playhead", y1: top - 6, y2: foot, x1: left, x2: left });
  svg.replaceChildren(grid, mark, strips, lines, labels, dots, playhead);
  return { x, y, centre, mark, dots, playhead, second: (at) => first + ((at - left) / (right - left)) * (last - first) };
}

/** Build the player in an element; return what takes it down. `talk` (or null) carries "selected" to and from Python. */
export function mount(el, data, talk) {
  ownKeys(el);
  const last = data.start_s.length - 1, two = data.curves.length > 1;
  const bound = (row) => Math.max(0, Math.min(last, Math.round(row)));
  let selected = bound(data.selected ?? 0), shown = data.curves.map((_, c) => c), place = null, frame = 0, timer = 0;
  let looping = false, following = true, before = "", saying = 0, resume = data.start_s[selected];
  const calm = matchMedia("(prefers-reduced-motion: reduce)");

  const tape = data.audio ? deck(changed) : null;

  const button = (what, icon, text, act, more = {}) =>
    h("button", { type: "button", "data-do": what, onclick: act, ...more }, ...face(icon, text));
  const svg = s("svg", { "aria-hidden": "true" });
  const about = `mer${Math.random().toString(36).slice(2)}`;
  const plot = h("div", {
    class: "plot", role: "slider", tabindex: 0, "data-part": "plot", "aria-label": `Segment of ${data.title}`,
    "aria-orientation": "horizontal", "aria-valuemin": 1, "aria-valuemax": last + 1, "aria-describedby": about,
    "data-lm-suppress-shortcuts": "true", onkeydown: key, onpointerdown: grab, onpointermove: drag, onpointerup: drop,
    onpointercancel: () => { held = false; },
  }, svg);
  const one = button("segment", "play", "Segment", () => toggle("segment"));
  const all = button("song", "play", "Song", () => toggle("song"));
  const loop = button("loop", "loop", "Loop", () => { looping = !looping; again(); }, { "aria-pressed": "false" });
  const auto = h("button", { type: "button", "data-do": "auto", "aria-pressed": "true", text: "Play what I choose",
    title: "A chosen segment sounds at once; switched off, the space bar plays it",
    onclick: () => { following = !following; auto.setAttribute("aria-pressed", String(following)); } });
  const previous = button("previous", "previous", "Previous", () => choose(selected - 1));
  const next = button("next", "next", "Next", () => choose(selected + 1));
  const options = [["both", "both curves"], ...data.curves.map((curve, c) => [String(c), `only ${curve.name}`])];
  const which = two ? h("select", { "data-do": "curves", "aria-label": "Which curves", onchange: switchCurves },
    ...options.map(([value, text]) => h("option", { value, text }))) : null;
  const words = h("p", { class: "words", "aria-live": "polite", "data-part": "words" });
  const time = h("span", { class: "time", "data-part": "time" });
  const legend = h("ul", { class: "legend", "aria-hidden": "true" });
  const notice = h("p", { class: "quiet notice", role: "status", "data-part": "notice", text: data.audio ? "" : data.silence });
  const heading = h("p", { class: "title" }, h("strong", { text: data.title }));
  if (data.label) heading.append(h("span", { text: ` · ${data.label}` }));

  el.classList.add("mer", "mer-player");
  el.append(heading, legend, plot, h("p", { class: "unseen", id: about, text: data.alt }),
    h("div", { class: "row", role: "group", "aria-label": "Play and choose" },
      ...(tape ? [one, all, loop] : []), previous, next, ...(tape ? [auto] : []), ...(which ? [which] : []),
      ...(tape ? [time] : [])),
    words, notice);

  let held = false;
  function grab(event) {
    if (event.button > 0 || !place) return;
    held = true;
    plot.setPointerCapture(event.pointerId);
    plot.focus({ preventScroll: true });
    choose(nearest(event), { silent: true });
    event.preventDefault();
  }
  function drag(event) { if (held) choose(nearest(event), { silent: true }); }
  function drop() {
    if (!held) return;
    held = false;
    if (following) sound("segment");
  }
  function nearest(event) {
    const second = place.second(event.clientX - svg.getBoundingClientRect().left);
    let best = 0;
    place.centre.forEach((at, row) => { if (Math.abs(at - second) < Math.abs(place.centre[best] - second)) best = row; });
    return best;
  }

  function key(event) {
    const moves = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in moves) choose(selected + moves[event.key]);
    else if (event.key === "Home") choose(0);
    else if (event.key === "End") choose(last);
    else if (event.key === " " || event.key === "Enter") { if (!event.repeat) toggle("segment"); }
    else if (event.key === "Escape") { clearTimeout(timer); tape?.stop(); }
    else return;
    event.preventDefault();
    event.stopPropagation(); // a notebook around has its own meaning for these keys
  }

  /** Choose a segment; it sounds when the choice has rested for a moment, unless `silent`. */
  function choose(row, { silent = false, from = "here" } = {}) {
    row = bound(row);
    clearTimeout(timer);
    if (!silent && following && tape) timer = setTimeout(() => sound("segment"), 220);
    if (row === selected) return;
    selected = row;
    resume = data.start_s[row];
    tape?.seek(resume);
    if (from === "here") talk?.send({ kind: "selected", value: row });
    show();
  }

  function toggle(name) {
    clearTimeout(timer);
    const playing = tape?.playing()?.name;
    if (playing === name) { tape.stop(); if (name === "song") resume = tape.now(); }
    else sound(name);
  }
  function again() {
    loop.setAttribute("aria-pressed", String(looping));
    const playing = tape.playing();
    if (playing) sound(playing.name, tape.now());
  }
  function sound(name, from) {
    if (!tape) return;
    const end = data.end_s.at(-1);
    const stretch = name === "segment"
      ? { start: data.start_s[selected], from, to: data.end_s[selected] }
      : { start: 0, from: from ?? (resume < end - 0.05 ? resume : 0), to: Infinity };
    tape.play(data.audio.bytes ?? data.audio.base64, { ...stretch, loop: looping, name }).catch(() => {
      notice.textContent = "This browser cannot play the sound; the curve works without it.";
    });
  }

  /** Called whenever the sound starts or ends. */
  function changed() {
    const playing = tape.playing();
    if (!playing && before === "song") resume = tape.now();
    before = playing?.name ?? "";
    el.dataset.state = playing?.name ?? "stopped";
    one.replaceChildren(...face(before === "segment" ? "stop" : "play", before === "segment" ? "Stop" : "Segment"));
    all.replaceChildren(...face(before === "song" ? "pause" : "play", before === "song" ? "Pause" : "Song"));
    cancelAnimationFrame(frame);
    tick(0);
  }
  let drawn = -Infinity;
  function tick(stamp) {
    if (!el.isConnected && stamp) return tape.dispose(); // the page threw the player away without saying so
    const second = tape.now();
    el.dataset.second = second.toFixed(3);
    if (!calm.matches || stamp - drawn > 250 || !tape.playing()) {
      drawn = stamp;
      if (place) for (const end of ["x1", "x2"]) place.playhead.setAttribute(end, place.x(Math.min(second, data.end_s.at(-1))));
      time.textContent = `${clock(Math.floor(second * 10) / 10)} of ${clock(Math.round(data.end_s.at(-1)))}`;
    }
    if (tape.playing()) frame = requestAnimationFrame(tick);
  }

  /** Write the selection wherever it stands. */
  function show() {
    el.dataset.selected = selected;
    const sentence = told(data, selected, shown);
    plot.setAttribute("aria-valuenow", selected + 1);
    plot.setAttribute("aria-valuetext", sentence);
    previous.disabled = selected === 0;
    next.disabled = selected === last;
    clearTimeout(saying);
    saying = setTimeout(() => { words.textContent = sentence; }, words.textContent ? 120 : 0); // one sentence for a quick drag
    legend.replaceChildren(...data.classes.map((entry, k) => {
      const shares = shown.map((c) => percent(data.curves[c].probabilities[selected][k]));
      return h("li", {}, sample(entry), h("span", { text: `${entry.name} ${entry.emotion} ` }), h("b", { text: shares[0] }),
        ...(shares.length > 1 ? [h("span", { class: "quiet", text: ` / ${shares[1]}` })] : []));
    }));
    if (two) {
      const plain = { colour: "currentColor", dash: "" };
      legend.append(...shown.map((c, at) => h("li", { class: "method" }, sample(plain, at === 1 && shown.length > 1),
        h("span", { text: data.curves[c].name }))));
    }
    if (!place) return;
    const from = place.x(data.start_s[selected]), to = place.x(data.end_s[selected]);
    place.mark.setAttribute("x", from);
    place.mark.setAttribute("width", to - from);
    for (const dot of place.dots.children) {
      const { class: k, curve } = dot.dataset;
      dot.setAttribute("cx", place.x(place.centre[selected]));
      dot.setAttribute("cy", place.y(data.curves[curve].probabilities[selected][k]));
    }
    if (tape && !tape.playing()) tick(0);
  }

  function switchCurves() {
    shown = which.value === "both" ? data.curves.map((_, c) => c) : [Number(which.value)];
    arrange();
  }
  let width = 0;
  function arrange() {
    place = draw(svg, data, shown, Math.max(240, width));
    show();
  }
  const watch = new ResizeObserver(() => requestAnimationFrame(() => {
    if (!el.isConnected) return tape?.dispose(); // it also hears of a removal while nothing plays
    const room = Math.floor(plot.clientWidth);
    if (room && room !== width) { width = room; arrange(); }
  }));
  watch.observe(plot);
  el.dataset.state = "stopped";
  tape?.seek(resume);
  show();
  talk?.on("selected", (row) => { if (row !== selected) choose(row, { silent: true, from: "Python" }); }); // not our own echo

  return () => {
    watch.disconnect();
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    clearTimeout(saying);
    tape?.dispose();
    el.replaceChildren();
  };
}

export default {
  render({ model, el }) {
    const sound = model.get("sound"), data = { ...model.get("data"), selected: model.get("selected") };
    if (sound?.byteLength) data.audio = { mime: model.get("mime"), bytes: sound };
    return lively(model, mount, el, data, ["selected"]);
  },
};
