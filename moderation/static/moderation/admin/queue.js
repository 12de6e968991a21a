// Keeps the queue true while it is looked at: items come, go and change hands in their places.
// A push says only that something changed; the page reads its own pieces again. What has the focus
// or a tick is never taken away from under its reader, and what changed is said politely.
"use strict";

(() => {
  const page = document.querySelector("[data-queue]");
  if (!page) return;
  const items = page.querySelector("[data-queue-items]");
  const said = page.querySelector("[data-queue-said]");
  const live = page.querySelector("[data-queue-live]");
  const empty = page.querySelector("[data-queue-empty]");
  const picked = page.querySelector("[data-picked]");
  const pickAll = page.querySelector("[data-pick-all]");
  // Many changes in a moment cost one request, and a busy queue one each two seconds; a page that
  // nobody looks at waits until somebody does. All ask now and then: a socket may be gone, leases
  // run out and times pass.
  const GATHER_MS = 400;
  const APART_MS = 2000;
  const POLL_MS = 30000;
  const TELL_MS = 4000;
  let gathering = 0;
  let lastRead = 0;
  let missed = false;
  let backoff = 1000;
  let came = 0;
  let went = 0;
  let telling = 0;

  async function readAgain() {
    gathering = 0;
    lastRead = Date.now();
    const answer = await fetch(page.dataset.queue, { credentials: "same-origin" });
    if (!answer.ok || answer.redirected) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    replaceParts(fresh, "[data-queue-count]");
    for (const tab of page.querySelectorAll("[data-lane]")) {
      const same = fresh.querySelector(`[data-lane="${CSS.escape(tab.dataset.lane)}"]`);
      if (same) copyLive(same, tab);
    }
    settle(fresh.querySelector("[data-queue-items]"));
  }

  function replaceParts(fresh, selector) {
    const mine = page.querySelector(selector);
    const theirs = fresh.querySelector(selector);
    if (theirs && theirs.textContent.trim() !== mine.textContent.trim()) {
      mine.replaceChildren(...theirs.childNodes);
    }
  }

  function copyLive(from, to) {
    for (const part of to.querySelectorAll("[data-live]")) {
      const same = from.querySelector(`[data-live="${part.dataset.live}"]`);
      if (same && same.innerHTML !== part.innerHTML) {
        part.replaceChildren(...Array.from(same.childNodes, (node) => node.cloneNode(true)));
      }
    }
  }

  function settle(fresh) {
    if (!fresh) return;
    const theirs = new Map(Array.from(fresh.children, (item) => [item.dataset.item, item]));
    for (const item of Array.from(items.children)) {
      if (!theirs.has(item.dataset.item)) leave(item);
    }
    let before = null;
    for (const [id, item] of theirs) {
      let mine = items.querySelector(`:scope > [data-item="${CSS.escape(id)}"]`);
      if (mine) {
        stay(mine, item);
      } else {
        mine = document.importNode(item, true);
        mine.classList.add("gh-came");
        came += 1;
        items.insertBefore(mine, before ? before.nextElementSibling : items.firstElementChild);
      }
      before = mine;
    }
    for (const frame of page.querySelectorAll("[data-queue-frame]")) {
      frame.hidden = !items.children.length;
    }
    empty.hidden = items.children.length > 0;
    tell();
    countPicked();
  }

  // An item that is no longer here stays, marked, for as long as somebody is on it.
  function leave(item) {
    if (item.classList.contains("gh-gone")) return;
    went += 1;
    const box = item.querySelector("input[name=picked]");
    if (item.contains(document.activeElement) || box?.checked) {
      item.classList.add("gh-gone");
      const held = item.querySelector("[data-live=held]");
      if (held) held.textContent = "no longer here";
      if (box) box.checked = false;
      item.addEventListener("focusout", () => window.setTimeout(() => dropGone(item)), {
        once: true,
      });
      if (!item.contains(document.activeElement)) window.setTimeout(() => dropGone(item), TELL_MS);
      return;
    }
    item.remove();
  }

  function dropGone(item) {
    if (item.classList.contains("gh-gone") && !item.contains(document.activeElement)) item.remove();
  }

  function stay(mine, theirs) {
    mine.classList.remove("gh-gone");
    copyLive(theirs, mine);
    // An edited post is another item; the same item keeps its revision, so a tick stays true.
  }

  function tell() {
    if (telling || (!came && !went)) return;
    telling = window.setTimeout(() => {
      telling = 0;
      const parts = [];
      if (came) parts.push(came === 1 ? "1 item came" : `${came} items came`);
      if (went) parts.push(went === 1 ? "1 left this page" : `${went} left this page`);
      said.textContent = `${parts.join(", ")}.`;
      came = 0;
      went = 0;
    }, TELL_MS);
  }

  function changed() {
    missed = document.hidden;
    if (gathering || missed) return;
    const wait = Math.max(GATHER_MS, lastRead + APART_MS - Date.now());
    gathering = window.setTimeout(() => readAgain().catch(() => {}), wait);
  }

  function connect() {
    const address = new URL(page.dataset.queueSocket, window.location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address);
    socket.addEventListener("open", () => {
      backoff = 1000;
      live.hidden = false;
      changed();
    });
    socket.addEventListener("message", (event) => {
      let heard = {};
      try {
        heard = JSON.parse(event.data);
      } catch {
        return;
      }
      if (heard.kind) changed();
    });
    socket.addEventListener("close", (event) => {
      live.hidden = true;
      // These codes say that coming back cannot help: not signed in, not allowed, too many.
      if (event.code >= 4400 && event.code < 4500) return;
      window.setTimeout(connect, backoff + Math.random() * 500);
      backoff = Math.min(backoff * 2, 30000);
    });
  }

  function boxes() {
    return Array.from(items.querySelectorAll("input[name=picked]"));
  }

  function countPicked() {
    if (!picked) return;
    const count = boxes().filter((box) => box.checked).length;
    const text = count ? `${count} picked` : "";
    if (picked.textContent !== text) picked.textContent = text;
  }

  if (pickAll) {
    pickAll.hidden = false;
    pickAll.addEventListener("click", () => {
      const wanted = boxes().some((box) => !box.checked);
      for (const box of boxes()) box.checked = wanted;
      countPicked();
    });
  }
  items.addEventListener("change", countPicked);
  countPicked();
  connect();
  window.setInterval(changed, POLL_MS);
  document.addEventListener("visibilitychange", () => {
    if (missed) changed();
  });
})();
