// On every page: what was said once does not stay in the address, and menus that only enhance plain forms.
import { $, $$, icon } from "./dom.js";

const here = new URL(location);
const others = new BroadcastChannel("selat");
if (here.searchParams.get("said") === "signed-out") others.postMessage("out");
// Who signs out in one tab has signed out in all of them: nothing of theirs stays to be read.
if ($("#person-sheet")) {
  others.addEventListener("message", () => {
    sessionStorage.clear();
    location.reload();
  });
}
if (here.searchParams.has("said")) {
  here.searchParams.delete("said");
  history.replaceState(null, "", here);
}

for (const button of $$("[data-shows]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const field = $(`#${button.dataset.shows}`);
    const shown = field.type === "text";
    field.type = shown ? "password" : "text";
    button.setAttribute("aria-pressed", String(!shown));
  });
}

for (const box of $$("[data-opens]")) {
  box.addEventListener("click", () => $(`#${box.dataset.opens}`).showModal());
}
for (const closer of $$("dialog [data-closes]")) {
  closer.addEventListener("click", () => closer.closest("dialog").close());
}

for (const button of $$("[data-copies]")) {
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copies);
    button.firstElementChild.replaceWith(icon("tick"));
  });
}

for (const field of $$("[data-submits]")) {
  field.addEventListener("change", () => field.form.requestSubmit());
}

for (const form of $$("form[data-keeps-open]")) {
  form.addEventListener("submit", () => sessionStorage.clear());
}
