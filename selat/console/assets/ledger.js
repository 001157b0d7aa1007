// The live feed: asks every two seconds, while the page is looked at, for the rows that came since.
import { $, data, headers } from "./dom.js";

const EVERY_MS = 2000;
const MOST = 200;
const rows = $("#rows");
let last = data.last;

async function look() {
  if (document.hidden) return;
  const response = await fetch(`/ledger/live?${data.query}&after=${Math.max(last, 0)}`, { headers });
  if (!response.ok) return;
  last = Number(response.headers.get("selat-last"));
  const fresh = new DOMParser().parseFromString(`<table>${await response.text()}</table>`, "text/html");
  const found = [...fresh.querySelectorAll("tr")];
  if (!found.length) return;
  for (const row of found) row.classList.add("fresh");
  rows.prepend(...found.map((row) => document.importNode(row, true)));
  while (rows.childElementCount > MOST) rows.lastElementChild.remove();
  document.querySelector(".empty")?.remove();
}

if (data.live && rows) {
  const badge = $("#feed");
  if (badge) badge.hidden = false;
  setInterval(() => look().catch(() => {}), EVERY_MS);
}
