/* A shipped policy plays this tab's session before one's eyes: the server says what it would do next,
   the page does it. It can be halted; nothing else is changed by who watches. */
import { call, setToken } from "./api.js";
import { $, h, put, text } from "./dom.js";
import * as session from "./session.js";
import { drawNow } from "./view.js";
import { world } from "./world.js";

let halted = false;
let next = null;
export const isPlaying = () => Boolean(session.mine.player) && session.isRunning();
export const isHalted = () => halted;
/* What it would do next, from what it has observed so far. */
export async function advised() {
  const { action } = await call("GET", `advice?session_id=${session.mine.session}&policy=${session.mine.player}`);
  return action;
}
export function halt(stop = true) {
  halted = stop;
  clearTimeout(next);
  text($("policy-halt"), halted ? "Go on" : "Halt");
}
/* Calls `play` after as long as was asked for, unless it is halted by then. */
export function goOn(play) {
  clearTimeout(next);
  if (isPlaying() && !halted) next = setTimeout(play, 1000 / Number($("policy-speed").value));
}
export const drawPolicy = (mode) => put($("policy-halt"), { hidden: mode !== "play" || !isPlaying() });

export function buildPolicy(begin, play) {
  $("policy-name").append(...world.policies.map((name) => h("option", { value: name }, name)));
  $("policy-form").addEventListener("submit", (event) => {
    event.preventDefault();
    setToken($("watch-token").value);
    $("watch-dialog").close();
    halt(false);
    begin($("policy-tier").value, Number($("policy-seed").value), null, $("policy-name").value);
  });
  $("policy-halt").addEventListener("click", () => { halt(!halted); drawNow(); goOn(play); });
}
