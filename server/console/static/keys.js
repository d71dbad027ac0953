/* Shortcuts: w waits; a number chooses a service, a letter then acts on it; ? helps. */
import { $ } from "./dom.js";
import { services, world } from "./world.js";

let chosen = null;
const letters = new Map(Object.entries(world.keys));

export function buildKeys(act) {
  addEventListener("keydown", (event) => {
    const field = event.target.closest?.("input:not([type=checkbox]), select, textarea, dialog[open]");
    if (field || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "?") $("help-dialog").showModal();
    else if (event.key === "w") act(world.pass);
    else if (event.key === "Escape") choose(null);
    else if (Number(event.key) >= 1 && Number(event.key) <= services.length) choose(Number(event.key) - 1);
    else if (chosen !== null && letters.has(event.key)) {
      act(letters.get(event.key), services[chosen]);
      choose(null);
    } else if (letters.has(event.key)) $("chosen").textContent = `Choose a service first: 1 to ${services.length}`;
    else return;
    event.preventDefault();
  });
}
function choose(index) {
  chosen = index;
  for (const row of $("services").rows) row.classList.remove("chosen");
  $("chosen").textContent = "";
  if (index === null) return;
  $("services").rows[index].classList.add("chosen");
  $("services").rows[index].scrollIntoView({ block: "nearest" });
  $("chosen").textContent = `${services[index]}: ${[...letters].map(([letter, action]) => `${letter} ${action}`).join(", ")}, Esc none`;
}
