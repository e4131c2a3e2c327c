// The noise lab's list of segments: what is in the brush, what is playing, what is chosen.

const LISTED = 50;
const ORDERS = {
  loud: "brushed, largest loss first",
  quiet: "brushed, smallest loss first",
  omega: "brushed, smallest ω first",
  never: "never learned (lowest confidence)",
  torn: "most ambiguous (largest variability)",
};

/** Whether an order lists segments of the whole fold instead of the brushed ones. */
const isOfWholeFold = (order) => order === "never" || order === "torn";

/** Return the list of segments of a noise lab: {node, words, fill, mark, markSets, markPlaying, rows}. */
function createSegmentList(lab) {
  const { data, fold, state } = lab, body = h("tbody", { onkeydown: walk }), words = h("p", { class: "quiet" });
  const buttons = () => [...body.querySelectorAll("button:not(:disabled)")];
  const rowOf = (node) => Number(node.dataset.row);
  let rows = [];

  function fill() {
    const { chosen, total } = brushed(lab), { order } = state;
    const keys = {
      loud: (i) => -lab.now.loss[i], quiet: (i) => lab.now.loss[i], omega: (i) => lab.now.omega[i],
      never: (i) => fold.confidence[i], torn: (i) => -fold.variability[i],
    };
    rows = smallest(chosen, keys[order], LISTED);
    words.textContent = listWords(state, rows.length, total);
    body.replaceChildren(...rows.map((row) => segmentRow(lab, row)));
    mark();
    markPlaying(lab.sounds.playing());
  }
  /** Mark the chosen row; the list has one tab stop, its other buttons are reached with the arrow keys. */
  function mark() {
    for (const tr of body.children) tr.classList.toggle("chosen", rowOf(tr) === state.row);
    const all = buttons(), stop = all.find((one) => rowOf(one) === state.row) ?? all[0];
    for (const one of all) one.tabIndex = one === stop ? 0 : -1;
  }
  function markSets() { for (const tr of body.children) tr.lastChild.textContent = lab.setOf(rowOf(tr)); }
  function markPlaying(playing) {
    for (const button of body.querySelectorAll("button")) {
      const on = rowOf(button) === playing;
      button.textContent = on ? "■" : "▶";
      button.setAttribute("aria-label", `${on ? "stop" : "play"} ${lab.describe(rowOf(button))}`);
    }
  }
  function walk(event) {
    const all = buttons(), place = all.indexOf(document.activeElement), step = place >= 0 && keyStep(event, { ArrowDown: 1, ArrowUp: -1 });
    if (!step) return;
    const next = all[clamp(place + step, 0, all.length - 1)];
    lab.select(rowOf(next));
    next.focus();
  }
  return { node: listTable(data, body), words, fill, mark, markSets, markPlaying, rows: () => rows };
}

/** Return the segments that the order and the brush admit, and how many there are with or without a sound. */
function brushed(lab) {
  const { fold, state, now } = lab, all = [...fold.label.keys()];
  let chosen = all;
  if (!isOfWholeFold(state.order)) {
    const [low, high] = state.brush, position = linear(now.histogram.axis, [0, 1]);
    chosen = all.filter((row) => {
      if (state.perClass && fold.label[row] !== state.group) return false;
      const x = clamp(position(now.loss[row]), 0, 1);
      return x >= low && x <= high;
    });
  }
  const total = chosen.length;
  return { total, chosen: state.audible ? chosen.filter((row) => lab.sounds.has(row)) : chosen };
}

function listWords({ order, brush: [low, high] }, listed, total) {
  if (isOfWholeFold(order)) return `${count(listed)} of ${count(total)} segments`;
  const part = listed < total ? `; ${count(listed)} are listed` : "";
  return `${count(total)} segments between ${twoDigits(low)} and ${twoDigits(high)}${part}. Drag over the histogram to choose others.`;
}

function listTable(data, body) {
  const sound = h("td", {}, h("span", { class: "unseen", text: "sound" })), truth = data.truth ? ["truth"] : [];
  return h("table", {}, headings(sound, "clip", "seconds", "label", "model", ...truth, "loss", "ω", "in"), body);
}

function segmentRow(lab, row) {
  const { data, fold, now } = lab, [clip, title] = data.clips[fold.clip[row]];
  const cell = (text, properties = {}) => h("td", { text, ...properties });
  const name = (k) => className(data.classes[k]), differs = now.model[row] !== fold.label[row];
  const play = button("▶", () => { lab.select(row); lab.sounds.toggle(row); },
    { class: "play", tabindex: -1, disabled: !lab.sounds.has(row), "data-row": row });
  const truth = () => (fold.truth[row] < 0 ? "?" : `${fold.wrong(row) ? "✗ " : "✓ "}${name(fold.truth[row])}`);
  const onclick = (event) => { if (!event.target.closest("button")) lab.select(row); };
  return h("tr", { "data-row": row, onclick }, h("td", {}, play),
    h("th", { scope: "row", title: title || null, text: clip }),
    cell(`${tenths(fold.start[row])}–${tenths(fold.start[row] + data.seconds)}`),
    cell(name(fold.label[row])), cell(name(now.model[row]), { class: differs ? "strong" : "" }),
    ...(data.truth ? [cell(truth())] : []),
    cell(twoDigits(now.loss[row]), { class: "number" }), cell(twoDigits(now.omega[row]), { class: "number" }),
    cell(lab.setOf(row), { class: "set" }));
}

const tenths = (seconds) => clock(Math.round(10 * seconds) / 10);
const count = (n) => n.toLocaleString("en-GB");
