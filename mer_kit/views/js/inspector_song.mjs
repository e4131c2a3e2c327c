// The inspector's pictures and tables of one song: curve, features, the SVM's decision, and the answers.

/** Return a number with two digits and a real minus sign; `plus` is the sign of the others. */
const signed = (value, plus = "") => `${value < 0 ? "−" : plus}${Math.abs(value).toFixed(2)}`;

/** Return the arrays of the test and the training songs; `firsts` are the songs' first segments. */
function inspectorArrays(data) {
  return Object.fromEntries(["test", "train"].map((part) => {
    const array = (name) => typed(data.arrays[`${part}_${name}`], Float32Array), firsts = [0];
    for (const song of data[part]) firsts.push(firsts.at(-1) + song.segments);
    return [part, { x: array("x"), z: array("z"), centre: array("centre"), p: typed(data.arrays[`${part}_p`], Float16Array), firsts }];
  }));
}

/** Draw a song's probabilities over its seconds. `song` has id, end_s, centre [n] and p(segment, class). */
function songCurve(song, classes) {
  const f = createFrame(380, 184, { left: 40, right: 40, top: 8, bottom: 34 }, [0, song.end_s], [0, 1]);
  const mean = classes.map((_, k) => song.centre.reduce((sum, __, i) => sum + song.p(i, k), 0) / song.centre.length);
  const alt = `Curve of ${song.id}: on average ${ranked(mean).map((k) => `${className(classes[k])} ${percent(mean[k])}`).join(", ")}`;
  const picture = s("svg", { viewBox: "0 0 380 184", class: "curve", role: "img", "aria-label": alt });
  for (const share of [0, 0.5, 1])
    picture.append(segmentLine(f.left, f.y(share), f.right, f.y(share), { class: "grid" }),
      label(f.left - 5, f.y(share) + 4, percent(share), { "text-anchor": "end" }));
  picture.append(...timeAxis(f.x, f.bottom, 0, song.end_s, { ticks: false }));
  const last = song.centre.length - 1, heights = spread(classes.map((_, k) => f.y(song.p(last, k))), 13, f.top, f.bottom);
  picture.append(...classes.map((one, k) => label(f.right + 5, heights[k] + 4, one.name)), ...classes.map((one, k) => songLine(song, one, k, f)));
  return picture;
}

/** Return a class's line, or its dot where there is only one segment. */
function songLine(song, one, k, f) {
  const points = Array.from(song.centre, (centre, i) => [f.x(centre).toFixed(1), f.y(song.p(i, k)).toFixed(1)]);
  if (points.length === 1) return s("circle", { cx: points[0][0], cy: points[0][1], r: 3.5, fill: one.colour });
  return s("polyline", { points: points.join(" "), class: "line", stroke: one.colour, "stroke-dasharray": one.dash || null });
}

const classHead = (one, scope) => h("th", { scope, text: one.name, title: one.word });

/** Return a song's 7·K features: the number, and small its standard deviations from the training songs' mean. */
function featureTable(name, x, z, { classes, statistics }) {
  const K = classes.length, F = statistics.length;
  const cell = (k, f) => {
    const off = z[k * F + f], shade = Math.round((45 * Math.min(Math.abs(off), 2.5)) / 2.5), colour = off < 0 ? "#5790fc" : "#f89c20";
    return h("td", { style: `background:color-mix(in srgb, ${colour} ${shade}%, var(--ground))` },
      h("span", { text: x[k * F + f].toFixed(2) }), h("small", { text: signed(off, "+") }));
  };
  return h("table", { class: "features" }, h("caption", { text: `The ${K * F} numbers of ${name}` }),
    headings(h("td"), ...classes.map((one) => classHead(one, "col"))),
    h("tbody", {}, ...statistics.map((text, f) => h("tr", {}, h("th", { scope: "row", text }), ...classes.map((_, k) => cell(k, f))))));
}

/** Return the SVM's decision: its value for each class as bars, and the pairwise duels behind them. */
function svmDecision(one, classes) {
  const K = classes.length, named = (k) => className(classes[k]), values = one.decision.map((value) => value ?? 0);
  const low = Math.min(0, ...values), span = Math.max(0, ...values) - low || 1, share = (value) => (100 * (value - low)) / span;
  const wins = classes.map((_, k) => one.duels.filter(([i, j, value]) => (value > 0 ? i : j) === k).length);
  const note = (k) => {
    if (one.decision[k] === null) return "no training song had it";
    return K > 2 ? `wins ${wins[k]} of ${K - 1}` : "";
  };
  const bar = (k) => h("li", { class: one.answers.svm === k ? "said" : "" }, h("span", { text: named(k) }),
    h("span", { class: "bar", "aria-hidden": "true" }, h("i", {
      style: `left:${share(Math.min(0, values[k]))}%;width:${(100 * Math.abs(values[k])) / span}%;background:${classes[k].colour}` })),
    h("b", { text: one.decision[k] === null ? "–" : signed(values[k]) }), h("span", { text: note(k) }));
  const meaning = K > 2 ? "Decision values, and how many of its duels each class wins" : "Decision values: the sign decides";
  return h("div", { class: "verdict" }, h("h4", { text: `The SVM's answer: ${named(one.answers.svm)}` }), h("p", { class: "quiet", text: meaning }),
    h("ul", { class: "bars" }, ...classes.map((_, k) => bar(k))), ...(K > 2 ? [svmDuels(one.duels, named)] : []));
}

function svmDuels(duels, named) {
  const words = ([i, j, value]) => (value > 0 ? `${named(i)} beats ${named(j)} by ${signed(value)}` : `${named(j)} beats ${named(i)} by ${signed(-value)}`);
  return h("details", {}, h("summary", { text: `The ${duels.length} duels` }), h("ul", {}, ...duels.map((duel) => h("li", { text: words(duel) }))),
    h("p", { class: "quiet", text: "The SVM compares every pair of classes. A class's value is the number of duels it wins, plus a remainder below a third for how clearly." }));
}

const verdictMark = (right) => h("span", { class: right ? "good" : "bad", "aria-hidden": "true", text: right ? "✔" : "✘" });

function answerList(one, classifiers, classes) {
  return h("ul", { class: "answers" }, ...classifiers.map(([name, text]) => {
    const k = one.answers[name], right = k === one.label;
    return h("li", {}, `${text} `, h("b", { text: className(classes[k]) }), " ", verdictMark(right),
      h("span", { class: "unseen", text: right ? " right" : " wrong" }));
  }));
}

/** Return the rows of a confusion matrix as a table; `cell` is the pressed cell, `press(i, j)` is called for the others. */
function confusionTable(counts, classes, cell, press) {
  const counted = (i, j) => {
    const n = counts[i][j], share = n / Math.max(1, counts[i].reduce((a, b) => a + b, 0));
    const made = button("", () => press(i, j), {
      disabled: !n, "aria-pressed": String(cell?.[0] === i && cell?.[1] === j), "data-cell": `${i} ${j}`, style: `--share:${Math.round(55 * share)}%`,
      "aria-label": `label ${className(classes[i])}, answer ${className(classes[j])}: ${n} song${n === 1 ? "" : "s"}, ${percent(share)} of the label's`,
    });
    return dress(made, {}, [h("b", { text: n }), ...(n ? [h("small", { text: percent(share) })] : [])]);
  };
  return [h("caption", { text: "Rows: label · columns: answer. A cell lists its songs." }),
    headings(h("td"), ...classes.map((one) => classHead(one, "col"))),
    h("tbody", {}, ...classes.map((one, i) => h("tr", {}, classHead(one, "row"),
      ...classes.map((_, j) => h("td", { class: i === j ? "right" : "" }, counted(i, j))))))];
}
