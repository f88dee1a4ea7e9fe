// The API's page: Swagger draws the document that the page names, with nothing from another host.
const place = document.getElementById("api-docs");

window.SwaggerUIBundle({
  domNode: place,
  url: place.dataset.documentUrl,
  presets: [window.SwaggerUIBundle.presets.apis],
  // The page says it in its own heading, and asks the bank that it came from.
  plugins: [() => ({ wrapComponents: { InfoContainer: () => () => null, ServersContainer: () => () => null } })],
  layout: "BaseLayout",
  deepLinking: false, // its links stand inside buttons, which no keyboard reaches
  docExpansion: "list",
  defaultModelsExpandDepth: -1, // each route shows its own
  validatorUrl: null, // else the document's address would be sent to swagger.io
  persistAuthorization: false,
});

// Swagger leaves some of its controls without a name for screen readers.
const names = { "textarea.body-param__text": "Body", ".copy-to-clipboard button": "Copy" };

new MutationObserver(() => {
  for (const [selector, name] of Object.entries(names)) {
    for (const element of place.querySelectorAll(`${selector}:not([aria-label])`)) {
      element.setAttribute("aria-label", name);
    }
  }
}).observe(place, { childList: true, subtree: true });
