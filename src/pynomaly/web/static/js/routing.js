// The routing tree, and where an alert would go by it.

import { $, boot, h, icon, setText } from "./dom.js";
import { ask, post } from "./ask.js";
import { span } from "./format.js";
import { answer, startFrame } from "./frame.js";
import { labelText } from "./list.js";
import { address, remember } from "./state.js";

const WAIT = 250;

startFrame();

let tree = null;
let found = null;
let asked = 0;
let timer = 0;

const input = h("input", { type: "search", name: "labels", "data-filter": "", autocomplete: "off", spellcheck: "false", "aria-label": "Labels of an alert", placeholder: "alertname=DiskFull, severity=critical, team=db", value: new URLSearchParams(location.search).get("labels") ?? "", oninput: later });
const result = h("div.result", { role: "status" });
const fault = h("p.error", { role: "alert", hidden: true });

const differs = (node, parent, name) => !parent || JSON.stringify(node[name]) !== JSON.stringify(parent[name]);
const grouping = (by) => (by[0] === "..." ? "each alert alone" : by.length ? `by ${by.join(", ")}` : "all together");

/** What a node says that the one above did not. */
function says(node, parent) {
  return [
    differs(node, parent, "group_by") && `grouped ${grouping(node.group_by)}`,
    differs(node, parent, "group_wait") && `first after ${span(node.group_wait)}`,
    differs(node, parent, "group_interval") && `every ${span(node.group_interval)}`,
    differs(node, parent, "repeat_interval") && `repeated after ${span(node.repeat_interval)}`,
    node.mute_time_intervals.length && `muted during ${node.mute_time_intervals.join(", ")}`,
    node.active_time_intervals.length && `only during ${node.active_time_intervals.join(", ")}`,
    node.continue && "goes on to the next",
  ].filter(Boolean).join(" · ");
}

function node(it, parent, ends) {
  const isEnd = ends.has(it.id);
  const onWay = isEnd || it.routes.some((child) => reaches(child, ends));
  const here = tree.alerts[it.id] ?? 0;
  const ways = tree.receivers[it.receiver] ?? [];
  return h("li", {}, h(`div.node${isEnd ? ".end-of-way" : onWay ? ".on-way" : ends.size ? ".off-way" : ""}`, isEnd ? { "data-end": "" } : {},
    h("code", { title: it.matchers.join(", ") }, it.matchers.length ? it.matchers.join(", ") : "everything"),
    h("span.to", {}, "→ ", h("strong", {}, it.receiver), h("span.muted", {}, ways.length ? ` ${ways.join(", ")}` : " tells nobody")),
    isEnd ? h("span.hit", {}, icon("s-good", "shape"), " it goes here") : null,
    here ? h("a.num", { href: address("/alerts", {}), title: "Alerts that fire by this route now" }, `${here} now`) : null,
    h("span.muted.terms", {}, says(it, parent))),
  it.routes.length ? h("ul", {}, it.routes.map((child) => node(child, it, ends))) : null);
}

const reaches = (it, ends) => ends.has(it.id) || it.routes.some((child) => reaches(child, ends));

function draw() {
  if (!tree) return;
  $("#tree").replaceChildren(h("div.panel", {}, h("header", {}, h("h2", {}, "The tree in force"), h("a", { href: "/routing/backtest" }, "Try another on past alerts")), h("p.note", {}, "At each level an alert goes to the first branch that matches, and to the next ones as well where it goes on."),
    h("ul.tree", {}, node(tree.route, null, new Set(found?.ends.map((end) => end.id))))));
}

function explain() {
  if (!found) {
    result.replaceChildren(h("p.muted", {}, "Type the labels of an alert; the tree shows its way."));
    const receivers = Object.values(tree?.receivers ?? {});
    const nobody = receivers.every((ways) => !ways.length);
    if (tree) answer(nobody ? "warning" : "plain", nobody ? "Nobody: no receiver has a way to be told" : `${receivers.length} ${receivers.length === 1 ? "receiver" : "receivers"}`);
    return;
  }
  const { ends, silenced, maintenance } = found;
  answer(ends.length ? "plain" : "warning", ends.length ? `${[...new Set(ends.map((end) => end.receiver))].join(", ")}` : "Nobody");
  result.replaceChildren(...ends.map((end) => h("p", {}, "It goes to ", h("strong", {}, end.receiver),
    tree.receivers[end.receiver]?.length ? ` (${tree.receivers[end.receiver].join(", ")})` : ", which has no way to be told",
    `: told first after ${span(end.group_wait)}, together with those of the same `, Object.keys(end.group_labels).length ? labelText(end.group_labels) : "route", `, again after ${span(end.repeat_interval)}.`,
    end.silent ? h("strong.warning", {}, ` Silent: ${end.silent}.`) : "")),
  ...(ends.length ? [] : [h("p", {}, "No route takes it.")]),
  ...(silenced.length ? [h("p.warning", {}, "Now it would be silenced by ", h("a", { href: address("/silences", { open: silenced[0] }) }, silenced.length === 1 ? "a silence" : `${silenced.length} silences`), ".")] : []),
  ...maintenance.map(({ id, title }) => h("p.warning", {}, "Now it would be held by the maintenance ", h("a", { href: address("/calendar", { open: id }) }, title), ".")));
}

function later() {
  clearTimeout(timer);
  timer = setTimeout(test, WAIT);
}

async function test() {
  const labels = input.value.trim();
  const mine = ++asked;
  remember({ labels: labels || null });
  fault.hidden = true;
  try {
    const data = labels ? await post("/data/routing/test", { labels }) : null;
    if (mine !== asked) return;
    found = data;
  } catch (error) {
    if (mine !== asked) return;
    found = null;
    fault.hidden = false;
    setText(fault, error.message);
  }
  explain();
  draw();
}

async function load() {
  try {
    tree = await ask("/data/routing");
    await test();
  } catch (error) {
    answer("unknown", "Not known");
    $("#tree").replaceChildren(h("div.panel.empty", {}, h("strong", {}, "The tree cannot be shown"), h("span", {}, boot.alerting ? error.message : "This server routes no alerts.")));
  }
}

$("#test").replaceChildren(h("form.panel.where", { role: "search", "aria-label": "Where would an alert go?", onsubmit: (event) => { event.preventDefault(); test(); } },
  h("label", {}, h("h2", {}, "Where would this alert go?"), input), fault, result));
load();
