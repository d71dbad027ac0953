/* Beside the services: actions so far, alerts, the score and how it ended. */
import { $, h, list, put, text } from "./dom.js";
import { actionOf, isRefused, outcome } from "./episode.js";

export function drawHistory(observations, notes = {}) {
  const entries = observations.map((observation, step) => {
    const action = actionOf(observation);
    if (!action) return null;
    const cost = observation.cost_spent - (observations[step - 1]?.cost_spent ?? observation.cost_spent);
    return { step, name: `${action.action} ${action.service_id ?? ""}`, cost, refused: isRefused(observation) && observation.last_action_error, note: notes[step] };
  });
  list($("history"), entries.filter(Boolean).reverse(), ({ step, name, cost, refused, note }) => h("li", {}, `${step}  `, h("b", {}, name), h("small", {}, cost ? `  cost ${cost}` : ""),
    ...(refused ? [h("br"), h("span", { class: "over" }, `✕ refused: ${refused}`)] : []), ...(note ? [h("br"), h("i", {}, note)] : [])));
}
export function drawPager(notices) {
  put($("pager-panel"), { hidden: notices === null });
  list($("pager"), notices ?? [], (notice) => {
    const until = notice.ended_at === null ? "now" : notice.ended_at === notice.step ? "" : `until ${notice.ended_at}`;
    return h("li", { class: notice.ended_at === null ? "firing" : "" }, `${notice.step}  `, h("b", {}, `${notice.severity}: ${notice.alert}`), ` ${notice.summary} `, h("small", {}, until));
  });
}
/* episode: `score` as /grader answers it, or `total` of a record. */
export function drawScore(episode, observation) {
  const { score } = episode;
  const terms = score?.terms ?? observation.reward_breakdown;
  const total = score?.score ?? episode.total ?? null;
  text($("score-title"), total !== null ? "Score" : "Reward hint, from what is seen");
  text($("score"), total !== null ? total.toFixed(3) : "");
  list($("terms"), Object.keys(terms).flatMap((term) => [["dt", term], ["dd", term]]), ([tag, term]) => h(tag, {}, tag === "dt" ? term.replaceAll("_", " ") : ""));
  Object.values(terms).forEach((value, index) => text($("terms").children[2 * index + 1], value.toFixed(2)));
  const validity = score?.validity ?? episode.validity;
  const untrusted = validity && ["contended", "broken"].includes(validity.verdict);
  put($("validity"), { hidden: !untrusted });
  text($("validity"), untrusted ? `✕ ${validity.text ?? `the score is ${validity.verdict}: the machine was too busy, or a part failed`}` : "");
  text($("outcome"), total === null ? "The reward stays 0 until the score at the end." : outcome(score ?? episode, episode.faults));
}
