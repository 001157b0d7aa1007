// What stands behind an answer, in the panel at the side: the passage that is cited, and the receipt, verified here.
import { $, Refused, errorNotice, get, icon, make, word } from "./dom.js";
import { Broken, Unchecked, verify } from "./verify.js";

const panel = $("#panel");

function open(title, ...children) {
  $("#panel-title").textContent = title;
  $("#panel-body").replaceChildren(...children);
  if (!panel.open) panel.showModal();
}

panel?.addEventListener("click", (event) => {
  if (event.target === panel) panel.close();
});

/** The words of `quote` within `text`, however their white space falls, marked. */
export function marked(text, quote) {
  const words = quote.trim().split(/\s+/).map((one) => one.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const found = quote.trim() && text.match(new RegExp(words.join("\\s+"), "u"));
  if (!found) return [text];
  const start = found.index;
  return [text.slice(0, start), make("mark", {}, found[0]), text.slice(start + found[0].length)];
}

export function labelBadge(label) {
  const level = label.split("/")[0];
  const levels = ["terbuka", "terhad", "sulit", "rahsia", "rahsia_besar"];
  const name = word("labels").split("|")[levels.indexOf(level)] ?? level;
  return make("span", { class: `badge ${level}`, title: label }, icon("tag"), name);
}

/** Open the passage that a citation names, with its words highlighted. */
export async function showPassage(citation) {
  open(word("source", { n: citation.marker }), make("p", { class: "waiting pulse" }, "…"));
  try {
    const place = await get(`/ask/passage?document=${encodeURIComponent(citation.document)}&n=${citation.passage}`);
    const excerpt = make("div", { class: "excerpt", lang: place.language || undefined }, ...marked(place.text, citation.quote));
    const where = [place.origin, place.dated, place.page ? word("page", { n: place.page }) : "", place.heading];
    open(word("source", { n: citation.marker }),
      make("div", {}, make("h3", {}, place.title), make("p", { class: "small muted" }, where.filter(Boolean).join(" · "))),
      make("div", { class: "row" }, labelBadge(place.label)),
      excerpt);
    $("mark", excerpt)?.scrollIntoView({ block: "center" });
  } catch (error) {
    const said = error instanceof Refused && error.status === 404 ? new Error(word("gone")) : error;
    open(word("source", { n: citation.marker }), errorNotice(said));
  }
}

async function sealed(id) {
  for (let tries = 0; tries < 40; tries++) {
    try {
      const found = await get(`/ask/receipt/${id}`);
      if (found.receipt.status !== "open") return found;
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 404) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  throw new Error(word("not-sealed"));
}

const save = (name, content) => {
  const url = URL.createObjectURL(new Blob([content], { type: "text/plain" }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
};

function facts(receipt, said) {
  const opened = (receipt.opened ?? receipt.refused)?.leaf ?? {};
  const closed = receipt.closed?.leaf;
  const rows = [
    ["fact-time", said.time],
    ["fact-model", opened.model],
    ["fact-engine", opened.engine],
    ["fact-site", said.site],
    ["fact-purpose", said.purpose],
    ["fact-decision", opened.decision && `${word(opened.decision.effect)} (${opened.decision.rules.join(", ")})`],
    ["fact-outcome", said.outcome],
    ["fact-tokens", closed?.usage && `${closed.usage.prompt ?? closed.usage.prompt_tokens} + ${closed.usage.completion ?? closed.usage.completion_tokens}`],
    ["fact-id", receipt.id],
  ];
  return make("dl", { class: "facts" }, ...rows.filter(([, value]) => value)
    .flatMap(([name, value]) => [make("dt", {}, word(name)), make("dd", {}, value)]));
}

const step = (kind, drawn, said) => make("li", { class: kind }, icon(drawn), make("span", {}, said));

async function verdict(entries, trust) {
  const steps = make("ol", { class: "steps" });
  try {
    let result;
    for (const entry of entries) result = await verify(entry.proof, trust);
    for (const [name, values] of result.steps) {
      const unchecked = name === "step-unchecked";
      steps.append(step(unchecked ? "note" : "", unchecked ? "warn" : "tick", word(name, values)));
    }
    if (!result.witnessed) steps.append(step("note", "info", word("step-nowitness")));
    return [result.unchecked ? "partly" : true, make("div", { class: "notice ok", role: "status" }, icon("tick"), make("p", {}, word("verify-ok"))), steps];
  } catch (error) {
    if (error instanceof Broken) {
      const said = word("verify-bad", { why: word(error.code) });
      return [false, make("div", { class: "notice bad", role: "alert" }, icon("warn"), make("p", {}, said)), steps];
    }
    const said = word(error instanceof Unchecked ? "verify-unchecked" : "verify-cannot");
    return [null, make("div", { class: "notice warn" }, icon("info"), make("p", {}, said)), steps];
  }
}

/** What a receipt says of itself here: whether it holds ("partly" where a cosignature went unchecked), and why. */
export async function shown(receipt, trust) {
  const entries = Object.values(receipt).filter((one) => one && typeof one === "object" && one.proof);
  entries.sort((a, b) => a.index - b.index);
  const [holds, said, steps] = await verdict(entries, trust);
  const last = entries[entries.length - 1];
  const saves = make("div", { class: "row no-print" },
    make("button", { class: "btn small", onclick: () => save(`${receipt.id}.tlog-proof`, last.proof) }, icon("download"), word("download-proof")),
    make("button", { class: "btn small", onclick: () => save("trust.policy", trust) }, icon("download"), word("download-trust")));
  return [holds, [said, steps, saves], entries];
}

/** Open a receipt and verify every entry of it here; true, "partly", false, or null where this browser cannot. */
export async function showReceipt(id) {
  open(word("receipt"), make("p", { class: "waiting pulse" }, word("waiting-seal")));
  try {
    const { receipt, trust, said } = await sealed(id);
    const [holds, [notice, steps, saves], entries] = await shown(receipt, trust);
    open(word("receipt"), notice, steps, facts(receipt, said), saves,
      make("a", { href: `/ledger/entry/${id}` }, word("in-ledger")),
      make("details", {}, make("summary", {}, word("entry")),
        make("pre", { tabindex: "0" }, JSON.stringify(entries.map((one) => one.leaf), null, 2))));
    return holds;
  } catch (error) {
    open(word("receipt"), errorNotice(error));
    return null;
  }
}

