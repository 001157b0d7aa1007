// Sending documents in: chosen or dropped, two at a time, each with its progress until it can be asked about.
import { $, Refused, announce, data, get, headers, icon, make, word } from "./dom.js";

const TOGETHER = 2;
const drop = $("#drop");
const list = $("#uploads");
const queue = [];
let running = 0;

const suffix = (name) => name.slice(name.lastIndexOf(".")).toLowerCase();

function add(file, folder) {
  const state = make("span", { class: "badge info" }, word("waiting"));
  const bar = make("progress", { max: "100", value: "0", "aria-label": file.name });
  const row = make("li", {}, make("span", {}, folder ? `${folder}/${file.name}` : file.name), state, bar);
  list.hidden = false;
  list.prepend(row);
  const one = { file, folder, row, state, bar };
  if (!data.suffixes.includes(suffix(file.name))) {
    return fail(one, word("wrong-kind", { kinds: data.suffixes.join(" ") }));
  }
  if (!file.size) return fail(one, word("empty"));
  if (file.size > data.limit_bytes) return fail(one, word("too-large"));
  queue.push(one);
  next();
}

function fail(one, why, detail = "") {
  one.bar.remove();
  one.state.className = "badge bad";
  one.state.textContent = word("failed-read");
  one.row.append(make("div", { class: "why" }, make("p", {}, why),
    detail && make("details", {}, make("summary", {}, word("details")), make("p", { class: "muted" }, detail))));
  announce(`${one.file.name}: ${why}`);
}

function next() {
  while (running < TOGETHER && queue.length) {
    running++;
    const one = queue.shift();
    send(one)
      .then((sent) => follow(one, sent))
      .catch((error) => fail(one, error.message, error.detail))
      .finally(() => {
        running--;
        next();
        if (!running && !queue.length) announce(word("all-done"));
      });
  }
}

/** XMLHttpRequest, since fetch does not tell how much of a body has gone out. */
function send({ file, folder, state, bar }) {
  const asked = new URLSearchParams({
    name: file.name,
    collection: $("#up-collection").value.trim(),
    folder: [$("#up-folder").value.trim(), folder].filter(Boolean).join("/"),
    label: $("#up-label").value,
    language: $("#up-language").value,
  });
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/documents/upload?${asked}`);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.setRequestHeader("content-type", "application/octet-stream");
    request.upload.addEventListener("progress", (event) => {
      const share = event.lengthComputable ? Math.round((100 * event.loaded) / event.total) : 0;
      bar.value = share;
      state.textContent = word("sending", { n: `${share}%` });
    });
    request.addEventListener("error", () => reject(new Error(word("offline"))));
    request.addEventListener("load", () => {
      let told = {};
      try {
        told = JSON.parse(request.responseText);
      } catch {
        // Not ours: the status says enough.
      }
      if (request.status < 300) resolve(told);
      else reject(new Refused(request.status, told.error ?? {}));
    });
    request.send(file);
  });
}

async function follow(one, sent) {
  one.bar.removeAttribute("value");
  let now = sent;
  for (let waited = 0; !data.steps[now.status] && waited < 600; waited++) {
    one.state.textContent = word(now.status);
    await new Promise((resolve) => setTimeout(resolve, waited < 10 ? 400 : 1500));
    now = await get(`/documents/state?${new URLSearchParams({ collection: sent.collection, id: sent.id })}`);
  }
  if (now.status === "failed") return fail(one, now.reason);
  one.bar.remove();
  one.state.className = "badge ok";
  one.state.replaceChildren(icon("tick"), word("ready"));
  one.row.firstElementChild.replaceChildren(make("a", { href: now.href }, now.title));
}

/** Files below a dropped folder, each with the folder it lies in. */
async function below(entry, folder) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    if (!file.name.startsWith(".")) add(file, folder);
    return;
  }
  const reader = entry.createReader();
  const inside = folder ? `${folder}/${entry.name}` : entry.name;
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return;
    for (const one of some) await below(one, inside);
  }
}

$("#files").addEventListener("change", (event) => {
  for (const file of event.target.files) add(file, "");
  event.target.value = "";
});
for (const name of ["dragover", "dragleave", "drop"]) {
  addEventListener(name, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    drop.classList.toggle("over", name === "dragover");
  });
}
addEventListener("drop", (event) => {
  for (const item of event.dataTransfer.items) {
    const entry = item.webkitGetAsEntry?.();
    if (entry) below(entry, "");
  }
});
