// Runs before the first paint, so that a dark page never flashes light, nor events that are hidden.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("pynomaly-theme");
    document.documentElement.dataset.events = localStorage.getItem("pynomaly-events") ?? "on";
  } catch {
    // Storage may be forbidden; the system's choice is taken then.
  }
  const dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
