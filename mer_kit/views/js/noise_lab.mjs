// The noise lab: loss histogram, τ, mixtures, list of segments, one segment's ω over the epochs, and the data map.

/** The view's state, its parts, and what changes them. `state` is what was asked for, `now` is what is shown. */
class NoiseLab {
  constructor(el, data, talk) {
    Object.assign(this, { el, data, id: uniqueId("noise-lab"), now: null, map: null, width: 0, timer: 0 });
    this.state = {
      after: data.after, tau: data.tau, perClass: data.per_class, group: 0, brush: [.8, 1], order: "loud", row: null,
      audible: Object.keys(data.sounds ?? {}).length > 0,
    };
    this.fold = createFold(data, talk, () => this.arrived());
    this.sounds = loadSounds({
      embedded: data.sounds, talk, rewind: true, requestOf: (row) => ({ kind: "play", row }), keyOf: ({ row }) => row,
      changed: (row) => this.list?.markPlaying(row), failed: (text) => this.say(text),
    });
    this.list = createSegmentList(this);
    this.build();
    talk?.on("sorry", (reply) => this.refused(reply));
    this.unwatch = watchWidth(el, () => {
      if (this.inner() === this.width) return;
      this.width = this.inner();
      this.update();
    });
    this.width = el.clientWidth ? this.inner() : 800;
    this.update();
  }

  remove() {
    this.unwatch();
    clearTimeout(this.timer);
    this.sounds.close();
  }

  build() {
    const canvas = h("canvas", { "aria-hidden": "true" }), div = (name, properties = {}) => h("div", { class: name, ...properties });
    this.controls = labControls(this);
    this.listControls = listControls(this);
    this.ui = {
      canvas, phase: h("p", { class: "phase" }), histogram: div("histogram", { onpointerdown: (event) => this.startBrush(event) }),
      sides: div("sides"), measures: div("measures"), roc: div("roc"),
      words: h("p", { class: "words", "aria-live": "polite" }), note: h("p", { class: "note" }),
      trail: div("trail"), trailWords: h("p", { class: "quiet" }),
      map: h("div", { class: "map", onclick: (event) => this.pick(event) }, canvas), mapWords: h("p", { class: "quiet" }),
    };
    const ui = this.ui, region = { tabindex: 0, role: "region", "aria-label": "segments" };
    this.el.append(this.controls.node, ui.phase,
      h("div", { class: "top" }, h("div", { class: "left" }, histogramLegend(this.data), ui.histogram),
        h("div", { class: "right" }, ui.sides, ui.measures, ui.roc)),
      ui.words, ui.note,
      h("section", { "aria-label": "list of segments" }, h("h3", { text: "Listen to segments" }), this.listControls.node, this.list.words,
        div("scroll", region)),
      h("div", { class: "bottom" },
        h("section", { "aria-label": "one segment over the epochs" }, h("h3", { text: "One segment over the epochs" }), ui.trailWords, ui.trail),
        h("section", { "aria-label": "data map" }, h("h3", { text: "Data map" }), mapLegend(this.data), ui.map, ui.mapWords)));
    this.el.querySelector(".scroll").append(this.list.node);
  }

  /** The width without the margin for the focus ring (4 px in the style sheet). */
  inner() { return Math.max(240, this.el.clientWidth - 8); } // a page that is being laid out may have hardly any room yet

  // ---- changes

  /** Whether the pass and the mixtures that were asked for last are those that are shown. */
  isCurrent() { return this.now !== null && this.now.after === this.state.after && this.now.perClass === this.state.perClass; }

  change(part) {
    Object.assign(this.state, part);
    this.update();
  }

  changeTau(value) {
    const { taus } = this.data;
    this.state.tau = taus[nearestPlace(taus, value)];
    this.controls.tau.output.textContent = twoDigits(this.state.tau);
    if (!this.isCurrent()) return;
    this.drawTop();
    this.drawTrail();
    this.list.markSets();
  }

  /** Change the brush, the order of the list, or whether it is limited to segments with a sound. */
  changeList(part) {
    Object.assign(this.state, part);
    if (!this.isCurrent()) return;
    if ("brush" in part) this.drawHistogram();
    this.list.fill();
    this.ringMap();
  }

  arrived() {
    if (this.isCurrent()) this.drawTrail();
    else this.update();
  }

  /** Say what the kernel refused. If it was what is wanted now, the controls go back to what is shown. */
  refused({ text, to }) {
    const { now, state, sounds } = this;
    const wanted = !to || (to.after === state.after && (to.per_class ?? state.perClass) === state.perClass);
    this.fold.forget(to);
    sounds.forget();
    if (!to || (to.kind === "play" && to.row === sounds.playing())) sounds.stop();
    if (now && !this.isCurrent() && wanted) this.change({ after: now.after, perClass: now.perClass });
    this.say(text);
  }

  /** Announce a sentence at once, instead of the summary that a change would lead to. */
  say(text) {
    clearTimeout(this.timer);
    this.ui.words.textContent = text;
  }

  /** Show the pass that is asked for, if it is there. */
  update() {
    const { state, controls, fold } = this;
    const tables = fold.tables(state.after, state.perClass), pass = fold.pass(state.after);
    controls.epoch.range.value = state.after;
    controls.epoch.output.textContent = `${state.after} of ${this.data.epochs}`;
    press(controls.one, !state.perClass);
    press(controls.each, state.perClass);
    controls.group.hidden = !state.perClass;
    if (!tables || !pass) return this.say("Fitting the mixtures of this pass …");
    if (!this.isCurrent())
      this.now = { after: state.after, perClass: state.perClass, tables, omega: tables.omega, loss: fold.losses(pass), model: pass.model };
    this.now.histogram = histogramOf(tables, state.perClass ? state.group : 0);
    this.drawTop();
    if (this.map?.width !== this.width) this.drawMap();
    this.list.fill();
    this.ringMap();
    this.drawTrail();
  }

  // ---- what is shown

  cut() { return cutAt(this.now.tables.cuts, this.data.taus.indexOf(this.state.tau)); }
  setOf(row) { return this.now.omega[row] > this.state.tau ? "X" : "U"; }

  describe(row) {
    const { data, fold } = this;
    return `${data.clips[fold.clip[row]][0]} from ${tenths(fold.start[row])}, labelled ${className(data.classes[fold.label[row]])}`;
  }

  drawTop() {
    const { data, state, ui } = this, cut = this.cut(), area = this.now.tables.roc?.area;
    this.controls.tau.output.textContent = twoDigits(state.tau);
    this.controls.tau.range.value = state.tau;
    ui.phase.textContent = phaseWords(data, state.after);
    this.drawHistogram();
    this.drawSides(cut, area);
    ui.note.textContent = noteWords(data, state, cut);
    clearTimeout(this.timer); // announce the end of a movement, not every step of it
    this.timer = setTimeout(() => { ui.words.textContent = summaryWords(data, state, cut, area); }, 250);
  }

  drawHistogram() {
    const { state, width, data, now } = this, left = width >= 760 ? Math.floor((width - 24) * .66) : width;
    this.frame = drawHistogram({ id: this.id, width: left, histogram: now.histogram, tau: state.tau, brush: state.brush, truth: data.truth });
    this.ui.histogram.replaceChildren(this.frame.node);
    this.listControls.ends.forEach(({ input }, end) => {
      if (document.activeElement !== input) input.value = state.brush[end].toFixed(2);
    });
  }

  drawSides(cut, area) {
    const { ui, data, now } = this, n = data.segments, known = data.truth;
    ui.sides.replaceChildren(
      setBar("X", n - cut.in_u, n, known && { right: cut.right_x, wrong: cut.wrong_x }),
      setBar("U", cut.in_u, n, known && { right: cut.right_u, wrong: cut.wrong_u }));
    if (known) ui.measures.replaceChildren(...measures(cut, area));
    else if (!ui.measures.childElementCount)
      ui.measures.append(h("p", { class: "quiet", text: "The true labels of these segments are unknown, so there is no precision, recall or ROC curve. Listen to them instead." }));
    const { roc } = now.tables;
    ui.roc.replaceChildren(...(roc ? [drawRoc(250, roc.curve, [1 - cut.noise_recall, cut.recall])] : []));
  }

  select(row) {
    this.state.row = row;
    this.list.mark();
    this.drawTrail();
    this.ringMap();
  }

  drawTrail() {
    const { ui, fold, data, state } = this, { row } = state;
    if (row === null) {
      ui.trailWords.textContent = "Choose a segment in the list or on the map to see its ω after every epoch.";
      return ui.trail.replaceChildren();
    }
    const { after, perClass } = this.now, missing = fold.missing(perClass), end = missing ? missing - 1 : data.epochs;
    if (missing) fold.tables(missing, perClass);
    const epochs = Array.from({ length: end }, (_, i) => i + 1), omega = epochs.map((epoch) => fold.tables(epoch, perClass).omega[row]);
    const inU = epochs.map((epoch) => fold.wasInU(epoch, row)), times = inU.filter(Boolean).length;
    const partitions = data.training.filter(({ phase }) => phase === "ssl").length;
    ui.trailWords.textContent = `${this.describe(row)}; the model answers ${className(data.classes[this.now.model[row]])}.${missing ? " Fitting the other passes …" : ""}`;
    const width = Math.max(200, ui.trail.clientWidth || this.width);
    ui.trail.replaceChildren(drawTrail(width, { omega, tau: state.tau, after, inU }), h("p", { class: "unseen",
      text: `ω after each epoch: ${omega.map(twoDigits).join(", ")}. In U in ${times} of the ${partitions} partitions of the training.` }));
  }

  drawMap() {
    const { ui, fold, data } = this, width = Math.max(200, ui.map.clientWidth || this.width);
    const height = clamp(Math.round(.75 * width), 260, 340);
    const most = Math.max(.3, 1.12 * fold.variability.reduce((a, b) => Math.max(a, b), 0)), frame = drawMapAxes(width, height, most);
    const rings = s("g");
    frame.node.append(rings);
    ui.map.replaceChildren(ui.canvas, frame.node);
    paintMap(ui.canvas, frame, fold, data, width, height);
    this.map = { width: this.width, frame, rings };
  }

  /** Ring the listed segments on the map, and the chosen one with a larger ring. */
  ringMap() {
    if (!this.map) return;
    const { map: { frame, rings }, fold, state } = this;
    const ring = (row, r, look) => s("circle", { cx: frame.x(fold.variability[row]), cy: frame.y(fold.confidence[row]), r, class: look });
    const chosen = state.row === null ? [] : [ring(state.row, 10, "here")];
    rings.replaceChildren(...this.list.rows().map((row) => ring(row, 5, "listed")), ...chosen);
    this.ui.mapWords.textContent = "Small rings: the listed segments. A click plays the nearest one; by keyboard, choose “never learned” or “most ambiguous” in the list above.";
  }

  /** Choose and play the segment next to a click on the map; without a kernel, the nearest one that has a sound. */
  pick(event) {
    const box = this.ui.canvas.getBoundingClientRect(), { frame } = this.map, { fold, sounds } = this;
    const x = event.clientX - box.left, y = event.clientY - box.top;
    let best = -1, least = 20 ** 2;
    for (let i = 0; i < this.data.segments; i++) {
      const distance = (frame.x(fold.variability[i]) - x) ** 2 + (frame.y(fold.confidence[i]) - y) ** 2;
      if (distance < least && sounds.has(i)) { least = distance; best = i; }
    }
    if (best < 0) return this.say("There is no segment with a sound near this place.");
    this.select(best);
    if (sounds.playing() !== best) sounds.toggle(best);
    this.say(`${this.describe(best)}: confidence ${twoDigits(fold.confidence[best])}, variability ${twoDigits(fold.variability[best])}.`);
  }

  /** Draw a brush with the pointer; a plain click leaves it as it is. */
  startBrush(event) {
    if (event.button !== 0 || !this.frame) return;
    const { histogram } = this.ui, box = histogram.getBoundingClientRect(), { left, right } = this.frame;
    const place = (x) => clamp((x - box.left - left) / (right - left), 0, 1), first = place(event.clientX);
    const stop = new AbortController(), listen = (name, handler) => histogram.addEventListener(name, handler, { signal: stop.signal });
    histogram.setPointerCapture(event.pointerId);
    listen("pointermove", (next) => {
      const last = place(next.clientX);
      if (Math.abs(last - first) < .01) return;
      if (isOfWholeFold(this.state.order)) this.listControls.order.value = this.state.order = "loud";
      this.changeList({ brush: [Math.min(first, last), Math.max(first, last)].map((value) => Math.round(100 * value) / 100) });
    });
    listen("pointerup", () => stop.abort());
    listen("pointercancel", () => stop.abort());
  }
}

export const mount = mounting(NoiseLab, "noise_lab");

export default widgetOf(mount);
