// The drawing library is large: it is fetched while the page already shows its frame and numbers.

import { boot } from "./dom.js";

let loading;

export function plotly() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = boot.plotly;
    script.async = true;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => reject(new Error("The drawing library could not be loaded. Reload the page."));
    script.addEventListener("load", () => performance.mark("pynomaly:plotly"));
    // It blocks the page while it starts: what is there already is painted before.
    requestAnimationFrame(() => setTimeout(() => document.head.append(script), 0));
  });
  return loading;
}

let last = Promise.resolve();

/** Run `draw(Plotly)` when its turn comes: one chart a frame, so that the page stays responsive. */
export function inTurn(draw) {
  last = last.then(async () => {
    await draw(await plotly());
    await new Promise((resolve) => setTimeout(resolve, 0));
  }).catch((error) => console.error("a chart could not be drawn", error));
}
