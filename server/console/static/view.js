/* What is on the screen: an episode that is played, watched or replayed, up to a step of it. */
export const view = { mode: "play", episode: null, cursor: null };
let render = () => {};
export const onChange = (draw) => { render = draw; };
export function show(episode, mode, cursor = null) {
  Object.assign(view, { episode, mode, cursor });
  render();
}
export const redraw = () => render();
/* The observations up to the cursor; all of them where there is none. */
export function shown() {
  const all = view.episode?.observations ?? [];
  return view.cursor === null ? all : all.slice(0, view.cursor + 1);
}
export const last = () => shown().at(-1);
