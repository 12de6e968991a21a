// One key for each thing that can be done: whatever carries data-key is pressed by that key.
"use strict";

(() => {
  const help = document.getElementById("gh-keys");
  const TYPED_IN = "textarea, select, input:not([type=radio]):not([type=checkbox]):not([type=submit])";

  for (const one of document.querySelectorAll("[data-key]")) {
    one.setAttribute("aria-keyshortcuts", one.dataset.key);
  }
  document.querySelector("[data-help]")?.addEventListener("click", (event) => {
    if (!help) return;
    event.preventDefault();
    help.showModal();
    help.scrollTop = 0;
  });

  function press(target) {
    if (target.matches("textarea")) {
      target.focus();
    } else if (target.matches("summary")) {
      target.click();
      target.parentElement.querySelector("textarea")?.focus();
    } else {
      target.click();
    }
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (help?.open) return;
    if (event.key === "Escape") {
      if (document.activeElement?.matches(TYPED_IN)) document.activeElement.blur();
      document.dispatchEvent(new CustomEvent("desk:escape"));
      return;
    }
    if (event.target.matches(TYPED_IN) || event.target.isContentEditable) return;
    if (/^[1-9]$/.test(event.key)) {
      document.dispatchEvent(new CustomEvent("desk:digit", { detail: event.key }));
      return;
    }
    if (event.key.length !== 1) return;
    const named = document.querySelectorAll(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
    const target = [...named].find((one) => one.getClientRects().length && !one.disabled);
    if (!target) return;
    event.preventDefault();
    press(target);
  });
})();
