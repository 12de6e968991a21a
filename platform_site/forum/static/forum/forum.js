// What makes open pages live and composing kinder. Every page works without it.
"use strict";

(() => {
  const byPost = (id) => document.querySelectorAll(`[data-post="${CSS.escape(id)}"]`);

  const announce = (text) => {
    const announcer = document.getElementById("announcer");
    if (announcer) announcer.textContent = text;
  };

  // --- Live: hints say that something changed; the page reads it again -------------------------

  // Posts that are being read, and whether they changed again meanwhile.
  const reading = new Map();

  const read = async (id, request) => {
    if (reading.has(id)) {
      reading.set(id, true);
      return;
    }
    try {
      do {
        reading.set(id, false);
        await Promise.all(request());
      } while (reading.get(id));
    } catch {
      // No answer: the next hint, or the slow look of a card that waits, tries again.
    } finally {
      reading.delete(id);
    }
  };

  const get = (address, target, swap) =>
    htmx.ajax("GET", address, { source: swap === "outerHTML" ? target : null, target, swap });

  const refresh = (id) =>
    read(id, () =>
      [...byPost(id)].map((element) => get(element.getAttribute("hx-get"), element, "outerHTML")),
    );

  const takeAway = (element) => {
    const place = element.closest("[data-live]");
    if (place?.dataset.topic === element.dataset.post) {
      leaveTopic(place);
      return;
    }
    const note = document.createElement(element.tagName === "LI" ? "li" : "p");
    note.className = element.tagName === "LI" ? "row gone" : "post gone";
    note.textContent = "This post is no longer available.";
    element.replaceWith(note);
    announce("A post is no longer available.");
  };

  const leaveTopic = (place) => {
    const note = document.createElement("div");
    note.className = "empty";
    note.textContent = "This topic is no longer available.";
    document.querySelector(".reply-box")?.setAttribute("hidden", "");
    place.replaceWith(note);
    announce(note.textContent);
  };

  const append = async (id) => {
    const list = document.getElementById("replies");
    if (!list || !("last" in list.dataset) || byPost(id).length) return;
    await read(id, () =>
      byPost(id).length
        ? [...byPost(id)].map((element) => get(element.getAttribute("hx-get"), element, "outerHTML"))
        : [get(`/p/${id}/card/`, list, "beforeend")],
    );
    byPost(id).forEach((element) => element.classList.add("is-new"));
    if (byPost(id).length) announce("A new reply has arrived.");
  };

  const isCurrent = (element, line) =>
    element.dataset.revision === String(line.revision) &&
    element.dataset.status === line.status &&
    element.dataset.visibility === line.visibility;

  const onSnapshot = (place, message) => {
    const lines = new Map((message.posts || []).map((line) => [line.post, line]));
    place.querySelectorAll("[data-post]").forEach((element) => {
      const line = lines.get(element.dataset.post);
      if (line ? !isCurrent(element, line) : message.complete) refresh(element.dataset.post);
    });
    if (place.dataset.live !== "topic") return;
    const shown = [...place.querySelectorAll("#replies [data-post]")];
    const newest = shown.length ? shown[shown.length - 1].dataset.post : place.dataset.topic;
    // Ids sort by the time they were made.
    [...lines.keys()].filter((id) => id > newest).sort().forEach(append);
  };

  const onHint = (place, message) => {
    const elements = byPost(message.post);
    if (message.kind === "post.gone" || message.kind === "post.deleted") {
      elements.forEach(takeAway);
    } else if (elements.length) {
      refresh(message.post);
    } else if (place.dataset.live === "topic") {
      append(message.post);
    }
  };

  document.addEventListener("htmx:wsBeforeMessage", (event) => {
    event.preventDefault();
    const message = JSON.parse(event.detail.message);
    if (message.type === "snapshot") onSnapshot(event.target, message);
    else if (message.kind) onHint(event.target, message);
  });

  // A card that may not be read any more.
  document.addEventListener("htmx:responseError", (event) => {
    const element = event.detail.elt;
    if (event.detail.xhr.status === 404 && element.dataset?.post) takeAway(element);
  });

  // Say aloud what became of one's own post, once.
  const said = new Map();
  const remember = (element) => said.set(element.dataset.post, element.dataset.label);
  document.addEventListener("htmx:afterSwap", () => {
    const topic = document.querySelector("[data-topic] > [data-post]");
    const box = document.querySelector(".reply-box");
    // Nobody can reply to what is not published; it comes back with its topic.
    if (topic && box) box.hidden = topic.dataset.visibility === "hidden";
    document.querySelectorAll("[data-own]").forEach((element) => {
      const { post, label } = element.dataset;
      if (said.has(post) && said.get(post) !== label) announce(`Your post: ${label}.`);
      remember(element);
    });
  });

  // --- Composing --------------------------------------------------------------------------------

  const HINT_AFTER_MS = 500;

  const listed = (words) =>
    [...new Set(words.map((word) => `“${word.term || word}”`))].join(", ");

  const advise = (box, answer) => {
    const lines = [];
    const blocked = answer.block || [];
    const advised = answer.advise || [];
    if (blocked.length) {
      lines.push(`This community does not allow ${listed(blocked)}: the post would be refused.`);
    }
    if (advised.length) {
      lines.push(`${listed(advised)} may hurt or put off others here. You can still post it.`);
    }
    const [hint] = answer.hints || [];
    if (!lines.length && hint) lines.push(`${hint.text} You can still post it.`);
    box.classList.toggle("advice--block", blocked.length > 0);
    box.textContent = lines.join(" ");
    box.hidden = !lines.length;
  };

  const composing = (form) => {
    const body = form.querySelector("[data-hint-url]");
    const box = form.querySelector(".advice");
    const token = form.querySelector("[name=csrfmiddlewaretoken]");
    if (!body || !box || !token) return;
    const title = form.querySelector("[name=title]");
    let timer = 0;
    let running = null;

    const ask = async () => {
      running?.abort();
      running = new AbortController();
      const text = [title?.value, body.value].filter(Boolean).join("\n");
      if (!text.trim()) {
        advise(box, {});
        return;
      }
      try {
        const answer = await fetch(body.dataset.hintUrl, {
          method: "POST",
          signal: running.signal,
          credentials: "same-origin",
          headers: { "Content-Type": "application/json", "X-CSRFToken": token.value },
          body: JSON.stringify({ text, community: body.dataset.community }),
        });
        advise(box, answer.ok ? await answer.json() : {});
      } catch {
        // A hint is a courtesy: without one, people simply go on writing.
      }
    };

    form.addEventListener("input", (event) => {
      if (event.target !== body && event.target !== title) return;
      clearTimeout(timer);
      timer = setTimeout(ask, HINT_AFTER_MS);
    });
    if (body.value) ask();
  };

  const pictures = (fieldset) => {
    const rows = [...fieldset.querySelectorAll("[data-picture-row]")];
    const input = (row) => row.querySelector("input[type=file]");
    const show = () => {
      const filled = rows.filter((row) => input(row).files.length).length;
      rows.forEach((row, index) => (row.hidden = !input(row).files.length && index > filled));
    };
    rows.forEach((row) => {
      const preview = row.querySelector(".picture-row__preview");
      input(row).addEventListener("change", () => {
        if (preview.src) URL.revokeObjectURL(preview.src);
        const [file] = input(row).files;
        const seen = file && file.type.startsWith("image/");
        preview.hidden = !seen;
        if (seen) preview.src = URL.createObjectURL(file);
        else preview.removeAttribute("src");
        show();
      });
    });
    show();
  };

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("[data-own]").forEach(remember);
    document.querySelectorAll("[data-compose]").forEach(composing);
    document.querySelectorAll("[data-pictures]").forEach(pictures);
    document.addEventListener("click", (event) => {
      document.querySelectorAll("details.menu[open]").forEach((menu) => {
        if (!menu.contains(event.target)) menu.open = false;
      });
    });
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      document.querySelectorAll("details.menu[open]").forEach((menu) => {
        menu.open = false;
        menu.querySelector("summary").focus();
      });
    });
  });
})();
