// Taking an alert on, and thinking better of it.

import { h, toast } from "./dom.js";
import { post } from "./ask.js";

/** Acknowledge an alert, or withdraw that; says how it went. */
export async function toggleAcknowledged(alert, comment = "") {
  const id = encodeURIComponent(alert.id);
  try {
    if (alert.acknowledged) {
      await post(`/data/alerts/${id}/withdraw`);
      toast(`${alert.name} is repeated again`);
    } else {
      const { passed_on: told } = await post(`/data/alerts/${id}/acknowledge`, { comment });
      const failed = told.filter((each) => each.outcome !== "delivered").map((each) => each.receiver);
      toast(failed.length ? `Acknowledged; ${failed.join(", ")} could not be let know` : `${alert.name} is acknowledged: it is not repeated`);
    }
    return true;
  } catch (error) {
    toast(error.message);
    return false;
  }
}

/** A button that does so; `done` is called afterwards. */
export function acknowledgeButton(alert, done = () => {}) {
  const button = h("button.button", { type: "button", title: alert.acknowledged ? "It is repeated again then" : "It is not repeated then; its end is told (a)", onclick: async () => {
    button.disabled = true;
    if (await toggleAcknowledged(alert)) done();
    button.disabled = false;
  } }, alert.acknowledged ? "Withdraw acknowledgement" : "Acknowledge");
  return button;
}
