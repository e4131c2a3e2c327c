// The playground of notebook 03: sharpening on a triangle, mixup with audio, and R-Drop.

/** Build one part of the playground in `el`; return a function that removes it. */
export function mount(el, data) {
  el.classList.add("mer", "mer-playground");
  ownKeys(el);
  const unmount = { sharpening, mixup, passes }[data.part](el, data);
  return () => { unmount(); el.replaceChildren(); };
}

export default {
  render({ model, el }) {
    return mount(el, model.get("data"));
  },
};
