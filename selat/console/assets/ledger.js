// The live feed: asks every two seconds, while the page is looked at, for the rows that came since.
import { $, data, headers } from "./dom.js";

const EVERY_MS = 2000;
const MOST = 200;
const rows = $("#rows");
let last = data.last;

async function look() {
  if (document.hidden) return;
  const response = await fetch(`/ledger/live?${data.query}&after=${Math.max(last, 0)}`, { headers });
  if (response.status === 401) return location.reload(); // to sign in, and back here
  if (!response.ok) throw new Error(`status ${response.status}`);
  const fresh = new DOMParser().parseFromString(`<table>${await response.text()}</table>`, "text/html");
  last = Number(response.headers.get("selat-last"));
  const found = [...fresh.querySelectorAll("tr")];
  if (!found.length) return;
  for (const row of found) row.classList.add("fresh");
  rows.prepend(...found.map((row) => document.importNode(row, true)));
  while (rows.childElementCount > MOST) rows.lastElementChild.remove();
  document.querySelector(".empty")?.remove();
}

function tell(here) {
  $("#feed").hidden = !here;
  $("#feed-away").hidden = here;
}

/** Each look begins after the one before has ended: two at a time would bring the same rows twice. */
async function watch() {
  try {
    await look();
    tell(true);
  } catch {
    tell(false);
  }
  setTimeout(watch, EVERY_MS);
}

if (data.live && rows && $("#feed")) {
  tell(true);
  setTimeout(watch, EVERY_MS);
}
