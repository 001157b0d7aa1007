// The little of Markdown that models write, as nodes and never as HTML: what is not known stays text.
import { make } from "./dom.js";

const INLINE = /(`[^`\n]+`)|(\*\*[^*\n]+\*\*)|(\*[^*\s][^*\n]*\*)|\[(\d{1,3})\]/g;

function inline(text, cite) {
  const made = document.createDocumentFragment();
  let at = 0;
  for (const found of text.matchAll(INLINE)) {
    made.append(text.slice(at, found.index));
    const [all, code, strong, soft, number] = found;
    if (code) made.append(make("code", {}, code.slice(1, -1)));
    else if (strong) made.append(make("strong", {}, strong.slice(2, -2)));
    else if (soft) made.append(make("em", {}, soft.slice(1, -1)));
    else made.append(cite?.(Number(number)) ?? all);
    at = found.index + all.length;
  }
  made.append(text.slice(at));
  return made;
}

const lines = (text, cite) =>
  text.split("\n").flatMap((line, n) => (n ? [make("br"), inline(line, cite)] : [inline(line, cite)]));

function list(text, cite) {
  const ordered = /^\s*\d+[.)]\s/.test(text);
  const items = text.split(/\n(?=\s*(?:[-*•]|\d+[.)])\s)/);
  const start = ordered ? parseInt(text, 10) : undefined;
  return make(ordered ? "ol" : "ul", { start: start > 1 ? start : undefined },
    ...items.map((item) => make("li", {}, ...lines(item.replace(/^\s*(?:[-*•]|\d+[.)])\s+/, ""), cite))));
}

function table(text, cite) {
  const rows = text.split("\n").filter((row) => !/^\s*\|?[\s:|-]+\|?\s*$/.test(row))
    .map((row) => row.replace(/^\s*\||\|\s*$/g, "").split("|").map((cell) => cell.trim()));
  const [head, ...body] = rows;
  return make("div", { class: "table-wrap", tabindex: "0" }, make("table", {},
    make("thead", {}, make("tr", {}, ...head.map((cell) => make("th", { scope: "col" }, inline(cell, cite))))),
    make("tbody", {}, ...body.map((row) => make("tr", {}, ...row.map((cell) => make("td", {}, inline(cell, cite))))))));
}

/** One block of text as an element. `cite(n)` gives the node for the marker [n]. */
export function block(text, cite) {
  const fence = text.match(/^```[^\n]*\n?([\s\S]*?)(?:\n```\s*)?$/);
  if (fence) return make("pre", { tabindex: "0" }, make("code", {}, fence[1]));
  const heading = text.match(/^#{1,6}\s+(.*)$/);
  if (heading) return make("h3", {}, inline(heading[1], cite));
  if (/^\s*(?:[-*•]|\d+[.)])\s+\S/.test(text)) return list(text, cite);
  if (/^\s*\|.*\|\s*\n\s*\|?[\s:|-]+\|/.test(text)) return table(text, cite);
  if (/^>\s?/.test(text)) return make("blockquote", {}, ...lines(text.replace(/^>\s?/gm, ""), cite));
  return make("p", {}, ...lines(text, cite));
}

/** Blocks are parted by blank lines, except inside a fence. */
export function split(source) {
  const found = [];
  let open = false;
  let held = [];
  for (const line of source.split("\n")) {
    if (line.startsWith("```")) open = !open;
    if (!line.trim() && !open) {
      if (held.length) found.push(held.join("\n"));
      held = [];
    } else held.push(line);
  }
  if (held.length) found.push(held.join("\n"));
  return found;
}

/** Writes a growing text into `place`: once a frame, and only the last block anew, so that it never stutters. */
export class Writer {
  constructor(place, cite) {
    this.place = place;
    this.cite = cite;
    this.source = "";
    this.kept = 0;
    this.waiting = 0;
  }

  add(text) {
    this.source += text;
    this.waiting ||= requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.waiting = 0;
    const blocks = split(this.source);
    const settled = Math.max(0, blocks.length - 1);
    while (this.place.childElementCount > this.kept) this.place.lastElementChild.remove();
    for (; this.kept < settled; this.kept++) this.place.append(block(blocks[this.kept], this.cite));
    if (blocks.length > settled) this.place.append(block(blocks[settled], this.cite));
  }

  /** The rest, and anew the blocks with markers, since citations arrive after the text: all at once would stutter. */
  finish() {
    cancelAnimationFrame(this.waiting);
    this.draw();
    const drawn = [...this.place.children];
    split(this.source).forEach((text, n) => {
      if (/\[\d{1,3}\]/.test(text)) drawn[n].replaceWith(block(text, this.cite));
    });
  }
}
