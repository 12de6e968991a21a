// The desk beyond what forms and links do by themselves: reasons, previews, tabs, veils, undo.
"use strict";

(() => {
  const root = document.querySelector("[data-desk]") ?? document;
  const PREVIEW_AFTER_MS = 350;

  async function fragment(address, options = {}) {
    const answer = await fetch(address, {
      credentials: "same-origin",
      headers: { "X-Requested-With": "fetch" },
      ...options,
    });
    if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
    const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
    return [...parsed.body.childNodes];
  }

  // --- deciding: an action without a reason asks for one, the same action again decides ---------

  const form = root.querySelector("[data-decision]");
  if (form) {
    const own = form.elements.namedItem("own_words");
    const preview = form.querySelector("[data-preview]");
    const say = form.querySelector("[data-say]");
    const armedText = form.querySelector("[data-armed-text]");
    const groups = [...form.querySelectorAll("[data-group]")];
    let waiting = 0;
    let asked = 0;
    let sent = false;

    const picked = () => form.querySelector("input[name=picked]:checked");
    const groupOf = (radio) => radio?.closest("[data-group]")?.dataset.group;

    function arm(button) {
      form.dataset.armed = button.value;
      for (const one of groups) one.hidden = one.dataset.group !== button.value;
      const chosen = picked();
      if (chosen && groupOf(chosen) !== button.value) chosen.checked = false;
      const group = groups.find((one) => one.dataset.group === button.value);
      const key = button.dataset.key ? button.dataset.key.toUpperCase() : "the button";
      const text = `Pick one, or write; then ${key} again.`;
      armedText.textContent = text;
      say.textContent = text;
      (picked() ?? group?.querySelector("input") ?? own).focus();
      ask();
    }

    function disarm() {
      delete form.dataset.armed;
      armedText.textContent = "";
      for (const one of groups) one.hidden = false;
    }

    async function show() {
      const mine = ++asked;
      const filled = new FormData(form);
      if (form.dataset.armed) filled.set("action", form.dataset.armed);
      try {
        const nodes = await fragment(form.dataset.previewAt, { method: "POST", body: filled });
        if (mine === asked) preview.replaceChildren(...nodes);
      } catch {
        // The page goes on without a preview; what is decided is checked by the server anyway.
      }
    }

    function ask() {
      window.clearTimeout(waiting);
      waiting = window.setTimeout(show, PREVIEW_AFTER_MS);
    }

    form.addEventListener("change", ask);
    own.addEventListener("input", ask);
    form.addEventListener("click", async (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      if (button.matches("[data-preview-button]")) {
        event.preventDefault();
        await show();
        preview.focus();
      } else if (button.matches("[data-action]")) {
        const suits = picked() ? groupOf(picked()) === button.value : false;
        if (!suits && !own.value.trim()) {
          event.preventDefault();
          arm(button);
        }
      } else if (button.matches("[data-use-sanction]")) {
        form.elements.namedItem("sanction").value = button.dataset.useSanction;
        form.elements.namedItem("days").value = button.dataset.useDays;
        ask();
      }
    });
    form.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !event.target.matches("input[name=picked]")) return;
      event.preventDefault();
      if (form.dataset.armed) form.querySelector(`[data-action][value=${form.dataset.armed}]`).click();
    });
    form.addEventListener("submit", (event) => {
      if (sent) event.preventDefault();
      sent = true;
    });
    window.addEventListener("pageshow", () => {
      sent = false;
    });
    document.addEventListener("desk:escape", disarm);
    document.addEventListener("desk:digit", (event) => {
      const shown = groups.find((one) => one.dataset.group === form.dataset.armed);
      const radio = shown?.querySelector(`[data-number="${event.detail}"]`);
      if (!radio) return;
      radio.checked = true;
      radio.focus();
      ask();
    });
  }

  // --- tabs -------------------------------------------------------------------------------------

  const panel = root.querySelector("[data-panel]");
  const tabs = [...root.querySelectorAll("[data-tab]")];

  async function open(tab) {
    panel.setAttribute("aria-busy", "true");
    try {
      panel.replaceChildren(...(await fragment(tab.dataset.tab)));
    } catch {
      window.location.assign(tab.href);
      return;
    }
    panel.removeAttribute("aria-busy");
    panel.setAttribute("aria-label", tab.textContent);
    for (const one of tabs) one.toggleAttribute("aria-current", false);
    tab.setAttribute("aria-current", "true");
  }

  for (const tab of tabs) {
    tab.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      open(tab);
    });
  }
  root.querySelector("[data-next-tab]")?.addEventListener("click", () => {
    const at = tabs.findIndex((tab) => tab.hasAttribute("aria-current"));
    open(tabs[(at + 1) % tabs.length]);
  });

  // --- pictures, videos, sounds -----------------------------------------------------------------

  function hearOrNot(box) {
    const player = box.closest("[data-media]").querySelector("video, audio");
    if (player) player.muted = box.checked;
  }

  for (const box of root.querySelectorAll('[data-veil="mute"]')) {
    box.addEventListener("change", () => hearOrNot(box));
  }
  for (const button of root.querySelectorAll("[data-veil-all]")) {
    const boxes = [...root.querySelectorAll(`[data-veil="${button.dataset.veilAll}"]`)];
    if (!boxes.length) button.hidden = true;
    const tell = () => button.setAttribute("aria-pressed", String(boxes.every((box) => box.checked)));
    button.addEventListener("click", () => {
      const on = !boxes.every((box) => box.checked);
      for (const box of boxes) {
        box.checked = on;
        box.dispatchEvent(new Event("change"));
      }
    });
    for (const box of boxes) box.addEventListener("change", tell);
    tell();
  }
  for (const link of root.querySelectorAll("[data-seek]")) {
    link.addEventListener("click", (event) => {
      const player = link.closest("[data-media]").querySelector("video");
      if (!player) return;
      event.preventDefault();
      const go = () => {
        player.currentTime = Number(link.dataset.seek);
        player.play().catch(() => {});
      };
      if (player.readyState >= 1) go();
      else {
        player.addEventListener("loadedmetadata", go, { once: true });
        player.preload = "metadata";
        player.load();
      }
    });
  }

  // --- undo: what cannot be undone any more can still be reversed ------------------------------

  for (const bar of document.querySelectorAll("[data-undo]")) {
    window.setTimeout(() => {
      bar.querySelector("[data-undo-form]").remove();
      bar.querySelector("[data-undo-until]").textContent =
        "It stands, and others are told. It can still be reversed on its page.";
    }, Number(bar.dataset.seconds) * 1000);
  }
})();
