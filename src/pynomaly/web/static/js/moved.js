// An event of several series: what they have in common, and each of them with its chart.

import { h } from "./dom.js";
import { labelText } from "./list.js";

const CHARTS = 3; // that are drawn at once; the others when they are opened
const MOST = 50;

/** The label values that stand out: how many of the event's series have each, and of all. */
export function standing(values) {
  if (!values.length) return [h("p.muted", {}, "No label value is more frequent here than elsewhere.")];
  return [h("ul.standing", {}, values.map((v) => h("li", {}, h("span.labels", {}, `${v.label}=`, h("b", {}, v.value)),
    h("span.muted.end", { title: `By chance: ${v.chance.toExponential(1)}` }, `${v.members} of ${v.of_members} here, ${v.series} of ${v.of_series.toLocaleString()} judged`))))];
}

/** How a series differs from its siblings, or nothing when it has none. */
export function besides({ siblings, value }, number) {
  if (!siblings) return null;
  return [`${siblings.which || "it"}: `, number(value), `; the median of it and ${siblings.others} others is `, number(siblings.median)];
}

/**
 * The members of an event, the rarest first, each to be opened for its chart: `chart(member)` gives that. `mark(member)` is its severity,
 * `shared` the labels that all have.
 */
export function members(those, shared, { mark, chart }) {
  const rows = those.slice(0, MOST).map((member, i) => {
    const own = Object.fromEntries(Object.entries(member.labels).filter(([name]) => name !== "__name__" && !(name in shared)));
    const place = h("div.small-chart");
    const show = () => { if (!place.firstChild) place.append(chart(member)); };
    const box = h("details.moved-member", { open: i < CHARTS, ontoggle: () => { if (box.open) show(); } },
      h("summary", {}, mark(member), h("span.name", {}, h("strong", {}, member.metric_name), " ", labelText(own)), h("span.num.end", { title: "Score" }, member.score.toFixed(2))),
      h("p.muted", {}, member.explanation), place);
    if (i < CHARTS) show();
    return box;
  });
  return h("div.moved-members", { role: "group", "aria-label": "Series that moved together" }, rows,
    those.length > MOST ? h("p.note", {}, `${those.length - MOST} more are less rare.`) : "");
}
