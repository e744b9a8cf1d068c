// Whether charts show what people did; one choice for all of them, which the browser remembers.

import { toast } from "./dom.js";
import { emit } from "./state.js";

const STORED = "pynomaly-events";

export const eventsShown = () => document.documentElement.dataset.events !== "off";

export function toggleEvents() {
  const off = eventsShown();
  document.documentElement.dataset.events = off ? "off" : "on";
  try {
    if (off) localStorage.setItem(STORED, "off");
    else localStorage.removeItem(STORED);
  } catch {
    toast("The choice lasts for this page only: the browser forbids storing it.");
  }
  emit("events-shown", !off);
  toast(off ? "Events are hidden on charts" : "Events are shown on charts");
}
