// The explorer's picture: a clip's log-mel, its true labels, and the staircase of its segments.

function explorerLayout(width, segments, seconds, hasTruth) {
  const left = 64, right = width - 6, top = 4, mel = width < 480 ? 120 : 170;
  const band = mel + top + 6, stairs = mel + top + (hasTruth ? 32 : 8), tread = clamp(240 / Math.max(segments, 1), 2.2, 14);
  const foot = stairs + tread * Math.max(segments, 3) + 4, x = linear([0, seconds], [left, right]);
  return { width, left, right, top, mel, band, stairs, tread, foot, height: foot + 34, x, second: linear([left, right], [0, seconds]) };
}

const EXPLORER_TEXT = { "font-size": 11.5 };
const beforeAxis = (place, y, text) => label(place.left - 5, y, text, { "text-anchor": "end", ...EXPLORER_TEXT });

function truthBand(place, truth, seconds, classes) {
  const { x, band } = place, parts = [beforeAxis(place, band + 14, "truth")];
  for (const span of truth) {
    const entry = classes.find((one) => one.name === span.leader), from = x(span.start_s), to = x(Math.min(seconds, span.end_s));
    if (!(to > from)) continue;
    const fill = entry?.colour ?? "#8a8a93";
    parts.push(s("rect", { class: "truth", x: from + 0.5, y: band, width: Math.max(1, to - from - 1), height: 20, rx: 2, fill }));
    if (to - from > 24)
      parts.push(label((from + to) / 2, band + 14.5, span.leader, { "text-anchor": "middle", style: `fill:${entry.ink}`, ...EXPLORER_TEXT }));
  }
  return parts;
}

function unusedPart(place, maxSeconds) {
  const { x, right, top, mel, stairs, foot } = place, from = x(maxSeconds);
  return [
    s("rect", { class: "unused", x: from, y: top, width: right - from, height: mel }),
    label(right - 4, stairs + 10, "not used", { "text-anchor": "end", ...EXPLORER_TEXT }),
    segmentLine(from, top, from, foot, { class: "limit" }),
  ];
}

/** Return the staircase: one bar per segment, hatched where its label is wrong. */
function staircaseBars(place, cut, duration, colourOf, isWrong, hatchId) {
  const bars = s("g", {});
  cut.start_s.forEach((start, i) => {
    const from = place.x(start), wrong = isWrong(i), height = Math.max(1.6, place.tread - 1.4);
    const box = { x: from, y: place.stairs + i * place.tread, width: place.x(start + duration) - from, height, rx: 1.5 };
    bars.append(s("rect", { class: "bar", "data-row": i, "data-wrong": String(wrong), fill: colourOf(i), opacity: wrong ? 1 : 0.6, ...box }));
    if (wrong) bars.append(s("rect", { fill: `url(#${hatchId})`, ...box, opacity: 0.75 }));
  });
  return bars;
}

function explorerMarks({ top, mel, foot }) {
  return {
    mark: s("rect", { class: "mark", y: top + mel, height: foot - top - mel }),
    glass: s("rect", { class: "glass", y: top + 1, height: mel - 2, rx: 2 }),
    here: s("rect", { class: "here", rx: 2 }),
    needle: s("line", { class: "needle", y1: top, y2: foot, visibility: "hidden" }),
  };
}

function countsTable(cut, duration, clips) {
  const share = (value) => (value === null ? "–" : `${value.toFixed(1)} %`), known = cut.of_corpus.known !== null;
  const line = (name, one) => h("tr", {}, h("th", { scope: "row", text: name }), h("td", { text: one.segments.toLocaleString("en") }),
    ...(known ? [h("td", { text: share(one.wrong_percent) }), h("td", { text: share(one.mixed_percent) })] : []));
  const unknown = "There is one label per clip: which segments are wrong is unknown.";
  return [
    h("caption", { text: `Cut into ${short(duration)} s` }),
    headings(h("td"), "segments", ...(known ? ["label wrong", "changes inside"] : [])),
    h("tbody", {}, line("this clip", cut.of_clip), line(`all ${clips} clips`, cut.of_corpus)),
    ...(known ? [] : [h("tfoot", {}, h("tr", {}, h("td", { colspan: 2, text: unknown })))]),
  ];
}
