// The playground of notebook 03: sharpening on a triangle, mixup with audio, and R-Drop.

function Playground(el, data) {
  return new { sharpening: SharpeningTriangle, mixup: MixupDeck, passes: DropoutPairs }[data.part](el, data);
}

export const mount = mounting(Playground, "playground");

export default widgetOf(mount);
