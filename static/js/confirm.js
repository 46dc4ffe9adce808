// Dangerous acts ask for the name: the button stays off until it is typed. The server asks again.
document.addEventListener("input", (event) => {
  const form = event.target.form;
  const field = form?.querySelector("[data-exactly]");
  if (field) form.querySelector("button[type=submit]").disabled = field.value !== field.dataset.exactly;
});
for (const field of document.querySelectorAll("[data-exactly]")) field.form.querySelector("button[type=submit]").disabled = true;
// One press is enough: a second one would ask for the same again.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method === "post") setTimeout(() => { for (const button of form.querySelectorAll("button[type=submit]")) button.disabled = true; });
});
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
