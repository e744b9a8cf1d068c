// The overview: what is wrong, then how host and product are, then how it has been.

import { $, boot, h, icon, setText, status, svg } from "./dom.js";
import { exact, format, parts, span } from "./format.js";
import { answer, since, startFrame } from "./frame.js";
import { Chart } from "./chart.js";
import { showPanel, watch } from "./live.js";
import { address, on } from "./state.js";

const ALERTS_SHOWN = 5;
const TARGETS_SHOWN = 3;
const SPARK_SECONDS = 1800;
const now = { alerts: boot.alerts, targets: boot.targets, overview: boot.overview, anomalies: null, judged: null, measured: null };

startFrame();

/* Tiles */

function tile(label, href) {
  const value = h("span.value");
  const under = h("span.under");
  const line = svg("svg", { class: "spark", viewBox: "0 0 100 30", preserveAspectRatio: "none", "aria-hidden": "true" });
  const name = h("span.label", {}, label);
  const element = h(href ? "a.tile" : "div.tile", { href }, name, value, under, line);
  return { element, value, under, line, name, label };
}

function show(it, value, unit, { warn, crit, none = "no data" } = {}) {
  const unknown = value === null || value === undefined;
  const kind = unknown ? "none" : crit !== undefined && value >= crit ? "critical" : warn !== undefined && value >= warn ? "warning" : "good";
  if (it.element.dataset.status !== kind) {
    it.element.dataset.status = kind;
    const word = { critical: "very high", warning: "high" }[kind];
    it.name.replaceChildren(...(word ? [status(kind, `${it.label}, ${word}`)] : [it.label]));
  }
  const [number, suffix] = parts(value, unit);
  const text = unknown ? none : number + suffix;
  if (it.value.dataset.text !== text) {
    it.value.dataset.text = text;
    it.value.replaceChildren(unknown ? h("small.none", {}, none) : number, suffix ? h("small", {}, suffix) : "");
  }
  it.value.title = exact(value);
}

function spark(it, values) {
  const known = values.filter((v) => v !== null);
  if (known.length < 2) return it.line.replaceChildren();
  const least = Math.min(...known, 0);
  const greatest = Math.max(...known) || 1;
  const y = (v) => 28 - ((v - least) / (greatest - least || 1)) * 24;
  const points = values.map((v, i) => (v === null ? null : [(i / (values.length - 1)) * 100, y(v)]));
  let path = "";
  points.forEach((p, i) => { if (p) path += `${points[i - 1] ? "L" : "M"}${p[0].toFixed(2)} ${p[1].toFixed(2)}`; });
  const first = points.find(Boolean);
  const last = points.findLast(Boolean);
  return it.line.replaceChildren(svg("path", { d: `${path}L${last[0]} 30L${first[0]} 30Z`, class: "fill" }), svg("path", { d: path }));
}

const explore = (expr) => address("/explore", { q: expr });

function hostTile(panel) {
  const expr = panel.queries[0].expr;
  const it = tile(panel.title, explore(expr));
  let figure = null;
  show(it, null, "", { none: "…" });
  showPanel(panel.id, { queries: panel.queries, last: SPARK_SECONDS, unit: panel.unit, step: 30 }, (data) => {
    if (data.kind === "figure") figure = { ...data, y: data.figure.data[0]?.y ?? [] };
    else if (data.kind === "delta" && figure && data.after === figure.grid.end) {
      figure.y = [...figure.y, ...(data.y[0] ?? [])].slice(-61);
      figure.grid.end = data.t.at(-1) ?? figure.grid.end;
      figure.edge = data.edge;
    } else return;
    const value = figure.edge?.y[0] ?? null;
    if (value !== null) now.measured = true;
    else now.measured ??= false;
    show(it, value, panel.unit, { ...panel, none: data.errors?.length ? "failed" : "no data" });
    it.element.title = data.errors?.[0]?.message ?? "";
    spark(it, [...figure.y, value]);
    drawTrouble();
    performance.mark("pynomaly:tile", { detail: { id: panel.id, value } });
  });
  return it.element;
}

const history = new Map();

function productTiles() {
  const kinds = [
    ["Samples stored", (o) => o.samples_per_second, "/s", "", () => ""],
    ["Series", (o) => o.series, "", "", () => ""],
    ["Query time, p95", (o) => o.query_p95_seconds, "s", "", () => ""],
    ["Data on disk", (o) => o.disk_bytes, "B", "", (o) => (o.disk_free_bytes === null ? "" : `${format(o.disk_free_bytes, "B")} free`)],
  ];
  const tiles = kinds.map(([label]) => tile(label));
  const draw = (o) => kinds.forEach(([label, read, unit, , under], i) => {
    const value = read(o);
    show(tiles[i], value, unit, { none: "not known" });
    setText(tiles[i].under, under(o));
    const past = history.get(label) ?? [];
    past.push(value);
    if (past.length > 120) past.shift();
    history.set(label, past);
    if (!under(o)) spark(tiles[i], past);
  });
  draw(boot.overview);
  return { elements: tiles.map((it) => it.element), draw };
}

/* What is wrong */

function alertRow(alert) {
  return h("a.row", { href: address("/alerts", { open: alert.id }), "data-row": true },
    h("span.fixed", {}, severity(alert)), h("span.what", {}, alert.name),
    h("span.why", { title: why(alert) }, why(alert)), h("span.when", {}, since(alert.active_at * 1000)));
}

function severity(alert) {
  const kind = { critical: "critical", page: "critical", high: "critical", warning: "warning", info: "info", none: "info" }[alert.severity] ?? "warning";
  return status(kind, alert.severity || "alert");
}

const why = (alert) => alert.annotations.summary || alert.annotations.description
  || Object.entries(alert.labels).map(([n, v]) => `${n}=${v}`).join(" ");

const targetRow = (target) => h("a.row", { href: address("/targets"), "data-row": true },
  h("span.fixed", {}, status("critical", "down")), h("span.what", {}, target.instance || target.url),
  h("span.why", { title: target.error }, target.error || target.job), h("span.when", {}, target.last_scrape ? since(target.last_scrape * 1000) : "never scraped"));

const componentRow = (part) => h("div.row", {},
  h("span.fixed", {}, status(part.status === "down" ? "critical" : part.status === "degraded" ? "warning" : "unknown", part.status)),
  h("span.what", {}, part.name), h("span.why", { title: part.detail }, part.detail));

function drawTrouble() {
  const firing = now.alerts.alerts.filter((a) => a.state === "firing" && !a.quiet && !a.held);
  const numberFiring = now.alerts.firing;
  const alerted = new Set(firing.map((a) => a.labels.instance));
  const down = now.targets.targets.filter((t) => t.health === "down" && !alerted.has(t.instance));
  const parts_ = now.overview.troubled.filter((part) => part.status !== "unknown");
  const rows = [...parts_.map(componentRow), ...firing.slice(0, ALERTS_SHOWN).map(alertRow), ...down.slice(0, TARGETS_SHOWN).map(targetRow)];
  const more = [
    numberFiring > ALERTS_SHOWN && h("a", { href: address("/alerts") }, `${numberFiring - ALERTS_SHOWN} more alerts`),
    down.length > TARGETS_SHOWN && h("a", { href: address("/targets") }, `${down.length - TARGETS_SHOWN} more targets`),
  ].filter(Boolean);
  if (more.length) rows.push(h("div.row", {}, more));
  const critical = firing.some((a) => ["critical", "high", "page"].includes(a.severity)) || parts_.some((p) => p.status === "down") || now.targets.down > 0;
  const wrong = [
    numberFiring && `${numberFiring} ${numberFiring === 1 ? "alert fires" : "alerts fire"}`,
    now.targets.down && `${now.targets.down} of ${now.targets.total} targets ${now.targets.down === 1 ? "does" : "do"} not answer`,
    parts_.length && `${parts_.map((p) => p.name).slice(0, 2).join(", ")} ${parts_.length === 1 ? "is" : "are"} not well`,
  ].filter(Boolean);
  if (wrong.length) answer(critical ? "critical" : "warning", `No: ${wrong.join(", ")}`);
  else if (ignorant()) answer("unknown", "Not known: nothing is measured yet");
  else answer("good", "Yes");
  const key = JSON.stringify([firing.slice(0, ALERTS_SHOWN).map((a) => [a.id, a.annotations]), down.slice(0, TARGETS_SHOWN), parts_, numberFiring, down.length, now.targets.total, now.alerts.pending, now.alerts.held, now.anomalies, now.judged, ignorant()]);
  const place = $("#trouble");
  if (place.dataset.key === key) return;
  place.dataset.key = key;
  if (rows.length) place.replaceChildren(h(`ul.rows.trouble${critical ? "" : ".mild"}`, {}, rows.map((row) => h("li", {}, row))));
  else place.replaceChildren(calm());
}

/** Whether there is nothing by which one could tell that all is well. */
const ignorant = () => !now.targets.total && now.measured === false && !now.overview.series;

function calm() {
  if (ignorant()) return h("p.calm.unknown", {}, icon("s-unknown", "shape"), "No data has arrived and no targets are scraped, so nothing can be said.");
  const { total } = now.targets;
  const targets = total ? `${total === 1 ? "The one target answers" : `All ${total} targets answer`}.` : "No targets are scraped yet.";
  const pending = now.alerts.pending ? `${now.alerts.pending} ${now.alerts.pending === 1 ? "alert is" : "alerts are"} pending.` : "";
  const held = now.alerts.held ? `${now.alerts.held} ${now.alerts.held === 1 ? "is" : "are"} held back.` : "";
  const odd = now.anomalies === null || !now.judged ? "" : now.anomalies ? `${now.anomalies.toLocaleString()} of ${now.judged.toLocaleString()} series ${now.anomalies === 1 ? "behaves" : "behave"} unusually.` : "No series behaves unusually.";
  return h("p.calm", {}, icon("s-good", "shape"), `No alert fires. ${[pending, held, targets, odd].filter(Boolean).join(" ")}`);
}

/* Lists below the charts */

function listPanel(title, href) {
  const list = h("ul.rows");
  return { list, element: h("section.panel", { "aria-label": title }, h("header", {}, h("h2", {}, href ? h("a", { href }, title) : title)), list) };
}

const none = (text) => h("li", {}, h("p.note", {}, text));

function drawTop(list, rows) {
  const most = rows[0]?.[1] ?? 1;
  list.replaceChildren(...(rows.length ? rows.slice(0, 8).map(([name, count]) => h("li", {}, h("a.row.metered", { href: explore(name), "data-row": true },
    h("span.meter", { style: { width: `${Math.max(1, (count / most) * 100)}%` } }), h("span.grow.mono", { title: name }, name), h("span.num", { title: exact(count) }, format(count))))) : [none("No series are stored yet.")]));
}

function drawAnomalies(list, data) {
  const odd = data.rows.filter(([query]) => query === 0);
  const count = (wanted) => Number(data.rows.find(([query]) => query === wanted)?.[2] ?? 0);
  now.judged = count(1);
  now.anomalies = count(2);
  const rows = odd.map(([, labels, value]) => {
    const { __name__: _, of: name, ...rest } = labels;
    const judged = selector(name ?? "", rest);
    return h("li", {}, h("a.row", { href: explore(judged), "data-row": true }, h("span.grow.mono", { title: judged }, judged), h("span.num", { title: `anomaly score ${value}` }, format(Number(value)))));
  });
  const calm_ = now.judged ? `None of the ${now.judged.toLocaleString()} series that are judged behaves unusually.` : "No series is judged yet; that needs some minutes of data.";
  list.replaceChildren(...(rows.length ? rows : [none(data.errors.length ? data.errors[0].message : calm_)]));
}

const quoted = (text) => `"${text.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n")}"`;
const selector = (name, labels) => `${name}{${Object.entries(labels).map(([n, v]) => `${n}=${quoted(v)}`).join(", ")}}`;

const WORD = { ok: ["good", "well"], degraded: ["warning", "degraded"], down: ["critical", "down"], unknown: ["unknown", "not known"] };

function drawParts(list, overview) {
  const rows = Object.entries(overview.health.components).map(([name, part]) => h("li", {}, h("div.row", {}, h("span.grow", { title: part.detail }, name, part.detail ? h("span.muted", {}, ` ${part.detail}`) : ""), status(...WORD[part.status]))));
  rows.push(h("li", {}, h("div.row", {}, h("span.grow", {}, "Memory of the process"), h("span.num", { title: exact(overview.memory_bytes) }, format(overview.memory_bytes, "B")))));
  rows.push(h("li", {}, h("div.row", {}, h("span.grow", {}, "Running for"), h("span.num", {}, overview.uptime_seconds === null ? "–" : span(overview.uptime_seconds)))));
  list.replaceChildren(...rows);
}

/* Put together */

const product = productTiles();
$("#tiles").replaceChildren(...boot.tiles.map(hostTile), ...product.elements);

$("#charts").replaceChildren(...boot.charts.map((panel) => {
  const { id, title, ...spec } = panel;
  const chart = new Chart(id, spec, { title, href: address("/explore", { q: spec.queries.map((q) => q.expr) }) });
  chart.load();
  return chart.element;
}));

const odd = listPanel("Unusual now", explore(boot.anomalies.queries[0].expr));
const top = listPanel("Metrics with most series");
const parts_ = listPanel("Pynomaly itself");
$("#columns").replaceChildren(odd.element, top.element, parts_.element);
odd.list.replaceChildren(none("…"));
drawTop(top.list, boot.overview.top_metrics);
drawParts(parts_.list, boot.overview);
drawTrouble();

showPanel("anomalies", { kind: "table", queries: boot.anomalies.queries, last: 300 }, (data) => {
  if (data.kind !== "table") return;
  drawAnomalies(odd.list, data);
  drawTrouble();
});
watch("overview", (data) => {
  now.overview = data;
  product.draw(data);
  drawTop(top.list, data.top_metrics);
  drawParts(parts_.list, data);
  drawTrouble();
});
on("alerts", (data) => { now.alerts = data; drawTrouble(); });
on("targets", (data) => { now.targets = data; drawTrouble(); });
on("range", () => { for (const a of document.querySelectorAll("[href^='/explore']")) a.href = address("/explore", { q: new URL(a.href).searchParams.getAll("q") }); });

performance.mark("pynomaly:frame");
