/* After the end: what would have been better, by the server, which plays other futures of the episode. */
import { call } from "./api.js";
import { $, h, put, table, text } from "./dom.js";
import { world } from "./world.js";

const NOTICEABLE = 0.005;
/* Of an episode that is over: its record's, or that of the session, which has to last until then. */
export const queryOf = (episode) => {
  if (episode.id) return `record_id=${encodeURIComponent(episode.id)}`;
  if (!episode.session) return null;
  return world.keeps_records ? `record_id=${episode.episode}` : `session_id=${episode.session}`;
};
const asked = new WeakSet();
/* Fills `episode.debrief`, and calls `changed` at the beginning and at the end; never throws. */
export async function review(episode, changed) {
  const query = queryOf(episode);
  if (!query || asked.has(episode) || episode.debrief?.debrief) return;
  asked.add(episode);
  episode.debrief = { pending: true };
  changed();
  try {
    episode.debrief = await call("GET", `debrief?${query}`);
  } catch (error) {
    episode.debrief = { problem: error.message };
  }
  changed();
}
const nameOf = (action) => (action.service_id ? `${action.action} ${action.service_id}` : action.action);
const points = ({ mean, standard_error }) => `${mean.toFixed(3)} ± ${standard_error.toFixed(3)}`;
const moment = (when) => (when === null ? "never" : `step ${when.step}${when.after_s === null ? "" : ` (${Math.round(when.after_s)} s)`}`);

function sum({ score, gap, exact, truth }) {
  const parts = `Score ${score.toFixed(3)} = ${truth.start.mean.toFixed(3)} at best − ${truth.regrets.mean.toFixed(3)} of regrets ${truth.luck.mean < 0 ? "−" : "+"} ${Math.abs(truth.luck.mean).toFixed(3)} of luck`;
  return exact ? `${parts}.` : `${parts}, and ${gap.toFixed(3)} between this record and the simulator's replay of it.`;
}
/* Why an action cost points: it could be known by then, or not yet. */
function regretsOf(steps) {
  const worst = steps.filter((step) => step.truth.regret.mean >= NOTICEABLE).sort((a, b) => b.truth.regret.mean - a.truth.regret.mean).slice(0, 5);
  const items = worst.map((step) => h("li", {}, `step ${step.step}: `, h("b", {}, nameOf(step.truth.best_action)), ` instead of ${nameOf(step.taken)} was worth ${points(step.truth.regret)}, `, step.knowable > step.not_knowable ? "and it was knowable." : "but nobody could know it yet."));
  return items.length ? items : [h("li", {}, `No action would have been better by ${NOTICEABLE} or more.`)];
}
const HEADS = ["step", "action", "best action", "regret", "of it knowable", "luck", "process reward"];
const rowOf = ({ step, taken, truth, knowable }) => [String(step), nameOf(taken), nameOf(truth.best_action), points(truth.regret), knowable.toFixed(3), points(truth.luck), points(truth.advantage)];

let drawn = null;
export function drawDebrief(episode, isEnd) {
  const made = isEnd ? episode.debrief : null;
  const { debrief, postmortem } = made ?? {};
  const may = isEnd && Boolean(episode.id) && !made;
  put($("debrief-panel"), { hidden: !made && !may });
  put($("debrief-ask"), { hidden: !may });
  text($("debrief-note"), made?.pending ? "The server plays other futures of this episode: up to ten seconds, more where it is busy." : made?.problem ? `✕ ${made.problem}` : debrief ? sum(debrief) : "");
  put($("debrief-done"), { hidden: !debrief });
  if (!debrief || debrief === drawn) return;
  drawn = debrief;
  $("debrief").replaceChildren(...regretsOf(debrief.steps));
  $("debrief-times").textContent = postmortem.faults.length ? `The right service was acted on: ${moment(postmortem.detected)}. All was well again: ${moment(postmortem.recovered)}.` : "Nothing was broken.";
  $("debrief-losses").replaceChildren(...postmortem.losses.map(([lost, reason]) => h("li", {}, `${lost.toFixed(3)}: ${reason}`)));
  $("debrief-timeline").replaceChildren(...postmortem.timeline.map(({ step, text }) => h("li", {}, `${step}  ${text}`)));
  $("debrief-steps").replaceChildren(table(`Each action with the truth known; advised by ${debrief.adviser} where it was knowable`, HEADS, debrief.steps.map(rowOf)));
  $("debrief-page").hidden = world.needs_token || !queryOf(episode).startsWith("record_id");
  $("debrief-page").href = `debrief?${queryOf(episode)}&format=html`;
}
