// The public page works without this file. With it, times are relative, bars tell their day, and changes appear by themselves.

const root = document.documentElement;
const policy = window.trustedTypes?.createPolicy("fanal", { createHTML: (html) => html });
const pageZone = root.dataset.zone;
let zone = pageZone;

// What the server sent last, before anything here has touched it.
let served = document.cloneNode(true);

const make = (name, className, text) => {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
};

/* Times */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

function spanWords(ms) {
  const minutes = Math.floor(ms / MINUTE);
  const days = Math.floor(minutes / 1440), hours = Math.floor(minutes / 60) % 24, rest = minutes % 60;
  if (days) return hours ? `${days} d ${hours} h` : `${days} d`;
  if (hours) return rest ? `${hours} h ${rest} min` : `${hours} h`;
  return `${rest} min`;
}

const formats = new Map();
function formatted(date, options) {
  const key = zone + JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat("en-GB", { timeZone: zone, ...options }));
  return formats.get(key).format(date);
}

const FULL = { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short" };
const LOCAL = { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" };
const CLOCK = { hour: "2-digit", minute: "2-digit" };
const CLOCK_ZONE = { hour: "2-digit", minute: "2-digit", timeZoneName: "short" };
const DATE_CLOCK = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };
const DATE = { day: "numeric", month: "short", year: "numeric" };

function timeText(element, now) {
  const date = new Date(element.dateTime);
  const age = now - date;
  switch (element.dataset.t) {
    case "ago":
      if (age >= 0 && age < DAY) return age < MINUTE ? "just now" : `${spanWords(age)} ago`;
      return formatted(date, FULL);
    case "clock":
      return formatted(date, formatted(date, DATE) === formatted(now, DATE) ? CLOCK : DATE_CLOCK);
    case "end": {
      const start = new Date(element.previousElementSibling?.dateTime ?? date);
      return formatted(date, formatted(date, DATE) === formatted(start, DATE) ? CLOCK_ZONE : FULL);
    }
    default:
      return formatted(date, element.nextElementSibling?.dataset?.t === "end" ? LOCAL : FULL);
  }
}

function showTimes(scope) {
  const now = new Date();
  for (const element of scope.querySelectorAll("time[data-t]")) {
    const text = timeText(element, now);
    if (element.textContent !== text) element.textContent = text;
    element.title = formatted(new Date(element.dateTime), FULL);
  }
  for (const element of document.querySelectorAll("[data-since]")) {
    const text = `(${spanWords(Math.max(0, now - new Date(element.dataset.since)))})`;
    if (element.textContent !== text) element.textContent = text;
  }
}

/* Switches */

function remember(key, value) {
  try {
    if (value) localStorage.setItem(key, value);
    else localStorage.removeItem(key);
  } catch { /* Then it lasts until the page is left. */ }
}

function recall(key) {
  try { return localStorage.getItem(key) ?? ""; } catch { return ""; }
}

function setUpSwitches() {
  const theme = document.getElementById("theme");
  theme.value = root.dataset.theme ?? "";
  theme.addEventListener("change", () => {
    if (theme.value) root.dataset.theme = theme.value;
    else delete root.dataset.theme;
    remember("theme", theme.value);
  });
  const select = document.getElementById("zone");
  const apply = () => {
    zone = { local: Intl.DateTimeFormat().resolvedOptions().timeZone, UTC: "UTC" }[select.value] ?? pageZone;
    showTimes(document);
  };
  if (["local", "UTC"].includes(recall("zone"))) select.value = recall("zone");
  select.addEventListener("change", () => {
    remember("zone", select.value);
    apply();
  });
  apply();
  document.getElementById("switches").hidden = false;
}

/* Bars: one day at a time, by pointer, finger or arrow keys */

const DAYS = 90;
const KINDS = [["major_outage", "major outage"], ["partial_outage", "partial outage"], ["degraded_performance", "degraded performance"], ["unknown", "unknown"], ["under_maintenance", "maintenance"]];
const SVG = "http://www.w3.org/2000/svg";
const panel = make("div", "day");
panel.hidden = true;
let shown = null; // { bars, index }
let leaving = 0;

function dayOf(bars, index) {
  const number = Number(root.dataset.today) - DAYS + 1 + index;
  const date = new Date(number * DAY).toLocaleDateString("en-GB", { timeZone: "UTC", weekday: "long", day: "numeric", month: "long" });
  if (index < Number(bars.dataset.from)) return { number, date, blank: true, spans: [] };
  const entry = (bars.dataset.m ?? "").split(";").find((item) => item.startsWith(`${index}:`));
  const minutes = entry ? entry.split(":")[1].split(".").map(Number) : [];
  const spans = KINDS.map(([status, words], kind) => ({ status, words, minutes: minutes[kind] ?? 0 })).filter((span) => span.minutes > 0);
  return { number, date, blank: false, spans };
}

function incidentsOn(component, number) {
  const found = new Map();
  for (const card of document.querySelectorAll("[data-i]")) {
    const [first, last] = card.dataset.days.split(" ").map(Number);
    const link = card.querySelector("h3 a, h4 a");
    if (link && first <= number && number <= last && card.dataset.i.split(" ").includes(component)) found.set(link.getAttribute("href"), link.textContent);
  }
  return found;
}

function dayWords({ date, blank, spans }) {
  if (blank) return `${date}: no data`;
  if (!spans.length) return `${date}: no trouble`;
  return `${date}: ${spans.map((span) => `${spanWords(span.minutes * MINUTE)} ${span.words}`).join(", ")}`;
}

function fillPanel(bars, day) {
  panel.replaceChildren(make("b", "", day.date));
  if (day.blank) panel.append("No data");
  else if (!day.spans.length) panel.append("No trouble");
  const list = make("ul");
  for (const span of day.spans) {
    const item = make("li");
    const shape = document.createElementNS(SVG, "svg");
    shape.setAttribute("class", `shape ${span.status}`);
    shape.setAttribute("aria-hidden", "true");
    const use = document.createElementNS(SVG, "use");
    use.setAttribute("href", `#s-${span.status}`);
    shape.append(use);
    item.append(shape, span.words[0].toUpperCase() + span.words.slice(1), make("span", "span", spanWords(span.minutes * MINUTE)));
    list.append(item);
  }
  if (day.spans.length) panel.append(list);
  const incidents = incidentsOn(bars.dataset.c, day.number);
  if (incidents.size) {
    const links = make("ul", "links");
    for (const [href, title] of incidents) {
      const link = make("a", "", title);
      link.setAttribute("href", href);
      const item = make("li");
      item.append(link);
      links.append(item);
    }
    panel.append(links);
  }
}

function showDay(bars, index) {
  index = Math.max(0, Math.min(DAYS - 1, index));
  clearTimeout(leaving);
  if (shown?.bars === bars && shown.index === index && !panel.hidden) return;
  hideDay();
  shown = { bars, index };
  const day = dayOf(bars, index);
  fillPanel(bars, day);
  bars.setAttribute("aria-valuenow", index + 1);
  bars.setAttribute("aria-valuetext", dayWords(day));
  const svg = bars.querySelector("svg");
  const mark = document.createElementNS(SVG, "rect");
  for (const [name, value] of Object.entries({ class: "mark", x: index * 8 - 1, y: -3, width: 8, height: 38 })) mark.setAttribute(name, value);
  svg.append(mark);
  panel.hidden = false;
  const box = svg.getBoundingClientRect();
  const middle = box.left + (index + 0.4) * (box.width / DAYS);
  const left = Math.max(8, Math.min(root.clientWidth - panel.offsetWidth - 8, middle - panel.offsetWidth / 2));
  const below = box.bottom + panel.offsetHeight + 8 < innerHeight || box.top < panel.offsetHeight;
  panel.style.left = `${left + scrollX}px`;
  panel.style.top = `${(below ? box.bottom + 2 : box.top - panel.offsetHeight - 4) + scrollY}px`;
}

function hideDay() {
  panel.hidden = true;
  shown?.bars.querySelector(".mark")?.remove();
  shown = null;
}

function leave() {
  clearTimeout(leaving);
  leaving = setTimeout(hideDay, 250);
}

function indexAt(bars, x) {
  const box = bars.querySelector("svg").getBoundingClientRect();
  return Math.floor(((x - box.left) / box.width) * DAYS);
}

function setUpBars(scope) {
  for (const bars of scope.querySelectorAll(".bars")) {
    const svg = bars.querySelector("svg");
    const name = bars.closest(".row")?.querySelector(".name")?.textContent ?? document.querySelector("h1").textContent;
    const attributes = {
      role: "slider", tabindex: "0", "aria-label": `${name}, day by day`, "aria-valuemin": "1", "aria-valuemax": String(DAYS),
      "aria-valuenow": String(DAYS), "aria-valuetext": svg.getAttribute("aria-label"),
    };
    for (const [key, value] of Object.entries(attributes)) bars.setAttribute(key, value);
    svg.setAttribute("aria-hidden", "true");
  }
}

function onBarKey(event) {
  const bars = event.target.closest?.(".bars");
  if (event.key === "Escape") return hideDay();
  if (!bars) return;
  const index = shown?.bars === bars ? shown.index : DAYS - 1;
  const next = { ArrowLeft: index - 1, ArrowDown: index - 1, ArrowRight: index + 1, ArrowUp: index + 1, PageUp: index + 7, PageDown: index - 7, Home: 0, End: DAYS - 1 }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  showDay(bars, next);
}

function listenToBars() {
  document.body.append(panel);
  document.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch") return;
    const bars = event.target.closest?.(".bars");
    if (bars) showDay(bars, indexAt(bars, event.clientX));
    else if (panel.contains(event.target)) clearTimeout(leaving);
    else if (shown && shown.bars !== document.activeElement) leave();
  });
  document.addEventListener("click", (event) => {
    const bars = event.target.closest?.(".bars");
    if (bars) showDay(bars, indexAt(bars, event.clientX));
    else if (!panel.contains(event.target)) hideDay();
  });
  document.addEventListener("focusin", (event) => {
    if (event.target.matches?.(".bars:focus-visible")) showDay(event.target, DAYS - 1);
    else if (shown && event.target !== shown.bars && !panel.contains(event.target)) hideDay();
  });
  document.addEventListener("keydown", onBarKey);
}

/* Live updates */

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

/* Start */

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
