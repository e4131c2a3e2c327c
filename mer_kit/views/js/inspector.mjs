// The song inspector: confusion matrix, list of test songs, one song's features and curve, the SVM's answer, neighbours.

/** The view. `song` is the chosen test song, `cell` the pressed cell of the matrix, `near` the chosen neighbour. */
class SongInspector {
  constructor(el, data, talk) {
    Object.assign(this, { el, data, talk, id: uniqueId(), arrays: inspectorArrays(data), classifiers: Object.entries(data.classifiers) });
    Object.assign(this, { song: data.song, classifier: "svm", cell: null, near: 0, tabStop: 0, rows: [] });
    this.sounds = loadSounds({
      embedded: data.sounds, talk, audio: h("audio", { controls: true, "aria-label": "Song" }),
      requestOf: (key) => ({ kind: "play", part: key.split(" ")[0], song: Number(key.split(" ")[1]) }),
      keyOf: ({ part, song }) => `${part} ${song}`, changed: () => this.showPlaying(), failed: (text) => { this.words.textContent = text; },
    });
    this.build();
    this.off = [
      talk?.on("song", (next) => { if (next !== this.song) this.pick(next, true); }),
      talk?.on("sorry", ({ text }) => { this.sounds.forget(); this.sounds.stop(); this.words.textContent = text; }),
    ];
    this.fill();
    this.show(this.sentence());
  }

  remove() {
    for (const off of this.off) off?.();
    this.sounds.close();
  }

  build() {
    const { data, id, el } = this;
    this.words = h("p", { class: "words", "aria-live": "polite" });
    this.by = selectBox(this.classifiers, (value) => { this.classifier = value; this.cell = null; this.fill(); }, { id: `${id}b` });
    this.matrix = h("table", { class: "matrix" });
    this.wrong = h("input", { type: "checkbox", onchange: () => this.fill() });
    this.label = selectBox([["", "all labels"], ...data.classes.map((one, k) => [k, className(one)])], () => { this.cell = null; this.fill(); },
      { id: `${id}l` });
    this.list = h("ul", { class: "songs", "aria-label": "Test songs", onkeydown: (event) => this.walk(event) });
    this.found = h("p", { class: "found", role: "status" });
    this.clear = button("Show all", () => this.limitTo(null));
    this.card = h("section", { class: "card", "aria-label": "The chosen song" });
    this.around = h("section", { class: "around", "aria-label": "Its nearest training songs" });
    this.playing = h("p", { class: "quiet", text: "Nothing is playing." });
    el.replaceChildren(h("div", { class: "board" },
      h("div", { class: "side" }, h("div", { class: "row" }, h("label", { for: `${id}b`, text: "Answers by" }), this.by), this.matrix,
        h("div", { class: "row" }, h("label", { for: `${id}l`, text: "Label" }), this.label, h("label", { class: "tick" }, this.wrong, "only wrong ones")),
        h("div", { class: "row" }, this.found, this.clear), this.list, h("div", { class: "heard" }, this.playing, this.sounds.audio)),
      h("div", { class: "main" }, this.words, this.card, this.around)));
  }

  named(k) { return className(this.data.classes[k]); }

  // ---- the matrix and the list

  limitTo(cell) {
    this.cell = cell;
    this.wrong.checked = false;
    this.label.value = "";
    this.fill();
  }

  press(i, j) {
    this.limitTo(String(this.cell) === `${i},${j}` ? null : [i, j]);
    this.matrix.querySelector(`[data-cell="${i} ${j}"]`).focus();
  }

  isListed(one) {
    const answer = one.answers[this.classifier], label = this.label.value;
    if (this.cell) return one.label === this.cell[0] && answer === this.cell[1];
    return (!this.wrong.checked || answer !== one.label) && (label === "" || one.label === Number(label));
  }

  /** Fill the matrix and the list, which depend on classifier, cell, label and tick box. */
  fill() {
    const { data, cell } = this;
    this.rows = data.test.map((_, i) => i).filter((i) => this.isListed(data.test[i]));
    this.tabStop = Math.max(0, this.rows.indexOf(this.song));
    const what = cell ? ` labelled ${this.named(cell[0])}, answered ${this.named(cell[1])}` : "";
    this.found.textContent = `${this.rows.length} of ${data.test.length} test songs${what}`;
    this.clear.hidden = this.rows.length === data.test.length;
    this.list.replaceChildren(...this.rows.map((i) => this.songRow(i)));
    this.matrix.replaceChildren(...confusionTable(data.confusion[this.classifier], data.classes, cell, (i, j) => this.press(i, j)));
    this.moveTabStop();
    this.showPlaying();
  }

  songRow(i) {
    const { classes, test } = this.data, one = test[i], answer = one.answers[this.classifier], right = answer === one.label;
    const words = `${one.id}, label ${this.named(one.label)}, answer ${this.named(answer)}, ${right ? "right" : "wrong"}`;
    const turn = right ? classes[one.label].name : `${classes[one.label].name} → ${classes[answer].name}`;
    return h("li", { "data-song": i },
      dress(button("", () => this.pick(i), { class: "pick", "aria-label": words, title: one.who }), {}, [verdictMark(right),
        h("span", { class: "id", text: one.id }), h("span", { class: "turn", text: turn })]),
      this.playButton(`test ${i}`, one.id));
  }

  playButton(key, name) {
    const there = this.sounds.has(key);
    return button("", () => this.sounds.toggle(key), { class: "play", "data-key": key, "data-name": name, disabled: !there,
      title: there ? null : "This page does not include its sound" });
  }

  /** The list has one row that the tab key reaches; the arrow keys reach the others. */
  moveTabStop() {
    [...this.list.children].forEach((row, i) => { for (const one of row.children) one.tabIndex = i === this.tabStop ? 0 : -1; });
  }

  walk(event) {
    const step = keyStep(event, { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity, PageDown: 10, PageUp: -10 });
    if (!step) return;
    const place = [...this.list.children].indexOf(event.target.closest("li"));
    this.tabStop = clamp(place + step, 0, Math.max(0, this.rows.length - 1));
    const row = this.list.children[this.tabStop], inPlay = event.target.classList.contains("play");
    this.moveTabStop();
    ((inPlay && row?.querySelector(".play:not(:disabled)")) || row?.querySelector(".pick"))?.focus();
  }

  /** Show what is playing on every play button, and which song is chosen in the list. */
  showPlaying() {
    const key = this.sounds.playing();
    for (const one of this.el.querySelectorAll(".play")) {
      const mine = one.dataset.key === key;
      one.textContent = mine ? "❚❚" : "▶";
      one.setAttribute("aria-label", `${mine ? "Pause" : "Play"} ${one.dataset.name}`);
    }
    for (const row of this.list.children) row.querySelector(".pick").setAttribute("aria-current", String(Number(row.dataset.song) === this.song));
    this.playing.textContent = this.sounds.audio.src ? "Paused." : "Nothing is playing.";
    if (key === null) return;
    const [part, i] = key.split(" "), one = this.data[part][i];
    this.playing.textContent = `Playing ${one.id}, a ${part === "test" ? "test" : "training"} song, label ${this.named(one.label)}.`;
  }

  // ---- the song and its neighbours

  curveOf(part, i) {
    const { p, centre, firsts } = this.arrays[part], K = this.data.classes.length, [first, end] = [firsts[i], firsts[i + 1]];
    const { id, end_s } = this.data[part][i];
    return songCurve({ id, end_s, centre: centre.subarray(first, end), p: (segment, k) => p[(first + segment) * K + k] }, this.data.classes);
  }

  featuresOf(part, i) {
    const { x, z } = this.arrays[part], n = this.data.classes.length * this.data.statistics.length;
    return featureTable(this.data[part][i].id, x.subarray(i * n, (i + 1) * n), z.subarray(i * n, (i + 1) * n), this.data);
  }

  titleOf(part, i, level) {
    const one = this.data[part][i], who = one.who ? ` · ${one.who}` : "";
    return h(level, {}, one.id, h("span", { class: "plain", text: `${who} · label ${this.named(one.label)} ` }), this.playButton(`${part} ${i}`, one.id));
  }

  show(news) {
    const { data, song } = this, one = data.test[song];
    const note = `Small: standard deviations above (+, orange) or below (−, blue) the training songs' mean, as the SVM sees it. θ = ${data.theta}.`;
    this.el.dataset.song = song;
    this.card.replaceChildren(this.titleOf("test", song, "h3"), answerList(one, this.classifiers, data.classes),
      h("div", { class: "pair" }, h("div", {}, this.curveOf("test", song), svmDecision(one, data.classes)), this.featuresOf("test", song)),
      h("p", { class: "quiet note", text: note }));
    this.showNeighbours();
    this.showPlaying();
    this.words.textContent = news;
  }

  showNeighbours() {
    const { data, near } = this, one = data.test[this.song], chosen = one.nearest[near][0];
    const same = one.nearest.filter(([i]) => data.train[i].label === one.answers.svm).length;
    const caption = `Distance in the SVM's scaled features; a training song's own nearest neighbour is usually ${data.usual.toFixed(2)} away. ${same} of ${one.nearest.length} have the label that the SVM answers.`;
    this.around.replaceChildren(h("h4", { text: "Nearest training songs" }),
      h("table", { class: "near" }, h("caption", { text: caption }), headings("song", "label", "distance", h("td")),
        h("tbody", {}, ...one.nearest.map((neighbour, n) => this.neighbourRow(neighbour, n)))),
      this.titleOf("train", chosen, "h4"), h("div", { class: "pair" }, this.curveOf("train", chosen), this.featuresOf("train", chosen)));
  }

  neighbourRow([i, distance], n) {
    const { train, classes } = this.data, one = train[i], swatch = `background:${classes[one.label].colour}`;
    const pick = button(one.id, () => this.pickNeighbour(n), { class: "who", "aria-pressed": String(n === this.near), title: one.who });
    return h("tr", {}, h("td", {}, pick), h("td", {}, h("span", { class: "swatch", "aria-hidden": "true", style: swatch }), this.named(one.label)),
      h("td", { class: "distance", text: distance.toFixed(2) }), h("td", {}, this.playButton(`train ${i}`, one.id)));
  }

  pickNeighbour(n) {
    this.near = n;
    this.showNeighbours();
    this.showPlaying();
    this.around.querySelectorAll(".who")[n].focus();
    this.words.textContent = this.neighbourSentence(n);
  }

  neighbourSentence(n) {
    const [i, distance] = this.data.test[this.song].nearest[n], one = this.data.train[i];
    return `Neighbour ${n + 1}: ${one.id}, label ${this.named(one.label)}, ${distance.toFixed(2)} away.`;
  }

  sentence() {
    const one = this.data.test[this.song], k = one.answers.svm, verdict = k === one.label ? "right" : "wrong";
    return `${one.id}, label ${this.named(one.label)}. The SVM answers ${this.named(k)}, which is ${verdict}. ${this.neighbourSentence(0)}`;
  }

  pick(next, silent = false) {
    if (next !== this.song) this.near = 0;
    this.song = next;
    if (this.rows.includes(next)) this.tabStop = this.rows.indexOf(next);
    this.moveTabStop();
    this.show(this.sentence());
    if (!silent) this.talk?.send({ kind: "song", value: next });
  }
}

export const mount = mounting(SongInspector, "inspector");

export default widgetOf(mount, ["song"]); // sounds are messages
