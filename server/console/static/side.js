/* Beside the services: actions so far, alerts, the score and how it ended. */
import { $, h } from "./dom.js";
import { actionOf, isRefused, outcome } from "./episode.js";

export function drawHistory(observations, notes = {}) {
  const entries = observations.map((observation, step) => {
    const action = actionOf(observation);
    if (!action) return null;
    const cost = observation.cost_spent - (observations[step - 1]?.cost_spent ?? observation.cost_spent);
    const name = h("b", {}, `${action.action} ${action.service_id ?? ""}`);
    const refused = isRefused(observation) ? [h("br"), h("span", { class: "over" }, `✕ refused: ${observation.last_action_error}`)] : [];
    const note = notes[step] ? [h("br"), h("i", {}, notes[step])] : [];
    return h("li", {}, `${step}  `, name, h("small", {}, cost ? `  cost ${cost}` : ""), ...refused, ...note);
  });
  $("history").replaceChildren(...entries.filter(Boolean).reverse());
}
export function drawPager(notices) {
  $("pager-panel").hidden = notices === null;
  const items = (notices ?? []).map((notice) => {
    const until = notice.ended_at === null ? "now" : notice.ended_at === notice.step ? "" : `until ${notice.ended_at}`;
    return h("li", { class: notice.ended_at === null ? "firing" : "" }, `${notice.step}  `, h("b", {}, `${notice.severity}: ${notice.alert}`), ` ${notice.summary} `, h("small", {}, until));
  });
  $("pager").replaceChildren(...items);
}
/* episode: `score` as /grader answers it, or `total` of a record. */
export function drawScore(episode, observation) {
  const { score } = episode;
  const terms = score?.terms ?? observation.reward_breakdown;
  const total = score?.score ?? episode.total ?? null;
  $("score-title").textContent = total !== null ? "Score" : "Reward hint, from what is seen";
  $("score").textContent = total !== null ? total.toFixed(3) : "";
  $("terms").replaceChildren(...Object.entries(terms).flatMap(([term, value]) => [h("dt", {}, term.replaceAll("_", " ")), h("dd", {}, value.toFixed(2))]));
  const validity = score?.validity ?? episode.validity;
  const untrusted = validity && ["contended", "broken"].includes(validity.verdict);
  $("validity").hidden = !untrusted;
  $("validity").textContent = untrusted ? `✕ ${validity.text ?? `the score is ${validity.verdict}: the machine was too busy, or a part failed`}` : "";
  $("outcome").textContent = total === null ? "The reward stays 0 until the score at the end." : outcome(score ?? episode, episode.faults);
}
