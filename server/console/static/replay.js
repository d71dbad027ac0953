/* Records: opened from a file or from the server, scrubbed, played at any speed, shared as a link. */
import { ask, call, setToken } from "./api.js";
import { $, attribute, h, put, save, text } from "./dom.js";
import { parseRecord } from "./record.js";
import { redraw, show, view } from "./view.js";

let playing = null;

export async function readFile(file) {
  try { return parseRecord(await file.text()); } catch (error) { throw new Error(`${file.name}: ${error.message}`); }
}
const textOf = async (id) => (await ask("GET", `records/${encodeURIComponent(id)}`)).text();
export async function fetchRecord(id) {
  return { ...parseRecord(await textOf(id)), id };
}
export function openRecord(record, step = 0) {
  stop();
  const end = record.observations.length - 1;
  $("scrub").max = end;
  show(record, "replay", Math.min(step, end));
}
export function moveTo(step) {
  const end = view.episode.observations.length - 1;
  view.cursor = Math.max(0, Math.min(end, step));
  if (view.cursor === end) stop();
  redraw();
}
export function togglePlay() {
  if (playing) return stop();
  if (view.cursor === view.episode.observations.length - 1) view.cursor = 0;
  playing = setInterval(() => moveTo(view.cursor + 1), 1000 / Number($("speed").value));
  text($("replay-play"), "Pause");
  return undefined;
}
export function stop() {
  clearInterval(playing);
  playing = null;
  text($("replay-play"), "Play");
}
export function drawReplay() {
  put($("replay-bar"), { hidden: view.mode !== "replay" });
  if (view.mode !== "replay") return stop();
  put($("scrub"), { value: String(view.cursor) });
  attribute($("scrub"), "aria-valuetext", `step ${view.cursor}`);
  put($("share"), { hidden: !view.episode.id });
  attribute($("share"), "href", `#record=${encodeURIComponent(view.episode.id ?? "")}&step=${view.cursor}`);
  return undefined;
}
export function buildReplay(during) {
  $("scrub").addEventListener("input", () => { stop(); moveTo(Number($("scrub").value)); });
  $("replay-play").addEventListener("click", togglePlay);
  $("speed").addEventListener("change", () => { if (playing) { stop(); togglePlay(); } });
  $("file").addEventListener("change", () => {
    const [file] = $("file").files;
    $("records-dialog").close();
    if (file) during("Reading the record", async () => openRecord(await readFile(file)));
    $("file").value = "";
  });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    const [file] = event.dataTransfer.files;
    if (file) during("Reading the record", async () => openRecord(await readFile(file)));
  });
  $("records-open").addEventListener("click", () => { $("records-dialog").showModal(); listRecords(during); });
  $("records-token").addEventListener("change", () => { setToken($("records-token").value); listRecords(during); });
}
async function listRecords(during) {
  $("records-note").textContent = "…";
  try {
    const { kept, records, total } = await call("GET", "records?limit=50");
    $("records-note").textContent = kept ? `the newest of ${total}` : "This server keeps no records (SRE_RECORD_DIR is not set); a file can be opened.";
    const download = (record) => during("Fetching the record", async () => save(`${record.record_id}.jsonl`, await textOf(record.record_id), "application/jsonl"));
    const open = (record) => during("Fetching the record", async () => { openRecord(await fetchRecord(record.record_id)); $("records-dialog").close(); });
    $("records-list").replaceChildren(...records.map((record) => h("li", {},
      h("button", { type: "button", onclick: () => open(record) }, `${record.tier} ${record.seed}`, h("span", { class: "hidden-text" }, ` by ${record.policy}, ${record.record_id}`)),
      ` ${record.policy ?? "?"}, ${record.steps} steps, score ${record.score?.toFixed(3) ?? "–"} ${record.validity ?? ""} `,
      h("button", { type: "button", onclick: () => download(record) }, "download", h("span", { class: "hidden-text" }, ` ${record.record_id}`)),
    )));
  } catch (error) {
    $("records-list").replaceChildren();
    $("records-note").textContent = error.message;
  }
}
