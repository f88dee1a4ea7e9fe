/* Conveniences of the page frame. Buttons that need JavaScript are in the page with `hidden` and shown here. */

// --- Menus are <details>; one also expects them to close on Escape and on a click elsewhere. ---
const menus = document.querySelectorAll("details.menu");
const closeMenus = (except) => {
  for (const menu of menus) if (menu !== except) menu.open = false;
};
document.addEventListener("click", (event) => closeMenus(event.target.closest("details.menu")));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = document.querySelector("details.menu[open]");
  if (!menu) return;
  if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
  closeMenus();
});
document.addEventListener("focusin", (event) => closeMenus(event.target.closest("details.menu")));

// --- Copy: [data-copy] is the text, or [data-copy-from] the id of the element that holds it. ---
if (navigator.clipboard) {
  for (const button of document.querySelectorAll("[data-copy], [data-copy-from]")) {
    const label = button.querySelector("[data-copy-label]") || button;
    const before = label.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copyFrom);
      const lines = source && source.matches("ul, ol") ? [...source.children].map((item) => item.textContent.trim()) : null;
      try {
        await navigator.clipboard.writeText(lines ? lines.join("\n") : (button.dataset.copy ?? source.textContent.trim()));
        label.textContent = "Copied";
      } catch {
        label.textContent = "Could not copy";
      }
      setTimeout(() => (label.textContent = before), 2500);
    });
  }
}

// --- Back: to the page one came from, filters and all, where it was one of ours; else where the link leads. ---
const cameFromUs = history.length > 1 && document.referrer.startsWith(`${location.origin}/`);
for (const link of cameFromUs ? document.querySelectorAll("a[data-back]") : []) {
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    history.back();
  });
}

// --- Print ---
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
