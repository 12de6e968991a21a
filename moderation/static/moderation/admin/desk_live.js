// Keeps an item while somebody works on it, gives it back when they leave, tells who else looks.
"use strict";

(() => {
  const desk = document.querySelector("[data-desk]");
  if (!desk) return;
  const LEASE_MS = Number(desk.dataset.leaseSeconds) * 1000;
  const LOOK_EVERY_MS = 5000;
  // Often enough that a lost answer or two cost nothing.
  const KEEP_EVERY_MS = Math.min(30000, LEASE_MS / 5);
  const REMIND_BEFORE_MS = 60000;
  const token = desk.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "";
  const notice = desk.querySelector("[data-lease]");
  const noticeText = desk.querySelector("[data-lease-text]");
  const keepButton = desk.querySelector("[data-lease-keep]");

  let held = "held" in desk.dataset;
  let keptAt = Date.now();
  let usedAt = Date.now();
  let staying = false;

  function signed() {
    const body = new FormData();
    body.set("csrfmiddlewaretoken", token);
    return body;
  }

  function tell(text, canKeep) {
    if (!notice.hidden && noticeText.textContent === text) return;
    noticeText.textContent = text;
    keepButton.hidden = !canKeep;
    notice.hidden = false;
  }

  async function keep() {
    const answer = await fetch(desk.dataset.keep, {
      method: "POST",
      body: signed(),
      credentials: "same-origin",
    });
    if (answer.status === 409) {
      held = false;
      const said = await answer.json();
      tell(`You no longer hold this item. ${said.why_not} What you wrote is still here.`, true);
    } else if (answer.ok && !answer.redirected) {
      held = true;
      keptAt = Date.now();
      notice.hidden = true;
    }
  }

  function look() {
    if (!held || document.hidden) return;
    const now = Date.now();
    if (usedAt > keptAt && now - keptAt >= KEEP_EVERY_MS) {
      keep().catch(() => {});
      return;
    }
    const left = keptAt + LEASE_MS - now;
    if (left <= 0) {
      tell("Your time with this item is over: somebody else may take it. What you wrote is still here.", true);
    } else if (left <= REMIND_BEFORE_MS && "remind" in desk.dataset) {
      tell("In a minute this item goes back to the queue, unless you keep it.", true);
    }
  }

  if (held) {
    for (const kind of ["keydown", "pointerdown", "pointermove", "wheel", "scroll"]) {
      window.addEventListener(kind, () => { usedAt = Date.now(); }, { passive: true, capture: true });
    }
    keepButton.addEventListener("click", () => keep().catch(() => {}));
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return;
      usedAt = Date.now();
      // Whoever comes back late learns at once whether it is still theirs.
      if (Date.now() - keptAt >= KEEP_EVERY_MS) keep().catch(() => {});
    });
    window.setInterval(look, LOOK_EVERY_MS);
    // A page that was left a moment ago may have given the item back after this one took it.
    window.setTimeout(() => keep().catch(() => {}), 1500);
    window.addEventListener("pageshow", (event) => {
      staying = false;
      if (event.persisted) keep().catch(() => {});
    });
    document.addEventListener("submit", () => { staying = true; });
    document.addEventListener("click", (event) => {
      staying = Boolean(event.target.closest("a[data-leaves-not], [data-panel] a, a[target]"));
    }, { capture: true });
    window.addEventListener("pagehide", () => {
      if (held && !staying) navigator.sendBeacon(desk.dataset.free, signed());
    });
  }

  // --- who else looks, and what changes meanwhile ----------------------------------------------

  const looking = desk.querySelector("[data-looking]");
  const changed = desk.querySelector("[data-changed]");
  const CHANGES = [
    [/^post\.edited$/, "The author has just edited it."],
    [/^post\.deleted$/, "The author has just deleted it."],
    [/^decision\./, "Somebody has just decided it."],
    [/^review\.escalated$/, "Somebody has just put it before a lead."],
    [/^review\.noted$/, "Somebody has just left a note."],
    [/^enforcement\.reversed$/, "Somebody has just reversed what was done to it."],
    [/^report\./, "It was just reported."],
  ];
  let backoff = 1000;

  function showPeople(people) {
    looking.hidden = !people.length;
    looking.textContent = people.length
      ? `${people.join(", ")} ${people.length === 1 ? "is" : "are"} looking at this`
      : "";
  }

  function hear(event) {
    let said = {};
    try {
      said = JSON.parse(event.data);
    } catch {
      return;
    }
    if (Array.isArray(said.people)) showPeople(said.people);
    if (!said.kind || staying) return;
    const known = CHANGES.find(([kind]) => kind.test(said.kind));
    if (!known) return;
    changed.querySelector("[data-changed-text]").textContent = known[1];
    changed.hidden = false;
  }

  function connect() {
    const address = new URL(desk.dataset.socket, window.location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address);
    socket.addEventListener("open", () => { backoff = 1000; });
    socket.addEventListener("message", hear);
    socket.addEventListener("close", (event) => {
      showPeople([]);
      // These codes say that coming back cannot help: not signed in, not allowed, too many.
      if (event.code >= 4400 && event.code < 4500) return;
      window.setTimeout(connect, backoff + Math.random() * 500);
      backoff = Math.min(backoff * 2, 30000);
    });
  }

  connect();
})();
