// Reads the list of operations again while one of them runs.
"use strict";

(() => {
  const list = document.querySelector("[data-operations]");
  if (!list) return;
  const EVERY_MS = Number(list.dataset.every) || 1500;

  async function readAgain() {
    const answer = await fetch(list.dataset.operations, { credentials: "same-origin" });
    if (!answer.ok || answer.redirected) return;
    const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
    // A button that is about to be pressed is not taken away.
    if (!list.contains(document.activeElement)) list.replaceChildren(...parsed.body.childNodes);
  }

  window.setInterval(() => {
    const runs = list.querySelector('[data-operations-state="runs"]');
    if (runs && !document.hidden) readAgain().catch(() => {});
  }, EVERY_MS);
})();
