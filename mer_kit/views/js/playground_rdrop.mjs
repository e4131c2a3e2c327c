// R-Drop: pairs of dropout passes over one segment, and their divergence, which was computed in Python.

/** Draw the divergences of the drawn pairs on an axis from 0 to the largest, and their mean as a line. */
function drawDivergences(svg, drawn, current, largest) {
  const x = linear([0, largest], [12, 328]), mean = drawn.reduce((a, b) => a + b, 0) / drawn.length;
  svg.replaceChildren(
    segmentLine(12, 34, 328, 34, { class: "axis" }), label(12, 52, "0", { "font-size": 11 }),
    label(328, 52, `${largest.toFixed(3)} nats`, { "font-size": 11, "text-anchor": "end" }),
    ...drawn.map((value, i) => s("circle", { cx: x(value), cy: 24, r: 5, class: i === current ? "now" : "past" })),
    s("path", { d: `M${x(mean).toFixed(1)} 40V8`, class: "mean" }));
  return mean;
}

function DropoutPairs(el, data) {
  const { classes, segments } = data, voice = createAnnouncer();
  let row = 0, pair = 0, drawn = 1;
  const table = barTable("Two dropout passes over one segment: same sound, same weights", classes,
    [{ name: "P₁", look: "solid" }, { name: "P₂", look: "hatched" }]);
  const segment = choice("Segment", "segment", segments.map((one, i) => [i, one.name]), (i) => { [row, pair, drawn] = [Number(i), 0, 1]; show(); });
  const another = button("Draw another pair", () => {
    const all = segments[row].kl.length;
    pair = (pair + 1) % all;
    drawn = Math.min(all, drawn + 1);
    show();
  }, { "data-do": "another" });
  const number = h("p", { class: "formula", "data-part": "kl" }), note = h("p", { class: "quiet", "data-part": "mean" });
  const strip = s("svg", { viewBox: "0 0 340 58", class: "strip", "aria-hidden": "true" });
  el.append(h("div", { class: "row controls" }, segment.node, another),
    h("div", { class: "parts" }, h("div", { class: "side" }, table.node), h("div", { class: "side" }, number, strip, note)), voice.node);

  function show() {
    const { kl, passes: probabilities } = segments[row], both = probabilities.slice(2 * pair, 2 * pair + 2);
    table.set(both);
    number.textContent = `½ [KL(P₁‖P₂) + KL(P₂‖P₁)] = ${kl[pair].toFixed(3)} nats`;
    number.dataset.value = kl[pair];
    const mean = drawDivergences(strip, kl.slice(0, drawn), pair, Math.max(...kl, 1e-6));
    const pairs = `${drawn} ${drawn === 1 ? "pair" : "pairs"} drawn${drawn === kl.length ? " (all that were computed)" : ""}`;
    note.textContent = `${pairs}, mean ${mean.toFixed(3)} nats: the R-Drop loss of this segment.`;
    const [first, second] = both.map((p) => className(classes[indexOfLargest(p)]));
    voice.say(`Pass 1 answers ${first}, pass 2 answers ${second}; they are ${kl[pair].toFixed(3)} nats apart.`);
  }
  show();
  this.remove = voice.dispose;
}
