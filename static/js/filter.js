// The search field of the top line narrows the rows of the page; Enter goes to the only or first one.
(() => {
  const seek = document.querySelector(".seek input");
  if (!seek) return;
  const rows = () => [...document.querySelectorAll("[data-rows] tbody tr")];
  const sieve = () => {
    const words = seek.value.trim().toLowerCase();
    for (const row of rows()) row.hidden = words !== "" && !row.textContent.toLowerCase().includes(words);
  };
  seek.addEventListener("input", sieve);
  seek.form.addEventListener("submit", (event) => {
    const here = rows().filter((row) => !row.hidden);
    if (!here.length || !seek.value.trim()) return; // the server's list answers
    event.preventDefault();
    here[0].querySelector("a[href]")?.click();
  });
  document.addEventListener("htmx:after:swap", sieve);
})();
