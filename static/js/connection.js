// Says so while the panel does not answer, and flashes what changed when a live part is drawn anew.
(() => {
  const notice = document.querySelector(".lost");
  const lost = () => { if (notice) notice.hidden = false; };
  const found = () => { if (notice) notice.hidden = true; };
  document.addEventListener("htmx:error", lost);
  document.addEventListener("htmx:sse:error", lost);
  document.addEventListener("htmx:after:request", found);
  document.addEventListener("htmx:sse:after:connection", found);
  document.addEventListener("htmx:sse:after:message", found);

  const seen = new Map();
  const look = (flash) => {
    for (const thing of document.querySelectorAll("[data-flash]")) {
      const before = seen.get(thing.dataset.flash);
      const words = thing.textContent.trim();
      seen.set(thing.dataset.flash, words);
      if (!flash || before === words) continue;
      const row = thing.closest("tr") ?? thing;
      row.classList.remove("changed");
      void row.offsetWidth; // restarts the animation
      row.classList.add("changed");
    }
  };
  look(false);
  document.addEventListener("htmx:after:swap", () => look(true));
})();
