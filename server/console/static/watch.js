/* Watching: a session of this server, live and read-only, over the server's /watch socket. */
import { call, setToken } from "./api.js";
import { $, h } from "./dom.js";
import { PACE_MS, redraw, redrawAtPace, show, view } from "./view.js";

const PROTOCOL = "sre-autopilot.watch";
let socket = null;

export function stopWatching() {
  socket?.close();
  socket = null;
}
export function watch(session) {
  stopWatching();
  const address = new URL(`watch/${encodeURIComponent(session)}`, location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  // Steps come at the pace at which they are drawn: each that comes alone would wake the browser.
  address.searchParams.set("pace_s", PACE_MS / 1000);
  const token = $("watch-token").value;
  const encoded = token && btoa(token).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const opened = new WebSocket(address, encoded ? [PROTOCOL, `base64url.bearer.${encoded}`] : [PROTOCOL]);
  socket = opened;
  const episode = { session, tier: "?", seed: "?", observations: [], done: false, score: null, faults: null };
  show(episode, "watch");
  opened.addEventListener("message", (event) => {
    const { type, data } = JSON.parse(event.data);
    if (type === "episode") Object.assign(episode, { episode: data.episode_id, policy: data.policy, observations: [], done: false, total: null });
    else {
      episode.observations[data.observation.step] = data.observation;
      episode.done = data.done;
      if (data.done) episode.total = data.reward;
    }
    if (view.episode === episode) (data.done ? redraw : redrawAtPace)();
  });
  opened.addEventListener("close", (event) => {
    episode.closed = event.reason || "the server closed the connection";
    if (view.episode === episode) redraw();
  });
}
export function buildWatch() {
  $("watch-open").addEventListener("click", () => { $("watch-dialog").showModal(); listSessions(); });
  $("watch-token").addEventListener("change", () => { setToken($("watch-token").value); listSessions(); });
  $("watch-form").addEventListener("submit", (event) => {
    event.preventDefault();
    watch($("watch-session").value);
    $("watch-dialog").close();
  });
}
async function listSessions() {
  try {
    const { sessions } = await call("GET", "sessions");
    const pick = (name) => () => { watch(name); $("watch-dialog").close(); };
    $("watch-list").replaceChildren(...sessions.map(({ session_id, step_count, policy }) => h("li", {}, h("button", { type: "button", onclick: pick(session_id) }, session_id), ` step ${step_count}, ${policy ?? "?"}`)));
    if (!sessions.length) $("watch-list").replaceChildren(h("li", {}, "no session is open"));
  } catch (error) {
    $("watch-list").replaceChildren(h("li", {}, error.message));
  }
}
