// The first question is asked as soon as its page opens. Only a question that was sent from here is: an address alone,
// which anybody may write, fills the field and no more.
import { $, $$ } from "./dom.js";

const first = $("#first");
const send = (text) => sessionStorage.setItem("selat.ask.now", text.trim());
first.addEventListener("submit", () => send($("#q").value));
for (const one of $$("#examples a")) one.addEventListener("click", () => send(one.textContent));
