// Keeps the queue's counter true. A push says only that something changed: the count is read again.
"use strict";

(() => {
  const count = document.querySelector("[data-queue-count]");
  if (!count) return;
  const fresh = document.querySelector("[data-queue-fresh]");
  const live = document.querySelector("[data-queue-live]");
  // Many changes in a moment cost one request; a page whose socket is gone asks now and then.
  const GATHER_MS = 400;
  const POLL_MS = 30000;
  let gathering = 0;
  let backoff = 1000;

  async function readAgain() {
    gathering = 0;
    const answer = await fetch(count.dataset.queueCount, { credentials: "same-origin" });
    if (!answer.ok || answer.redirected) return;
    const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (parsed.body.textContent.trim() === count.textContent.trim()) return;
    count.replaceChildren(...parsed.body.childNodes);
    fresh.hidden = false;
  }

  function changed() {
    if (!gathering) gathering = window.setTimeout(() => readAgain().catch(() => {}), GATHER_MS);
  }

  function connect() {
    const address = new URL(count.dataset.queueSocket, window.location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address);
    socket.addEventListener("open", () => {
      backoff = 1000;
      live.hidden = false;
      changed();
    });
    socket.addEventListener("message", (event) => {
      let said = {};
      try {
        said = JSON.parse(event.data);
      } catch {
        return;
      }
      if (said.kind) {
        fresh.hidden = false;
        changed();
      }
    });
    socket.addEventListener("close", (event) => {
      live.hidden = true;
      // These codes say that coming back cannot help: not signed in, not allowed, too many.
      if (event.code >= 4400 && event.code < 4500) return;
      window.setTimeout(connect, backoff + Math.random() * 500);
      backoff = Math.min(backoff * 2, 30000);
    });
  }

  connect();
  window.setInterval(() => {
    if (live.hidden && !document.hidden) changed();
  }, POLL_MS);
})();
