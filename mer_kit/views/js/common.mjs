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

/** Return the bytes of what came from a kernel (a DataView or a typed array) or stands in a page (base64 text). */
function raw(part) {
  return typeof part === "string" ? bytes(part) : new Uint8Array(part.buffer ?? part, part.byteOffset ?? 0, part.byteLength);
}

/** Return the same bytes as a typed array of a kind; a copy, which begins at 0 as wider numbers need. */
function typed(part, Kind) {
  return new Kind(raw(part).slice().buffer);
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

/** Build a view where a page holds its picture (`views/html_fragments.py`); where that fails, the picture stays. */
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

/** Return how a view talks to its kernel through anywidget: `traits` are values of both sides, all else are messages.
 *
 *  `send({kind, …})` and `on(kind, handler)`, which returns what ends the listening; `close()` ends all of it. A trait is
 *  sent as {kind, value}, and its handler gets the value; a message's handler gets the message and its bytes. */
function channel(model, traits = []) {
  const heard = new Set();
  return {
    send(message) {
      if (!traits.includes(message.kind)) return model.send(message);
      model.set(message.kind, message.value);
      model.save_changes();
    },
    on(kind, handler) {
      const trait = traits.includes(kind), event = trait ? `change:${kind}` : "msg:custom";
      const listen = trait ? () => handler(model.get(kind))
        : (message, buffers) => { if (message.kind === kind) handler(message, buffers); };
      const off = () => { if (heard.delete(off)) model.off(event, listen); };
      model.on(event, listen);
      heard.add(off);
      return off;
    },
    close() { for (const off of [...heard]) off(); },
  };
}

/** Mount a view for anywidget and return what takes it down and ends its talk. */
function lively(model, mount, el, data, traits = []) {
  const talk = channel(model, traits), take = mount(el, data, talk);
  return () => { talk.close(); take(); };
}

/** Plays stretches of a song exactly: what is decoded once is started and stopped by the audio clock, not by events. */
function deck(changed) {
  let context = null, of = null, decoding = null, source = null, loud = null, stretch = null, began = 0, head = 0, ticket = 0;

  function now() {
    if (!source) return head;
    const heard = context.currentTime - (context.outputLatency || 0) - began, { from, to, loop } = stretch;
    const length = to - stretch.start;
    const second = from + Math.max(0, heard);
    return loop ? (second < to ? second : stretch.start + ((second - stretch.start) % length)) : Math.min(second, to);
  }

  function silence() {
    if (!source) return;
    source.onended = null;
    source.stop();
    source.disconnect();
    loud.disconnect();
    source = null;
  }

  /** Play a song (base64 text or bytes) from second `from` until `to`; with `loop` again and again from `start`.
   *  Rejects where it cannot be decoded. */
  async function play(song, { start, from = start, to, loop = false, name }) {
    if (of !== song) stop(); // another one is silent at once, not when this one is decoded
    const mine = ++ticket;
    context ??= new AudioContext();
    context.resume(); // a page may only sound after a gesture; what is started before that waits for it
    if (of !== song) [of, decoding] = [song, context.decodeAudioData(typed(song, Uint8Array).buffer)]; // it takes the copy away
    const buffer = await decoding;
    if (mine !== ticket) return;
    silence();
    const end = Math.min(to, buffer.duration), first = Math.max(0, Math.min(start, end));
    if (!(end > first)) return stop();
    stretch = { start: first, from: from < end ? Math.max(first, from) : first, to: end, loop, name };
    source = new AudioBufferSourceNode(context, { buffer, loop, loopStart: first, loopEnd: end });
    loud = new GainNode(context);
    source.connect(loud).connect(context.destination);
    began = context.currentTime;
    const length = end - stretch.from, edge = Math.min(0.004, length / 4);
    loud.gain.setValueAtTime(0, began); // four milliseconds up and down, so that a cut makes no click
    loud.gain.linearRampToValueAtTime(1, began + edge);
    if (loop) source.start(began, stretch.from);
    else {
      loud.gain.setValueAtTime(1, began + length - edge);
      loud.gain.linearRampToValueAtTime(0, began + length);
      source.start(began, stretch.from, length);
    }
    source.onended = () => { head = stretch.to; source = null; changed(); };
    changed();
  }

  function stop() {
    ticket++;
    head = now();
    silence();
    changed();
  }

  /** Give the sound back to the browser; what is played afterwards is decoded anew. */
  function dispose() {
    stop();
    context?.close();
    context = of = decoding = null;
  }

  return {
    play, stop, dispose, now,
    seek: (second) => { if (!source) head = second; },
    playing: () => (source ? stretch : null),
  };
}
