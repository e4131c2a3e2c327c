// The segment explorer: a clip's log-mel, the staircase of its segments at any duration, and the sound of each.

/** Fetches clips and cuts, from the page where it carries them, else from the kernel; what came once is kept. */
function courier(carried, talk, sorry) {
  const kept = new Map(), waiting = new Map(), MOST = 12;
  const keyOf = ({ kind, clip, seconds }) => (kind === "clip" ? `clip ${clip}` : `cut ${clip} ${seconds}`);
  const clipOf = (told, buffers) => ({ ...told, pixels: raw(buffers[0]), sound: raw(buffers[1]) });
  for (const [clip, told] of Object.entries(carried?.clips ?? {})) kept.set(`clip ${clip}`, clipOf(told, told.buffers));
  for (const [key, cut] of Object.entries(carried?.cuts ?? {})) kept.set(`cut ${key}`, cut);

  function arrived(key, value) {
    kept.set(key, value);
    const clips = [...kept.keys()].filter((name) => name.startsWith("clip "));
    if (!carried && clips.length > MOST) kept.delete(clips[0]); // the one that came first
    waiting.get(key)?.(value);
    waiting.delete(key);
  }
  const deaf = [
    talk?.on("clip", (told, buffers) => arrived(`clip ${told.clip}`, clipOf(told, buffers))),
    talk?.on("cut", (cut) => arrived(`cut ${cut.clip} ${cut.seconds}`, cut)),
    talk?.on("sorry", ({ text, to }) => {
      if (to) waiting.delete(keyOf(to)); else waiting.clear();
      sorry(text, to && keyOf(to));
    }),
  ];

  /** Return a promise of what a message asks for; what nobody can answer never comes. */
  const ask = (message) => new Promise((resolve) => {
    const key = keyOf(message);
    if (kept.has(key)) return resolve(kept.get(key));
    if (!talk) return sorry("This page does not carry that.", key);
    const first = !waiting.has(key), others = waiting.get(key);
    waiting.set(key, (value) => { others?.(value); resolve(value); });
    if (first) talk.send(message);
  });
  return {
    clip: (clip) => ask({ kind: "clip", clip }),
    cut: (clip, seconds) => ask({ kind: "cut", clip, seconds }),
    has: (clip) => !carried || kept.has(`clip ${clip}`),
    close: () => deaf.forEach((off) => off?.()),
  };
}

/** Paint frames first…first+count of a log-mel into a canvas, low bands at the bottom. */
function paint(canvas, clip, bands, palette, first, count) {
  canvas.width = count;
  canvas.height = bands;
  const pen = canvas.getContext("2d"), image = pen.createImageData(count, bands);
  for (let t = 0; t < count; t++)
    for (let b = 0; b < bands; b++) {
      const at = 4 * ((bands - 1 - b) * count + t), colour = 3 * clip.pixels[(first + t) * bands + b];
      image.data[at] = palette[colour];
      image.data[at + 1] = palette[colour + 1];
      image.data[at + 2] = palette[colour + 2];
      image.data[at + 3] = 255;
    }
  pen.putImageData(image, 0, 0);
}

/** Return a number without needless digits. */
function neat(value) {
  return String(Number(value.toFixed(2)));
}

/** Build the explorer in an element; return what takes it down. */
export function mount(el, data, talk) {
  ownKeys(el);
  const palette = bytes(data.palette), unique = `mer${Math.random().toString(36).slice(2)}`;
  const named = (k) => (k >= 0 ? `${data.classes[k].name} ${data.classes[k].word}` : "unknown");
  const colour = (k) => (k >= 0 ? data.classes[k].colour : "#8a8a93");
  const [low, high, step] = data.range;
  let at = data.clip, duration = data.seconds, row = 0, clip = null, cut = null, place = null, width = 0, frame = 0, turn = 0, held = false, pause = 0;
  let wish = { at, duration }; // what was last asked for; `at` and `duration` are of the clip and the cut that are shown

  // ---- what stands where ------------------------------------------------------------------------------------------
  const search = h("input", { type: "search", id: `${unique}s`, oninput: filter, autocomplete: "off", placeholder: "name, artist, label" });
  const list = h("select", { size: 9, "aria-label": "Clips", onchange: () => fetchCut({ at: Number(list.value) }) });
  const found = h("p", { class: "quiet", "aria-live": "polite" });
  const slider = h("input", { type: "range", id: `${unique}d`, min: low, max: high, step, oninput: slide });
  const length = h("output", { for: `${unique}d` });
  const usual = h("button", { type: "button", onclick: () => lengthen(data.seconds), text: `as in the run: ${neat(data.seconds)} s` });
  const picture = h("canvas", { "aria-hidden": "true" }), svg = s("svg", { "aria-hidden": "true" });
  const stage = h("div", {
    class: "stage", role: "slider", tabindex: 0, "aria-label": "Segment", "aria-valuemin": 1, "data-lm-suppress-shortcuts": "true",
    onkeydown: key, onpointerdown: grab, onpointermove: drag, onpointerup: drop, onpointercancel: () => { held = false; },
  }, picture, svg);
  const button = (text, act) => h("button", { type: "button", text, onclick: act });
  const sounding = button("Play", () => (voice.playing() ? voice.stop() : play()));
  const back = button("Previous", () => choose(row - 1)), on = button("Next", () => choose(row + 1));
  const auto = h("input", { type: "checkbox", checked: true });
  const words = h("p", { class: "words", "aria-live": "polite" });
  const close = h("canvas", { "aria-hidden": "true" }), axis = h("div", { class: "hertz", "aria-hidden": "true" });
  const ends = h("div", { class: "ends", "aria-hidden": "true" }), caption = h("figcaption", {});
  const legend = h("ul", { class: "legend" }), numbers = h("table", {});
  const heading = h("p", { class: "name" });
  const shades = Array.from({ length: 9 }, (_, n) => 3 * Math.round((255 * n) / 8)).map((i) => `rgb(${palette.slice(i, i + 3).join(",")})`);
  const scale = h("p", { class: "scale", "aria-hidden": "true" }, h("span", { text: `${neat(data.decibels[0])} dB` }),
    h("span", { class: "ramp", style: `background:linear-gradient(90deg,${shades.join(",")})` }), h("span", { text: `${neat(data.decibels[1])} dB` }));
  for (const [text, share] of data.marks) axis.append(h("span", { text, style: `bottom:${100 * share}%` }));

  el.classList.add("mer", "mer-explorer");
  el.replaceChildren(h("div", { class: "board" },
    h("div", { class: "chooser" }, h("label", { for: `${unique}s`, text: "Find a clip" }), search, list, found),
    h("div", { class: "work" }, heading,
      h("div", { class: "row" }, h("label", { for: `${unique}d`, text: "Segment duration" }), slider, length, usual),
      stage, legend,
      h("div", { class: "row" }, sounding, back, on, h("label", { class: "auto" }, auto, "play what I choose")),
      words,
      h("div", { class: "below" },
        h("figure", {}, h("div", { class: "lens" }, axis, h("div", { class: "pane" }, close, ends)), caption, scale), numbers))));

  // ---- choosing ---------------------------------------------------------------------------------------------------
  function filter() {
    const asked = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const text = (one) => `${one.id} ${one.who} ${named(one.label)}`.toLowerCase();
    const kept = data.clips.map((_, i) => i).filter((i) => letters.has(i) && asked.every((part) => text(data.clips[i]).includes(part)));
    list.replaceChildren(...kept.map((i) => {
      const one = data.clips[i], name = `${one.id} · ${named(one.label)}${one.who ? ` · ${one.who}` : ""}`;
      return h("option", { value: i, text: name, title: name, selected: i === wish.at });
    }));
    const all = data.clips.filter((_, i) => letters.has(i)).length;
    found.textContent = `${kept.length} of ${all} clips${all < data.clips.length ? ` in this page; the corpus has ${data.clips.length}` : ""}`;
  }

  /** Fetch what is wished for and show it once all of it is here: until then everything stays as it was. */
  async function fetchCut(part) {
    Object.assign(wish, part);
    const mine = ++turn, next = { ...wish };
    voice.stop();
    const [came, made] = await Promise.all([letters.clip(next.at), letters.cut(next.at, next.duration)]);
    if (mine !== turn) return;
    voice.stop(); // it may have been started while these were fetched
    const other = !cut || next.at !== at, start = other ? 0 : (cut.start_s[row] ?? 0);
    ({ at, duration } = next);
    [clip, cut] = [came, made];
    row = Math.max(0, Math.min(cut.start_s.length - 1, cut.start_s.findLastIndex((second) => second <= start + 1e-9)));
    arrange(`${other ? data.clips[at].id : `${neat(duration)} s`}: ${tally()} `);
  }

  function lengthen(seconds) {
    fetchCut({ duration: Number(seconds.toFixed(3)) });
    sayLength();
  }

  /** Follow the slider; a kernel is asked when it rests for a moment. */
  function slide() {
    clearTimeout(pause);
    pause = setTimeout(() => lengthen(Number(slider.value)), talk ? 90 : 0);
    length.textContent = `${neat(Number(slider.value))} s`;
  }

  function sayLength() {
    slider.value = wish.duration;
    length.textContent = `${neat(wish.duration)} s`;
    slider.setAttribute("aria-valuetext", `${neat(wish.duration)} seconds`);
    usual.disabled = wish.duration === data.seconds;
  }

  function choose(next, sound = auto.checked) {
    if (!cut?.start_s.length) return;
    row = Math.max(0, Math.min(cut.start_s.length - 1, next));
    show();
    if (sound) play();
  }

  function play() {
    if (!cut?.start_s.length || !clip.sound.length) return;
    const start = cut.start_s[row];
    voice.play(clip.sound, { start, to: start + duration }).catch(() => say("This browser cannot decode the clip's sound."));
  }

  function key(event) {
    const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 5, PageDown: -5, Home: -Infinity, End: Infinity };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in steps) choose(row + steps[event.key]);
    else if (event.key === " " || event.key === "Enter") { if (voice.playing()) voice.stop(); else play(); }
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Return the segment that is meant by a place: its bar in the staircase, above it the one whose middle is nearest. */
  function meant(event) {
    const box = svg.getBoundingClientRect(), y = event.clientY - box.top, n = cut.start_s.length;
    if (y >= place.stairs) return Math.floor((y - place.stairs) / place.tread);
    const second = place.second(event.clientX - box.left) - duration / 2;
    return Math.max(0, Math.min(n - 1, Math.round(second - cut.start_s[0])));
  }
  function grab(event) {
    if (event.button !== 0 || !cut?.start_s.length) return;
    held = true;
    stage.setPointerCapture(event.pointerId);
    choose(meant(event), false);
  }
  function drag(event) { if (held && meant(event) !== row) choose(meant(event), false); }
  function drop() { if (held && auto.checked) play(); held = false; }

  // ---- drawing ----------------------------------------------------------------------------------------------------
  const wrong = (n) => cut.truth !== null && cut.truth[n] >= 0 && cut.truth[n] !== data.clips[at].label;

  /** Return how many segments the clip gives, in words. */
  function tally() {
    const n = cut.start_s.length;
    if (!n) return "the clip is too short for one segment.";
    const bad = cut.start_s.filter((_, i) => wrong(i)).length;
    return `${n} segment${n > 1 ? "s" : ""}${cut.truth === null ? "" : `, ${bad} with a wrong label`}.`;
  }

  function arrange(news = "") {
    if (!clip || !cut) return;
    const one = data.clips[at], total = clip.frames * data.frame_s, narrow = width < 480;
    heading.replaceChildren(h("strong", { text: one.id }), ` · ${named(one.label)}${one.who ? ` · ${one.who}` : ""} · ${neat(one.seconds)} s`);
    stage.setAttribute("aria-valuemax", Math.max(1, cut.start_s.length));
    const left = 64, right = width - 6, top = 4, mel = narrow ? 120 : 170, n = cut.start_s.length;
    const band = clip.truth ? mel + top + 6 : null, stairs = mel + top + (clip.truth ? 32 : 8);
    const tread = Math.max(2.2, Math.min(14, 240 / Math.max(n, 1))), foot = stairs + tread * Math.max(n, 3) + 4, height = foot + 34;
    const x = (second) => left + ((right - left) * second) / total;
    paint(picture, clip, data.bands, palette, 0, clip.frames);
    Object.assign(picture.style, { left: `${left}px`, top: `${top}px`, width: `${right - left}px`, height: `${mel}px` });
    for (const [name, value] of [["viewBox", `0 0 ${width} ${height}`], ["width", width], ["height", height]]) svg.setAttribute(name, value);
    const text = (content, more) => s("text", { "font-size": 11.5, text: content, ...more });
    const parts = [s("defs", {}, s("pattern", { id: `${unique}h`, width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      s("line", { x1: 0, x2: 0, y1: 0, y2: 5, stroke: "#fff", "stroke-width": 2.4 })))];
    for (const [name, share] of data.marks) parts.push(text(name, { x: left - 5, y: top + mel * (1 - share) + 4, "text-anchor": "end" }));
    const every = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600].find((one) => ((right - left) * one) / total >= 40) ?? 1800;
    for (let second = 0; second <= total; second += every) {
      parts.push(s("line", { class: "tick", x1: x(second), x2: x(second), y1: foot, y2: foot + 4 }));
      parts.push(text(total > 150 ? clock(second) : second, { x: x(second), y: foot + 16, "text-anchor": "middle" }));
    }
    parts.push(text(total > 150 ? "minutes" : "seconds", { x: (left + right) / 2, y: foot + 31, "text-anchor": "middle" }));
    if (clip.truth) {
      parts.push(text("truth", { x: left - 5, y: band + 14, "text-anchor": "end" }));
      for (const span of clip.truth) {
        const k = data.classes.findIndex((one) => one.name === span.leader), from = x(span.start_s), to = x(Math.min(total, span.end_s));
        if (!(to > from)) continue;
        parts.push(s("rect", { class: "truth", x: from + 0.5, y: band, width: Math.max(1, to - from - 1), height: 20, rx: 2, fill: colour(k) }));
        if (to - from > 24) parts.push(text(span.leader, { x: (from + to) / 2, y: band + 14.5, "text-anchor": "middle", style: `fill:${data.classes[k].ink}` }));
      }
    }
    parts.push(text("segments", { x: left - 5, y: stairs + 10, "text-anchor": "end" }));
    if (data.max_seconds !== null && data.max_seconds < total - 0.5) {
      parts.push(s("rect", { class: "unused", x: x(data.max_seconds), y: top, width: right - x(data.max_seconds), height: mel }));
      parts.push(text("not used", { x: right - 4, y: stairs + 10, "text-anchor": "end" }));
      parts.push(s("line", { class: "limit", x1: x(data.max_seconds), x2: x(data.max_seconds), y1: top, y2: foot }));
    }
    const bars = s("g", {});
    cut.start_s.forEach((start, i) => {
      const k = cut.truth?.[i] ?? data.clips[at].label;
      const box = { x: x(start), y: stairs + i * tread, width: x(start + duration) - x(start), height: Math.max(1.6, tread - 1.4), rx: 1.5 };
      bars.append(s("rect", { class: "bar", "data-row": i, "data-wrong": String(wrong(i)), fill: colour(k), opacity: wrong(i) ? 1 : 0.6, ...box }));
      if (wrong(i)) bars.append(s("rect", { fill: `url(#${unique}h)`, ...box, opacity: 0.75 }));
    });
    const mark = s("rect", { class: "mark", y: top + mel, height: foot - top - mel }), glass = s("rect", { class: "glass", y: top + 1, height: mel - 2, rx: 2 });
    const here = s("rect", { class: "here", rx: 2 }), needle = s("line", { class: "needle", y1: top, y2: foot, visibility: "hidden" });
    svg.replaceChildren(...parts, mark, bars, here, glass, needle);
    place = { x, stairs, tread, mark, glass, here, needle, second: (px) => ((px - left) / (right - left)) * total };
    colours();
    toll();
    show(news);
  }

  /** Say which colours the staircase has. */
  function colours() {
    const label = data.clips[at].label, others = [...new Set(cut.truth ?? [])].filter((k) => k >= 0 && k !== label).sort();
    const entry = (k, says, hatched) => h("li", {}, h("span", { class: hatched ? "swatch hatched" : "swatch", style: `--c:${colour(k)}`, "aria-hidden": "true" }), says);
    const rows = [entry(label, `labelled ${named(label)}${cut.truth === null ? "" : ", and truly so"}`, false)];
    legend.replaceChildren(...rows, ...others.map((k) => entry(k, `truly ${named(k)}: the label is wrong`, true)));
  }

  function toll() {
    const share = (value) => (value === null ? "–" : `${value.toFixed(1)} %`), known = cut.of_corpus.known !== null;
    const line = (name, one) => h("tr", {}, h("th", { scope: "row", text: name }), h("td", { text: one.segments.toLocaleString("en") }),
      ...(known ? [h("td", { text: share(one.wrong_percent) }), h("td", { text: share(one.mixed_percent) })] : []));
    const head = ["", "segments", ...(known ? ["label wrong", "changes inside"] : [])];
    numbers.replaceChildren(
      h("caption", { text: `Cut into ${neat(duration)} s` }),
      h("thead", {}, h("tr", {}, ...head.map((text) => (text ? h("th", { scope: "col", text }) : h("td", {}))))),
      h("tbody", {}, line("this clip", cut.of_clip), line(`all ${data.clips.length} clips`, cut.of_corpus)));
    if (!known) numbers.append(h("tfoot", {}, h("tr", {}, h("td", { colspan: 2, text: "One label a clip: nobody knows which segments are wrong." }))));
  }

  /** Write the chosen segment wherever it stands. */
  function show(news = "") {
    const none = !cut.start_s.length, start = cut.start_s[row] ?? 0, end = start + duration, label = data.clips[at].label;
    el.dataset.row = row;
    stage.setAttribute("aria-valuenow", row + 1);
    const truth = cut.truth?.[row] ?? -1;
    const fits = truth < 0 ? "" : truth === label ? ", which is true of it" : `, but is ${named(truth)}`;
    const said = none ? "No segment." : `Segment ${row + 1} of ${cut.start_s.length}, ${neat(start)} to ${neat(end)} s, inherits ${named(label)}${fits}.`;
    stage.setAttribute("aria-valuetext", said);
    words.textContent = news + said + (clip.silence ? ` ${clip.silence}` : "");
    [back.disabled, on.disabled] = [none || row === 0, none || row === cut.start_s.length - 1];
    sounding.disabled = none || !clip.sound.length;
    close.hidden = none;
    if (!place || none) { caption.textContent = ""; ends.replaceChildren(); return; }
    const from = place.x(start), box = { x: from, width: place.x(end) - from };
    for (const [name, value] of Object.entries(box)) { place.mark.setAttribute(name, value); place.glass.setAttribute(name, value); place.here.setAttribute(name, value); }
    place.here.setAttribute("y", place.stairs + row * place.tread - 1);
    place.here.setAttribute("height", Math.max(1.6, place.tread - 1.4) + 2);
    paint(close, clip, data.bands, palette, cut.start_frame[row], cut.n_frames);
    ends.replaceChildren(h("span", { text: `${neat(start)} s` }), h("span", { text: `${neat(end)} s` }));
    caption.textContent = `All that the network gets of it: ${cut.n_frames} frames × ${data.bands} bands, from frame ${cut.start_frame[row]} on.`;
  }

  function tick() {
    cancelAnimationFrame(frame);
    if (!el.isConnected) return voice.dispose();
    const second = voice.playing() ? voice.now() : null;
    if (place) {
      place.needle.setAttribute("visibility", second === null ? "hidden" : "visible");
      if (second !== null) for (const end of ["x1", "x2"]) place.needle.setAttribute(end, place.x(second));
    }
    if (second !== null) frame = requestAnimationFrame(tick);
  }
  const voice = deck(() => {
    const on = Boolean(voice.playing());
    sounding.textContent = on ? "Stop" : "Play";
    el.dataset.state = on ? "playing" : "stopped";
    if (el.isConnected) tick();
  });
  function say(text) { words.textContent = text; }

  /** Say why something does not come; if it is what is wished for now, the controls go back to what is shown. */
  function sorry(text, key) {
    if (key !== undefined && key !== `clip ${wish.at}` && key !== `cut ${wish.at} ${wish.duration}`) return;
    turn++;
    clearTimeout(pause);
    wish = { at, duration };
    list.value = at;
    sayLength();
    say(text);
  }
  const letters = courier(data.carried, talk, sorry);
  const watch = new ResizeObserver(() => requestAnimationFrame(() => {
    if (!el.isConnected) return voice.dispose(); // taken out without being taken down; back again, it sounds again
    const room = Math.floor(stage.clientWidth);
    if (room && room !== width) { width = room; arrange(); }
  }));
  watch.observe(stage);
  width = Math.max(280, Math.floor(stage.clientWidth));
  el.dataset.state = "stopped";
  sayLength();
  filter();
  fetchCut({});
  return () => {
    turn++;
    watch.disconnect();
    cancelAnimationFrame(frame);
    clearTimeout(pause);
    letters.close();
    voice.dispose();
    el.replaceChildren();
  };
}

export default {
  render({ model, el }) {
    return lively(model, mount, el, model.get("data"));
  },
};
