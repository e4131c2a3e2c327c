// The song inspector: who is taken for whom, one song's features beside its curve, what the SVM says, its neighbours.

/** Play whole songs in one audio element; what came once from the kernel is kept. */
function turntable(sounds, talk, changed, sorry) {
  const audio = h("audio", { controls: true, onplay: () => changed(), onpause: () => changed(), onended: () => changed() });
  const kept = new Map(), asked = new Set(), MOST = 12;
  let wanted = null, loaded = null;
  function keep(key, data, mime) {
    if (kept.has(key)) return;
    kept.set(key, address(data, mime));
    const [eldest] = kept.keys();
    if (kept.size > MOST && eldest !== loaded) { URL.revokeObjectURL(kept.get(eldest)); kept.delete(eldest); }
  }
  function start(key) {
    if (loaded !== key) { audio.src = kept.get(key); loaded = key; }
    audio.play().catch((error) => { if (error.name !== "AbortError") sorry("This browser does not play that sound."); });
  }
  const off = [
    talk?.on("play", (told, buffers) => {
      const key = `${told.part} ${told.song}`;
      asked.delete(key);
      keep(key, raw(buffers[0]), told.mime);
      if (wanted === key) start(key);
    }),
    talk?.on("sorry", ({ text }) => { asked.clear(); sorry(text); }),
  ];
  return {
    audio,
    can: (key) => !sounds || key in sounds,
    on: () => (loaded !== null && !audio.paused ? loaded : null),
    toggle(key) {
      wanted = key;
      if (loaded === key && !audio.paused) return audio.pause();
      if (!kept.has(key) && sounds) keep(key, bytes(sounds[key].base64), sounds[key].mime);
      if (kept.has(key)) return start(key);
      if (asked.has(key)) return; // it sounds when it comes
      asked.add(key);
      const [part, song] = key.split(" ");
      talk?.send({ kind: "play", part, song: Number(song) });
    },
    close() {
      audio.pause();
      off.forEach((away) => away?.());
      for (const one of kept.values()) URL.revokeObjectURL(one);
    },
  };
}

/** Return a number with two digits and a real minus sign. */
function two(value, plus = false) {
  return `${value < 0 ? "−" : plus ? "+" : ""}${Math.abs(value).toFixed(2)}`;
}

/** Build the inspector in an element; return what takes it down. */
export function mount(el, data, talk) {
  ownKeys(el);
  const K = data.classes.length, F = data.statistics.length, unique = `mer${Math.random().toString(36).slice(2)}`;
  const arrays = {};
  for (const part of ["test", "train"]) {
    const one = (name, Kind = Float32Array) => typed(data.arrays[`${part}_${name}`], Kind), firsts = [0];
    for (const song of data[part]) firsts.push(firsts.at(-1) + song.segments);
    const p = halves(new DataView(one("p", Uint8Array).buffer));
    arrays[part] = { x: one("x"), z: one("z"), p, centre: one("centre"), firsts };
  }
  const named = (k) => `${data.classes[k].name} ${data.classes[k].word}`;
  const deciders = Object.entries(data.deciders);
  let song = data.song, decider = "svm", cell = null, near = 0, here = 0, rows = [];

  // ---- what stands where ------------------------------------------------------------------------------------------
  const words = h("p", { class: "words", "aria-live": "polite" });
  const by = h("select", { id: `${unique}b`, onchange: () => { decider = by.value; cell = null; fill(); } },
    ...deciders.map(([value, text]) => h("option", { value, text })));
  const matrix = h("table", { class: "matrix" });
  const wrong = h("input", { type: "checkbox", onchange: () => fill() });
  const label = h("select", { id: `${unique}l`, onchange: () => { cell = null; fill(); } }, h("option", { value: "", text: "all labels" }),
    ...data.classes.map((_, k) => h("option", { value: k, text: named(k) })));
  const list = h("ul", { class: "songs", "aria-label": "Test songs", onkeydown: walk }), found = h("p", { class: "found", role: "status" });
  const clear = h("button", { type: "button", text: "Show all", onclick: () => { cell = null; wrong.checked = false; label.value = ""; fill(); } });
  const card = h("section", { class: "card", "aria-label": "The chosen song" });
  const around = h("section", { class: "around", "aria-label": "Its nearest training songs" });
  const hear = h("p", { class: "quiet", text: "Nothing is playing." });
  const turning = turntable(data.sounds, talk, () => { marks(); }, (text) => { words.textContent = text; });
  turning.audio.setAttribute("aria-label", "Song");
  const table_by = h("div", { class: "row" }, h("label", { for: by.id, text: "Answers by" }), by);
  el.classList.add("mer", "mer-inspector");
  el.replaceChildren(h("div", { class: "board" },
    h("div", { class: "side" }, table_by, matrix,
      h("div", { class: "row" }, h("label", { for: label.id, text: "Label" }), label, h("label", { class: "tick" }, wrong, "only wrong ones")),
      h("div", { class: "row" }, found, clear), list, h("div", { class: "heard" }, hear, turning.audio)),
    h("div", { class: "main" }, words, card, around)));

  // ---- the matrix and the list ------------------------------------------------------------------------------------
  function confusion() {
    const counts = data.confusion[decider], sum = (row) => Math.max(1, row.reduce((a, b) => a + b, 0));
    const button = (i, j) => {
      const n = counts[i][j], share = n / sum(counts[i]), picked = cell?.[0] === i && cell?.[1] === j;
      return h("button", {
        type: "button", disabled: !n, "aria-pressed": String(picked), "data-cell": `${i} ${j}`, style: `--share:${Math.round(55 * share)}%`,
        "aria-label": `label ${named(i)}, answer ${named(j)}: ${n} song${n === 1 ? "" : "s"}, ${percent(share)} of the label's`,
        onclick: () => { cell = picked ? null : [i, j]; wrong.checked = false; label.value = ""; fill(); matrix.querySelector(`[data-cell="${i} ${j}"]`).focus(); },
      }, h("b", { text: n }), ...(n ? [h("small", { text: percent(share) })] : []));
    };
    matrix.replaceChildren(h("caption", { text: "Rows: label · columns: answer. A cell lists its songs." }),
      h("thead", {}, h("tr", {}, h("td", {}), ...data.classes.map((one) => h("th", { scope: "col", text: one.name, title: one.word })))),
      h("tbody", {}, ...data.classes.map((one, i) => h("tr", {}, h("th", { scope: "row", text: one.name, title: one.word }),
        ...data.classes.map((_, j) => h("td", { class: i === j ? "right" : "" }, button(i, j)))))));
  }

  /** Fill matrix and list anew: what is shown depends on the decider, the cell, the label and the tick. */
  function fill() {
    const answer = (one) => one.answers[decider];
    rows = data.test.map((_, at) => at).filter((at) => {
      const one = data.test[at];
      if (cell) return one.label === cell[0] && answer(one) === cell[1];
      return (!wrong.checked || answer(one) !== one.label) && (label.value === "" || one.label === Number(label.value));
    });
    here = Math.max(0, rows.indexOf(song));
    const what = cell ? ` labelled ${named(cell[0])}, answered ${named(cell[1])}` : "";
    found.textContent = `${rows.length} of ${data.test.length} test songs${what}`;
    clear.hidden = rows.length === data.test.length;
    list.replaceChildren(...rows.map((at) => {
      const one = data.test[at], right = answer(one) === one.label;
      const said = `${one.id}, label ${named(one.label)}, answer ${named(answer(one))}, ${right ? "right" : "wrong"}`;
      return h("li", { "data-song": at },
        h("button", { type: "button", class: "pick", "aria-label": said, title: one.who, onclick: () => pick(at) },
          h("span", { class: right ? "good" : "bad", "aria-hidden": "true", text: right ? "✔" : "✘" }),
          h("span", { class: "id", text: one.id }),
          h("span", { class: "turn", text: right ? data.classes[one.label].name : `${data.classes[one.label].name} → ${data.classes[answer(one)].name}` })),
        sounder(`test ${at}`, one.id));
    }));
    confusion();
    rove();
    marks();
  }

  /** Return a button that plays a song. */
  function sounder(key, name) {
    return h("button", { type: "button", class: "play", "data-key": key, "data-name": name, disabled: !turning.can(key), onclick: () => turning.toggle(key),
      title: turning.can(key) ? null : "This page does not carry its sound" });
  }

  /** Only one row of the list is a stop of the tab key; arrows lead on. */
  function rove() {
    [...list.children].forEach((row, at) => { for (const one of row.children) one.tabIndex = at === here ? 0 : -1; });
  }
  function walk(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity, PageDown: 10, PageUp: -10 };
    if (!(event.key in steps) || event.ctrlKey || event.metaKey || event.altKey) return;
    here = Math.max(0, Math.min(rows.length - 1, [...list.children].indexOf(event.target.closest("li")) + steps[event.key]));
    const row = list.children[here], own = event.target.classList.contains("play") && row?.querySelector(".play:not(:disabled)");
    rove();
    (own || row?.querySelector(".pick"))?.focus();
    event.preventDefault();
    event.stopPropagation();
  }

  /** Say on every play button what sounds, and in the list which song is chosen. */
  function marks() {
    const sounding = turning.on();
    for (const one of el.querySelectorAll(".play")) {
      const mine = one.dataset.key === sounding;
      one.textContent = mine ? "❚❚" : "▶";
      one.setAttribute("aria-label", `${mine ? "Pause" : "Play"} ${one.dataset.name}`);
    }
    for (const row of list.children) row.querySelector(".pick").setAttribute("aria-current", String(Number(row.dataset.song) === song));
    if (!sounding) { hear.textContent = turning.audio.src ? "Paused." : "Nothing is playing."; return; }
    const [part, at] = sounding.split(" "), one = data[part][at];
    hear.textContent = `Playing ${one.id}, a ${part === "test" ? "test" : "training"} song, label ${named(one.label)}.`;
  }

  // ---- the song ---------------------------------------------------------------------------------------------------
  /** Draw a song's probabilities over its seconds. */
  function sketch(part, at) {
    const { p, centre, firsts } = arrays[part], first = firsts[at], n = firsts[at + 1] - first, end = data[part][at].end_s;
    const width = 380, left = 40, right = 340, top = 8, bottom = 150, x = (second) => left + ((right - left) * second) / end;
    const y = (share) => bottom - (bottom - top) * share, of = (i, k) => p[(first + i) * K + k];
    const mean = data.classes.map((_, k) => { let sum = 0; for (let i = 0; i < n; i++) sum += of(i, k); return sum / n; });
    const order = mean.map((_, k) => k).sort((a, b) => mean[b] - mean[a]);
    const picture = s("svg", { viewBox: `0 0 ${width} 184`, class: "curve", role: "img",
      "aria-label": `Curve of ${data[part][at].id}: on average ${order.map((k) => `${named(k)} ${percent(mean[k])}`).join(", ")}` });
    for (const share of [0, 0.5, 1]) {
      picture.append(s("line", { class: "grid", x1: left, x2: right, y1: y(share), y2: y(share) }));
      picture.append(s("text", { x: left - 5, y: y(share) + 4, "text-anchor": "end", text: percent(share) }));
    }
    const every = [1, 2, 5, 10, 15, 30, 60, 120, 300].find((one) => ((right - left) * one) / end >= 40) ?? 900;
    for (let second = 0; second <= end; second += every) picture.append(s("text", { x: x(second), y: bottom + 15, "text-anchor": "middle", text: second }));
    picture.append(s("text", { x: (left + right) / 2, y: bottom + 29, "text-anchor": "middle", text: "seconds" }));
    const heights = order.map((k) => ({ k, y: y(of(n - 1, k)) })).sort((a, b) => a.y - b.y);
    heights.forEach((one, i) => { if (i) one.y = Math.max(one.y, heights[i - 1].y + 13); });
    const over = Math.max(0, heights.at(-1).y - bottom);
    for (const { k, y: at_y } of heights) picture.append(s("text", { x: right + 5, y: at_y - over + 4, text: data.classes[k].name }));
    data.classes.forEach((one, k) => {
      const points = Array.from({ length: n }, (_, i) => `${x(centre[first + i]).toFixed(1)},${y(of(i, k)).toFixed(1)}`);
      const look = { stroke: one.colour, "stroke-dasharray": one.dash || null };
      if (n === 1) picture.append(s("circle", { cx: points[0].split(",")[0], cy: points[0].split(",")[1], r: 3.5, fill: one.colour }));
      else picture.append(s("polyline", { points: points.join(" "), class: "line", ...look }));
    });
    return picture;
  }

  /** Return a song's 7·K features: the number, and small how many standard deviations it lies off the training songs' mean. */
  function numbers(part, at) {
    const { x, z } = arrays[part], base = at * K * F;
    const box = (k, f) => {
      const off = z[base + k * F + f], shade = Math.round((45 * Math.min(Math.abs(off), 2.5)) / 2.5);
      return h("td", { style: `background:color-mix(in srgb, ${off < 0 ? "#5790fc" : "#f89c20"} ${shade}%, var(--ground))` },
        h("span", { text: x[base + k * F + f].toFixed(2) }), h("small", { text: two(off, true) }));
    };
    return h("table", { class: "features" }, h("caption", { text: `The ${K * F} numbers of ${data[part][at].id}` }),
      h("thead", {}, h("tr", {}, h("td", {}), ...data.classes.map((one) => h("th", { scope: "col", text: one.name, title: one.word })))),
      h("tbody", {}, ...data.statistics.map((name, f) => h("tr", {}, h("th", { scope: "row", text: name }), ...data.classes.map((_, k) => box(k, f))))));
  }

  /** Return what the SVM says: its value for each class as bars, and the duels behind them. */
  function verdict(one) {
    const values = one.decision.map((value) => value ?? 0), low = Math.min(0, ...values), span = Math.max(0, ...values) - low || 1;
    const wins = data.classes.map((_, k) => one.duels.filter(([i, j, value]) => (value > 0 ? i : j) === k).length);
    const share = (value) => (100 * (value - low)) / span;
    const bar = (k) => {
      const said = one.decision[k] === null ? "no training song had it" : K > 2 ? `wins ${wins[k]} of ${K - 1}` : "";
      return h("li", { class: one.answers.svm === k ? "said" : "" }, h("span", { text: named(k) }),
        h("span", { class: "bar", "aria-hidden": "true" }, h("i", { style: `left:${share(Math.min(0, values[k]))}%;width:${(100 * Math.abs(values[k])) / span}%;background:${data.classes[k].colour}` })),
        h("b", { text: one.decision[k] === null ? "–" : two(values[k]) }), h("span", { text: said }));
    };
    const duel = ([i, j, value]) => h("li", { text: value > 0 ? `${named(i)} beats ${named(j)} by ${two(value)}` : `${named(j)} beats ${named(i)} by ${two(-value)}` });
    const more = K > 2 ? [h("details", {}, h("summary", { text: `The ${one.duels.length} duels` }), h("ul", {}, ...one.duels.map(duel)),
      h("p", { class: "quiet", text: "The SVM lets every two classes fight it out. A class's number is how many duels it wins, and a remainder below a third for how clearly." }))] : [];
    return h("div", { class: "verdict" }, h("h4", { text: `What the SVM says: ${named(one.answers.svm)}` }), h("p", { class: "quiet", text: K > 2 ? "Decision values, and how many of its duels each class wins" : "Decision values: the sign decides" }), h("ul", { class: "bars" }, ...data.classes.map((_, k) => bar(k))), ...more);
  }

  function answers(one) {
    return h("ul", { class: "answers" }, ...deciders.map(([name, text]) => {
      const k = one.answers[name], right = k === one.label;
      return h("li", {}, `${text} `, h("b", { text: named(k) }), h("span", { class: right ? "good" : "bad", "aria-hidden": "true", text: right ? " ✔" : " ✘" }), h("span", { class: "unseen", text: right ? " right" : " wrong" }));
    }));
  }

  function title(part, at, level) {
    const one = data[part][at];
    return h(level, {}, one.id, h("span", { class: "plain", text: `${one.who ? ` · ${one.who}` : ""} · label ${named(one.label)} ` }), sounder(`${part} ${at}`, one.id));
  }

  function show(news = "") {
    const one = data.test[song];
    el.dataset.song = song;
    card.replaceChildren(title("test", song, "h3"), answers(one), h("div", { class: "pair" }, h("div", {}, sketch("test", song), verdict(one)), numbers("test", song)),
      h("p", { class: "quiet note", text: `Small: standard deviations above (+, orange) or below (−, blue) the training songs' mean, as the SVM gets it. θ = ${data.theta}.` }));
    neighbours();
    marks();
    if (news) words.textContent = news;
  }

  function neighbours() {
    const one = data.test[song], pick_near = (n) => { near = n; neighbours(); marks(); around.querySelectorAll(".who")[n].focus(); words.textContent = told(n); };
    const same = one.nearest.filter(([at]) => data.train[at].label === one.answers.svm).length;
    const row = ([at, distance], n) => h("tr", {}, h("td", {}, h("button", { type: "button", class: "who", "aria-pressed": String(n === near), text: data.train[at].id, title: data.train[at].who, onclick: () => pick_near(n) })),
      h("td", {}, h("span", { class: "swatch", "aria-hidden": "true", style: `background:${data.classes[data.train[at].label].colour}` }), named(data.train[at].label)),
      h("td", { class: "distance", text: distance.toFixed(2) }), h("td", {}, sounder(`train ${at}`, data.train[at].id)));
    const at = one.nearest[near][0];
    around.replaceChildren(h("h4", { text: "Nearest training songs" }),
      h("table", { class: "near" }, h("caption", { text: `Distance in the SVM's scaled features; a training song's own nearest neighbour is usually ${data.usual.toFixed(2)} away. ${same} of ${one.nearest.length} have the label that the SVM answers.` }),
        h("thead", {}, h("tr", {}, ...["song", "label", "distance"].map((text) => h("th", { scope: "col", text })), h("td", {}))),
        h("tbody", {}, ...one.nearest.map(row))),
      title("train", at, "h4"), h("div", { class: "pair" }, sketch("train", at), numbers("train", at)));
  }
  const told = (n) => {
    const [at, distance] = data.test[song].nearest[n];
    return `Neighbour ${n + 1}: ${data.train[at].id}, label ${named(data.train[at].label)}, ${distance.toFixed(2)} away.`;
  };
  const sentence = () => {
    const one = data.test[song], k = one.answers.svm;
    return `${one.id}, label ${named(one.label)}. The SVM says ${named(k)}, which is ${k === one.label ? "right" : "wrong"}. ${told(0)}`;
  };

  function pick(next, silent = false) {
    if (next !== song) near = 0;
    song = next;
    if (rows.includes(song)) here = rows.indexOf(song);
    rove();
    show(sentence());
    if (!silent) talk?.send({ kind: "song", value: song });
  }
  const away = talk?.on("song", (next) => { if (next !== song) pick(next, true); });
  fill();
  show(sentence());
  return () => {
    away?.();
    turning.close();
    el.replaceChildren();
  };
}

/** The chosen song is a trait of both sides, sounds are asked for by message. */
export default {
  render({ model, el }) {
    return lively(model, mount, el, { ...model.get("data"), song: model.get("song") }, ["song"]);
  },
};
