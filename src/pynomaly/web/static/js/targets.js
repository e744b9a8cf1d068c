// The scraped targets: who answers, who does not and why.

import { $, boot, h, setText, status } from "./dom.js";
import { format, withZone } from "./format.js";
import { answer, since, startFrame } from "./frame.js";
import { List, labelText, segmented } from "./list.js";
import { address, on, remember } from "./state.js";

startFrame();

const query = new URLSearchParams(location.search);
const filter = { health: query.get("health") ?? "", text: query.get("find") ?? "" };
let snapshot = boot.targets;

const HEALTH = { up: ["good", "up"], down: ["critical", "down"], unknown: ["unknown", "not yet"] };

const row = (target) => [
  status(...HEALTH[target.health]), h("strong", { title: target.job }, target.job), h("span", { title: target.url }, target.instance || target.url),
  target.error ? h("span.critical.wide", { title: target.error }, target.error) : labelText(target.labels),
  h("span.num", { title: "How long the last scrape took" }, target.last_scrape ? format(target.duration, "s") : "–"),
  h("span.muted.num", {}, target.last_scrape ? since(target.last_scrape * 1000) : "never"),
];

function detail(target) {
  const term = (name, ...value) => [h("dt", {}, name), h("dd", {}, ...value)];
  const up = `up{job="${target.job}", instance="${target.instance}"}`;
  return h("div.detail", {}, h("dl", {}, term("Address", target.url), target.error ? term("Last error", target.error) : [],
    target.last_scrape ? term("Last scrape", withZone(target.last_scrape * 1000)) : [],
    Object.entries(target.labels).flatMap(([name, value]) => term(name, value))),
  h("div.links", {}, h("a.button", { href: address("/explore", { q: up }) }, "Explore when it answered")));
}

const empty = (filtered) => (filtered
  ? [h("strong", {}, "No target matches"), h("span", {}, `${snapshot.targets.length} are hidden by the filter.`)]
  : [h("strong", {}, "No targets are scraped"), h("span", {}, "Name them in a prometheus.yml and start with --prometheus-config.")]);

const list = new List($("#list"), { grid: "target-grid", head: ["Health", "Job", "Instance", "Labels or last error", "Took", "Last scrape"], row, detail, empty });
const counter = h("span.end");

function matches(target) {
  if (filter.health && target.health !== filter.health) return false;
  const text = `${target.job} ${target.instance} ${target.url} ${target.error} ${Object.values(target.labels).join(" ")}`.toLowerCase();
  return filter.text.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

function draw() {
  const { total, down, targets } = snapshot;
  if (!total) answer("unknown", "Nobody is asked yet");
  else if (down) answer("critical", `${down} of ${total} ${down === 1 ? "does" : "do"} not`);
  else answer("good", total === 1 ? "The one target does" : `All ${total} do`);
  const shown = targets.filter(matches);
  list.show(shown.map((data) => ({ id: `${data.job} ${data.url}`, key: JSON.stringify(data), data })), shown.length < targets.length);
  setText(counter, shown.length < targets.length ? `${shown.length} of ${targets.length}` : `${total - down} up, ${down} down`);
}

function change(name, value) {
  filter[name] = value;
  remember({ [{ text: "find" }[name] ?? name]: value || null });
  draw();
}

$("#filters").replaceChildren(
  segmented("Health", [["", "All"], ["down", "Down"], ["up", "Up"]], filter.health, (v) => change("health", v)),
  h("input", { type: "search", placeholder: "Filter by job, instance, label, error", "aria-label": "Filter targets", value: filter.text, oninput: (event) => change("text", event.target.value.trim()) }), counter);
draw();
on("targets", (data) => { snapshot = data; draw(); });
