// Mixup: two segments and their mixture at any δ, as pictures, as a soft target and as sound.

function mixtureFormula(letter, delta) {
  const of = (which) => math("msub", math("mi", letter), math("mi", which));
  return math("math", math("mi", letter), math("mo", "="), math("mn", delta.toFixed(2)), of("p"), math("mo", "+"),
    math("mn", (1 - delta).toFixed(2)), of("q"));
}

/** Return the weighted mean of two arrays of numbers, δ for the first. */
const blend = (first, second, delta) => first.map((value, i) => delta * value + (1 - delta) * second[i]);

/** Two log-mels and their mixture, each with a button that plays it. */
class MixupDeck {
  constructor(el, data) {
    Object.assign(this, { el, data, delta: data.delta, frame: 0, calm: matchMedia("(prefers-reduced-motion: reduce)") });
    this.mels = data.mels.map((mel) => Float32Array.from(raw(mel)));
    this.palette = raw(data.colours);
    this.titles = { first: data.names[0], mixture: "their mixture", second: data.names[1] };
    this.mixer = data.sounds ? createMixer(data.sounds, () => this.changed()) : null;
    this.voice = createAnnouncer();
    this.build();
    this.paint("first", this.mels[0]);
    this.paint("second", this.mels[1]);
    this.changed();
    this.show(false);
  }

  build() {
    this.pictures = {};
    const row = h("div", { class: "mels" }, ...Object.keys(this.titles).map((name) => this.figure(name)));
    this.table = barTable("Target of the mixture, paper Eq. (7)", this.data.classes, [{ name: "y", look: "solid" }]);
    this.formulae = h("p", { class: "formula", "aria-hidden": "true" });
    this.notice = h("p", { class: "quiet", role: "status" });
    const weight = numberSlider("Weight δ of the first", "delta", { min: 0, max: 1, step: 0.01, value: this.delta }, (value) => this.change(value));
    this.el.append(row, h("div", { class: "parts" }, h("div", { class: "side" }, weight, this.formulae, this.notice),
      h("div", { class: "side" }, this.table.node)), this.voice.node);
  }

  figure(name) {
    const canvas = h("canvas", { role: "img", "aria-label": `Log-mel of ${this.titles[name]}` });
    const playhead = h("span", { class: "playhead", hidden: true });
    const play = button("", () => this.toggle(name), { "data-do": name });
    this.pictures[name] = { canvas, playhead, play };
    return h("figure", {}, h("figcaption", { text: this.titles[name] }), h("div", { class: "mel" }, canvas, playhead), play);
  }

  paint(name, levels) { paintSpectrogram(this.pictures[name].canvas, levels, this.data.bands, this.palette, 0, this.data.frames); }
  levels(name) { return { first: [1, 0], second: [0, 1], mixture: [this.delta, 1 - this.delta] }[name]; }

  change(value) {
    this.delta = value;
    const playing = this.mixer?.playing();
    if (playing) this.mixer.set(this.levels(playing));
    this.show(true);
  }

  toggle(name) {
    if (this.mixer.playing() === name) return this.mixer.stop();
    return this.mixer.play(name, this.levels(name)).catch(() => {
      this.notice.textContent = "This browser cannot play the sounds; the pictures work without them.";
    });
  }

  changed() {
    const playing = this.mixer?.playing();
    this.el.dataset.state = playing || "silent";
    for (const [name, { play, playhead }] of Object.entries(this.pictures)) {
      play.hidden = !this.mixer;
      press(play, playing === name);
      play.textContent = `${playing === name ? "■ Stop" : "▶ Play"} the ${name}`;
      playhead.hidden = playing !== name;
    }
    cancelAnimationFrame(this.frame);
    if (playing) this.tick();
  }

  tick() {
    const { mixer, el } = this;
    if (!el.isConnected) return mixer.stop(); // the page removed the view without unmounting it
    el.dataset.levels = mixer.levels().map((value) => value.toFixed(3)).join(" ");
    const { playhead } = this.pictures[mixer.playing()];
    playhead.hidden = this.calm.matches;
    playhead.style.insetInlineStart = `${Math.min(100, (100 * mixer.now()) / this.data.seconds)}%`;
    this.frame = requestAnimationFrame(() => this.tick());
  }

  show(aloud) {
    const { delta, data } = this, target = blend(data.targets[0], data.targets[1], delta);
    this.paint("mixture", blend(...this.mels, delta));
    this.table.set([target]);
    this.formulae.replaceChildren(mixtureFormula("x", delta), ", ", mixtureFormula("y", delta));
    const values = data.classes.map((entry, k) => `${entry.name} ${target[k].toFixed(2)}`).join(", ");
    if (aloud || !this.voice.node.textContent) this.voice.say(`δ = ${delta.toFixed(2)}: the target of the network is ${values}.`);
  }

  remove() {
    cancelAnimationFrame(this.frame);
    this.mixer?.dispose();
    this.voice.dispose();
  }
}
