// The tab says how the thing stands while the page is open: the word of whatever carries data-state stands before its title.
(() => {
  const state = () => document.querySelector("[data-state]")?.dataset.state;
  const first = state();
  if (!first || !document.title.startsWith(`${first} · `)) return;
  const rest = document.title.slice(first.length);
  document.addEventListener("htmx:after:swap", () => { document.title = (state() ?? first) + rest; });
})();
