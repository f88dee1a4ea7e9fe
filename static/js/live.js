/* The open dashboard follows what happens: a received transfer shows without a reload (R10.4).

   The page says which version it has; the server answers 304 while there is no other. Asking does not keep the session
   alive; once it is over, the answer comes from the sign-in page, and session.js sees to the rest. */

const EVERY_MS = 10_000;

const region = document.querySelector("[data-live]");
const news = document.querySelector("[data-live-news]");

const show = (html) => {
  const focused = region.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  const known = region.firstElementChild.dataset.latest;
  region.innerHTML = html;
  if (focused) region.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  const { latest, news: text } = region.firstElementChild.dataset;
  if (!latest || latest === known) return; // something else has changed: a status, a name
  const notice = document.createElement("p");
  notice.className = "notice notice-success";
  notice.textContent = text;
  news.replaceChildren(notice);
};

const ask = async () => {
  if (document.visibilityState === "visible") {
    const version = region.firstElementChild.dataset.version;
    try {
      const answer = await fetch(region.dataset.live, {
        cache: "no-store",
        headers: { "If-None-Match": `"${version}"` },
      });
      if (answer.redirected) return;
      if (answer.status === 200) show(await answer.text());
    } catch {
      /* no network now: ask again later */
    }
  }
  setTimeout(ask, EVERY_MS);
};

setTimeout(ask, EVERY_MS);
