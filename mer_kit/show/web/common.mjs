// What mer-kit's browser views share: elements, SVG, sound, decoding. No library, nothing fetched.

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

/** Return a playable address for bytes; whoever asks revokes it when done. */
function address(data, mime) {
  return URL.createObjectURL(new Blob([data], { type: mime }));
}

/** Return float32 of a DataView that holds little-endian float16, as numpy writes them. */
function halves(view) {
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

/** Build a view where a page holds its picture (`show/fragments.py`); where that fails, the picture stays. */
function enhance(mark, mount) {
  for (const host of document.querySelectorAll(`[data-mer-fragment="${mark}"]:not([data-mer-mounted])`)) {
    host.dataset.merMounted = ""; // the same fragment may stand in a page twice, with two scripts
    const view = document.createElement("div"), still = [...host.querySelectorAll(":scope > :not(style)")];
    try {
      const data = JSON.parse(host.querySelector("script[data-mer-data]").textContent);
      const [, mime, base64] = host.querySelector("audio")?.getAttribute("src").match(/^data:([^;]+);base64,(.+)$/) ?? [];
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

/** Keep JupyterLab's shortcuts off a view's controls: it takes arrow keys and letters unless the focused element says so. */
function ownKeys(el) {
  el.addEventListener("focusin", (event) => event.target.setAttribute("data-lm-suppress-shortcuts", "true"));
}
