// What all browser views share: elements, decoding, number formats, and the connection to the kernel. No library is used.

const SVG = "http://www.w3.org/2000/svg";

/** Return an HTML element with properties (class, text, data-…, aria-…, on…) and children. */
function h(tag, properties = {}, ...children) {
  return dress(document.createElement(tag), properties, children);
}

/** Return an SVG element with attributes and children. */
function s(tag, properties = {}, ...children) {
  return dress(document.createElementNS(SVG, tag), properties, children);
}

function dress(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** Return the bytes of base64 text. */
function bytes(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

/** Return the bytes of a message's buffer (a DataView or a typed array) or of base64 text in a page. */
function raw(source) {
  if (typeof source === "string") return bytes(source);
  return new Uint8Array(source.buffer ?? source, source.byteOffset ?? 0, source.byteLength);
}

/** Return the same bytes as a typed array of a type; a copy, so that it is aligned. */
function typed(source, Type) {
  return new Type(raw(source).slice().buffer);
}

/** Return a URL for bytes; the caller revokes it when it is no longer needed. */
function address(data, mime) {
  return URL.createObjectURL(new Blob([data], { type: mime }));
}

/** Return the little-endian float16 numbers of a buffer or of base64 text as a Float32Array. */
function halves(source) {
  const data = raw(source), view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const out = new Float32Array(view.byteLength / 2);
  for (let i = 0; i < out.length; i++) {
    const bits = view.getUint16(2 * i, true);
    const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
    if (exponent === 0) out[i] = sign * fraction * 2 ** -24;
    else if (exponent === 31) out[i] = fraction ? NaN : sign * Infinity;
    else out[i] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
  return out;
}

/** Return seconds as 0:07 or 1:23.5. */
function clock(seconds) {
  const rest = seconds % 60, whole = Number.isInteger(rest);
  return `${Math.floor(seconds / 60)}:${whole ? String(rest).padStart(2, "0") : rest.toFixed(1).padStart(4, "0")}`;
}

/** Return 0.731 as "73 %". */
function percent(value) {
  return Number.isFinite(value) ? `${Math.round(100 * value)} %` : "–";
}

/** Return a value with as few of two decimal places as it needs. */
function short(value) {
  return String(Number(value.toFixed(2)));
}

/** Return an id that is unique in the page. */
function uniqueId(prefix = "mer") {
  return `${prefix}${Math.random().toString(36).slice(2)}`;
}

/** Return a class's short name and its emotion. */
function className({ name, word, emotion = word }) {
  return emotion ? `${name} ${emotion}` : name;
}

/** Return value, limited to low…high. */
function clamp(value, low, high) {
  return Math.max(low, Math.min(high, value));
}

/** Return a polite live region; of several sentences in quick succession only the last is announced. */
function createAnnouncer(node, delay = 200) {
  let timer = 0;
  return {
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
