// The dialog that plans: what, which alerts and series it concerns, when, how often, and what that hides.

import { h, icon, toast } from "./dom.js";
import { ask, post } from "./ask.js";
import { severityMark, stateMark, stateOf } from "./alertstate.js";
import { absolute, parseSpan, zone } from "./format.js";
import { labelText } from "./list.js";

const FOR = [["30m", "30 min"], ["1h", "1 h"], ["2h", "2 h"], ["4h", "4 h"], ["8h", "8 h"], ["1d", "1 d"]];
const KINDS = [["maintenance", "Maintenance"], ["deployment", "Deployment"], ["configuration", "Configuration change"], ["holiday", "Holiday"], ["other", "Other"]];
const RULES = [["", "Once"], ["FREQ=DAILY", "Every day"], ["FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "On weekdays"], ["FREQ=WEEKLY", "Every week"], ["FREQ=MONTHLY", "Every month"], ["FREQ=YEARLY", "Every year"], ["own", "By a rule (RRULE)"]];
const SHOWN = 6;
const WAIT = 250;

const EVERY = { DAILY: ["every day", "days"], WEEKLY: ["every week", "weeks"], MONTHLY: ["every month", "months"], YEARLY: ["every year", "years"] };
const DAYS = { MO: "Monday", TU: "Tuesday", WE: "Wednesday", TH: "Thursday", FR: "Friday", SA: "Saturday", SU: "Sunday" };

/** A rule in words, as far as it is a usual one. */
export function repeats(rule) {
  const parts = Object.fromEntries(rule.split(";").map((part) => part.split("=")));
  const { FREQ, INTERVAL = "1", BYDAY, ...others } = parts;
  const days = BYDAY?.split(",") ?? [];
  if (!EVERY[FREQ] || Object.keys(others).length || days.some((day) => !DAYS[day])) return rule;
  if (BYDAY === "MO,TU,WE,TH,FR" && INTERVAL === "1") return "on weekdays";
  return `${INTERVAL === "1" ? EVERY[FREQ][0] : `every ${INTERVAL} ${EVERY[FREQ][1]}`}${days.length ? ` on ${days.map((day) => DAYS[day]).join(", ")}` : ""}`;
}

const local = (ms) => absolute(ms).replace(" ", "T").slice(0, 16);

/** The wall clock of a zone at a time, as an input takes it. */
function wall(ms, timeZone) {
  const parts = Object.fromEntries(new Intl.DateTimeFormat("en-CA", { timeZone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" }).formatToParts(ms).map(({ type, value }) => [type, value]));
  return `${parts.year}-${parts.month}-${parts.day}T${parts.hour}:${parts.minute}`;
}

/** `2026-11-22 02:00 to 04:00`, in the viewer's zone. */
function spanText(start, end) {
  const [from, to] = [absolute(start).slice(0, 16), absolute(end).slice(0, 16)];
  return start === end ? from : `${from} to ${to.slice(0, 10) === from.slice(0, 10) ? to.slice(11) : to}`;
}

let dialog = null;

/** Open it: for a new event, to change `event`, or, with `copy`, for another like it. */
export function openPlan({ event = null, copy = false, done = () => {} } = {}) {
  dialog ??= document.body.appendChild(h("dialog.silence", { id: "plan", "aria-labelledby": "plan-title", onclick: (click) => { if (click.target === dialog) dialog.close(); } }));
  const view = new Plan(event, copy, done);
  dialog.replaceChildren(view.element);
  dialog.showModal();
  view.title.focus();
}

class Plan {
  constructor(event, copy, done) {
    this.done = done;
    this.id = event && !copy ? event.id : "";
    this.asked = 0;
    const again = event?.recurrence;
    const timeZone = again?.time_zone ?? zone;
    const [starts, ends] = event ? event.first.map((at) => at * 1000) : [Math.ceil(Date.now() / 300_000) * 300_000, 0];
    const length = ends - starts;
    this.last = event ? FOR.find(([text]) => parseSpan(text) * 1000 === length)?.[0] ?? "" : "2h";
    const field = (attributes) => ({ autocomplete: "off", oninput: () => this.#later(), ...attributes });
    const options = (all, chosen) => all.map(([value, text]) => h("option", { value, selected: value === chosen }, text));
    this.title = h("input", field({ name: "title", maxlength: "200", placeholder: "New disks for db-1", value: event?.title ?? "" }));
    this.kind = h("select", { name: "kind", onchange: () => this.#later() }, options(KINDS, event?.kind ?? "maintenance"));
    this.matchers = h("input", field({ name: "matchers", spellcheck: "false", placeholder: "instance=\"db-1\", severity=~\"warning|info\"", value: event?.matchers.join(", ") ?? "" }));
    this.start = h("input", field({ name: "start", type: "datetime-local", required: true, value: again ? wall(starts, timeZone) : local(starts) }));
    this.until = h("input", field({ name: "end", type: "datetime-local", value: this.last ? "" : again ? wall(ends, timeZone) : local(ends), oninput: () => { this.last = ""; this.#later(); } }));
    this.spans = FOR.map(([value, text]) => h("button", { type: "button", "data-value": value, onclick: () => { this.last = value; this.until.value = ""; this.#later(0); } }, text));
    const known = RULES.some(([rule]) => rule === (again?.rule ?? ""));
    this.rule = h("select", { name: "rule", onchange: () => this.#later(0) }, options(RULES, known ? (again?.rule ?? "") : "own"));
    this.own = h("input", field({ name: "rrule", spellcheck: "false", placeholder: "FREQ=MONTHLY;BYDAY=1SU", value: known ? "" : (again?.rule ?? "") }));
    this.ownLabel = h("label", {}, "Rule of RFC 5545", this.own);
    const zones = [...new Set([zone, "UTC", ...Intl.supportedValuesOf("timeZone")])];
    this.zone = h("input", field({ name: "zone", list: "zones", value: timeZone }));
    this.over = h("input", field({ name: "until", type: "datetime-local", value: again?.until ? wall(again.until * 1000, timeZone) : "" }));
    this.repeating = h("div.pair", {}, h("label", {}, "By the clocks of", this.zone, h("datalist", { id: "zones" }, zones.map((name) => h("option", { value: name })))), h("label", {}, "For the last time before (optional)", this.over));
    this.text = h("input", field({ name: "text", maxlength: "10000", placeholder: "Why, and whom to ask", value: event?.text ?? "" }));
    this.link = event?.link ?? "";
    this.preview = h("div.preview", { role: "status" });
    this.fault = h("p.error", { role: "alert", hidden: true });
    this.submit = h("button.button.primary", { type: "submit" }, this.id ? "Change it" : "Plan it");
    this.element = h("form", { novalidate: true, onsubmit: (submitted) => { submitted.preventDefault(); this.#send(); } },
      h("header", {}, h("h2", { id: "plan-title" }, this.id ? "Change what is planned" : "Plan maintenance or another event"), h("button.icon", { type: "button", "aria-label": "Close", onclick: () => dialog.close() }, icon("i-close"))),
      h("div.body", {},
        h("div.pair", {}, h("label", {}, "Title", this.title), h("label", {}, "Kind", this.kind)),
        h("label", {}, "Alerts and series with", this.matchers),
        h("div.pair", {}, h("label", {}, "Begins", this.start), h("label", {}, "Ends", this.until)),
        h("div.field", {}, h("span", {}, "Or lasts"), h("div.segmented", { role: "group", "aria-label": "Lasts" }, this.spans)),
        h("div.pair", {}, h("label", {}, "Comes", this.rule), this.ownLabel), this.repeating,
        h("label", {}, "Note", this.text), this.preview, this.fault),
      h("footer", {}, h("button.button", { type: "button", onclick: () => dialog.close() }, "Cancel"), this.submit));
    this.#later(0);
  }

  #rule() {
    return this.rule.value === "own" ? this.own.value.trim() : this.rule.value;
  }

  /** What the server takes; throws an Error for people. */
  #spec() {
    const rule = this.#rule();
    if (!this.start.value) throw new Error("Say when it begins.");
    if (this.rule.value === "own" && !rule) throw new Error("Write a rule, such as FREQ=MONTHLY;BYDAY=1SU.");
    const begins = new Date(this.start.value).getTime();
    // Wall clocks are added up as those of the viewer: the server reads them as those of the zone.
    const ends = this.last ? begins + parseSpan(this.last) * 1000 : new Date(this.until.value).getTime();
    if (!ends) throw new Error("Say when it ends, or how long it lasts.");
    const moment = (ms) => (rule ? local(ms) : ms / 1000);
    return {
      kind: this.kind.value, title: this.title.value.trim(), text: this.text.value.trim(), link: this.link, matchers: this.matchers.value.trim() ? [this.matchers.value.trim()] : [],
      starts_at: moment(begins), ends_at: moment(ends), rule, time_zone: this.zone.value.trim() || zone, until: rule && this.over.value ? this.over.value : null,
    };
  }

  #later(wait = WAIT) {
    for (const button of this.spans) button.setAttribute("aria-pressed", String(button.dataset.value === this.last));
    this.repeating.hidden = !this.#rule() && this.rule.value !== "own";
    this.ownLabel.hidden = this.rule.value !== "own";
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#look(), wait);
  }

  async #look() {
    const mine = ++this.asked;
    try {
      const data = await ask("/data/events/preview", this.#spec());
      if (mine !== this.asked) return;
      this.#fail("");
      this.#show(data);
    } catch (error) {
      if (mine !== this.asked) return;
      this.preview.replaceChildren(h("p.muted", {}, "What it holds back and when it comes is shown here."));
      this.#fail(error.message);
    }
  }

  #show({ firing, pending, alerts, matchers, next }) {
    const count = (n) => `${n} ${n === 1 ? "alert" : "alerts"}`;
    const maintenance = this.kind.value === "maintenance";
    const all = matchers.length ? "" : "It concerns every alert but the watchdog. ";
    const says = !maintenance ? "It is drawn on charts, and holds back no alert." : firing + pending === 0 ? `${all}No alert of now; those to come that match.` : `${all}It would hold back ${count(firing)} that ${firing === 1 ? "fires" : "fire"} now${pending ? ` and ${pending} pending` : ""}.`;
    const times = next.map(([start, end]) => h("li", {}, spanText(start * 1000, end * 1000)));
    this.preview.replaceChildren(h("p", {}, h("strong", {}, says)),
      alerts.length ? h("ul", {}, alerts.slice(0, SHOWN).map((alert) => h("li", {}, stateMark(stateOf(alert)), severityMark(alert.severity), h("span.what", {}, alert.name), labelText(alert.labels)))) : "",
      firing + pending > SHOWN ? h("p.muted", {}, `… and ${firing + pending - SHOWN} more`) : "",
      times.length ? h("p.muted", {}, times.length > 1 ? `It comes ${repeats(this.#rule())} (times of ${zone}):` : `It comes (time of ${zone}):`) : h("p.warning", {}, "It is over already, and does not come again."), times.length ? h("ul.times", {}, times) : "");
  }

  #fail(text) {
    this.fault.hidden = !text;
    this.fault.textContent = text;
  }

  async #send() {
    this.submit.disabled = true;
    try {
      const spec = this.#spec();
      if (!spec.title) throw new Error("Give it a title: others will read it on charts and in the calendar.");
      await post(this.id ? `/data/events/${encodeURIComponent(this.id)}` : "/data/events", spec);
      dialog.close();
      toast(this.id ? "Changed" : "Planned");
      this.done();
    } catch (error) {
      this.#fail(error.message);
    } finally {
      this.submit.disabled = false;
    }
  }
}

/** Let it be over, and not come again. */
export async function endEvent(id) {
  await post(`/data/events/${encodeURIComponent(id)}/end`);
  toast("Ended: its alerts are told again");
}

export async function deleteEvent(id) {
  await post(`/data/events/${encodeURIComponent(id)}/delete`);
  toast("Deleted");
}
