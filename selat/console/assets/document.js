// One document: goes to the passage that was asked for, and waits for one that is still being read.
import { $, get } from "./dom.js";

$(".passage.chosen")?.scrollIntoView({ block: "center" });

const status = $("#status");
if (!["ready", "failed"].includes(status.dataset.status)) {
  const asked = new URL(location).searchParams;
  const where = new URLSearchParams({ collection: asked.get("collection"), id: asked.get("id") });
  const timer = setInterval(async () => {
    try {
      const now = await get(`/documents/state?${where}`);
      if (now.status !== status.dataset.status) location.reload();
    } catch {
      clearInterval(timer);
    }
  }, 1000);
}
