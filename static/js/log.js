// The live log: follows until the reader scrolls, counts what is new, searches.
(() => {
  const most = 5000; // lines in the page; all are in the download
  const near = 24; // pixels from the end that still count as the end
  for (const log of document.querySelectorAll("[data-log]")) {
    const lines = log.querySelector(".lines");
    const fresh = log.querySelector(".new");
    const follow = log.querySelector("[data-follow]");
    const search = log.querySelector(".search");
    const count = log.querySelector("[data-found]");
    let following = log.hasAttribute("data-live") && !location.hash;
    let unseen = 0;
    const show = () => {
      follow?.setAttribute("aria-pressed", String(following));
      if (!fresh) return;
      fresh.hidden = unseen === 0;
      fresh.textContent = `↓ ${unseen} new`;
    };
    const toEnd = () => { lines.scrollTop = lines.scrollHeight; unseen = 0; };
    const atEnd = () => lines.scrollHeight - lines.scrollTop - lines.clientHeight < near;
    lines.addEventListener("scroll", () => {
      const end = atEnd();
      if (end) unseen = 0;
      if (log.hasAttribute("data-live")) following = end;
      show();
    }, { passive: true });
    fresh?.addEventListener("click", () => { following = true; toEnd(); show(); });
    follow?.addEventListener("click", () => { following = !following; if (following) toEnd(); show(); });
    new MutationObserver((changes) => {
      let added = 0;
      for (const change of changes) for (const node of change.addedNodes) if (node.classList?.contains("line")) { added += 1; if (search?.value) mark(node, search.value.toLowerCase()); }
      if (!added) return;
      log.querySelector(".nothing")?.remove();
      for (let over = lines.children.length - most; over > 0; over -= 1) lines.firstElementChild.remove();
      if (following) toEnd(); else unseen += added;
      show();
    }).observe(lines, { childList: true });

    let at = -1;
    const mark = (line, words) => line.classList.toggle("found", words !== "" && line.lastElementChild.textContent.toLowerCase().includes(words));
    const find = (step) => {
      const words = search.value.toLowerCase();
      for (const line of lines.children) { mark(line, words); line.classList.remove("at"); }
      const found = lines.querySelectorAll(".line.found");
      if (!words || !found.length) { count.textContent = words ? "none" : ""; at = -1; return; }
      at = (at + step + found.length) % found.length;
      found[at].classList.add("at");
      found[at].scrollIntoView({ block: "center" });
      count.textContent = `${at + 1}/${found.length}`;
    };
    search?.addEventListener("input", () => { at = -1; find(1); });
    search?.addEventListener("keydown", (event) => {
      if (event.key === "Enter") { event.preventDefault(); find(event.shiftKey ? -1 : 1); }
      if (event.key === "Escape") { search.value = ""; find(0); search.blur(); }
    });
    document.addEventListener("htmx:sse:close", () => { following = false; log.removeAttribute("data-live"); follow?.remove(); });
    if (following) toEnd();
    if (location.hash) lines.querySelector(CSS.escape ? `#${CSS.escape(location.hash.slice(1))}` : location.hash)?.scrollIntoView({ block: "center" });
    show();
  }
})();
