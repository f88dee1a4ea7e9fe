/* Choosing a payee keeps what was typed: only number and name are taken from the page that the link leads to. */

const choices = document.querySelectorAll("a[data-payee]");
const field = document.querySelector("main form[method=post] input[name=number]");

const payeeIn = async (url) => {
  const answer = await fetch(url);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const valueOf = (name) => (answer.ok && page.querySelector(`input[name=${name}]`)?.value) || "";
  return { number: valueOf("number"), name: valueOf("name") };
};

for (const choice of field ? choices : []) {
  choice.addEventListener("click", async (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    const payee = await payeeIn(choice.href).catch(() => ({ number: "" }));
    if (!payee.number) {
      location.assign(choice.href);
      return;
    }
    field.value = payee.number;
    field.form.elements.namedItem("name").value = payee.name;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    for (const other of choices) other.removeAttribute("aria-current");
    choice.setAttribute("aria-current", "true");
    field.form.elements.amount.focus();
  });
}

// A number that is typed is nobody's on the list until the page says so.
field?.addEventListener("input", (event) => {
  if (event.isTrusted) for (const choice of choices) choice.removeAttribute("aria-current");
});
