// A training as it runs: three pictures that the kernel redraws, a progress bar, words, and a button to start and stop.

const FACES = {
  ready: "▶ Start", running: "■ Stop after this epoch", stopping: "Stopping after this epoch …", paused: "▶ Go on",
  done: "▶ Start afresh", failed: "▶ Start again",
};

/** Build the view in an element; return what takes it down. `talk` brings "state" and "pictures" whenever they change. */
export function mount(el, data, talk) {
  el.classList.add("mer", "mer-live");
  ownKeys(el);
  let state = data.state, timer = 0, shown = [];
  const button = h("button", { type: "button", "data-do": "toggle", onclick: press });
  const bar = h("progress", { max: data.epochs, value: 0, "aria-label": "Epochs that are over" });
  const clockwork = h("span", { class: "time", "aria-hidden": "true" });
  const words = h("p", { class: "words", role: "status", "data-part": "words" });
  const hint = h("p", { class: "quiet", text: data.buttons ? "" :
    "The stop button of the notebook pauses the training; run the cell again and it goes on after the last finished epoch." });
  const images = data.alts.map((alt) => h("img", { alt, hidden: true }));
  el.append(h("p", { class: "title" }, h("strong", { text: data.title })),
    h("div", { class: "row" }, ...(data.buttons ? [button] : []), bar, clockwork), words,
    h("div", { class: "pictures" }, ...images), hint);

  function press() {
    if (state.state === "stopping") return;
    talk?.send({ kind: state.state === "running" ? "stop" : "start" });
  }
  function revoke() { shown.forEach((url) => URL.revokeObjectURL(url)); shown = []; }
  function draw(pictures) {
    const old = shown;
    shown = pictures.map((view) => address(view, "image/png"));
    images.forEach((image, at) => { image.hidden = !shown[at]; if (shown[at]) image.src = shown[at]; });
    old.forEach((url) => URL.revokeObjectURL(url));
  }
  function tick() { clockwork.textContent = state.since ? clock(Math.max(0, Math.floor(Date.now() / 1000 - state.since))) : ""; }
  function show() {
    el.dataset.state = state.state;
    button.textContent = FACES[state.state];
    button.setAttribute("aria-disabled", String(state.state === "stopping"));
    bar.value = state.done;
    if (words.textContent !== state.words) words.textContent = state.words;
    clearInterval(timer);
    if (state.since) timer = setInterval(tick, 1000);
    tick();
  }
  talk?.on("state", (next) => { state = next; show(); });
  talk?.on("pictures", draw);
  draw(data.pictures ?? []);
  show();
  return () => { clearInterval(timer); revoke(); el.replaceChildren(); };
}

export default {
  render({ model, el }) {
    const data = { ...model.get("data"), state: model.get("state"), pictures: model.get("pictures") };
    return lively(model, mount, el, data, ["state", "pictures"]);
  },
};
