// One entry of the book, verified here as soon as its page is opened.
import { $, data, errorNotice, get } from "./dom.js";
import { shown } from "./evidence.js";

try {
  const found = await get(`/ledger/receipt/${data.id}`);
  const [, nodes] = await shown(found.receipt, found.trust);
  $("#verdict").replaceChildren(...nodes);
} catch (error) {
  $("#verdict").replaceChildren(errorNotice(error));
}
