// A training while it runs: pictures that the kernel redraws, a progress bar, a sentence, and a start and stop button.

const BUTTON_TEXTS = {
  ready: "▶ Start", running: "■ Stop after this epoch", stopping: "Stopping after this epoch …", paused: "▶ Resume",
  done: "▶ Start again", failed: "▶ Start again",
};
const CELL_HINT = "The stop button of the notebook pauses the training; run the cell again to resume after the last finished epoch.";

/** Return images that show the PNG files given to `show`; `show([])` releases their memory. */
function createImages(alts) {
  const images = alts.map((alt) => h("img", { alt, hidden: true }));
  const show = (pictures) => images.forEach((image, i) => {
    if (image.src) URL.revokeObjectURL(image.src);
    image.hidden = !pictures[i];
    if (pictures[i]) image.src = address(pictures[i], "image/png");
  });
  return { images, show };
}

/** Build the view in `el`; return what removes it. `talk` brings "state" and "pictures" when they change. */
export const mount = mounting(LiveTraining, "live");

function LiveTraining(el, data, talk) {
  let state = data.state, timer = 0;
  const toggle = button("", () => {
    if (state.state !== "stopping") talk?.send({ kind: state.state === "running" ? "stop" : "start" });
  }, { "data-do": "toggle" });
  const bar = h("progress", { max: data.epochs, value: 0, "aria-label": "Epochs that are finished" });
  const time = h("span", { class: "time", "aria-hidden": "true" });
  const words = h("p", { class: "words", role: "status", "data-part": "words" });
  const { images, show: showPictures } = createImages(data.alts);
  el.append(h("p", { class: "title" }, h("strong", { text: data.title })),
    h("div", { class: "row" }, ...(data.buttons ? [toggle] : []), bar, time), words,
    h("div", { class: "pictures" }, ...images), h("p", { class: "quiet", text: data.buttons ? "" : CELL_HINT }));

  function tick() { time.textContent = state.since ? clock(Math.max(0, Math.floor(Date.now() / 1000 - state.since))) : ""; }
  function show() {
    el.dataset.state = state.state;
    toggle.textContent = BUTTON_TEXTS[state.state];
    toggle.setAttribute("aria-disabled", String(state.state === "stopping"));
    bar.value = state.done;
    if (words.textContent !== state.words) words.textContent = state.words;
    clearInterval(timer);
    if (state.since) timer = setInterval(tick, 1000);
    tick();
  }
  talk?.on("state", (next) => { state = next; show(); });
  talk?.on("pictures", showPictures);
  showPictures(data.pictures ?? []);
  show();
  this.remove = () => { clearInterval(timer); showPictures([]); };
}

export default widgetOf(mount, ["state", "pictures"]);
