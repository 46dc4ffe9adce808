// Menus close when one clicks beside them or presses Escape. The theme is chosen in one of them.
(() => {
  const close = (but) => { for (const menu of document.querySelectorAll("details.menu[open]")) if (menu !== but) menu.open = false; };
  document.addEventListener("click", (event) => close(event.target.closest?.("details.menu")));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const open = document.querySelector("details.menu[open]");
    if (open) { open.open = false; open.querySelector("summary").focus(); }
  });
  const root = document.documentElement;
  const draw = () => { for (const button of document.querySelectorAll("[data-theme-is]")) button.setAttribute("aria-pressed", String((root.dataset.theme ?? "system") === button.dataset.themeIs)); };
  document.addEventListener("click", (event) => {
    const choice = event.target.closest?.("[data-theme-is]")?.dataset.themeIs;
    if (!choice) return;
    if (choice === "system") delete root.dataset.theme; else root.dataset.theme = choice;
    try { if (choice === "system") localStorage.removeItem("theme"); else localStorage.setItem("theme", choice); } catch { /* only for this page, then */ }
    draw();
  });
  draw();
  // On a narrow screen the tab one is at may lie beside the edge.
  const here = document.querySelector(".tabs [aria-current]");
  const bring = () => { const row = here?.parentElement; if (row) row.scrollLeft = here.offsetLeft - row.offsetLeft - (row.clientWidth - here.offsetWidth) / 2; };
  bring();
  addEventListener("resize", bring);
})();
