// Keys: "/" search, "g" and a letter to go, "d" deploys, "?" shows them all.
(() => {
  const help = document.getElementById("keys");
  let going = 0;
  const patience = 1200; // ms between the two keys
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest?.("input, textarea, select, [contenteditable]")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (Date.now() - going < patience) {
      going = 0;
      const place = document.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
      if (place) { event.preventDefault(); place.click(); }
      return;
    }
    if (event.key === "g") { going = Date.now(); return; }
    if (event.key === "/") {
      const field = document.querySelector(".seek input, [data-search]");
      if (field?.offsetParent) { event.preventDefault(); field.focus(); field.select(); }
    }
    if (event.key === "d") document.querySelector("[data-key=d]")?.click();
    if (event.key === "?") help?.showModal();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("[data-help]")) help?.showModal();
    if (event.target === help) help.close();
  });
})();
