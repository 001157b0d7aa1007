// Pulls and checks as they come: the server tells each time that one got further; when one ends, its part is new.
import { $, $$, announce } from "./dom.js";

function show(row) {
  const place = $(`[data-pull="${row.id}"]`);
  if (!place) return false;
  $('[data-part="said"]', place).textContent = row.said;
  const bar = $("progress", place);
  if (bar && row.share !== null) bar.value = row.share;
  return place.dataset.state === row.state;
}

/** Take the parts anew that ended pulls changed, as the server draws them. */
async function take() {
  const response = await fetch(location.href, { redirect: "error" });
  if (!response.ok) throw new Error(response.statusText);
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const id of ["pulls", "shelf", "model-state", "model"]) {
    const [old, made] = [$(`#${id}`), fresh.getElementById(id)];
    if (old && made) old.replaceWith(document.importNode(made, true));
  }
  for (const one of $$("[data-pull]")) {
    if (states.get(one.dataset.pull) !== one.dataset.state) {
      announce(`${$("strong", one).textContent}: ${one.dataset.state}`);
    }
  }
  remember();
}

const states = new Map();
function remember() {
  for (const one of $$("[data-pull]")) states.set(one.dataset.pull, one.dataset.state);
}

const AGAIN_MS = 3000;
const TRIES = 5;
let source = null;
let wanted = false;
let taking = false;

/** One after another, or an older page could come last; and again when it does not come: nothing else asks for it. */
async function renew() {
  wanted = true;
  if (taking) return;
  taking = true;
  for (let failed = 0; wanted && failed < TRIES; ) {
    wanted = false;
    try {
      await take();
      failed = 0;
    } catch {
      failed += 1;
      wanted = true;
      await new Promise((over) => setTimeout(over, AGAIN_MS));
    }
  }
  taking = false;
}

/** The browser comes again by itself when the line breaks, but not when a proxy or a gone session answers. */
function watch() {
  source = new EventSource(live);
  source.addEventListener("message", (event) => {
    const same = JSON.parse(event.data).map(show);
    if (same.includes(false)) renew();
  });
  source.addEventListener("over", () => source.close());
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) setTimeout(() => again().catch(watch), AGAIN_MS);
  });
}

async function again() {
  const response = await fetch(location.href, { redirect: "manual" });
  if (response.type === "opaqueredirect") location.reload(); // to sign in, and back here
  else watch();
}

const live = $("#pulls")?.dataset.live;
if (live) {
  remember();
  watch();
  addEventListener("pagehide", () => source.close());
}
