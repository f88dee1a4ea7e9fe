/* Demo mode only: [data-fill-email], [data-fill-password] and [data-fill-code] fill the field of that name. */

for (const button of document.querySelectorAll("[data-demo-fill]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    let last;
    for (const name of ["email", "password", "code"]) {
      const value = button.dataset[`fill${name[0].toUpperCase()}${name.slice(1)}`];
      const field = value && document.querySelector(`main form [name=${name}]`);
      if (!field) continue;
      field.value = value;
      last = field;
    }
    last?.form.querySelector("[type=submit]").focus();
  });
}
