// Sound: a player for exact stretches of a song, a mixer, and clips that are loaded from the page or the kernel.

/** Return a player of stretches of a song, timed by the audio clock. `changed()` is called when sound starts or ends.
 *
 *  play(song, {start, from = start, to, loop, name}) plays a song (base64 text or bytes) from second `from` to `to`; with
 *  `loop` again and again from `start`. It rejects if the song cannot be decoded. `now()` is the current second,
 *  `playing()` the stretch or null. After `dispose()` a song is decoded again. */
function createPlayer(changed) {
  const decoder = createDecoder();
  let source = null, gain = null, stretch = null, began = 0, head = 0, ticket = 0;

  function now() {
    if (!source) return head;
    const { start, from, to, loop } = stretch, second = from + decoder.elapsed(began);
    if (!loop) return Math.min(second, to);
    return second < to ? second : start + ((second - start) % (to - start));
  }
  function silence() {
    if (!source) return;
    source.onended = null;
    source.stop();
    source.disconnect();
    gain.disconnect();
    source = null;
  }
  function stop() {
    ticket++;
    head = now();
    silence();
    changed();
  }
  async function play(song, { start, from = start, to, loop = false, name }) {
    if (!decoder.holds(song)) stop(); // another song stops at once, not when the new one is decoded
    const mine = ++ticket, { context, buffer } = await decoder.decode(song);
    if (mine !== ticket) return;
    silence();
    const end = Math.min(to, buffer.duration), first = clamp(start, 0, end);
    if (!(end > first)) return stop();
    stretch = { start: first, from: from < end ? Math.max(first, from) : first, to: end, loop, name };
    ({ source, gain, began } = startStretch(context, buffer, stretch));
    source.onended = () => { head = stretch.to; source = null; changed(); };
    changed();
  }
  return {
    play, stop, now,
    dispose() { stop(); decoder.dispose(); },
    seek: (second) => { if (!source) head = second; },
    playing: () => (source ? stretch : null),
  };
}

/** Return a decoder that keeps the last song it decoded, and its audio clock. */
function createDecoder() {
  let context = null, current = null, decoding = null;
  return {
    holds: (song) => current === song,
    elapsed: (began) => Math.max(0, context.currentTime - (context.outputLatency || 0) - began),
    async decode(song) {
      context ??= new AudioContext();
      context.resume(); // browsers only play after a gesture; what was started before waits for it
      if (current !== song) {
        current = song;
        decoding = context.decodeAudioData(typed(song, Uint8Array).buffer); // typed() copies: decoding detaches the buffer
      }
      return { context, buffer: await decoding };
    },
    dispose() {
      context?.close();
      context = current = decoding = null;
    },
  };
}

/** Start a stretch of a decoded song, faded in and out over four milliseconds so that it does not click. */
function startStretch(context, buffer, { start, from, to, loop }) {
  const source = new AudioBufferSourceNode(context, { buffer, loop, loopStart: start, loopEnd: to });
  const gain = new GainNode(context), began = context.currentTime, length = to - from, edge = Math.min(0.004, length / 4);
  source.connect(gain).connect(context.destination);
  gain.gain.setValueAtTime(0, began);
  gain.gain.linearRampToValueAtTime(1, began + edge);
  if (loop) source.start(began, from);
  else {
    gain.gain.setValueAtTime(1, began + length - edge);
    gain.gain.linearRampToValueAtTime(0, began + length);
    source.start(began, from, length);
  }
  return { source, gain, began };
}

/** Return a mixer that plays several sounds in a loop at once. `changed()` is called when it starts or stops.
 *
 *  play(name, levels) starts all sounds, each with its own level; set(levels) changes the levels while they play. */
function createMixer(sounds, changed) {
  let context = null, decoding = null, sources = [], gains = [], began = 0, length = 0, name = "", ticket = 0;

  function silence() {
    for (const source of sources) source.stop();
    for (const node of [...sources, ...gains]) node.disconnect();
    [sources, gains, name] = [[], [], ""];
  }
  async function play(wanted, levels) {
    const mine = ++ticket;
    context ??= new AudioContext();
    context.resume();
    decoding ??= Promise.all(sounds.map((sound) => context.decodeAudioData(typed(sound, Uint8Array).buffer)));
    const buffers = await decoding;
    if (mine !== ticket) return;
    silence();
    name = wanted;
    length = Math.min(...buffers.map((buffer) => buffer.duration));
    began = context.currentTime + 0.02;
    gains = levels.map((gain) => new GainNode(context, { gain }));
    sources = buffers.map((buffer) => new AudioBufferSourceNode(context, { buffer, loop: true, loopEnd: length }));
    sources.forEach((source, i) => {
      source.connect(gains[i]).connect(context.destination);
      source.start(began);
    });
    changed();
  }
  return {
    play,
    stop() { ticket++; silence(); changed(); },
    playing: () => name,
    now: () => Math.max(0, context.currentTime - (context.outputLatency || 0) - began) % length,
    levels: () => gains.map((gain) => gain.gain.value),
    set: (levels) => gains.forEach((gain, i) => gain.gain.setTargetAtTime(levels[i], context.currentTime, 0.015)),
    dispose() { ticket++; silence(); context?.close(); },
  };
}

/** Return a player of whole sounds, one at a time, in one audio element.
 *
 *  embedded: key → {data, mime} of the sounds in the page, or null; requestOf(key): the message that asks the kernel for
 *  a sound; keyOf(reply): the key of the sound in its reply; rewind: start at the beginning again after a stop;
 *  changed(): called when playing() changes; failed(text): called when a sound cannot be played. */
function loadSounds({ embedded = null, talk, requestOf, keyOf, audio = new Audio(), rewind = false, changed, failed }) {
  const urls = soundUrls(() => loaded), requested = new Set();
  let active = null, loaded = null;

  function setActive(key) { active = key; changed(key); }
  function stop() { setActive(null); audio.pause(); }
  function start(key) {
    if (loaded !== key) { audio.src = urls.get(key); loaded = key; } else if (rewind) audio.currentTime = 0;
    audio.play().catch((error) => {
      if (error.name === "AbortError" || active !== key) return;
      stop();
      failed("The browser cannot play this sound.");
    });
  }
  audio.addEventListener("play", () => { if (active !== loaded) setActive(loaded); });
  audio.addEventListener("ended", () => setActive(null));
  audio.addEventListener("pause", () => { if (audio.paused && active === loaded && active !== null) setActive(null); });
  const off = talk?.on("play", (reply, [sound]) => {
    const key = keyOf(reply);
    requested.delete(key);
    urls.add(key, raw(sound), reply.mime);
    if (active === key) start(key);
  });
  return {
    audio, stop,
    has: (key) => Boolean(talk) || key in (embedded ?? {}),
    playing: () => active,
    forget: () => requested.clear(),
    toggle(key) {
      if (active === key) return stop();
      audio.pause();
      setActive(key);
      if (embedded && key in embedded) urls.add(key, raw(embedded[key].data), embedded[key].mime);
      if (urls.get(key)) return start(key);
      if (!requested.has(key)) talk?.send(requestOf(key));
      requested.add(key);
    },
    close() {
      off?.();
      active = null;
      audio.pause();
      audio.removeAttribute("src");
      urls.close();
    },
  };
}

/** Return object URLs of the last `most` sounds; the one that `inUse()` names is kept. */
function soundUrls(inUse, most = 50) {
  const urls = new Map();
  return {
    get: (key) => urls.get(key),
    add(key, data, mime) {
      if (urls.has(key)) return;
      urls.set(key, address(data, mime));
      const [eldest] = urls.keys();
      if (urls.size <= most || eldest === inUse()) return;
      URL.revokeObjectURL(urls.get(eldest));
      urls.delete(eldest);
    },
    close() { for (const url of urls.values()) URL.revokeObjectURL(url); },
  };
}

/** Return clips and their segments, from the page if it carries them, else from the kernel; the last ones are kept.
 *
 *  clip(i) and cut(i, seconds) return promises, which stay pending if nothing can answer; `failed(text, key)` is called
 *  then. */
function requestClips(carried, talk, failed) {
  const kept = new Map(), waiting = new Map(), mostClips = 12;
  const keyOf = ({ kind, clip, seconds }) => (kind === "clip" ? `clip ${clip}` : `cut ${clip} ${seconds}`);
  const opened = (clip, buffers) => ({ ...clip, pixels: raw(buffers[0]), sound: raw(buffers[1]) });
  for (const [i, clip] of Object.entries(carried?.clips ?? {})) kept.set(`clip ${i}`, opened(clip, clip.buffers));
  for (const [key, cut] of Object.entries(carried?.cuts ?? {})) kept.set(`cut ${key}`, cut);

  function arrived(key, value) {
    kept.set(key, value);
    const clips = [...kept.keys()].filter((name) => name.startsWith("clip "));
    if (!carried && clips.length > mostClips) kept.delete(clips[0]);
    for (const resolve of waiting.get(key) ?? []) resolve(value);
    waiting.delete(key);
  }
  function refused({ text, to }) {
    if (to) waiting.delete(keyOf(to)); else waiting.clear();
    failed(text, to && keyOf(to));
  }
  const request = (message) => new Promise((resolve) => {
    const key = keyOf(message);
    if (kept.has(key)) return resolve(kept.get(key));
    if (!talk) return failed("This page does not include that clip.", key);
    if (waiting.has(key)) return waiting.get(key).push(resolve);
    waiting.set(key, [resolve]);
    talk.send(message);
  });
  const off = [
    talk?.on("clip", (clip, buffers) => arrived(keyOf({ kind: "clip", ...clip }), opened(clip, buffers))),
    talk?.on("cut", (cut) => arrived(keyOf({ kind: "cut", ...cut }), cut)),
    talk?.on("sorry", refused),
  ];
  return {
    clip: (clip) => request({ kind: "clip", clip }),
    cut: (clip, seconds) => request({ kind: "cut", clip, seconds }),
    has: (clip) => !carried || kept.has(`clip ${clip}`),
    close: () => off.forEach((remove) => remove?.()),
  };
}
