/* The colour scheme: system, light or dark. Loaded before the page is painted, or a dark page would flash white. */
(() => {
  // Django's admin keeps its choice under this name too, and calls the system's scheme "auto".
  const KEY = "theme";
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");

  // A browser may refuse storage altogether; then the choice lasts for the page.
  const saved = () => {
    try {
      return localStorage.getItem(KEY) || "auto";
    } catch {
      return "auto";
    }
  };
  const save = (choice) => {
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      /* nothing to do: see above */
    }
  };
  const apply = (choice) => {
    root.dataset.bsTheme = choice === "auto" ? (system.matches ? "dark" : "light") : choice;
  };

  apply(saved());
  system.addEventListener("change", () => apply(saved()));

  document.addEventListener("DOMContentLoaded", () => {
    for (const group of document.querySelectorAll("[data-theme-switch]")) {
      const buttons = group.querySelectorAll("[data-theme-choice]");
      const mark = (choice) => {
        for (const button of buttons) {
          button.setAttribute("aria-pressed", String(button.dataset.themeChoice === choice));
        }
      };
      for (const button of buttons) {
        button.addEventListener("click", () => {
          save(button.dataset.themeChoice);
          apply(button.dataset.themeChoice);
          mark(button.dataset.themeChoice);
        });
      }
      mark(saved());
      group.hidden = false;
    }
  });
})();
