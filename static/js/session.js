/* A minute before the session ends, asks whether somebody is still there (components/session_dialog.html).

   The server keeps the time. Another tab may have been in use meanwhile, so it is asked before anything is shown,
   and asked again before the page gives up. If it does not answer by then, the page is emptied. It does not note every request, so what it says may be some seconds less
   than is left since this page was made: the later of the two counts. Whoever it did not note has `spare_seconds`
   more, in which nothing is counted down, and one can still stay. */

const WARN_SECONDS = 60;

const dialog = document.getElementById("session-dialog");
const countdown = dialog.querySelector("[data-countdown]");
const spoken = dialog.querySelector("[data-spoken]");
const token = dialog.querySelector("[name=csrfmiddlewaretoken]").value;
// By this browser's clock, in milliseconds: the end by what this page knows, the end that is shown, and the very last.
let ownEnd = Date.now() + Number(dialog.dataset.secondsLeft) * 1000;
let endsAt = ownEnd;
let overAt = ownEnd;
let waiting = 0;
let isEmptied = false;

const secondsLeft = () => Math.ceil((endsAt - Date.now()) / 1000);

const wait = (seconds, then) => {
  clearTimeout(waiting);
  waiting = setTimeout(then, Math.max(seconds, 1) * 1000);
};

/* The page is asked for again: by then it is the server that sends people to sign in and back here. */
const leave = () => location.replace(location.href.split("#")[0]);

const close = () => {
  if (dialog.open) dialog.close();
  document.title = document.title.replace(/^\(\d+\) /, "");
};

const show = (left, canExtend) => {
  for (const element of dialog.querySelectorAll("[data-if-extendable]")) element.hidden = !canExtend;
  for (const element of dialog.querySelectorAll("[data-if-not-extendable]")) element.hidden = canExtend;
  if (!dialog.open) {
    spoken.textContent = `${left} seconds left`;
    dialog.showModal();
  }
  tick();
};

const tick = () => {
  const left = secondsLeft();
  if (left <= 0) {
    countdown.textContent = "Signing you out…";
    wait((overAt - Date.now()) / 1000, check);
    return;
  }
  countdown.textContent = `${left} s`;
  document.title = `(${left}) ${document.title.replace(/^\(\d+\) /, "")}`;
  if (left === 20) spoken.textContent = "20 seconds left";
  wait(1, tick);
};

const follow = ({ seconds_left: noted, spare_seconds: spare, can_extend: canExtend }) => {
  overAt = Date.now() + (noted + spare) * 1000;
  endsAt = Math.min(Math.max(overAt - spare * 1000, ownEnd), overAt);
  const left = secondsLeft();
  if (noted + spare <= 0) leave();
  else if (left > WARN_SECONDS) {
    close();
    wait(left - WARN_SECONDS, check);
  } else if (canExtend || !dialog.dataset.understood) show(left, canExtend);
  else wait(left, check);
};

const ask = async (url, options = {}) => {
  const answer = await fetch(url, { credentials: "same-origin", cache: "no-store", ...options });
  if (answer.redirected) return { seconds_left: 0, spare_seconds: 0, can_extend: false }; // sent to sign in
  // A proxy's 502, say: nobody knows, and giving up the page would lose what is typed in it.
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return answer.json();
};

/* The session is over, and nobody can say where to go: what the page shows goes at once, whoever is there. */
const empty = () => {
  isEmptied = true;
  document.dispatchEvent(new Event("session-over"));
  const notice = document.createElement("p");
  notice.className = "notice panel m-3";
  notice.setAttribute("role", "alert");
  notice.textContent = "You’re signed out, and we can’t reach the bank right now. We’ll keep trying.";
  document.title = "Signed out";
  document.body.replaceChildren(notice);
};

const check = async () => {
  try {
    const answer = await ask(dialog.dataset.leftUrl);
    if (isEmptied) leave();
    else follow(answer);
  } catch {
    if (!isEmptied && Date.now() >= overAt) empty();
    wait(5, check); // no network now; nothing is lost by asking again
  }
};

const extend = async () => {
  try {
    const answer = await ask(dialog.dataset.extendUrl, { method: "POST", headers: { "X-CSRFToken": token } });
    ownEnd = Date.now() + answer.seconds_left * 1000;
    follow(answer);
  } catch {
    check();
  }
};

dialog.querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (event.submitter?.value === "stay") extend();
  else {
    dialog.dataset.understood = "yes";
    close();
    wait(secondsLeft(), check);
  }
});
// Escape is an answer too: somebody is there.
dialog.addEventListener("cancel", (event) => {
  event.preventDefault();
  dialog.querySelector("button:not([hidden])").click();
});

// Timers stand still while a computer sleeps; and the browser may show a page again that was left long ago.
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && check());
addEventListener("pageshow", (event) => event.persisted && check());

wait(Number(dialog.dataset.secondsLeft) - WARN_SECONDS, check);
