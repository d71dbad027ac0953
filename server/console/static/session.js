/* The session of this tab: begin, act, grade, end; its lease, and what it leaves behind. */
import { call, callWhileLeaving } from "./api.js";
import { world } from "./world.js";

const STORED = "sre-autopilot";
/* Long enough for a reload to ask for its session, which it cannot tell from a closed tab. */
const LEAVE_S = 10;
export let mine = read();
let calledAt = Date.now();

function fresh() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  const session = "web-" + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return { session, episode: null, alive: false, done: false, observations: [], score: null, faults: null, notes: {} };
}
/* A browser may forbid storage: a reload begins anew there. */
function read() { try { return JSON.parse(sessionStorage.getItem(STORED)) ?? fresh(); } catch { return fresh(); } }
export function keep() { try { sessionStorage.setItem(STORED, JSON.stringify(mine)); } catch { return; } }
export const isRunning = () => mine.alive && !mine.done;
export const leaseLeft = () => Math.max(0, Math.round(world.lease_s - (Date.now() - calledAt) / 1000));

async function own(method, path, body) {
  const reply = await call(method, path, body);
  calledAt = Date.now();
  return reply;
}
/* game: who plays a game; player: the policy that plays in the place of a person. */
export async function begin(tier, seed, game = null, player = null) {
  const [episode, asked] = [fresh().session, mine.session];
  const reset = { task_tier: tier, seed, session_id: asked, episode_id: episode, policy: player ?? game?.player ?? "person" };
  const began = Date.now();
  const { observation, session_id } = await own("POST", "reset", reset);
  mine = { ...fresh(), session: session_id, episode, tier, seed, alive: true, began, game, player };
  mine.observations[observation.step] = observation;
}
export async function act(action, service) {
  const body = { action, session_id: mine.session, ...(service && { service_id: service }) };
  const { observation, done } = await own("POST", "step", body);
  mine.observations[observation.step] = observation;
  mine.done = done;
  await grade();
}
/* The score, the truth for those who may see it; then the session is free for others, at once where
   a record has what the debrief asks for. */
async function grade() {
  if (!mine.done || mine.score) return;
  mine.score = await own("GET", `grader?session_id=${mine.session}`);
  mine.ended = Date.now();
  if (!world.needs_token) mine.faults = (await own("GET", `state?session_id=${mine.session}`)).hidden.faults;
  if (world.needs_token || world.keeps_records) await release();
}
async function release() {
  mine.alive = false;
  await own("DELETE", `sessions/${mine.session}`).catch((error) => { if (error.status !== 404) throw error; });
}
/* After the debrief: unless another episode took the place of `episode` meanwhile. */
export async function free(episode) {
  if (mine === episode && mine.alive) await release().catch(() => {});
  keep();
}
export async function end() {
  if (mine.alive) await release();
  mine = fresh();
}
export const keepAlive = () => own("GET", `state?session_id=${mine.session}`);

/* After a reload: only where the session is. */
export async function find() {
  if (!mine.episode || !mine.alive) return;
  mine.alive = false;
  const { episode_id, step_count, done } = await own("GET", `state?session_id=${mine.session}`);
  if (episode_id !== mine.episode) throw new Error("The episode of this page was not begun, or another took its place.");
  Object.assign(mine, { alive: true, done });
  await grade();
  if (step_count >= mine.observations.length && !done) throw new Error(`Step ${step_count} was under way when the page went: it is missing below.`);
}
export function leave() {
  keep();
  if (mine.alive) callWhileLeaving("DELETE", `sessions/${mine.session}?after_s=${LEAVE_S}`);
}
export const lost = () => { mine.alive = false; };
