/* Beside the services: actions so far, alerts, the score and how it ended. */
import { $, h } from "./dom.js";
import { actionOf, isRefused, outcome } from "./episode.js";
import { world } from "./world.js";

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
  const recordOnly = !score && total !== null && { recovered_at: null, resolved: null };
  $("outcome").textContent = score ? outcome(score, episode.faults) : recordOnly ? truthOf(episode.faults) : "The reward stays 0 until the score at the end.";
}
const truthOf = (faults) => outcome({ recovered_at: null }, faults).replace(/; not recovered$/, "");

/* The debrief by the server, once it has one; the parts that people read, as a table. */
export function drawDebrief(debrief) {
  const regrets = debrief?.steps?.filter((step) => step.regret > 0.005).sort((a, b) => b.regret - a.regret).slice(0, 5) ?? [];
  $("debrief-panel").hidden = !debrief || Boolean(debrief.problem);
  $("debrief").replaceChildren(...regrets.map((step) => h("li", {}, `step ${step.step}: `, h("b", {}, nameOf(step.best_action)), ` instead of ${nameOf(step.action)} was worth ${step.regret.toFixed(3)}`)));
  if (!regrets.length) $("debrief").append(h("li", {}, "No action would have been better by 0.005 or more."));
}
const nameOf = (action) => (action ? `${action.action} ${action.service_id ?? ""}`.trim() : world.pass);
