// The chart of an alert: its rule's expression, of its own series, with the threshold.

import { h } from "./dom.js";
import { ask } from "./ask.js";
import { Chart } from "./chart.js";
import { unitOf } from "./format.js";
import { address } from "./state.js";

const known = new Map(); // fingerprint → element; a chart stays while the list around it changes

/** The place of an alert's chart, filled as soon as the server says what to draw. */
export function alertChart(fingerprint) {
  let place = known.get(fingerprint);
  if (!place) {
    place = h("div.alert-chart", {}, h("div.panel.skeleton", { "aria-hidden": "true" }));
    known.set(fingerprint, place);
    fill(place, fingerprint);
  }
  return place;
}

async function fill(place, fingerprint) {
  try {
    const { chart } = await ask(`/data/alerts/${encodeURIComponent(fingerprint)}/chart`);
    place.replaceChildren(chart ? drawn(fingerprint, chart) : note("No chart: the alert does not say by which expression it was found."));
  } catch (error) {
    known.delete(fingerprint);
    place.replaceChildren(note(`No chart. ${error.message}`));
  }
}

const note = (text) => h("div.panel", {}, h("p.note", {}, text));

function drawn(fingerprint, { expr, rule, threshold, op }) {
  const thresholds = threshold === null ? [] : [{ value: threshold, label: `${op} ${threshold}` }];
  const chart = new Chart(`alert-${fingerprint}`, { queries: [{ expr }], unit: unitOf(rule), thresholds, zero: threshold === 0 }, { title: rule.replace(/\s+/g, " "), href: address("/explore", { q: expr }) });
  chart.load();
  return chart.element;
}
