// What all browser views share: elements, decoding, number formats, and the connection to the kernel. No library is used.

/** Return an HTML element with properties (class, text, data-…, aria-…, on…) and children. */
const h = (tag, properties = {}, ...children) => dress(document.createElement(tag), properties, children);

/** Return an SVG element with attributes and children. */
const s = (tag, properties = {}, ...children) => dress(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);

/** Give an element attributes, listeners and further children. */
function dress(node, properties, children = []) {
  for (const [name, value] of Object.entries(properties)) {
    if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** Return the bytes of a message's buffer (a DataView or a typed array) or of base64 text in a page. */
function raw(source) {
  if (typeof source === "string") return Uint8Array.from(atob(source), (letter) => letter.charCodeAt(0));
  return new Uint8Array(source.buffer ?? source, source.byteOffset ?? 0, source.byteLength);
}

/** Return the same bytes as a typed array of a type; a copy, so that it is aligned. */
const typed = (source, Type) => new Type(raw(source).slice().buffer);

/** Return a URL for bytes; the caller revokes it when it is no longer needed. */
const address = (data, mime) => URL.createObjectURL(new Blob([data], { type: mime }));

/** Return seconds as 0:07 or 1:23.5. */
function clock(seconds) {
  const rest = seconds % 60, whole = Number.isInteger(rest);
  return `${Math.floor(seconds / 60)}:${whole ? String(rest).padStart(2, "0") : rest.toFixed(1).padStart(4, "0")}`;
}

const percent = (value) => Number.isFinite(value) ? `${Math.round(100 * value)} %` : "–";

/** Return a value with as few of two decimal places as it needs. */
const short = (value) => String(Number(value.toFixed(2)));
const uniqueId = (prefix = "mer") => `${prefix}${Math.random().toString(36).slice(2)}`;

/** Return the places of values, the largest value first. */
const ranked = (values) => [...values.keys()].sort((a, b) => values[b] - values[a] || a - b);

/** Return the place of the value nearest to `wanted`. */
const nearestPlace = (values, wanted) =>
  values.reduce((best, value, i) => (Math.abs(value - wanted) < Math.abs(values[best] - wanted) ? i : best), 0);

const button = (text, onclick, properties = {}) => h("button", { type: "button", text, onclick, ...properties });

function press(node, pressed) {
  node.setAttribute("aria-pressed", String(pressed));
  return pressed;
}

/** Return a select box of options [value, text]; `chosen(value)` is called when another is selected. */
const selectBox = (options, chosen, properties = {}) => h("select", { onchange: (event) => chosen(event.target.value), ...properties },
  ...options.map(([value, text]) => h("option", { value, text })));

/** Return the head of a table; a column's heading is a text or a cell. */
const headings = (...columns) => h("thead", {}, h("tr", {},
  ...columns.map((one) => (typeof one === "string" ? h("th", { scope: "col", text: one }) : one))));

/** Return a labelled slider: {node, range, output}; `input(value)` is called while it moves. */
function slider(id, text, limits, input) {
  const output = h("output", { for: id }), range = h("input", { type: "range", id, ...limits, oninput: () => input(Number(range.value)) });
  return { output, range, node: h("div", { class: "slider" }, h("label", { for: id, text }), range, output) };
}

const SLIDER_KEYS = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, Home: -Infinity, End: Infinity };

/** Return how far a key moves in a table of keys, undefined for other keys; a key that is in it goes no further. */
function keyStep(event, steps) {
  if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in steps)) return undefined;
  event.preventDefault();
  event.stopPropagation(); // the notebook around it uses these keys too
  return steps[event.key];
}

const className = ({ name, word, emotion = word }) => emotion ? `${name} ${emotion}` : name;
const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

/** Return a polite live region: {node, say, dispose}; of sentences in quick succession only the last is announced. */
function createAnnouncer(delay = 200) {
  const node = h("p", { class: "words", "aria-live": "polite", "data-part": "words" });
  let timer = 0;
  return {
    node,
    say(text) {
      clearTimeout(timer);
      timer = setTimeout(() => { node.textContent = text; }, node.textContent ? delay : 0);
    },
    dispose: () => clearTimeout(timer),
  };
}

/** Call `resized(width)` whenever the width of an element changes, and `removed()` if it has left the page. */
function watchWidth(node, resized, removed = () => {}) {
  let width = 0;
  const observer = new ResizeObserver(() => requestAnimationFrame(() => {
    if (!node.isConnected) return removed();
    const room = Math.floor(node.clientWidth);
    if (room && room !== width) {
      width = room;
      resized(room);
    }
  }));
  observer.observe(node);
  return () => observer.disconnect();
}

/** Build a view next to its still picture (`views/html_fragments.py`) and remove the picture; if that fails, keep it. */
function enhance(mark, mount) {
  for (const host of document.querySelectorAll(`[data-mer-fragment="${mark}"]:not([data-mer-mounted])`)) {
    host.dataset.merMounted = ""; // a page may contain the same fragment twice, with two scripts
    const view = document.createElement("div"), still = [...host.querySelectorAll(":scope > :not(style)")];
    try {
      const data = JSON.parse(host.querySelector("script[data-mer-data]").textContent);
      const source = host.querySelector("audio")?.getAttribute("src");
      const [, mime, base64] = source?.match(/^data:([^;]+);base64,(.+)$/) ?? [];
      if (base64) data.audio = { mime, base64 };
      host.append(view);
      mount(view, data, null);
      for (const node of still) node.remove();
    } catch (error) {
      view.remove();
      console.warn("mer-kit: the view could not be built, its picture stays", error);
    }
  }
}

/** Prevent JupyterLab from handling the keys pressed in a view's controls as its own shortcuts. */
function ownKeys(el) {
  el.addEventListener("focusin", (event) => event.target.setAttribute("data-lm-suppress-shortcuts", "true"));
}

/** Return the connection of a view to its kernel through anywidget. `traits` are shared values; all else are messages.
 *
 *  `send({kind, …})` and `on(kind, handler)`, which returns a function that removes the handler; `close()` removes all.
 *  A trait is sent as {kind, value}, and its handler gets the value; a message's handler gets the message and its
 *  buffers. */
function channel(model, traits = []) {
  const handlers = new Set();
  return {
    send(message) {
      if (!traits.includes(message.kind)) return model.send(message);
      model.set(message.kind, message.value);
      model.save_changes();
    },
    on(kind, handler) {
      const trait = traits.includes(kind), event = trait ? `change:${kind}` : "msg:custom";
      const listen = (message, buffers) => {
        if (trait) handler(model.get(kind));
        else if (message.kind === kind) handler(message, buffers);
      };
      const off = () => { if (handlers.delete(off)) model.off(event, listen); };
      model.on(event, listen);
      handlers.add(off);
      return off;
    },
    close() { for (const off of [...handlers]) off(); },
  };
}

/** Return a function that builds a view of a class in an element and returns a function that removes it. */
function mounting(View, name) {
  return (el, data, talk) => {
    el.classList.add("mer", `mer-${name}`);
    ownKeys(el);
    const view = new View(el, data, talk);
    return () => {
      view.remove();
      el.replaceChildren();
      el.classList.remove("mer", `mer-${name}`);
    };
  };
}

/** Return a view's module for anywidget: `mount` gets the data and the values of the traits. */
function widgetOf(mount, traits = []) {
  return {
    render({ model, el }) {
      const values = Object.fromEntries(traits.map((name) => [name, model.get(name)]));
      return mountWidget(model, mount, el, { ...model.get("data"), ...values }, traits);
    },
  };
}

/** Mount a view for anywidget; return a function that removes the view and closes its connection. */
function mountWidget(model, mount, el, data, traits = []) {
  const talk = channel(model, traits), unmount = mount(el, data, talk);
  return () => { talk.close(); unmount(); };
}
