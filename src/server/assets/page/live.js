// Live updates: a stream says that there is a new version; the page is fetched again and its changed parts are swapped in.

function enhance(scope) {
  showTimes(scope);
  setUpBars(scope);
}

const keyOf = (details) => details.id || `${details.closest("[id]")?.id} ${details.className}`;

// Puts the new content into the old element, so that what is announced, focused or scrolled to stays where it is.
function swap(current, next) {
  const focus = current.contains(document.activeElement) ? document.activeElement : null;
  const selector = focus && focus !== current && (focus.id ? `#${CSS.escape(focus.id)}` : focus.getAttribute("href") ? `a[href="${CSS.escape(focus.getAttribute("href"))}"]` : focus.matches(".bars") ? ".bars" : focus.matches("summary") ? "summary" : null);
  const open = new Set([...current.querySelectorAll("details[open]")].map(keyOf));
  if (shown && current.contains(shown.bars)) hideDay();
  const copy = document.importNode(next, true);
  for (const details of copy.querySelectorAll("details")) if (open.has(keyOf(details))) details.open = true;
  current.replaceChildren(...copy.childNodes);
  for (const name of ["class", "data-since"]) {
    if (next.hasAttribute(name)) current.setAttribute(name, next.getAttribute(name));
    else current.removeAttribute(name);
  }
  enhance(current.parentElement);
  if (selector) current.querySelector(selector)?.focus({ preventScroll: true });
}

const lines = (page) => [...page.querySelectorAll("#components [id]")].map((element) => element.id).join();

function apply(next) {
  document.title = next.title;
  for (const key of ["today", "version"]) root.dataset[key] = next.documentElement.dataset[key];
  const list = document.getElementById("components");
  if (list && lines(next) !== lines(served)) swap(list, next.getElementById("components"));
  for (const element of next.querySelectorAll("[data-live]")) {
    const current = document.getElementById(element.id);
    const before = served.getElementById(element.id);
    // An element that holds others which are live is updated through them.
    if (!current || !before || before.isEqualNode(element)) continue;
    if (element.querySelector("[data-live]")) current.className = element.className;
    else swap(current, element);
  }
  for (const group of next.querySelectorAll("details.group[open]")) {
    if (!served.getElementById(group.id)?.open) document.getElementById(group.id)?.setAttribute("open", "");
  }
  served = next;
}

let refreshing = false;
let wanted = 0;

async function refresh(version) {
  wanted = Math.max(wanted, version ?? 0);
  if (refreshing) return;
  refreshing = true;
  try {
    const answer = await fetch(location.href, { cache: "no-cache", headers: { accept: "text/html" } });
    if (answer.ok) {
      const text = await answer.text();
      apply(new DOMParser().parseFromString(policy ? policy.createHTML(text) : text, "text/html"));
    }
  } catch { /* The next event or the next minute tries again. */ }
  refreshing = false;
  // A cache on the way may still hold the version before.
  if (Number(root.dataset.version) < wanted) setTimeout(refresh, 2_000);
}

let stream = null;
let retry = 0;

function streaming(on) {
  root.classList.toggle("streaming", on);
  const live = document.getElementById("live");
  if (live) live.hidden = !on;
}

function connect() {
  clearTimeout(retry);
  if (stream || document.hidden) return;
  stream = new EventSource("/events");
  stream.onopen = () => streaming(true);
  stream.onerror = () => {
    streaming(false);
    if (stream?.readyState !== EventSource.CLOSED) return;
    stream = null;
    // Refused: too many readers, or a proxy that does not let streams through. Ask by hand meanwhile.
    retry = setTimeout(() => { refresh(); connect(); }, 30_000 + Math.random() * 30_000);
  };
  let first = true;
  const changed = (event) => {
    const version = Number(event.data);
    const stale = event.type === "stale";
    const same = version === Number(root.dataset.version) && stale === Boolean(document.querySelector("#stale .note"));
    // Spread out, so that a thousand readers do not ask in the same instant.
    if (!first || !same) setTimeout(refresh, Math.random() * 250, version);
    first = false;
  };
  stream.addEventListener("version", changed);
  stream.addEventListener("stale", changed);
}

function disconnect() {
  stream?.close();
  stream = null;
  streaming(false);
}


// Start

setUpSwitches();
enhance(document);
listenToBars();
setInterval(() => showTimes(document), 20_000);
if (document.querySelector("[data-live]")) {
  // Browsers allow few connections per site: a page nobody looks at gives its own back.
  document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));
  addEventListener("pagehide", disconnect);
  addEventListener("pageshow", (event) => event.persisted && connect());
  connect();
}
