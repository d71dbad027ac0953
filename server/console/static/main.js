/* The console: wires the parts together, and allows one call of the session at a time. */
import { call } from "./api.js";
import { closeChart, drawChart, openChart } from "./chart.js";
import { buildCompare } from "./compare.js";
import { drawDebrief, review } from "./debrief.js";
import { $, h, put, text } from "./dom.js";
import { broken, isRefused } from "./episode.js";
import { buildGame, gameOf, keepResult, openBoard } from "./gameday.js";
import { buildGraph, drawGraph } from "./graph.js";
import { buildKeys } from "./keys.js";
import * as policy from "./policy.js";
import { buildReplay, drawReplay, fetchRecord, openRecord } from "./replay.js";
import { buildServices, renderServices } from "./services.js";
import * as session from "./session.js";
import { drawHistory, drawPager, drawScore } from "./side.js";
import { buildTraces, drawTraces } from "./traces.js";
import { drawNow, last, onChange, redraw, redrawAtPace, show, shown, view } from "./view.js";
import { buildWatch, stopWatching } from "./watch.js";
import { services, world } from "./world.js";

const WARN_S = 60;
const NOTICEABLE_MS = 200;
const GONE = new Set(["unknown_session", "lease_ended", "environment_closed"]);
let offered = { tasks: [], seeds: {} };
let busy = false;
let game = null;

/* One at a time. Everything that would make another call is disabled meanwhile, unless it is over
   before anybody could notice. */
async function during(label, work) {
  if (busy) return;
  const [focused, before, began] = [document.activeElement, session.mine.episode, Date.now()];
  const root = document.documentElement;
  const say = () => text($("status"), `${label} … ${Math.round((Date.now() - began) / 1000)} s`);
  const saying = setTimeout(() => { say(); enable(); }, NOTICEABLE_MS);
  const ticking = setInterval(say, 1000);
  busy = true;
  root.toggleAttribute("data-busy", true);
  try {
    put($("problem"), { hidden: true });
    await work();
  } catch (error) {
    if (GONE.has(error.kind)) session.lost();
    $("auto").checked = false;
    policy.halt();
    $("detail").textContent = error.message;
    $("problem").hidden = false;
  } finally {
    clearTimeout(saying);
    clearInterval(ticking);
    busy = false;
    root.toggleAttribute("data-busy", false);
    session.keep();
    (policy.isPlaying() && !policy.isHalted() ? redrawAtPace : drawNow)();
    tick();
    // Who has begun by a key goes on by keys: a field would swallow them.
    const next = focused?.dataset.when === "idle" && session.mine.episode !== before ? $("pass") : focused;
    if ([document.body, focused].includes(document.activeElement)) next?.focus({ preventScroll: true });
  }
  goOn();
}
function goOn() {
  if (!session.isRunning()) $("auto").checked = false;
  else if (policy.isPlaying()) policy.goOn(playOn);
  else if ($("auto").checked && !busy) act(world.pass);
}
const back = () => { stopWatching(); show(session.mine, "play"); goOn(); };

function asked(text) { return !session.isRunning() || window.confirm(text); }
const begin = (tier, seed, started = null, player = null) => asked("An episode is running. Give it up and begin another?") && during("Beginning an episode", async () => {
  await session.begin(tier, seed, started, player);
  await pages();
  closeChart();
  back();
});
function act(action, service) {
  if (busy || view.mode !== "play" || !session.isRunning() || session.mine.player) return undefined;
  if (world.asks_first.includes(action) && !window.confirm(`${action} ${service} costs ${world.costs[action]} of ${world.budget}. Do it?`)) return undefined;
  return during(service ? `${action} ${service}` : action, async () => {
    const note = $("note").value.trim();
    await session.act(action, service);
    if (note) session.mine.notes[session.mine.observations.length - 1] = note;
    $("note").value = "";
    await afterStep();
  });
}
function playOn() {
  if (busy || view.mode !== "play" || !policy.isPlaying()) return undefined;
  return during(`${session.mine.player} plays`, async () => {
    const { action, service_id } = await policy.advised();
    await session.act(action, service_id);
    await afterStep();
  });
}
async function afterStep() {
  await pages();
  if (!session.mine.score) return;
  keepResult(session.mine);
  debrief(session.mine);
}
/* Beside all else: it takes seconds, and the session is free when it is there. */
async function debrief(episode) {
  if (!world.needs_token) await review(episode, redraw);
  await session.free(episode);
  redraw();
}
async function pages() {
  if (!session.isRunning()) return;
  session.mine.notices = (await call("GET", `pager?session_id=${session.mine.session}`)).notices;
}

function enable() {
  const running = session.isRunning() && view.mode === "play" && !session.mine.player;
  const may = { idle: !busy && offered.tasks.length > 0, begun: !busy && session.mine.episode !== null, running: !busy && running };
  for (const input of document.querySelectorAll("[data-when]")) put(input, { disabled: !may[input.dataset.when] });
  put($("busy"), { className: busy ? "on" : "" });
}
function draw() {
  const observation = last();
  const { episode, mode } = view;
  const hidden = Boolean(episode?.game && !episode.score);
  const who = hidden ? "Game day, tier and seed hidden" : `Tier ${episode?.tier}, seed ${episode?.seed}`;
  text($("which"), !episode?.episode && mode === "play" ? "No episode" : mode === "watch" ? `Watching ${episode.session}` : who);
  text($("mode"), { play: episode?.player ? `${episode.player} plays` : "", replay: `Record of ${episode?.policy ?? "?"}`, watch: `Read-only; ${episode?.policy ?? "?"} plays` }[mode]);
  put($("back"), { hidden: mode === "play" });
  text($("step"), observation ? `step ${observation.step} of ${observation.max_steps}` : "-");
  put($("steps"), { max: observation?.max_steps ?? world.max_steps });
  put($("steps"), { value: observation?.step ?? 0 });
  text($("cost"), observation ? `${observation.cost_spent} of ${world.budget}` : "-");
  text($("restarts"), observation ? `${observation.remaining_restarts} of ${world.max_restarts}` : "-");
  if (!busy) text($("status"), summary(observation));
  renderServices(shown(), world.max_steps);
  put($("panels"), { hidden: !observation });
  if (observation) {
    drawGraph(observation);
    drawHistory(shown(), episode.notes);
    const isEnd = view.cursor === null || view.cursor === episode.observations.length - 1;
    drawScore(isEnd ? episode : { total: null, score: null }, observation);
    drawDebrief(episode, isEnd);
    drawTraces(mode === "replay" ? episode.steps[view.cursor] : null);
    drawPager(mode === "play" ? (episode.notices ?? null) : null);
    drawChart();
  }
  put($("board-open"), { hidden: !(mode === "play" && episode?.score) });
  policy.drawPolicy(mode);
  drawReplay();
  enable();
}
function summary(observation) {
  const { episode, mode } = view;
  if (mode === "watch" && episode.closed) return `The session is over: ${episode.closed}.`;
  if (mode === "watch" && !observation) return "Waiting for the session's first step.";
  if (!episode?.episode) return "Choose a tier and begin; ? shows how to play.";
  if (mode === "play" && episode.done) return `The episode is over${episode.score ? `, with a score of ${episode.score.score.toFixed(3)}` : ""}; its session is free ${episode.alive ? "once the debrief is there" : "for others"}.`;
  if (mode === "play" && !episode.alive) return "No session: begin another episode.";
  if (!observation) return "";
  const names = broken(observation);
  const refused = isRefused(observation) ? `Refused: ${observation.last_action_error}. ` : "";
  return refused + (names.length ? `SLA broken: ${names.join(", ")}.` : "All services that sent data meet their SLA.");
}
/* Each second: the clock, and how long the session still waits for a call. */
function tick() {
  if (document.hidden) return;
  const { mine } = session;
  const seconds = Math.round(((mine.ended ?? Date.now()) - mine.began) / 1000);
  text($("clock"), mine.began ? `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}` : "-");
  const left = session.leaseLeft();
  const isFar = !session.isRunning() || busy || left > Math.max(WARN_S, world.lease_s / 3);
  put($("lease"), { hidden: isFar });
  if (!isFar) text($("lease-left"), left ? `The session ends in ${left} s without a call.` : "The session may have ended: no call came for its lease.");
}
function build() {
  buildServices(act, openChart);
  buildGraph();
  buildKeys(act);
  buildReplay(during);
  buildWatch();
  policy.buildPolicy(begin, playOn);
  buildCompare();
  buildGame();
  buildTraces();
  $("pass").append(world.pass, h("kbd", {}, "w"));
  $("auto-label").textContent = `${world.pass} by itself`;
  $("help-actions").append(...Object.entries(world.does).flatMap(([action, text]) => [h("dt", {}, `${action}, cost ${world.costs[action]}`), h("dd", {}, text)]));
}
/* What the server offers; without its answer the page stands, and says why nothing can begin. */
async function offer() {
  const { tasks, seeds } = await call("GET", "tasks");
  offered = { tasks, seeds };
  for (const select of [$("tier"), $("game-tier"), $("policy-tier")]) select.append(...tasks.map((task) => h("option", { value: task.id }, task.id)));
  if (session.mine.tier && !session.mine.game) $("tier").value = session.mine.tier;
  about();
}
function about() { $("about").textContent = offered.tasks.find((task) => task.id === $("tier").value)?.description ?? ""; }
function anySeed() {
  const [first, final] = Object.values(offered.seeds)[0];
  return $("seed").value === "" ? first + Math.floor(Math.random() * (final - first + 1)) : Number($("seed").value);
}
/* A link may name a record of this server, or a game. */
async function follow() {
  game = gameOf(location.hash);
  $("begin").hidden = Boolean(game);
  $("game-bar").hidden = !game;
  const named = new URLSearchParams(location.hash.slice(1));
  if (named.get("record")) await during("Fetching the record", async () => openRecord(await fetchRecord(named.get("record")), Number(named.get("step") ?? 0)));
}
onChange(draw);
$("begin").addEventListener("submit", (event) => { event.preventDefault(); begin($("tier").value, anySeed()); });
$("game-bar").addEventListener("submit", (event) => { event.preventDefault(); begin(game.tier, game.seed, { player: $("player").value || "person" }); });
$("end").addEventListener("click", () => asked("End the session without a score?") && during("Ending the session", async () => { await session.end(); back(); }));
$("pass").addEventListener("click", () => act(world.pass));
$("auto").addEventListener("change", goOn);
$("tier").addEventListener("change", about);
$("back").addEventListener("click", back);
$("keep").addEventListener("click", () => during("Keeping the session", session.keepAlive));
$("debrief-ask").addEventListener("click", () => review(view.episode, redraw));
$("dismiss").addEventListener("click", () => { $("problem").hidden = true; });
$("chart-close").addEventListener("click", closeChart);
$("help-open").addEventListener("click", () => $("help-dialog").showModal());
$("board-open").addEventListener("click", () => during("Fetching the board", () => openBoard(session.mine)));
addEventListener("hashchange", follow);
addEventListener("pagehide", session.leave);
addEventListener("pageshow", (event) => { if (event.persisted) during("Asking the server", session.find); });
addEventListener("visibilitychange", tick);
setInterval(tick, 1000);
build();
view.episode = session.mine;
await during("Asking the server", async () => {
  await offer();
  await session.find();
  if (session.mine.score) debrief(session.mine);
});
await follow();
document.documentElement.dataset.ready = String(services.length);
