// The delivery log: who was told of what, when, and how that went; what could not be delivered.

import { $, boot, h, icon, setText, status, toast } from "./dom.js";
import { whyLink } from "./alertstate.js";
import { ask, post } from "./ask.js";
import { withZone } from "./format.js";
import { answer, rangeText, since, startFrame } from "./frame.js";
import { List, labelText, segmented } from "./list.js";
import { bounds, on, remember, state } from "./state.js";
import { attemptRows, outcomeMark } from "./told.js";

const EVERY = 5000;
const WAIT = 250;

startFrame();

const query = new URLSearchParams(location.search);
const filter = { receiver: query.get("receiver") ?? "", outcome: query.get("outcome") ?? "", text: query.get("find") ?? "" };
let asked = 0;
let timer = 0;
let last = null;

const names = (alerts) => {
  const counted = [...Map.groupBy(alerts, (alert) => alert.name)].map(([name, those]) => (those.length > 1 ? `${name} ×${those.length}` : name));
  return counted.slice(0, 3).join(", ") + (counted.length > 3 ? ` and ${counted.length - 3} more` : "");
};
const what = (row) => [row.firing && `${row.firing} firing`, row.resolved && `${row.resolved} resolved`].filter(Boolean).join(", ");

const row = (sent) => [
  outcomeMark(sent.outcome), h("strong", { title: sent.receiver }, sent.receiver), h("span.muted", {}, sent.integration),
  h("span.wide", {}, h("strong", {}, names(sent.alerts) || "alerts that are forgotten"), " ", h("span.muted", {}, `${what(sent)}: ${sent.reason} `), labelText(sent.group_labels)),
  h("span.num", { title: "Attempts" }, String(sent.attempts.length)), h("span.muted.num", {}, since(sent.at * 1000)),
];

function detail(sent) {
  const term = (name, ...value) => [h("dt", {}, name), h("dd", {}, ...value)];
  const told = sent.firing + sent.resolved;
  return h("div.detail", {}, h("dl", {}, term("At", withZone(sent.at * 1000)), term("Why", sent.reason), term("Group", h("code", {}, sent.group_key)),
    term("Attempts", attemptRows(sent.attempts)),
    term("Alerts", h("ul.told", {}, sent.alerts.map((alert) => h("li", {}, alert.firing ? status("critical", "firing") : status("good", "resolved"), h("a", { href: whyLink(alert.id) }, alert.name), labelText(alert.labels)))), told > sent.alerts.length ? h("p.muted", {}, `${told - sent.alerts.length} more`) : ""),
    term("Id", h("code", {}, sent.id))));
}

const empty = (filtered) => (filtered
  ? [h("strong", {}, "No notification matches"), h("span", {}, `In ${rangeText().toLowerCase()}. Take a longer range, or another filter.`)]
  : last?.alertmanagers.length ? [h("strong", {}, "Nothing was delivered from here"), h("span", {}, "The Alertmanagers above deliver; their pages say who was told.")]
  : [h("strong", {}, "Nobody was told of anything"), h("span", {}, boot.alerting ? `No notification went out in ${rangeText().toLowerCase()}. A longer range may have some.` : "This server routes no alerts.")]);

const list = new List($("#list"), { grid: "delivery-grid", head: ["Outcome", "Receiver", "By", "What", "Attempts", "When"], row, detail, empty });
const counter = h("span.end");
const receivers = h("select", { "aria-label": "Receiver", onchange: () => change("receiver", receivers.value) });

function letter(it) {
  const says = h("p.muted", { role: "status", hidden: true });
  const act = (button, work) => async () => {
    button.disabled = true;
    try {
      await work();
    } catch (error) {
      says.hidden = false;
      setText(says, error.message);
    }
    button.disabled = false;
    await load();
  };
  const resend = h("button.button.primary", { type: "button" }, "Send again");
  resend.addEventListener("click", act(resend, async () => {
    const { delivered, reason } = await post(`/data/dead-letters/${it.id}/resend`);
    toast(delivered ? `${it.receiver} was told` : `Not delivered: ${reason}`);
  }));
  const drop = h("button.button", { type: "button" }, "Drop");
  drop.addEventListener("click", () => {
    if (!drop.dataset.sure) {
      drop.dataset.sure = "1";
      drop.classList.add("danger");
      setText(drop, "Sure? It is not told");
      return;
    }
    act(drop, () => post(`/data/dead-letters/${it.id}/drop`))();
  });
  return h("li", { "data-letter": it.id }, h("div.row", {}, h("span.what", {}, it.receiver, h("span.muted", {}, ` ${it.integration}`)),
    h("span.why", { title: it.reason }, h("strong", {}, names(it.alerts)), ` ${it.status}: ${it.reason}`), h("span.when", { title: `Given up ${it.times} times, first ${withZone(it.first_at * 1000)}` }, it.times > 1 ? `${it.times} times, last ` : "", since(it.last_at * 1000)), resend, drop), says);
}

function drawDead(dead) {
  const place = $("#dead");
  const key = JSON.stringify(dead);
  if (place.dataset.key === key || place.contains(document.activeElement) && document.activeElement.dataset.sure) return;
  place.dataset.key = key;
  place.hidden = !dead.length;
  place.replaceChildren(...(dead.length ? [h("h2.over-list", {}, icon("s-critical", "shape"), ` ${dead.length} could not be delivered`), h("ul.rows.trouble", {}, dead.map(letter))] : []));
}

/** Where alerts go to Alertmanagers, they are who tells people. */
function drawMembers(members) {
  const place = $("#alertmanagers");
  place.hidden = !members.length;
  const row = ({ url, trouble, waiting }) => h("li", {}, h("div.row", {}, h("span.what", {}, trouble ? status("critical", "trouble") : status("good", "told")),
    h("span.why", { title: trouble }, h("a", { href: url, rel: "noreferrer" }, url), trouble ? ` ${trouble}` : ""), h("span.when", {}, waiting ? `${waiting.toLocaleString()} alerts wait` : "")));
  place.replaceChildren(...(members.length ? [h("p.note", {}, "Alerts go to these Alertmanagers, which route and deliver; their pages say who was told."), h("ul.rows", {}, members.map(row))] : []));
}

function draw(data) {
  last = data;
  drawMembers(data.alertmanagers);
  const { total, failed, cut, deliveries, dead } = data;
  const of = `${total} ${total === 1 ? "notification" : "notifications"}`;
  const troubled = data.alertmanagers.filter(({ trouble }) => trouble).length;
  if (data.alertmanagers.length) answer(troubled ? "critical" : "good", troubled ? `${troubled} of ${data.alertmanagers.length} Alertmanagers in trouble` : `${data.alertmanagers.length} Alertmanagers`);
  else if (dead.length) answer("critical", `${dead.length} not delivered; ${of}`);
  else answer(failed ? "warning" : total ? "good" : "plain", total ? `${of}${failed ? `, ${failed} not delivered at first` : ", all delivered"}` : "Nobody");
  const filtered = Boolean(filter.text || filter.receiver || filter.outcome);
  list.show(deliveries.map((each) => ({ id: each.id, key: JSON.stringify(each), data: each })), filtered);
  setText(counter, `${deliveries.length < total ? `the newest ${deliveries.length} of ` : ""}${total}${cut ? " among the newest 1,000 of the range" : ""}`);
  drawDead(dead);
  offer(data.receivers);
}

function offer(all) {
  const names_ = [...new Set([...all, ...(filter.receiver ? [filter.receiver] : [])])];
  const key = JSON.stringify(names_);
  if (receivers.dataset.key === key || document.activeElement === receivers) return;
  receivers.dataset.key = key;
  receivers.replaceChildren(...["", ...names_].map((name) => h("option", { value: name, selected: name === filter.receiver }, name || "All receivers")));
}

async function load() {
  if (!boot.alerting) {
    answer("unknown", "Nobody");
    list.show([], false);
    return;
  }
  const mine = ++asked;
  const [from, to] = bounds();
  const wanted = new URLSearchParams({ since: Math.max(0, from / 1000), until: to / 1000 + 1, ...filter });
  try {
    const data = await ask(`/data/deliveries?${wanted}`);
    if (mine === asked) draw(data);
  } catch (error) {
    if (mine !== asked || (!error.status && last)) return;
    answer("unknown", "Not known");
    $("#list").replaceChildren(h("div.panel.empty", {}, h("strong", {}, "The log cannot be read"), h("span", {}, error.message)));
  }
}

function change(name, value) {
  filter[name] = value;
  remember({ [{ text: "find" }[name] ?? name]: value || null });
  clearTimeout(timer);
  timer = setTimeout(load, WAIT);
}

$("#filters").replaceChildren(
  segmented("Outcome", [["", "All"], ["delivered", "Delivered"], ["failed", "Not delivered"]], filter.outcome, (v) => change("outcome", v)), receivers,
  h("input", { type: "search", placeholder: "Filter by alert, label, answer  (/)", "aria-label": "Filter deliveries", "data-filter": "", value: filter.text, oninput: (event) => change("text", event.target.value.trim()) }), counter);
offer([]);
load();
on("range", load);
setInterval(() => { if (state.live && !document.hidden) load(); }, EVERY);
