// Times in the reader's zone on hover, and "14 min ago" kept true.
(() => {
  const units = [[60, "s"], [3600, "min", 60], [172800, "h", 3600], [5184000, "d", 86400]];
  const ago = (seconds) => {
    if (seconds < 5 && seconds > -5) return "just now";
    const size = Math.abs(seconds);
    let words = `${Math.floor(size / 2592000)} months`;
    for (const [below, unit, by = 1] of units) {
      if (size < below) { words = `${Math.floor(size / by)} ${unit}`; break; }
    }
    return seconds < 0 ? `in ${words}` : `${words} ago`;
  };
  const lasts = (seconds) => seconds < 10 ? `${Math.max(0, seconds).toFixed(1)} s`
    : seconds < 60 ? `${Math.floor(seconds)} s`
    : `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")} min`;
  const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
  const draw = () => {
    const now = Date.now();
    for (const time of document.querySelectorAll("time[datetime]")) {
      const at = Date.parse(time.dateTime);
      if (Number.isNaN(at)) continue;
      if (!time.dataset.zoned) { time.title = exact.format(at); time.dataset.zoned = "yes"; if ("clock" in time.dataset) time.textContent = clock.format(at); }
      if ("ago" in time.dataset) { const words = ago((now - at) / 1000); if (time.textContent !== words) time.textContent = words; }
      if ("since" in time.dataset) time.textContent = lasts((now - at) / 1000);
    }
  };
  draw();
  setInterval(draw, 1000);
  document.addEventListener("htmx:after:swap", draw);
})();
