// PromQL's words, its tokens for colours, and what may be completed at a place.

export const AGGREGATIONS = {
  sum: "sum of the series of each group", avg: "mean of the series of each group", min: "least of each group", max: "greatest of each group",
  count: "number of series of each group", count_values: "number of series of each value", group: "1 for each group", quantile: "φ-quantile of each group",
  stddev: "standard deviation of each group", stdvar: "variance of each group", topk: "the k greatest series", bottomk: "the k least series",
};

export const FUNCTIONS = {
  abs: "absolute value", absent: "1 when there is no such series", absent_over_time: "1 when there was no sample in the range", acos: "arc cosine",
  acosh: "inverse hyperbolic cosine", asin: "arc sine", asinh: "inverse hyperbolic sine", atan: "arc tangent", atanh: "inverse hyperbolic tangent",
  avg_over_time: "mean of the samples in the range", ceil: "rounded up", changes: "how often the value changed in the range",
  clamp: "limited to between two values", clamp_max: "limited from above", clamp_min: "limited from below", cos: "cosine", cosh: "hyperbolic cosine",
  count_over_time: "number of samples in the range", day_of_month: "day of the month, UTC", day_of_week: "day of the week, 0 is Sunday", day_of_year: "day of the year",
  days_in_month: "days of the month", deg: "radians to degrees", delta: "difference between end and start of the range, for gauges",
  deriv: "slope per second by linear regression, for gauges", exp: "e to the power of", floor: "rounded down",
  histogram_fraction: "share of observations between two bounds", histogram_quantile: "φ-quantile of a histogram's buckets", hour: "hour of the day, UTC",
  idelta: "difference of the last two samples", increase: "increase over the range, for counters", irate: "rate of the last two samples, for counters",
  label_join: "a label joined from others", label_replace: "a label set by a regular expression", last_over_time: "last sample in the range", ln: "natural logarithm",
  log10: "decimal logarithm", log2: "binary logarithm", max_over_time: "greatest sample in the range", min_over_time: "least sample in the range",
  minute: "minute of the hour", month: "month, 1 to 12", pi: "π", predict_linear: "value in t seconds by linear regression", present_over_time: "1 when there was a sample in the range",
  quantile_over_time: "φ-quantile of the samples in the range", rad: "degrees to radians", rate: "increase per second over the range, for counters",
  resets: "how often the counter was reset", round: "rounded to a multiple", scalar: "the value of the only series", sgn: "sign", sin: "sine", sinh: "hyperbolic sine",
  sort: "sorted, least first", sort_desc: "sorted, greatest first", sqrt: "square root", stddev_over_time: "standard deviation of the samples",
  stdvar_over_time: "variance of the samples", sum_over_time: "sum of the samples in the range", tan: "tangent", tanh: "hyperbolic tangent", time: "the evaluation time",
  timestamp: "time of the sample", vector: "a series without labels", year: "year, UTC",
};

export const KEYWORDS = {
  by: "keep these labels", without: "drop these labels", on: "match on these labels", ignoring: "match without these labels", group_left: "many to one",
  group_right: "one to many", bool: "0 or 1 instead of a filter", offset: "earlier by", and: "series that both sides have", or: "series that either side has",
  unless: "series that the other side lacks", atan2: "arc tangent of two",
};

const DURATIONS = ["1m", "5m", "15m", "30m", "1h", "6h", "1d", "7d", "$__rate_interval", "$__range"];
const LABEL_CLAUSES = new Set(["by", "without", "on", "ignoring", "group_left", "group_right"]);

const TOKEN = /(?<comment>#[^\n]*)|(?<string>"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?|`[^`]*`?)|(?<duration>\$__\w+|\d+(?:ms|[smhdwy])(?:\d+(?:ms|[smhdwy]))*)|(?<number>0x[\da-fA-F]+|\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|(?<word>[a-zA-Z_:][\w:]*)|(?<operator>=~|!~|!=|==|>=|<=|[-+*/%^<>=@])|(?<bracket>[(){}[\],])|(?<space>\s+)|(?<other>.)/gsu;

/** Tokens as {kind, text, at}; together they are the whole text. */
export function tokens(text) {
  const found = [];
  let braces = 0;
  let clause = false;
  for (const match of text.matchAll(TOKEN)) {
    let kind = Object.entries(match.groups).find(([, value]) => value !== undefined)[0];
    const word = match[0];
    if (word === "{") braces += 1;
    if (word === "}") braces -= 1;
    if (word === ")") clause = false;
    if (kind === "word") {
      if (braces > 0 || clause) kind = "label";
      else if (word in KEYWORDS) kind = "keyword";
      else if (word in AGGREGATIONS && /^\s*(\(|by\b|without\b)/.test(text.slice(match.index + word.length))) kind = "aggregation";
      else if (word in FUNCTIONS && /^\s*\(/.test(text.slice(match.index + word.length))) kind = "function";
      else kind = "metric";
    }
    if (word === "(" && LABEL_CLAUSES.has(found.filter((t) => t.kind !== "space").at(-1)?.text)) clause = true;
    found.push({ kind, text: word, at: match.index });
  }
  return found;
}

/** What is being typed: {kind, text, from, metric, label}; kind is metric, label, value, duration or none. */
export function placeOf(text, caret) {
  const before = tokens(text.slice(0, caret));
  const last = before.at(-1);
  if (last?.kind === "comment") return { kind: "none" };
  const open = [];
  let metric = "";
  for (const token of before) {
    if ("({[".includes(token.text) && token.kind === "bracket") open.push(token);
    if (")}]".includes(token.text) && token.kind === "bracket") open.pop();
    if (token.kind === "metric") metric = token.text;
  }
  const inside = open.at(-1)?.text;
  const solid = before.filter((token) => token.kind !== "space");
  const word = last && last.kind !== "space" && last.kind !== "bracket" && last.kind !== "operator" ? last : null;
  const typed = word ? { text: word.text, from: word.at } : { text: "", from: caret };
  if (inside === "{") {
    const named = open.at(-1) && solid[solid.indexOf(open.at(-1)) - 1];
    const own = named?.kind === "metric" ? named.text : "";
    const previous = solid.at(word ? -2 : -1);
    if (word?.kind === "string") {
      const closed = word.text.length > 1 && word.text.at(-1) === word.text[0];
      return closed ? { kind: "none" } : { kind: "value", text: word.text.slice(1), from: word.at + 1, metric: own, label: solid.at(-3)?.text ?? "" };
    }
    if (/^[=!]/.test(previous?.text ?? "")) return { kind: "none" };
    return { kind: "label", ...typed, metric: own };
  }
  if (inside === "[") return { kind: "duration", ...typed };
  if (inside === "(" && LABEL_CLAUSES.has(solid[solid.indexOf(open.at(-1)) - 1]?.text)) {
    return { kind: "label", ...typed, metric: metric || (tokens(text).find((t) => t.kind === "metric")?.text ?? "") };
  }
  if (word?.kind === "string" || word?.kind === "number" || word?.kind === "duration") return { kind: "none" };
  return { kind: "metric", ...typed };
}

const starts = (words, text, kind, after) => Object.entries(words)
  .filter(([word]) => word.startsWith(text.toLowerCase())).map(([word, doc]) => ({ word, doc, kind, insert: word + after }));

async function ask(path, parameters) {
  const response = await fetch(`/lookup/${path}?${new URLSearchParams(parameters)}`);
  return response.ok ? response.json() : [];
}

/** What may stand at this place, best first: {word, kind, doc, insert}. */
export async function completions(place) {
  if (place.kind === "label") {
    const names = await ask("labels", { metric: place.metric });
    return names.filter((name) => name.includes(place.text)).map((word) => ({ word, kind: "label", insert: word }));
  }
  if (place.kind === "value") {
    const values = await ask("values", { label: place.label, metric: place.metric, text: place.text });
    return values.map((word) => ({ word, kind: "value", insert: word.replace(/\\/g, "\\\\").replace(/"/g, '\\"') }));
  }
  if (place.kind === "duration") return DURATIONS.filter((word) => word.startsWith(place.text)).map((word) => ({ word, kind: "range", insert: word }));
  if (place.kind !== "metric") return [];
  const words = place.text ? [...starts(FUNCTIONS, place.text, "function", "("), ...starts(AGGREGATIONS, place.text, "aggregation", "("), ...starts(KEYWORDS, place.text, "keyword", " ")] : [];
  const metrics = (await ask("metrics", { text: place.text, limit: 40 })).map(({ name, type, help }) => ({ word: name, kind: type ?? "metric", doc: help, insert: name }));
  const exact = words.filter(({ word }) => word.startsWith(place.text));
  return [...exact.slice(0, 12), ...metrics];
}
