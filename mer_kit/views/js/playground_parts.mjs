// Controls, bars and formulae that the parts of the playground share.

/** Return a live region for the sentences of a part: {node, say, dispose}. */
function announcements() {
  const node = h("p", { class: "words", "aria-live": "polite", "data-part": "words" });
  return { node, ...createAnnouncer(node) };
}

/** Return a labelled slider with its value next to it. */
function slider(text, part, { min, max, step, value, change }) {
  const shown = h("output", { class: "number", text: value.toFixed(2) });
  const input = h("input", { type: "range", min, max, step, "data-part": part });
  input.value = value;
  input.addEventListener("input", () => {
    shown.textContent = Number(input.value).toFixed(2);
    change(Number(input.value));
  });
  return h("label", { class: "slider" }, h("span", { text }), input, shown);
}

/** Return a labelled select box: {node, box}. */
function choice(text, part, options, change) {
  const box = h("select", { "data-part": part, onchange: () => change(box.value) },
    ...options.map(([value, name]) => h("option", { value, text: name })));
  return { node: h("label", { class: "choice" }, h("span", { text }), box), box };
}

/** Return a table with horizontal bars, for every class one row per series: {node, set(values[series][class])}. */
function barTable(caption, classes, series) {
  const cells = [], body = h("tbody");
  for (const [k, entry] of classes.entries())
    series.forEach(({ name, look }, i) => {
      const bar = h("i", { class: look, style: `--colour:${entry.colour}` }), number = h("b");
      cells.push({ k, i, bar, number });
      body.append(h("tr", { class: i === 0 ? "first" : null },
        ...(i === 0 ? [h("th", { scope: "rowgroup", rowspan: series.length, text: className(entry) })] : []),
        ...(series.length > 1 ? [h("td", { class: "series", text: name })] : []),
        h("td", { class: "bar" }, h("div", {}, h("span", {}, bar), number))));
    });
  const set = (values) => cells.forEach(({ k, i, bar, number }) => {
    bar.style.inlineSize = `${100 * values[i][k]}%`;
    number.textContent = values[i][k].toFixed(3);
    number.dataset.value = values[i][k];
  });
  return { node: h("table", { class: "bars" }, h("caption", { text: caption }), body), set };
}

/** Return a MathML element. */
function math(tag, ...children) {
  const node = document.createElementNS("http://www.w3.org/1998/Math/MathML", tag);
  node.append(...children);
  return node;
}

function indexOfLargest(values) {
  return values.indexOf(Math.max(...values));
}
