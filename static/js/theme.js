// Puts the stored theme on the page before it is painted.
(() => {
  let stored = null;
  try { stored = localStorage.getItem("theme"); } catch { /* storage is switched off: the system's choice holds */ }
  if (stored === "light" || stored === "dark") document.documentElement.dataset.theme = stored;
})();
