// Copies: a text beside a button, or the link to a line of a log.
(() => {
  const say = (button, words) => {
    const before = button.textContent;
    button.textContent = words;
    setTimeout(() => { button.textContent = before; }, 1200);
  };
  for (const button of document.querySelectorAll("[data-copy]")) button.hidden = !navigator.clipboard;
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-copy]");
    if (button) {
      const text = document.getElementById(button.dataset.copy)?.textContent ?? "";
      try { await navigator.clipboard.writeText(text); say(button, "Copied"); } catch { say(button, "Not allowed"); }
    }
    const line = event.target.closest?.(".log .line > a");
    if (line && !event.ctrlKey && !event.metaKey && navigator.clipboard) {
      navigator.clipboard.writeText(line.href).catch(() => {});
    }
  });
})();
