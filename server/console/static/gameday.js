/* Game day: a hidden incident behind a link, notes, a clock, and a board of all who played it. */
import { call } from "./api.js";
import { $, h, save, table } from "./dom.js";
import { times } from "./episode.js";
import { fetchRecord } from "./replay.js";
import { world } from "./world.js";

const BOARD = "sre-autopilot-board";
const MOST = 20;
/* Hides tier and seed from whoever reads the link by eye; it is no secret. */
export const gameLink = (game) => `#game=${btoa(JSON.stringify(game)).replaceAll("=", "")}`;
export function gameOf(hash) {
  const code = new URLSearchParams(hash.slice(1)).get("game");
  if (!code) return null;
  try {
    const { tier, seed } = JSON.parse(atob(code));
    return typeof tier === "string" && Number.isSafeInteger(seed) ? { tier, seed } : null;
  } catch { return null; }
}
const stored = () => { try { return JSON.parse(localStorage.getItem(BOARD)) ?? []; } catch { return []; } };

export function keepResult(mine) {
  const result = {
    id: mine.episode, tier: mine.tier, seed: mine.seed, player: mine.player ?? mine.game?.player ?? "person", score: mine.score.score, validity: mine.score.validity.verdict,
    ...times({ ...mine, recovered_at: mine.score.recovered_at }, world.pass), seconds: Math.round((mine.ended - mine.began) / 1000), notes: mine.notes,
  };
  try { localStorage.setItem(BOARD, JSON.stringify([...stored().filter(({ id }) => id !== result.id), result].slice(-200))); } catch { return; }
}
/* Of this browser, and of the server's records of the same incident where it shows them. */
export async function board({ tier, seed }) {
  const own = stored().filter((result) => result.tier === tier && result.seed === seed);
  const listed = await call("GET", "records?limit=200").catch(() => ({ records: [] }));
  const same = listed.records.filter((record) => record.tier === tier && record.seed === seed && record.finished && !own.some(({ id }) => id === record.episode_id));
  const others = await Promise.all(same.slice(0, MOST).map(async (summary) => {
    const { mttd, mttr } = times(await fetchRecord(summary.record_id), world.pass);
    return { player: summary.policy ?? "?", score: summary.score, validity: summary.validity, mttd, mttr, seconds: Math.round(summary.ended_at - summary.began_at) };
  }));
  return [...own, ...others].sort((a, b) => b.score - a.score);
}
const HEADS = ["player", "score", "MTTD, steps", "MTTR, steps", "time, s", "validity"];
const rowOf = (result) => [result.player, result.score?.toFixed(3) ?? "–", result.mttd ?? "–", result.mttr ?? "–", result.seconds ?? "–", result.validity ?? "–"].map(String);
export const asMarkdown = (results) => [HEADS, HEADS.map(() => "---"), ...results.map(rowOf)].map((row) => `| ${row.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`).join("\n") + "\n";
/* A cell that a spreadsheet would take for a formula is text. */
const csvCell = (cell) => `"${(/^[=+\-@]/.test(cell) && Number.isNaN(Number(cell)) ? `'${cell}` : cell).replaceAll('"', '""')}"`;
export const asCsv = (results) => [HEADS, ...results.map(rowOf)].map((row) => row.map(csvCell).join(",")).join("\r\n") + "\r\n";

export async function openBoard(incident) {
  const results = await board(incident);
  $("board").replaceChildren(table("Best score first. MTTD: steps to the first action on a cause; MTTR: steps to the recovery.", HEADS, results.map(rowOf)));
  $("board-md").onclick = () => save("board.md", asMarkdown(results), "text/markdown");
  $("board-csv").onclick = () => save("board.csv", asCsv(results), "text/csv");
  $("board-dialog").showModal();
}
export function buildGame() {
  $("game-open").addEventListener("click", () => $("game-dialog").showModal());
  $("game-make").addEventListener("submit", (event) => {
    event.preventDefault();
    const link = gameLink({ tier: $("game-tier").value, seed: Number($("game-seed").value) });
    $("game-link").replaceChildren(h("a", { href: link }, "the game's link"), " – give it to all players");
  });
}
