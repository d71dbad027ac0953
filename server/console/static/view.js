/* What is on the screen: an episode that is played, watched or replayed, up to a step of it. */
export const view = { mode: "play", episode: null, cursor: null };
let render = () => {};
/* What comes by itself is drawn at most so often: nobody reads faster, and the least frame costs a
   browser without a GPU about as much as a third of a whole one. */
export const PACE_MS = 1000;
let due = null; // the frame that will draw what has changed since the last one
let later = null; // the timer that will ask for that frame
let drawnAt = -PACE_MS;
export const onChange = (draw) => { render = draw; };
export function show(episode, mode, cursor = null) {
  Object.assign(view, { episode, mode, cursor });
  redraw();
}
/* However much changes before it, a frame draws once; a tab in the background has no frames. */
export function redraw() { due ??= requestAnimationFrame(() => { due = null; drawNow(); }); }
export function redrawAtPace() {
  if (due === null) later ??= setTimeout(redraw, drawnAt + PACE_MS - performance.now());
}
/* At once, for whoever goes on with what is drawn; not in the background. */
export function drawNow() {
  if (document.hidden) return redraw();
  cancelAnimationFrame(due);
  clearTimeout(later);
  due = later = null;
  drawnAt = performance.now();
  render();
  return undefined;
}
/* The observations up to the cursor; all of them where there is none. */
export function shown() {
  const all = view.episode?.observations ?? [];
  return view.cursor === null ? all : all.slice(0, view.cursor + 1);
}
export const last = () => shown().at(-1);
