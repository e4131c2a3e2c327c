// The noise lab's controls and its sentences.

function labControls(lab) {
  const { data, id } = lab;
  const epoch = slider(`${id}-epoch`, "after epoch", { min: 1, max: data.epochs, step: 1, value: data.after }, (after) => lab.change({ after }));
  const tau = slider(`${id}-tau`, "threshold τ", { min: 0, max: 1, step: .01, value: data.tau }, (value) => lab.changeTau(value));
  const one = button("one for all", () => lab.change({ perClass: false }));
  const each = button("one per class", () => lab.change({ perClass: true }));
  const group = selectBox(data.classes.map((entry, k) => [k, className(entry)]), (value) => lab.change({ group: Number(value) }),
    { "aria-label": "class whose histogram is shown" });
  const mixtures = h("div", { class: "row", role: "group", "aria-label": "mixtures" }, h("span", { text: "mixture" }), one, each, group);
  return { epoch, tau, one, each, group, node: h("div", { class: "controls" }, epoch.node, tau.node, mixtures) };
}

function brushEnd(lab, text, end) {
  const change = () => {
    const value = clamp(Number(input.value), 0, 1), brush = [...lab.state.brush];
    if (input.value === "" || !Number.isFinite(value)) return;
    brush[end] = value;
    brush[1 - end] = end ? Math.min(brush[0], value) : Math.max(brush[1], value);
    lab.changeList({ brush });
  };
  const input = h("input", { type: "number", min: 0, max: 1, step: .01, value: lab.state.brush[end], oninput: change });
  return { input, node: h("label", {}, `${text} `, input) };
}

function listControls(lab) {
  const from = brushEnd(lab, "from", 0), to = brushEnd(lab, "to", 1);
  const order = selectBox(Object.entries(ORDERS), (value) => lab.changeList({ order: value }), { id: `${lab.id}-order` });
  const audible = h("input", { type: "checkbox", checked: lab.state.audible, onchange: () => lab.changeList({ audible: audible.checked }) });
  const only = lab.state.audible ? [h("label", {}, audible, " only those whose sound is in this page")] : [];
  const node = h("div", { class: "row" }, h("label", { for: order.id, text: "list" }), order,
    h("span", { class: "ends" }, "brush ", from.node, to.node), ...only);
  return { ends: [from, to], order, node };
}

const legendOf = (entries) => h("ul", { class: "legend" }, ...entries.map(([look, text]) => h("li", {}, h("i", { class: look }), text)));

function histogramLegend({ truth }) {
  const bars = truth ? [["bar right", "right label"], ["bar wrong", "wrong label"]] : [["bar any", "segments"]];
  return legendOf([...bars, ["line clean", "clean Gaussian"], ["line noisy", "noisy Gaussian"], ["line omega", "ω as used"],
    ["line raw", "ω by the formula"]]);
}

function mapLegend({ truth }) {
  if (truth) return legendOf([["dot right", "right label"], ["cross", "wrong label"]]);
  return legendOf([["dot any", "the model mostly agreed"], ["ring", "the model mostly disagreed"]]);
}

/** Return the bar of X or U: its size, and what is known about its labels. */
function setBar(letter, all, total, quality) {
  const part = (look, n) => h("i", { class: look, style: `width:${100 * n / total}%` });
  const { right, wrong } = quality ?? { right: 0, wrong: 0 };
  return h("div", { class: "side" }, h("b", { text: letter }),
    h("div", { class: "bar" }, ...(quality ? [part("right", right), part("wrong", wrong)] : []), part("any", all - right - wrong)),
    h("span", {}, h("strong", { text: count(all) }), ` · ${percent(all / total)}`,
      ...(quality ? [h("small", { text: ` ${count(wrong)} wrong` })] : [])));
}

function measures(cut, area) {
  const measure = (value, text) => h("div", {}, h("b", { text: value }), h("span", { text }));
  return [measure(percent(cut.precision), "of X has right labels (precision)"), measure(percent(cut.recall), "of the right labels are in X (recall)"),
    measure(percent(cut.noise_recall), "of the wrong labels are in U"), measure(twoDigits(area), "ROC AUC of ω")];
}

const cutAt = (cuts, i) => Object.fromEntries(Object.entries(cuts).map(([name, values]) => [name, values[i]]));
const withClassName = (reason, classes) => reason.replace(/class (\d+)/, (_, k) => className(classes[k]));

/** Say which epoch used this pass. */
function phaseWords({ training }, after) {
  const { phase } = training[after - 1], next = after + 1;
  if (phase === "ssl") return `The X and U of epoch ${next} were made from this pass.`;
  if (phase === "training over") return "This is the last pass; no epoch follows it.";
  if (phase === "warmup") return `Epoch ${next} was still a warm-up epoch and used every label.`;
  return `This method makes no partition; epoch ${next} used every label.`;
}

/** Say where the training's cap and guards change the plain cut, and which sets the training had. */
function noteWords(data, { after }, cut) {
  const { phase, n_labelled, n_unlabelled, note } = data.training[after - 1], reason = (text) => withClassName(text, data.classes);
  const parts = [];
  if (cut.refusal) parts.push(`This is the plain cut ω > τ. In training, the guards would refuse it (${reason(cut.refusal)}) and keep every label.`);
  else if (cut.in_u_training < cut.in_u)
    parts.push(`This is the plain cut ω > τ. In training, the cap of ${percent(data.max_unlabelled)} (max_unlabelled) would put only the ${count(cut.in_u_training)} most doubtful of these ${count(cut.in_u)} segments into U.`);
  const sizes = `X ${count(n_labelled)} and U ${count(n_unlabelled)}`, fitted = data.per_class ? "one mixture per class" : "one mixture for all";
  const how = `with ${fitted} and its own τ = ${twoDigits(data.tau)}`, why = note ? ` (${reason(note)})` : "";
  parts.push(phase === "ssl" ? `The training, ${how}, had ${sizes}${why}.` : `A partition here, ${how}, would have given ${sizes}${why}.`);
  return parts.join(" ");
}

/** Return the sentence that is announced after a change. */
function summaryWords(data, state, cut, area) {
  const inX = data.segments - cut.in_u;
  let quality = "", shown = "";
  if (data.truth)
    quality = ` Precision ${percent(cut.precision)}, recall ${percent(cut.recall)}, wrong labels found ${percent(cut.noise_recall)}, ROC AUC ${twoDigits(area)}.`;
  if (state.perClass) shown = ` One mixture per class; the histogram is that of ${className(data.classes[state.group])}.`;
  return `After epoch ${state.after} at τ = ${twoDigits(state.tau)}: ${count(inX)} segments in X, ${count(cut.in_u)} in U (${percent(cut.in_u / data.segments)}).${quality}${shown}`;
}
