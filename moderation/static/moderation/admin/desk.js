// Shows a moderator, while they write it, the reason that the author will read.
"use strict";

(() => {
  const form = document.querySelector("[data-decision]");
  if (!form) return;
  const picked = form.elements.namedItem("picked");
  const own = form.elements.namedItem("own_words");
  const preview = form.querySelector("[data-preview]");
  const empty = preview.textContent;

  function show() {
    const sentence = picked.value ? picked.selectedOptions[0].textContent : "";
    preview.textContent = [sentence, own.value.trim()].filter(Boolean).join(" ") || empty;
  }

  picked.addEventListener("change", show);
  own.addEventListener("input", show);
  show();
})();
