// Controls, bars and formulae that the parts of the playground share.

function numberSlider(text, part, limits, change) {
  const show = (value) => { output.textContent = value.toFixed(2); };
  const { node, output } = slider(uniqueId(part), text, { ...limits, "data-part": part }, (value) => { show(value); change(value); });
  show(limits.value);
  return node;
}

function choice(text, part, options, change) {
  const box = selectBox(options, change, { "data-part": part });
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

function math(tag, ...children) {
  const node = document.createElementNS("http://www.w3.org/1998/Math/MathML", tag);
  node.append(...children);
  return node;
}

const indexOfLargest = (values) => values.indexOf(Math.max(...values));
