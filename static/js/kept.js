/* Keeps what somebody types into a form, in case the session ends before it is sent (R1.6).

   Sealed with a key that stands in that person's own pages only (AES-GCM): after a timeout it lies in this tab's
   storage as bytes nobody can read, until the same person signs in again. Passwords and codes are never kept.

   Life of what is kept: "typing" while its page is open; "lost" once a signed-out page has followed; put back when
   its page is shown again; forgotten when any other page of the signed-in person shows that it was not lost. */

const KEY = "kept-typing";
const LONGEST_MS = 30 * 60 * 1000;
const PAUSE_MS = 300;
const NEVER = "[type=password], [type=hidden], [type=file], [autocomplete=one-time-code], [data-never-kept]";

const key = document.body.dataset.keptTypingKey;
const here = location.pathname + location.search;

const stored = () => {
  try {
    return JSON.parse(sessionStorage.getItem(KEY));
  } catch {
    return null;
  }
};
const store = (kept) => {
  try {
    if (kept) sessionStorage.setItem(KEY, JSON.stringify(kept));
    else sessionStorage.removeItem(KEY);
  } catch {
    /* a browser that refuses storage keeps nothing */
  }
};

const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)));
const cipherKey = () => crypto.subtle.importKey("raw", bytes(key), "AES-GCM", false, ["encrypt", "decrypt"]);

const forms = () => [...document.querySelectorAll("main form[method=post]")];
const fields = (form) => [...form.elements].filter((field) => field.name && !field.matches(`button, fieldset, ${NEVER}`));

const typed = () =>
  forms().map((form) =>
    fields(form).map((field) => [field.name, field.value, field.matches("[type=checkbox], [type=radio]") ? field.checked : null]),
  );

const keep = async () => {
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const plain = new TextEncoder().encode(JSON.stringify(typed()));
  const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, await cipherKey(), plain);
  store({ path: here, at: Date.now(), state: "typing", iv: text(iv), sealed: text(sealed) });
};

const putBack = (values) => {
  let found = false;
  forms().forEach((form, index) => {
    for (const [name, value, checked] of values[index] ?? []) {
      const field = fields(form).find((one) => one.name === name && (checked === null || one.value === value));
      if (!field) continue;
      const before = checked === null ? field.value : field.checked;
      if (checked === null) field.value = value;
      else field.checked = checked;
      if (before === (checked === null ? field.value : field.checked)) continue;
      found = true;
      field.dispatchEvent(new Event("change", { bubbles: true }));
    }
  });
  if (found) {
    const notice = document.createElement("p");
    notice.className = "notice";
    notice.setAttribute("role", "status");
    notice.textContent = "Nothing was sent. What you typed before is back: please check it.";
    forms()[0].before(notice);
  }
};

const restore = async (kept) => {
  store(null);
  try {
    const plain = await crypto.subtle.decrypt({ name: "AES-GCM", iv: bytes(kept.iv) }, await cipherKey(), bytes(kept.sealed));
    putBack(JSON.parse(new TextDecoder().decode(plain)));
  } catch {
    /* another person's, or not ours: it is gone */
  }
};

const kept = stored();
if (kept && !(Date.now() - kept.at < LONGEST_MS)) store(null);
else if (kept && !key) store({ ...kept, state: "lost" });
else if (kept && kept.state !== "lost") store(null);
else if (kept && kept.path === here && crypto.subtle) restore(kept);

// session.js empties a page that nobody answers after the end of the session.
document.addEventListener("session-over", () => {
  const typing = stored();
  if (typing) store({ ...typing, state: "lost" });
});

// Who signs out leaves nothing behind.
document.addEventListener("submit", (event) => event.target.action.endsWith("/sign-out/") && store(null));

// Only over HTTPS (or on this machine) do browsers seal anything.
if (key && crypto.subtle) {
  let pause = 0;
  document.addEventListener("input", (event) => {
    if (!event.target.closest("main form[method=post]")) return;
    clearTimeout(pause);
    pause = setTimeout(keep, PAUSE_MS);
  });
}
