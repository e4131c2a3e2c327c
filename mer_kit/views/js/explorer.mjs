// The segment explorer: a clip's log-mel, the staircase of its segments at any duration, and the sound of each.

/** The view. `wanted` is the clip and duration asked for last; `clip`, `cut`, `at` and `duration` are what is shown. */
class SegmentExplorer {
  constructor(el, data, talk) {
    Object.assign(this, { el, data, talk, palette: raw(data.palette), id: uniqueId(), at: data.clip, duration: data.seconds });
    Object.assign(this, { row: 0, clip: null, cut: null, place: null, width: 0, frame: 0, turn: 0, held: false, pause: 0 });
    this.wanted = { at: this.at, duration: this.duration };
    this.clips = requestClips(data.carried, talk, (text, key) => this.refused(text, key));
    this.player = createPlayer(() => this.soundChanged());
    this.build();
    this.unwatch = watchWidth(this.stage, (width) => { this.width = width; this.arrange(); }, () => this.player.dispose());
    this.width = Math.max(280, Math.floor(this.stage.clientWidth));
    el.dataset.state = "stopped";
    this.showDuration();
    this.filter();
    this.fetch({});
  }

  remove() {
    this.turn++;
    this.unwatch();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.pause);
    this.clips.close();
    this.player.dispose();
  }

  build() {
    const { data, id } = this, [low, high, step] = data.range;
    this.search = h("input", { type: "search", id: `${id}s`, oninput: () => this.filter(), autocomplete: "off", placeholder: "name, artist, label" });
    this.list = h("select", { size: 9, "aria-label": "Clips", onchange: () => this.fetch({ at: Number(this.list.value) }) });
    this.found = h("p", { class: "quiet", "aria-live": "polite" });
    this.slider = slider(`${id}d`, "Segment duration", { min: low, max: high, step }, (value) => this.slide(value));
    this.usual = button(`as in the run: ${short(data.seconds)} s`, () => this.setDuration(data.seconds));
    this.stage = this.buildStage();
    this.legend = h("ul", { class: "legend" });
    this.numbers = h("table", {});
    this.heading = h("p", { class: "name" });
    this.words = h("p", { class: "words", "aria-live": "polite" });
    this.auto = h("input", { type: "checkbox", checked: true });
    this.playButton = button("Play", () => this.toggle());
    this.back = button("Previous", () => this.choose(this.row - 1));
    this.next = button("Next", () => this.choose(this.row + 1));
    this.el.replaceChildren(h("div", { class: "board" },
      h("div", { class: "chooser" }, h("label", { for: `${id}s`, text: "Find a clip" }), this.search, this.list, this.found),
      h("div", { class: "work" }, this.heading,
        h("div", { class: "row" }, this.slider.node, this.usual),
        this.stage, this.legend,
        h("div", { class: "row" }, this.playButton, this.back, this.next, h("label", { class: "auto" }, this.auto, "play what I choose")),
        this.words, h("div", { class: "below" }, this.closeUp(), this.numbers))));
  }

  buildStage() {
    this.picture = h("canvas", { "aria-hidden": "true" });
    this.svg = s("svg", { "aria-hidden": "true" });
    return h("div", {
      class: "stage", role: "slider", tabindex: 0, "aria-label": "Segment", "aria-valuemin": 1, "data-lm-suppress-shortcuts": "true",
      onkeydown: (event) => this.key(event), onpointerdown: (event) => this.grab(event), onpointermove: (event) => this.drag(event),
      onpointerup: () => this.drop(), onpointercancel: () => { this.held = false; },
    }, this.picture, this.svg);
  }

  /** Return the picture of the chosen segment alone, with its axis and the scale of its colours. */
  closeUp() {
    const { data, palette } = this, axis = h("div", { class: "hertz", "aria-hidden": "true" });
    this.close = h("canvas", { "aria-hidden": "true" });
    this.ends = h("div", { class: "ends", "aria-hidden": "true" });
    this.caption = h("figcaption", {});
    for (const [text, share] of data.marks) axis.append(h("span", { text, style: `bottom:${100 * share}%` }));
    const shades = Array.from({ length: 9 }, (_, n) => 3 * Math.round((255 * n) / 8)).map((i) => `rgb(${palette.slice(i, i + 3).join(",")})`);
    const scale = h("p", { class: "scale", "aria-hidden": "true" }, h("span", { text: `${short(data.decibels[0])} dB` }),
      h("span", { class: "ramp", style: `background:linear-gradient(90deg,${shades.join(",")})` }), h("span", { text: `${short(data.decibels[1])} dB` }));
    return h("figure", {}, h("div", { class: "lens" }, axis, h("div", { class: "pane" }, this.close, this.ends)), this.caption, scale);
  }

  // ---- choosing

  named(k) { return k >= 0 ? className(this.data.classes[k]) : "unknown"; }
  colour(k) { return k >= 0 ? this.data.classes[k].colour : "#8a8a93"; }
  get label() { return this.data.clips[this.at].label; }

  filter() {
    const { clips } = this.data, there = clips.map((_, i) => i).filter((i) => this.clips.has(i));
    const asked = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const text = (one) => `${one.id} ${one.who} ${this.named(one.label)}`.toLowerCase();
    const kept = there.filter((i) => asked.every((part) => text(clips[i]).includes(part)));
    this.list.replaceChildren(...kept.map((i) => {
      const one = clips[i], name = `${one.id} · ${this.named(one.label)}${one.who ? ` · ${one.who}` : ""}`;
      return h("option", { value: i, text: name, title: name, selected: i === this.wanted.at });
    }));
    const rest = there.length < clips.length ? ` in this page; the corpus has ${clips.length}` : "";
    this.found.textContent = `${kept.length} of ${there.length} clips${rest}`;
  }

  /** Fetch the wanted clip and cut; until all of it is there, everything stays as it was. */
  async fetch(part) {
    Object.assign(this.wanted, part);
    const mine = ++this.turn, next = { ...this.wanted };
    this.player.stop();
    const [clip, cut] = await Promise.all([this.clips.clip(next.at), this.clips.cut(next.at, next.duration)]);
    if (mine !== this.turn) return;
    this.player.stop(); // it may have been started in the meantime
    const other = !this.cut || next.at !== this.at, start = other ? 0 : (this.cut.start_s[this.row] ?? 0);
    Object.assign(this, next, { clip, cut });
    this.row = clamp(cut.start_s.findLastIndex((second) => second <= start + 1e-9), 0, Math.max(0, cut.start_s.length - 1));
    this.arrange(`${other ? this.data.clips[this.at].id : `${short(this.duration)} s`}: ${this.tally()} `);
  }

  setDuration(seconds) {
    this.fetch({ duration: Number(seconds.toFixed(3)) });
    this.showDuration();
  }

  /** Follow the slider; a kernel is asked when it has rested for a moment. */
  slide(value) {
    clearTimeout(this.pause);
    this.pause = setTimeout(() => this.setDuration(value), this.talk ? 90 : 0);
    this.slider.output.textContent = `${short(value)} s`;
  }

  showDuration() {
    const { wanted: { duration }, slider: { range, output } } = this;
    range.value = duration;
    output.textContent = `${short(duration)} s`;
    range.setAttribute("aria-valuetext", `${short(duration)} seconds`);
    this.usual.disabled = duration === this.data.seconds;
  }

  choose(next, sound = this.auto.checked) {
    if (!this.cut?.start_s.length) return;
    this.row = clamp(next, 0, this.cut.start_s.length - 1);
    this.show();
    if (sound) this.play();
  }

  play() {
    if (!this.cut?.start_s.length || !this.clip.sound.length) return;
    const start = this.cut.start_s[this.row];
    this.player.play(this.clip.sound, { start, to: start + this.duration })
      .catch(() => { this.words.textContent = "This browser cannot decode the clip's sound."; });
  }

  key(event) {
    const step = keyStep(event, { ...SLIDER_KEYS, PageUp: 5, PageDown: -5, " ": 0, Enter: 0 });
    if (step) this.choose(this.row + step);
    else if (step === 0) this.toggle();
  }

  toggle() {
    if (this.player.playing()) this.player.stop();
    else this.play();
  }

  /** Return the segment at a place: its bar in the staircase; above it, the segment whose middle is nearest. */
  segmentAt(event) {
    const { svg, place, cut } = this, box = svg.getBoundingClientRect(), y = event.clientY - box.top;
    if (y >= place.stairs) return Math.floor((y - place.stairs) / place.tread);
    const second = place.second(event.clientX - box.left) - this.duration / 2;
    return clamp(Math.round(second - cut.start_s[0]), 0, cut.start_s.length - 1);
  }

  grab(event) {
    if (event.button !== 0 || !this.cut?.start_s.length) return;
    this.held = true;
    this.stage.setPointerCapture(event.pointerId);
    this.choose(this.segmentAt(event), false);
  }

  drag(event) { if (this.held && this.segmentAt(event) !== this.row) this.choose(this.segmentAt(event), false); }

  drop() {
    if (this.held && this.auto.checked) this.play();
    this.held = false;
  }

  // ---- drawing

  isWrong(i) {
    const { truth } = this.cut;
    return truth !== null && truth[i] >= 0 && truth[i] !== this.label;
  }

  tally() {
    const { cut } = this, n = cut.start_s.length;
    if (!n) return "the clip is too short for one segment.";
    const wrong = cut.start_s.filter((_, i) => this.isWrong(i)).length;
    return `${n} segment${n > 1 ? "s" : ""}${cut.truth === null ? "" : `, ${wrong} with a wrong label`}.`;
  }

  arrange(news = "") {
    const { data, clip, cut, svg, id, duration } = this;
    if (!clip || !cut) return;
    const one = data.clips[this.at], total = clip.frames * data.frame_s, limit = data.max_seconds;
    this.heading.replaceChildren(h("strong", { text: one.id }), ` · ${this.named(one.label)}${one.who ? ` · ${one.who}` : ""} · ${short(one.seconds)} s`);
    this.stage.setAttribute("aria-valuemax", Math.max(1, cut.start_s.length));
    const place = explorerLayout(this.width, cut.start_s.length, total, Boolean(clip.truth)), marks = explorerMarks(place);
    paintSpectrogram(this.picture, clip.pixels, data.bands, this.palette, 0, clip.frames);
    const box = { left: place.left, top: place.top, width: place.right - place.left, height: place.mel };
    this.picture.style = Object.entries(box).map(([name, value]) => `${name}:${value}px`).join(";");
    resize(svg, place.width, place.height);
    const bars = staircaseBars(place, cut, duration, (i) => this.colour(cut.truth?.[i] ?? one.label), (i) => this.isWrong(i), `${id}h`);
    svg.replaceChildren(hatch(`${id}h`, 5, "#fff", 2.4),
      ...data.marks.map(([name, share]) => beforeAxis(place, place.top + place.mel * (1 - share) + 4, name)),
      ...timeAxis(place.x, place.foot, 0, total),
      ...(clip.truth ? truthBand(place, clip.truth, total, data.classes) : []),
      beforeAxis(place, place.stairs + 10, "segments"),
      ...(limit !== null && limit < total - 0.5 ? unusedPart(place, limit) : []),
      marks.mark, bars, marks.here, marks.glass, marks.needle);
    this.place = { ...place, ...marks };
    this.showLegend();
    this.numbers.replaceChildren(...countsTable(cut, duration, data.clips.length));
    this.show(news);
  }

  showLegend() {
    const { label: own, cut } = this, others = [...new Set(cut.truth ?? [])].filter((k) => k >= 0 && k !== own).sort();
    const entry = (k, text, look) => h("li", {}, h("span", { class: look, style: `--c:${this.colour(k)}`, "aria-hidden": "true" }), text);
    this.legend.replaceChildren(entry(own, `labelled ${this.named(own)}${cut.truth === null ? "" : ", which is true"}`, "swatch"),
      ...others.map((k) => entry(k, `truly ${this.named(k)}: the label is wrong`, "swatch hatched")));
  }

  show(news = "") {
    const { cut, row, stage, clip } = this, none = !cut.start_s.length, words = this.segmentWords();
    this.el.dataset.row = row;
    dress(stage, { "aria-valuenow": row + 1, "aria-valuetext": words });
    this.words.textContent = news + words + (clip.silence ? ` ${clip.silence}` : "");
    this.back.disabled = none || row === 0;
    this.next.disabled = none || row === cut.start_s.length - 1;
    this.playButton.disabled = none || !clip.sound.length;
    this.close.hidden = none;
    this.caption.textContent = "";
    this.ends.replaceChildren();
    if (this.place && !none) this.markSegment();
  }

  segmentWords() {
    const { cut, row, label: own } = this, start = cut.start_s[row] ?? 0, truth = cut.truth?.[row] ?? -1;
    if (!cut.start_s.length) return "No segment.";
    let fits = "";
    if (truth >= 0) fits = truth === own ? ", which is true of it" : `, but is ${this.named(truth)}`;
    return `Segment ${row + 1} of ${cut.start_s.length}, ${short(start)} to ${short(start + this.duration)} s, inherits ${this.named(own)}${fits}.`;
  }

  markSegment() {
    const { place, cut, row, data } = this, start = cut.start_s[row], end = start + this.duration, x = place.x(start);
    for (const node of [place.mark, place.glass, place.here]) dress(node, { x, width: place.x(end) - x });
    dress(place.here, { y: place.stairs + row * place.tread - 1, height: Math.max(1.6, place.tread - 1.4) + 2 });
    paintSpectrogram(this.close, this.clip.pixels, data.bands, this.palette, cut.start_frame[row], cut.n_frames);
    this.ends.replaceChildren(h("span", { text: `${short(start)} s` }), h("span", { text: `${short(end)} s` }));
    this.caption.textContent = `The network's input: ${cut.n_frames} frames × ${data.bands} bands, from frame ${cut.start_frame[row]} on.`;
  }

  soundChanged() {
    const playing = Boolean(this.player.playing());
    this.playButton.textContent = playing ? "Stop" : "Play";
    this.el.dataset.state = playing ? "playing" : "stopped";
    if (this.el.isConnected) this.tick();
  }

  tick() {
    cancelAnimationFrame(this.frame);
    const { player, place } = this;
    if (!this.el.isConnected) return player.dispose();
    const playing = Boolean(player.playing());
    if (place) dress(place.needle, { visibility: playing ? "visible" : "hidden", x1: place.x(player.now()), x2: place.x(player.now()) });
    if (!playing) return;
    this.frame = requestAnimationFrame(() => this.tick());
  }

  /** Say why something does not come. If it was what is wanted now, the controls go back to what is shown. */
  refused(text, key) {
    const { wanted } = this;
    if (key !== undefined && key !== `clip ${wanted.at}` && key !== `cut ${wanted.at} ${wanted.duration}`) return;
    this.turn++;
    clearTimeout(this.pause);
    this.wanted = { at: this.at, duration: this.duration };
    this.list.value = this.at;
    this.showDuration();
    this.words.textContent = text;
  }
}

export const mount = mounting(SegmentExplorer, "explorer");

export default widgetOf(mount);
