// Search: metrics, alerts and pages, by the key `/`.

import { $, boot, h, icon } from "./dom.js";
import { address } from "./state.js";

let found = [];
let at = 0;
let asked = 0;
let alerts = { alerts: [] };

/** Open the search; `known` is the newest snapshot of the alerts. */
export function openSearch(known) {
  alerts = known;
  const dialog = $("#search");
  const input = h("input", {
    type: "text", placeholder: "Metrics, alerts, pages", role: "combobox", "aria-label": "Search metrics, alerts and pages",
    "aria-expanded": "true", "aria-controls": "search-results", "aria-autocomplete": "list", autocomplete: "off", spellcheck: "false",
    oninput: () => search(input.value), onkeydown: onKey,
  });
  dialog.replaceChildren(input, h("ul", { id: "search-results", role: "listbox", "aria-label": "Results" }));
  dialog.onclick = (event) => { if (event.target === dialog) dialog.close(); };
  dialog.showModal();
  search("");
}

async function search(text) {
  const mine = ++asked;
  const fast = [...pages(text), ...alertRows(text)];
  show(fast);
  const response = await fetch(`/lookup/metrics?limit=30&text=${encodeURIComponent(text)}`).catch(() => null);
  if (mine !== asked || !response?.ok) return;
  show([...fast, ...(await response.json()).map(metricRow)]);
}

const holds = (text, words) => words.every((word) => text.toLowerCase().includes(word));
const wordsOf = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);

function pages(text) {
  return boot.pages.filter(({ label }) => holds(label, wordsOf(text)))
    .map(({ name, path, label }) => ({ group: "Pages", label, icon: `i-${name}`, href: address(path) }));
}

function alertRows(text) {
  const words = wordsOf(text);
  return alerts.alerts.filter((a) => holds(`${a.name} ${Object.values(a.labels).join(" ")}`, words)).slice(0, 6)
    .map((a) => ({
      group: "Alerts", label: a.name, doc: a.annotations.summary ?? "", icon: a.state === "firing" ? "s-critical" : "s-pending",
      href: address("/alerts", { open: a.id }),
    }));
}

function metricRow({ name, type, help }) {
  const counter = type === "counter" || /_(total|count|sum|bucket)$/.test(name);
  const query = counter ? `rate(${name}[5m])` : name;
  return { group: "Metrics", label: name, doc: help ?? "", icon: "i-metric", href: address("/explore", { q: query }) };
}

function show(rows) {
  found = rows;
  at = 0;
  const list = $("#search-results");
  let group = "";
  const items = rows.flatMap((row, i) => {
    const head = row.group === group ? [] : [h("li.group", { role: "presentation" }, (group = row.group))];
    const item = h("li", { role: "option", id: `found-${i}`, "aria-selected": "false", onclick: () => { location.href = row.href; } },
      icon(row.icon), h("span.grow", { title: row.label }, row.label), row.doc ? h("span.doc", { title: row.doc }, row.doc) : null);
    return [...head, item];
  });
  list.replaceChildren(...(items.length ? items : [h("li.group", { role: "presentation" }, "Nothing of that name in the last hour.")]));
  select(0);
}

function select(i) {
  if (!found.length) return;
  $(`#found-${at}`)?.setAttribute("aria-selected", "false");
  at = (i + found.length) % found.length;
  const item = $(`#found-${at}`);
  item.setAttribute("aria-selected", "true");
  item.scrollIntoView({ block: "nearest" });
  $("#search input").setAttribute("aria-activedescendant", item.id);
}

function onKey(event) {
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    select(at + (event.key === "ArrowDown" ? 1 : -1));
  } else if (event.key === "Enter" && found[at]) location.href = found[at].href;
}
