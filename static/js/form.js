/* Forms: lead people to their errors, and send once however often the button is pressed. */

const summary = document.querySelector("[data-error-summary]");
if (summary) {
  summary.focus();
  summary.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    const target = link && document.getElementById(link.hash.slice(1));
    if (!target) return;
    // A group of choices has no control with the field's own id: its first choice is meant.
    const field = target.matches("input, select, textarea") ? target : target.querySelector("input, select, textarea");
    if (!field) return;
    event.preventDefault();
    field.focus();
  });
}

// Under a select stands a line for each choice; of them the chosen one's is enough.
for (const lines of document.querySelectorAll("[data-lines-of-choice]")) {
  const select = lines.closest("form").querySelector(`select[aria-describedby~="${lines.parentElement.id}"]`);
  if (!select) continue;
  const update = () => {
    for (const line of lines.children) line.hidden = line.dataset.choice !== select.value;
  };
  update();
  select.addEventListener("change", update);
  addEventListener("pageshow", update); // a browser may put back an earlier choice
}

// The server refuses duplicates anyway; this spares people the message that says so.
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (form.ariaBusy === "true") event.preventDefault();
    else form.ariaBusy = "true";
    // A request that got lost must not lock the form for good.
    setTimeout(() => form.removeAttribute("aria-busy"), 10000);
  });
}

// Back from the next page, the browser may show this one as it was left.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[aria-busy]")) form.removeAttribute("aria-busy");
});
