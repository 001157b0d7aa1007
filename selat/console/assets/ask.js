// The conversation: asks, streams, shows where an answer came from, and keeps all of it in this tab alone.
import { $, $$, Refused, announce, data, errorNotice, icon, make, post, word } from "./dom.js";
import { labelBadge, showPassage, showReceipt } from "./evidence.js";
import { Writer } from "./markdown.js";
import { stream } from "./stream.js";

const turns = $("#turns");
const question = $("#question");
const [purpose, model, collection] = ["#purpose", "#model", "#collection"].map((name) => $(name));
const KEY = `selat.ask.${data.holder}`;
const DRAFT = `${KEY}.draft`;

/** @type {{role: string, content: string, notes?: object}[]} */
let history = [];
let running = null;

// What may be asked

function showModels() {
  const chosen = model.value;
  const found = data.purposes.find((one) => one.id === purpose.value) ?? { models: [] };
  model.replaceChildren(...found.models.map((name) =>
    make("option", { value: name }, name === data.docs ? word("docs") : name)));
  if (found.models.includes(chosen)) model.value = chosen;
  showCollections();
}

function showCollections() {
  $("#collection-pick").hidden = model.value !== data.docs || data.collections.length < 2;
}

// One turn on the page

function myTurn(text) {
  turns.append(make("li", { class: "turn mine" }, make("span", { class: "visually-hidden" }, word("you")),
    make("div", { class: "said" }, text)));
}

function answerTurn() {
  const said = make("div", { class: "said" });
  const below = make("div", {});
  const status = make("p", { class: "waiting pulse" }, word("thinking"));
  const place = make("li", { class: "turn" }, make("span", { class: "visually-hidden" }, word("answer")), said, status, below);
  turns.append(place);
  place.scrollIntoView({ block: "end" });
  return { place, said, below, status };
}

function citer(citations) {
  return (marker) => {
    const citation = citations.find((one) => one.marker === marker);
    if (!citation) return null;
    return make("button", {
      class: "cite", type: "button", title: citation.title, "aria-label": word("source", { n: marker }),
      onclick: () => showPassage(citation),
    }, String(marker));
  };
}

function sources(citations) {
  return make("div", { class: "sources" }, ...citations.map((one) =>
    make("button", { class: "source", type: "button", onclick: () => showPassage(one) },
      make("span", { class: "cite n", "aria-hidden": "true" }, String(one.marker)),
      make("span", { class: "title" }, one.title),
      make("span", { class: "quote" }, one.quote))));
}

function receiptBadge(id) {
  const badge = make("button", { class: "badge", type: "button" }, icon("receipt"), word("receipt"));
  badge.addEventListener("click", async () => {
    const holds = await showReceipt(id);
    if (holds === null) return;
    badge.className = `badge ${holds ? "ok" : "bad"}`;
    badge.replaceChildren(icon(holds ? "tick" : "warn"), holds === "partly" ? word("verified-partly") : holds ? word("verified") : word("receipt"));
  });
  return badge;
}

function action(name, drawn, does) {
  return make("button", { class: "icon-btn", type: "button", "aria-label": word(name), title: word(name), onclick: does }, icon(drawn));
}

function feedback(id) {
  const buttons = [["good", true], ["poor", false]].map(([name, useful]) => {
    const button = action(name, name, async () => {
      try {
        await post(`/ask/feedback/${id}`, { useful });
        buttons.forEach((one) => one.setAttribute("aria-pressed", String(one === button)));
        announce(word("thanks"));
      } catch (error) {
        const place = buttons[0].closest(".turn");
        $(":scope > .notice", place)?.remove();
        place.append(errorNotice(error));
      }
    });
    return button;
  });
  return buttons;
}

/** The line under an answer: label, receipt, and what can be done with it. */
function meta(turn, notes, text) {
  const copy = action("copy", "copy", async () => {
    await navigator.clipboard.writeText(text);
    announce(word("copied"));
    copy.replaceChildren(icon("tick"));
    setTimeout(() => copy.replaceChildren(icon("copy")), 1500);
  });
  const again = action("retry", "retry", () => retry(turn));
  again.classList.add("retry");
  return make("div", { class: "meta" },
    notes.label ? labelBadge(notes.label) : null,
    notes.decision === "redact" ? make("span", { class: "badge redact", title: word("redacted") }, word("redact")) : null,
    notes.receipt ? receiptBadge(notes.receipt) : null,
    notes.receipt ? make("span", { class: "small mono print-only" }, notes.receipt) : null,
    make("span", { class: "actions no-print" }, copy, again, ...(notes.receipt ? feedback(notes.receipt) : [])));
}

function settle(turn, content, notes) {
  const citations = notes.citations ?? [];
  turn.status.remove();
  turn.below.replaceChildren(
    ...(notes.abstained ? [make("p", { class: "small muted" }, word("abstained-next"))] : []),
    ...(citations.length ? [sources(citations)] : []),
    ...(notes.stopped ? [make("p", { class: "small muted" }, word("stopped"))] : []),
    meta(turn, notes, content));
}

/** What went wrong, under what had come until then; `notes` are of the answer that had begun. */
function refuse(turn, error, notes) {
  turn.status.remove();
  const why = error instanceof TypeError ? new Error(word("offline")) : error;
  if (turn.said.textContent) why.message = word("cut", { why: why.message });
  const badges = make("div", { class: "meta" });
  const receipt = error.receipt ?? notes.receipt;
  if (error.rules?.length) badges.append(make("span", { class: "badge deny" }, word("rules", { rules: error.rules.join(", ") })));
  if (receipt) badges.append(receiptBadge(receipt));
  const next = comeBack(error, turn.mine.content);
  badges.append(make("span", { class: "actions no-print" }, next ?? action("retry", "retry", () => retry(turn))));
  turn.below.replaceChildren(errorNotice(why), badges);
  announce(why.message);
}

/** The way on where the session or its token is over: this page again, which then holds the question. */
function comeBack(error, text) {
  const said = error.status === 401 ? "sign-in-again" : error.code === "form_expired" ? "load-again" : "";
  if (!said) return null;
  keepAs(DRAFT, text);
  return make("a", { class: "btn small", href: "/ask" }, word(said));
}

// Asking

async function ask(text) {
  $("#intro").hidden = true;
  $("#new").hidden = false;
  myTurn(text);
  const mine = { role: "user", content: text };
  history.push(mine);
  await answer(mine);
}

async function answer(mine) {
  const turn = { ...answerTurn(), mine };
  const notes = { citations: [] };
  let text = "";
  const writer = new Writer(turn.said, (marker) => citer(notes.citations)(marker));
  running = new AbortController();
  busy(true);
  const wanted = {
    model: model.value,
    purpose: purpose.value,
    collection: model.value === data.docs ? collection.value : "",
    messages: history.map(({ role, content }) => ({ role, content })),
  };
  const follow = new Follower();
  try {
    await stream("/ask/stream", wanted, {
      signal: running.signal,
      opened: (headers) => {
        notes.receipt = headers.get("selat-receipt");
        notes.label = headers.get("selat-label");
        notes.decision = headers.get("selat-decision");
      },
      each: (event) => {
        if (event.error) throw new Refused(0, event.error);
        const delta = event.choices?.[0]?.delta ?? {};
        notes.abstained ??= event.selat?.abstained;
        if (delta.annotations) notes.citations = delta.annotations.map((one) => one.selat_citation).filter(Boolean);
        if (delta.content) {
          text += delta.content;
          turn.status.hidden = true;
          writer.add(delta.content);
          follow.on();
        }
      },
    });
  } catch (error) {
    if (error.name === "AbortError") notes.stopped = true;
    else {
      busy(false);
      writer.finish();
      history.pop();
      refuse(turn, error, notes);
      return follow.on();
    }
  }
  busy(false);
  writer.finish();
  if (text) history.push({ role: "assistant", content: text, notes });
  settle(turn, text, notes);
  keep();
  announce(word(notes.stopped ? "stopped" : "done"));
  follow.on();
}

/** Keeps the end in sight while an answer grows, unless the person scrolled away from it. */
class Follower {
  constructor() {
    this.wanted = true;
    this.waiting = false;
    addEventListener("wheel", () => { this.wanted = this.atEnd(); }, { passive: true });
    addEventListener("touchmove", () => { this.wanted = this.atEnd(); }, { passive: true });
  }

  atEnd() {
    return document.documentElement.scrollHeight - scrollY - innerHeight < 120;
  }

  on() {
    if (!this.wanted || this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      scrollTo({ top: document.documentElement.scrollHeight });
    });
  }
}

/** Ask the last question once more: the answer at `turn` goes, with all that came after it. */
async function retry(turn) {
  if (running) return;
  const places = $$("#turns > li");
  places.slice(places.indexOf(turn.place)).forEach((one) => one.remove());
  const at = history.indexOf(turn.mine);
  history = at >= 0 ? history.slice(0, at + 1) : [...history, turn.mine];
  question.focus({ preventScroll: true }); // the button that had the focus is gone
  await answer(turn.mine);
}

function busy(is) {
  if (!is) running = null;
  if (!is && document.activeElement === $("#stop")) question.focus({ preventScroll: true });
  $("#send").hidden = is;
  $("#stop").hidden = !is;
}

// What stays: in this tab, until it is closed or the person signs out

const keep = () => keepAs(KEY, JSON.stringify(history));

function keepAs(name, text) {
  try {
    sessionStorage.setItem(name, text);
  } catch {
    // Full: it is still on the page.
  }
}

function recall() {
  try {
    history = JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
  } catch {
    history = [];
  }
  let mine = null;
  for (const one of history) {
    if (one.role === "user") {
      mine = one;
      myTurn(one.content);
    } else {
      const turn = { ...answerTurn(), mine };
      const writer = new Writer(turn.said, citer(one.notes?.citations ?? []));
      writer.source = one.content;
      writer.finish();
      settle(turn, one.content, one.notes ?? {});
    }
  }
  $("#intro").hidden = history.length > 0;
  $("#new").hidden = history.length === 0;
}

function submit() {
  const text = question.value.trim();
  if (!text || running) return;
  question.value = "";
  ask(text);
}

$("#composer").addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
question.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    submit();
  }
  if (event.key === "Escape" && running) running.abort();
});
$("#stop").addEventListener("click", () => running?.abort());
$("#new").addEventListener("click", () => {
  running?.abort();
  history = [];
  sessionStorage.removeItem(KEY);
  turns.replaceChildren();
  $("#intro").hidden = false;
  $("#new").hidden = true;
  question.focus();
});
$$("[data-example]").forEach((button) => button.addEventListener("click", () => ask(button.textContent.trim())));
purpose.addEventListener("change", showModels);
model.addEventListener("change", showCollections);
if (data.purposes.some((one) => one.id === "docs") && data.documents) purpose.value = "docs";
showModels();
recall();
const asked = new URL(location).searchParams.get("q");
question.value = sessionStorage.getItem(DRAFT) ?? (history.length ? "" : asked ?? "");
sessionStorage.removeItem(DRAFT);
const now = sessionStorage.getItem("selat.ask.now");
sessionStorage.removeItem("selat.ask.now");
if (now && now === asked?.replaceAll("\r\n", "\n").trim()) {
  question.value = "";
  ask(now);
}
