// The search field of the top line narrows the rows of the page; Enter goes to the only one left, or asks for the list of apps.
(() => {
  const seek = document.querySelector(".seek input");
  if (!seek) return;
  const rows = () => [...document.querySelectorAll("[data-rows] tbody tr, [data-rows] > li")];
  const sieve = () => {
    const words = seek.value.trim().toLowerCase();
    for (const row of rows()) row.hidden = words !== "" && !row.textContent.toLowerCase().includes(words);
  };
  seek.addEventListener("input", sieve);
  seek.form.addEventListener("submit", (event) => {
    const here = rows().filter((row) => !row.hidden);
    const link = here.length === 1 && seek.value.trim() ? here[0].querySelector("a[href]") : null;
    if (!link) return; // the server's list answers
    event.preventDefault();
    link.click();
  });
  document.addEventListener("htmx:after:swap", sieve);
})();
