// The player: a song's probability curves with its sound. Choose a segment by click, drag or arrow key and hear it.

const ICONS = {
  play: "M3 1.5v11l9-5.5z", stop: "M2.5 2.5h9v9h-9z", pause: "M2.5 2h3v10h-3zM8.5 2h3v10h-3z",
  previous: "M10.5 1.5v11l-7-5.5zM2 2h1.5v10H2z", next: "M3.5 1.5v11l7-5.5zM10.5 2H12v10h-1.5z",
  loop: "M4 3h5a4 4 0 0 1 0 8H5a4 4 0 0 1-3.8-2.8l1.7-.5A2.2 2.2 0 0 0 5 9.2h4a2.2 2.2 0 0 0 0-4.4H4v2L.8 3.9 4 1z",
};

function iconAndText(icon, text) {
  const path = s("path", { d: ICONS[icon], fill: "currentColor" });
  return [s("svg", { viewBox: "0 0 14 14", width: 14, height: 14, "aria-hidden": "true", class: "icon" }, path), h("span", { text })];
}

/** The view. `selected` is the chosen segment, `shown` the curves that are drawn, `resume` where the song goes on. */
class CurvePlayer {
  constructor(el, data, talk) {
    if (data.sound?.byteLength) data.audio = { mime: data.mime, bytes: data.sound };
    Object.assign(this, { el, data, talk, last: data.start_s.length - 1, shown: data.curves.map((_, c) => c), place: null });
    Object.assign(this, { frame: 0, timer: 0, drawn: -Infinity, looping: false, following: true, held: false, before: "" });
    this.selected = this.bounded(data.selected ?? 0);
    this.resume = data.start_s[this.selected];
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.player = data.audio ? createPlayer(() => this.soundChanged()) : null;
    this.voice = createAnnouncer(120);
    this.build();
    this.unwatch = watchWidth(this.plot, (width) => { this.width = width; this.arrange(); }, () => this.player?.dispose());
    el.dataset.state = "stopped";
    this.player?.seek(this.resume);
    this.show();
    talk?.on("selected", (row) => { if (row !== this.selected) this.choose(row, { silent: true, own: false }); });
  }

  remove() {
    this.unwatch();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.timer);
    this.voice.dispose();
    this.player?.dispose();
  }

  bounded(row) { return clamp(Math.round(row), 0, this.last); }

  build() {
    const { data, el, player } = this, about = uniqueId(), heading = h("p", { class: "title" }, h("strong", { text: data.title }));
    if (data.label) heading.append(h("span", { text: ` · ${data.label}` }));
    this.plot = this.buildPlot(about);
    this.time = h("span", { class: "time", "data-part": "time" });
    this.legend = h("ul", { class: "legend", "aria-hidden": "true" });
    this.notice = h("p", { class: "quiet notice", role: "status", "data-part": "notice", text: data.audio ? "" : data.silence });
    this.buildButtons();
    this.which = data.curves.length > 1 ? this.curveChoice() : null;
    el.append(heading, this.legend, this.plot, h("p", { class: "unseen", id: about, text: data.alt }),
      h("div", { class: "row", role: "group", "aria-label": "Play and choose" },
        ...(player ? [this.one, this.all, this.loop] : []), this.previous, this.next, ...(player ? [this.auto] : []),
        ...(this.which ? [this.which] : []), ...(player ? [this.time] : [])),
      this.voice.node, this.notice, ...(data.note ? [h("p", { class: "quiet", text: `${data.note}.` })] : []));
  }

  buildPlot(about) {
    this.svg = s("svg", { "aria-hidden": "true" });
    return h("div", {
      class: "plot", role: "slider", tabindex: 0, "data-part": "plot", "aria-label": `Segment of ${this.data.title}`,
      "aria-orientation": "horizontal", "aria-valuemin": 1, "aria-valuemax": this.last + 1, "aria-describedby": about,
      "data-lm-suppress-shortcuts": "true", onkeydown: (event) => this.key(event), onpointerdown: (event) => this.grab(event),
      onpointermove: (event) => { if (this.held) this.choose(this.nearest(event), { silent: true }); },
      onpointerup: () => this.drop(), onpointercancel: () => { this.held = false; },
    }, this.svg);
  }

  buildButtons() {
    const made = (name, icon, text, act, more = {}) => dress(button("", act, { "data-do": name, ...more }), {}, iconAndText(icon, text));
    this.one = made("segment", "play", "Segment", () => this.toggle("segment"));
    this.all = made("song", "play", "Song", () => this.toggle("song"));
    this.loop = made("loop", "loop", "Loop", () => this.toggleLoop(), { "aria-pressed": "false" });
    this.previous = made("previous", "previous", "Previous", () => this.choose(this.selected - 1));
    this.next = made("next", "next", "Next", () => this.choose(this.selected + 1));
    this.auto = button("Play what I choose", () => { this.following = press(this.auto, !this.following); }, { "data-do": "auto", "aria-pressed": "true",
      title: "A chosen segment is played at once; switched off, the space bar plays it" });
  }

  curveChoice() {
    const { curves } = this.data, options = [["both", "both curves"], ...curves.map((one, c) => [String(c), `only ${one.name}`])];
    return selectBox(options, (value) => {
      this.shown = value === "both" ? curves.map((_, c) => c) : [Number(value)];
      this.arrange();
    }, { "data-do": "curves", "aria-label": "Which curves" });
  }

  // ---- choosing

  grab(event) {
    if (event.button > 0 || !this.place) return;
    this.held = true;
    this.plot.setPointerCapture(event.pointerId);
    this.plot.focus({ preventScroll: true });
    this.choose(this.nearest(event), { silent: true });
    event.preventDefault();
  }

  drop() {
    if (this.held && this.following) this.play("segment");
    this.held = false;
  }

  nearest(event) {
    const { centre, second } = this.place, wanted = second(event.clientX - this.svg.getBoundingClientRect().left);
    return nearestPlace(centre, wanted);
  }

  key(event) {
    const step = keyStep(event, { ...SLIDER_KEYS, PageDown: -10, PageUp: 10, Escape: 0, " ": 0, Enter: 0 });
    if (step) this.choose(this.selected + step);
    else if (event.key === "Escape") { clearTimeout(this.timer); this.player?.stop(); }
    else if (step === 0 && !event.repeat) this.toggle("segment");
  }

  /** Choose a segment; it is played when the choice has rested for a moment, unless `silent`. */
  choose(wanted, { silent = false, own = true } = {}) {
    const row = this.bounded(wanted);
    clearTimeout(this.timer);
    if (!silent && this.following && this.player) this.timer = setTimeout(() => this.play("segment"), 220);
    if (row === this.selected) return;
    this.selected = row;
    this.resume = this.data.start_s[row];
    this.player?.seek(this.resume);
    if (own) this.talk?.send({ kind: "selected", value: row });
    this.show();
  }

  // ---- sound

  toggle(name) {
    clearTimeout(this.timer);
    const { player } = this;
    if (player?.playing()?.name !== name) return this.play(name);
    player.stop();
    if (name === "song") this.resume = player.now();
  }

  toggleLoop() {
    this.looping = press(this.loop, !this.looping);
    const playing = this.player.playing();
    if (playing) this.play(playing.name, this.player.now());
  }

  /** Play the chosen segment, or the song from where it was stopped. */
  play(name, from) {
    const { player, data, selected, resume, looping } = this, end = data.end_s.at(-1);
    if (!player) return;
    let stretch = { start: data.start_s[selected], from, to: data.end_s[selected] };
    if (name === "song") stretch = { start: 0, from: from ?? (resume < end - 0.05 ? resume : 0), to: Infinity };
    player.play(data.audio.bytes ?? data.audio.base64, { ...stretch, loop: looping, name }).catch(() => {
      this.notice.textContent = "This browser cannot play the sound; the curve works without it.";
    });
  }

  soundChanged() {
    const playing = this.player.playing();
    if (!playing && this.before === "song") this.resume = this.player.now();
    this.before = playing?.name ?? "";
    this.el.dataset.state = playing?.name ?? "stopped";
    this.one.replaceChildren(...(this.before === "segment" ? iconAndText("stop", "Stop") : iconAndText("play", "Segment")));
    this.all.replaceChildren(...(this.before === "song" ? iconAndText("pause", "Pause") : iconAndText("play", "Song")));
    cancelAnimationFrame(this.frame);
    this.tick(0);
  }

  tick(stamp) {
    const { player, el, place, data } = this, end = data.end_s.at(-1);
    if (!el.isConnected && stamp) return player.dispose(); // the page removed the view without unmounting it
    const second = player.now();
    el.dataset.second = second.toFixed(3);
    if (!this.calm.matches || stamp - this.drawn > 250 || !player.playing()) {
      this.drawn = stamp;
      if (place) dress(place.playhead, { x1: place.x(Math.min(second, end)), x2: place.x(Math.min(second, end)) });
      this.time.textContent = `${clock(Math.floor(second * 10) / 10)} of ${clock(Math.round(end))}`;
    }
    if (player.playing()) this.frame = requestAnimationFrame((next) => this.tick(next));
  }

  // ---- drawing

  arrange() {
    this.place = drawPlayer(this.svg, this.data, this.shown, Math.max(240, this.width ?? 0));
    this.show();
  }

  show() {
    const { data, selected, plot } = this, sentence = segmentSentence(data, selected, this.shown);
    this.el.dataset.selected = selected;
    dress(plot, { "aria-valuenow": selected + 1, "aria-valuetext": sentence });
    this.previous.disabled = selected === 0;
    this.next.disabled = selected === this.last;
    this.voice.say(sentence); // one sentence for a quick drag
    this.showLegend();
    if (this.place) this.markSegment();
  }

  showLegend() {
    const { data, shown, selected } = this;
    this.legend.replaceChildren(...data.classes.map((entry, k) => {
      const [first, second] = shown.map((c) => percent(data.curves[c].probabilities[selected][k]));
      return h("li", {}, lineSample(entry), h("span", { text: `${className(entry)} ` }), h("b", { text: first }),
        ...(second ? [h("span", { class: "quiet", text: ` / ${second}` })] : []));
    }));
    if (data.curves.length < 2) return;
    const plain = { colour: "currentColor", dash: "" };
    this.legend.append(...shown.map((c, i) => h("li", { class: "method" }, lineSample(plain, i === 1), h("span", { text: data.curves[c].name }))));
  }

  markSegment() {
    const { place, data, selected, player } = this, from = place.x(data.start_s[selected]);
    dress(place.mark, { x: from, width: place.x(data.end_s[selected]) - from });
    for (const dot of place.dots.children) {
      const { class: k, curve: c } = dot.dataset;
      dress(dot, { cx: place.x(place.centre[selected]), cy: place.y(data.curves[c].probabilities[selected][k]) });
    }
    if (player && !player.playing()) this.tick(0);
  }
}

export const mount = mounting(CurvePlayer, "player");

export default widgetOf(mount, ["selected", "sound", "mime"]);
