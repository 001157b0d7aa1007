// What every script of the console shares: finding things, making things, talking to the server.

export const $ = (selector, within = document) => within.querySelector(selector);
export const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

const block = $("#words");
const texts = block ? JSON.parse(block.textContent) : {};

/** A text of the page's language by its short name, its %(name)s filled in. */
export const word = (name, values = {}) =>
  (texts[name] ?? name).replace(/%\((\w+)\)s/g, (_, key) => values[key] ?? "");

/** Values that the page hands to its script. */
export const data = (() => {
  const found = $("#data");
  return found ? JSON.parse(found.textContent) : {};
})();

export const token = $('meta[name="selat-token"]')?.content ?? "";
const icons = $('meta[name="selat-icons"]')?.content ?? "";

/** An element: attributes by name, `on…` as listeners, children as nodes or text; nothing is ever parsed as HTML. */
export function make(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export function icon(name) {
  const drawn = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  drawn.setAttribute("class", "icon");
  drawn.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${icons}#${name}`);
  drawn.append(use);
  return drawn;
}

/** What the server refused, with the plain words for it. */
export class Refused extends Error {
  constructor(status, error) {
    super(error.say || error.message || word("failed"));
    this.status = status;
    this.code = error.code;
    this.detail = error.message || "";
    this.receipt = error.receipt;
    this.rules = error.rules ?? [];
  }
}

export const headers = { accept: "application/json", "x-selat-token": token };

/** The refusal in a response that is not 2xx. */
export async function refusal(response) {
  let told = {};
  try {
    told = (await response.json()).error ?? {};
  } catch {
    // Not ours: a proxy's page, say. The status is all there is.
  }
  return new Refused(response.status, told);
}

export async function get(url) {
  const response = await fetch(url, { headers });
  if (!response.ok) throw await refusal(response);
  return response.json();
}

export async function post(url, value) {
  const body = JSON.stringify(value);
  const response = await fetch(url, { method: "POST", headers: { ...headers, "content-type": "application/json" }, body });
  if (!response.ok) throw await refusal(response);
  return response.json();
}

/** Say something to people who listen to the page; it is also shown nowhere else. */
export function announce(text) {
  const live = $("#live");
  if (live) live.textContent = text;
}

export function errorNotice(error) {
  return make("div", { class: "notice bad", role: "alert" }, icon("warn"),
    make("div", {}, make("p", {}, error.message),
      error.detail && error.detail !== error.message
        ? make("details", {}, make("summary", { class: "small" }, word("details")), make("p", { class: "small muted" }, error.detail)) : null));
}
