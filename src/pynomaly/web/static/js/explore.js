// The query explorer: expressions, a graph or a table of them, and an address that says it all.

import { $, h, icon, setText, toast } from "./dom.js";
import { format, unitOf } from "./format.js";
import { answer, startFrame } from "./frame.js";
import { Chart, errorBox } from "./chart.js";
import { Editor } from "./editor.js";
import { hidePanel, showPanel } from "./live.js";
import { plotly } from "./plotly.js";
import { segmented } from "./list.js";
import { fillTable, letter } from "./table.js";
import { moving, on, remember, state } from "./state.js";

const MOST = 10;
const STEPS = [["", "Step: auto"], ["5", "5 s"], ["15", "15 s"], ["60", "1 min"], ["300", "5 min"], ["3600", "1 h"], ["86400", "1 d"]];

startFrame();

const form = $("#queries");
const results = $("#results");
const stats = h("span.end.querystats", { role: "status" });
const problems = h("div");
let rows = [];
let view = "graph";
let step = "";
let chart = null;
let tablePlace = null;

function read() {
  const query = new URLSearchParams(location.search);
  view = query.get("view") === "table" ? "table" : "graph";
  step = query.get("step") ?? "";
  return query.getAll("q");
}

function addRow(value = "") {
  if (rows.length >= MOST) return toast(`At most ${MOST} queries.`);
  const row = { error: h("div") };
  row.editor = new Editor({ value, label: `Query ${letter(rows.length)}`, onRun: run });
  row.letter = h("span.letter", { "aria-hidden": "true" });
  row.remove = h("button.icon", { type: "button", onclick: () => removeRow(row) }, icon("i-close"));
  row.element = h("div", {}, h("div.query", {}, row.letter, row.editor.element, row.remove), row.error);
  rows.push(row);
  form.append(row.element);
  name();
  return row;
}

function removeRow(row) {
  rows = rows.filter((each) => each !== row);
  row.element.remove();
  if (!rows.length) addRow();
  name();
  run();
}

function name() {
  rows.forEach((row, i) => {
    setText(row.letter, letter(i));
    row.remove.setAttribute("aria-label", `Remove query ${letter(i)}`);
    row.remove.hidden = rows.length === 1 && !row.editor.value;
  });
}

function build() {
  form.addEventListener("submit", (event) => { event.preventDefault(); run(); });
  const known = STEPS.some(([value]) => value === step);
  const select = h("select", { "aria-label": "Step", onchange: () => { step = select.value; run(); } },
    [...STEPS, ...(known ? [] : [[step, `Step: ${format(Number(step), "s")}`]])].map(([value, text]) => h("option", { value, selected: value === step }, text)));
  $("#toolbar").replaceChildren(
    h("button.primary", { type: "button", onclick: run, title: "Enter, or Ctrl + Enter" }, "Run"),
    h("button", { type: "button", onclick: () => addRow()?.editor.focus() }, icon("i-plus"), "Query"),
    segmented("View", [["graph", "Graph"], ["table", "Table"]], view, (value) => { view = value; run(); }),
    select,
    h("button", { type: "button", onclick: share }, "Copy link"), stats);
}

async function share() {
  // A link shows a colleague the same: a moving range is fixed to what is seen now.
  const url = new URL(location.href);
  if (moving()) {
    const to = Date.now();
    url.searchParams.delete("range");
    url.searchParams.set("from", to - state.range.last * 1000);
    url.searchParams.set("to", to);
  }
  try {
    await navigator.clipboard.writeText(url.href);
    toast(moving() ? "Link copied, with this time range fixed." : "Link copied.");
  } catch {
    toast("The browser forbids copying; take the address from the address bar.");
  }
}

const filled = () => rows.filter((row) => row.editor.value.trim());

function run() {
  const active = filled();
  name();
  remember({ q: active.map((row) => row.editor.value.trim()), view: view === "graph" ? null : view, step: step || null }, { push: true });
  document.title = `${active[0]?.editor.value.slice(0, 60) || "Explore"} · Pynomaly`;
  for (const row of rows) clearError(row);
  if (!active.length) return empty();
  answer("plain", "Asking …");
  return view === "graph" ? graph(active) : table(active);
}

const expressions = (active) => active.map((row) => ({ expr: row.editor.value.trim() }));

function commonUnit(active) {
  const units = new Set(active.map((row) => unitOf(row.editor.value)));
  return units.size === 1 ? [...units][0] : "";
}

function graph(active) {
  hidePanel("table");
  tablePlace = null;
  const spec = { queries: expressions(active), unit: commonUnit(active), ...(step ? { step: Number(step) } : {}) };
  if (chart) {
    if (!chart.element.isConnected) results.replaceChildren(problems, chart.element);
    return chart.ask(spec);
  }
  chart = new Chart("explore", spec, { tall: true, onMessage: (data) => told(data) });
  results.replaceChildren(problems, chart.element);
  return chart.load();
}

function table(active) {
  if (chart) hidePanel("explore");
  if (!tablePlace) {
    tablePlace = h("div.panel.scroll", { tabindex: "0", role: "region", "aria-label": "Values" }, h("p.note", {}, "…"));
    results.replaceChildren(problems, tablePlace);
  }
  loadTable(active);
}

async function loadTable(active) {
  const range = moving() ? { last: state.range.last } : { start: Math.round(state.range.from), end: Math.round(state.range.to) };
  const spec = { kind: "table", queries: expressions(active), ...range };
  const unit = commonUnit(active);
  const receive = (data) => {
    told(data);
    if (!tablePlace || data.kind !== "table") return;
    if (data.rows.length) fillTable(tablePlace, data, unit);
    else { delete tablePlace.dataset.shape; tablePlace.replaceChildren(h("div.empty", {}, h("strong", {}, data.errors.length ? "No values" : "No data"), h("span", {}, data.errors.length ? "The query failed." : "No series matches at this time."))); }
  };
  hidePanel("table");
  if (moving() && state.live) return showPanel("table", spec, receive);
  const response = await fetch("/data/panel", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(spec) });
  const data = await response.json();
  return receive(response.ok ? data : { kind: "fault", errors: [{ query: 0, message: data.error, hint: "", position: null }] });
}

function clearError(row) {
  row.error.replaceChildren();
  row.editor.mark(null);
}

/** What a message says besides its data: errors at their queries, statistics. */
function told(data) {
  if (data.kind === "delta") return;
  const active = filled();
  for (const row of rows) clearError(row);
  for (const error of data.errors ?? []) {
    const row = active[error.query] ?? rows[0];
    row.error.append(errorBox(error, row.editor.value.trim()));
    row.editor.mark(error.position);
  }
  const failed = data.errors?.length ?? 0;
  if (!data.stats) return void (failed && answer("critical", "The query failed"));
  const series = data.stats.series.reduce((a, b) => a + b, 0);
  const seconds = format(data.stats.seconds, "s");
  setText(stats, `${series.toLocaleString()} series, ${data.stats.points.toLocaleString()} ${data.kind === "table" ? (data.stats.shown < series ? `values, the first ${data.stats.shown} shown,` : "values") : "points"} in ${seconds}${data.grid ? `, step ${format(data.grid.step / 1000, "s")}` : ""}`);
  if (failed) answer("critical", failed === active.length ? "The query failed" : `${failed} of ${active.length} queries failed`);
  else if (series) answer("plain", `${series.toLocaleString()} series`);
  else answer("unknown", "No data");
}

function empty() {
  hidePanel("explore");
  hidePanel("table");
  answer("plain", "Ask them");
  setText(stats, "");
  chart = null;
  tablePlace = null;
  const examples = [
    ["Is everything up?", "up"], ["How busy is each CPU mode?", "sum by (mode) (rate(node_cpu_seconds_total[$__rate_interval]))"],
    ["Memory in use", "1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes"], ["What behaves unusually?", "topk(10, anomaly_score)"],
  ];
  results.replaceChildren(h("div.panel.empty", {}, h("strong", {}, "Type an expression, or begin with one of these"),
    h("ul.rows", {}, examples.map(([text, expr]) => h("li", {}, h("button.row.example", { type: "button", "data-row": true, onclick: () => { (filled()[0] ?? rows[0]).editor.value = expr; run(); } }, h("span.what", {}, text), h("code.why", {}, expr)))))));
}

function restore() {
  const expressionsNow = read();
  form.replaceChildren();
  rows = [];
  for (const expression of expressionsNow.length ? expressionsNow.slice(0, MOST) : [""]) addRow(expression);
  build();
}

restore();
run();
if (!filled().length) rows[0].editor.focus();
on("address", () => { restore(); run(); });
on("range", () => { if (view === "table" && filled().length) loadTable(filled()); });
on("live", () => { if (view === "table" && filled().length) loadTable(filled()); });
plotly();
