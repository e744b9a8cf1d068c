// The trained models of watched queries: versions, how they do, which is in use, and their drift.

import { $, boot, h, icon, setText, status, toast } from "./dom.js";
import { ask, post } from "./ask.js";
import { Chart } from "./chart.js";
import { absolute, digits, exact, format, span, withZone } from "./format.js";
import { answer, since, startFrame } from "./frame.js";
import { address } from "./state.js";

const EVERY = 10_000;
const WHILE_TRAINING = 1000;

startFrame();

let known = null;
const compared = []; // keys of at most two versions, the older choice first
const drawn = new Map(); // query → its chart of drift

const keyOf = ({ query, algorithm, version }) => `${query} ${algorithm} ${version}`;
const passes = ({ backtest: { passes_per_week: each } }) => (each === null ? "–" : digits(each));
const day = (seconds) => absolute(seconds * 1000).slice(0, 16);

function versions(models) {
  const row = (model) => {
    const choose = h("input", { type: "checkbox", "aria-label": `Compare version ${model.version} of ${model.query} by ${model.algorithm}`, checked: compared.includes(keyOf(model)), onchange: (event) => compare(model, event.target.checked) });
    const use = model.active ? status("good", "in use") : h("button.button", { type: "button", "aria-label": `Use version ${model.version} of ${model.query} by ${model.algorithm}`, onclick: () => change("/data/detection/models/use", model, `Version ${model.version} judges ${model.query} from now on.`) }, "Use this version");
    return h("tr", { "data-given": model.active }, h("td", {}, choose), h("td", {}, model.algorithm), h("td.num", {}, String(model.version)), h("td", {}, use),
      h("td", { title: withZone(model.trained_at * 1000) }, since(model.trained_at * 1000)),
      h("td", { title: `${withZone(model.data_from * 1000)} to ${withZone(model.data_until * 1000)}` }, `${day(model.data_from)}, ${span(model.data_until - model.data_from)}`),
      h("td.num", {}, model.series.toLocaleString()), h("td.num", { title: exact(model.points) }, format(model.points)), h("td.num", {}, passes(model)), h("td.num", {}, model.drift === null ? "–" : digits(model.drift)));
  };
  const heads = ["Compare", "Algorithm", "Version", "State", "Trained", "Data", "Series", "Points", "Passes a week", "Drift"];
  return h("div.scroll", { tabindex: "0", role: "region", "aria-label": `Versions of ${models[0].query}` }, h("table.compact", {},
    h("thead", {}, h("tr", {}, heads.map((text) => h("th", { class: ["Version", "Series", "Points", "Passes a week", "Drift"].includes(text) ? "num" : null }, text)))), h("tbody", {}, models.map(row))));
}

function training({ state, done, total, error }) {
  if (state === "failed") return h("p.note.warning", {}, error);
  if (state === "done") return "";
  return h("p.note", { role: "status" }, `Training: ${state}${total ? `, ${done} of ${total} parts` : ""} `, total ? h("progress", { max: total, value: done, "aria-label": "How far the training is" }) : "");
}

function panel(query) {
  const models = known.models.filter((each) => each.query === query);
  const running = known.trainings.find((each) => each.query === query);
  const watched = known.queries.includes(query);
  const busy = running && !["done", "failed"].includes(running.state);
  const expr = models.find((each) => each.active)?.parameters.expr ?? boot.detection.queries.find((each) => each.name === query)?.expr;
  return h("section.panel.models", { "aria-label": query },
    h("header", {}, h("h2", {}, query), h("div.end", {}, watched ? h("button.button", { type: "button", disabled: busy, onclick: () => change("/data/detection/models/train", { query }, `${query} is being trained.`) }, "Train anew") : h("span.muted", {}, "watched no more"))),
    expr ? h("p", {}, h("a", { href: address("/explore", { q: expr }) }, h("code", {}, expr))) : "",
    running ? training(running) : "", models.length ? versions(models) : h("p.muted", {}, "It has no model yet."));
}

/** Two versions side by side: what differs stands out. */
function comparison() {
  const two = compared.map((key) => known.models.find((each) => keyOf(each) === key)).filter(Boolean);
  if (!two.length) return [];
  if (two.length < 2) return [h("p.note", {}, "Choose another version to compare with.")];
  const facts = (m) => ({ Query: m.query, Algorithm: m.algorithm, Version: m.version, Trained: withZone(m.trained_at * 1000), "Data from": withZone(m.data_from * 1000), "Data until": withZone(m.data_until * 1000), Series: m.series, Points: m.points, "Passes a week on unseen data": passes(m), Drift: m.drift === null ? "–" : digits(m.drift), ...m.parameters });
  const [a, b] = two.map(facts);
  const rows = Object.keys({ ...a, ...b }).map((name) => [name, String(a[name] ?? "–"), String(b[name] ?? "–")]);
  return [h("div.panel", {}, h("header", {}, h("h2", {}, "Two versions")), h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Two versions side by side" }, h("table.compact", {},
    h("thead", {}, h("tr", {}, h("th", {}, ""), two.map((m) => h("th", {}, `${m.query} ${m.version}, ${m.algorithm}`)))),
    h("tbody", {}, rows.map(([name, x, y]) => h("tr", { "data-given": x !== y }, h("th", { scope: "row" }, name), h("td", {}, x), h("td", {}, y, x === y ? "" : h("span.muted", {}, " differs"))))))))];
}

function compare(model, chosen) {
  const key = keyOf(model);
  if (chosen) compared.push(key);
  else compared.splice(compared.indexOf(key), 1);
  while (compared.length > 2) compared.shift();
  draw();
  document.querySelector(`[aria-label="Compare version ${model.version} of ${CSS.escape(model.query)} by ${model.algorithm}"]`)?.focus();
}

async function change(path, body, done) {
  const { query, algorithm, version } = body;
  try {
    await post(path, path.endsWith("use") ? { query, algorithm, version } : { query });
    toast(done);
  } catch (error) {
    toast(error.message);
  }
  read();
}

function charts(names) {
  for (const name of names) {
    if (drawn.has(name)) continue;
    const expr = `${known.drift}{query=${JSON.stringify(name)}}`;
    const chart = new Chart(`drift-${drawn.size}`, { queries: [{ expr, legend: "{{algorithm}}" }], unit: "", thresholds: [{ value: 1, label: "as unlike as 1 day in 20" }] }, { title: `Drift of ${name}`, href: address("/explore", { q: expr }) });
    drawn.set(name, chart);
    $("#drift").append(chart.element);
    chart.load();
  }
}

function headline() {
  const failed = known.trainings.filter((each) => each.state === "failed").length;
  const drifted = known.models.filter((each) => each.drift !== null && each.drift > 1).length;
  if (failed) answer("warning", failed === 1 ? "1 training failed" : `${failed} trainings failed`);
  else if (drifted) answer("warning", drifted === 1 ? "1 drifts" : `${drifted} drift`);
  else if (known.models.length) answer("good", "Well");
  else answer("unknown", "There are none");
}

function draw() {
  headline();
  const names = [...new Set([...known.queries, ...known.models.map((each) => each.query)])];
  const kept = document.activeElement?.closest?.("#models") ? document.activeElement.getAttribute("aria-label") : null;
  $("#models").replaceChildren(...(names.length ? names.map(panel) : [h("div.panel.empty", {}, h("strong", {}, icon("s-unknown", "shape"), " No query is watched"), h("span", {}, "Name expressions under components.anomaly_detection.queries, and reload the configuration."))]));
  if (kept) $(`#models [aria-label="${CSS.escape(kept)}"]`)?.focus();
  $("#compare").replaceChildren(...comparison());
  charts(known.queries);
}

let timer = 0;
let shown = "";

async function read() {
  clearTimeout(timer);
  try {
    known = await ask("/data/detection/models");
    const state = JSON.stringify(known);
    if (state !== shown) draw();
    shown = state;
  } catch (error) {
    if (known === null) $("#models").replaceChildren(h("div.panel.empty", {}, h("strong", {}, "Not known"), h("span", {}, error.message)));
  }
  const busy = known?.trainings.some((each) => !["done", "failed"].includes(each.state));
  timer = setTimeout(read, busy ? WHILE_TRAINING : EVERY);
}

if (boot.detection.there) read();
else setText($("#models"), "This server judges no series.");
