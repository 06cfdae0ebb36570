// Bars: one day at a time, by pointer, finger or arrow keys.

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
    const link = card.querySelector("h2 a, h3 a, h4 a, :scope > a");
    if (link && first <= number && number <= last && card.dataset.i.split(" ").includes(component)) found.set(link.getAttribute("href"), link.textContent);
  }
  return found;
}

function dayWords({ date, blank, spans }, incidents) {
  if (blank) return `${date}: no data`;
  const said = spans.map((span) => `${spanWords(span.minutes * MINUTE)} ${span.words}`);
  const titles = [...incidents.values()];
  const more = titles.length ? `. ${titles.join(", ")}. Enter goes to ${titles.length > 1 ? "the links" : "the link"}` : "";
  return `${date}: ${said.join(", ") || "no trouble"}${more}`;
}

function fillPanel(day, incidents) {
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
  if (incidents.size) {
    const links = make("ul", "links");
    for (const [href, title] of incidents) {
      const link = make("a", "", title);
      link.dir = "auto";
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
  const incidents = incidentsOn(bars.dataset.c, day.number);
  fillPanel(day, incidents);
  bars.setAttribute("aria-valuenow", index + 1);
  bars.setAttribute("aria-valuetext", dayWords(day, incidents));
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
  if (panel.contains(event.target)) return onPanelKey(event);
  if (event.key === "Escape") return hideDay();
  if (!bars) return;
  if (event.key === "Enter" && shown?.bars === bars) return panel.querySelector("a")?.focus();
  const index = shown?.bars === bars ? shown.index : DAYS - 1;
  const next = { ArrowLeft: index - 1, ArrowDown: index - 1, ArrowRight: index + 1, ArrowUp: index + 1, PageUp: index + 7, PageDown: index - 7, Home: 0, End: DAYS - 1 }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  showDay(bars, next);
}

// The panel stands at the end of the document; whoever leaves it by keyboard is back at the bars.
function onPanelKey(event) {
  const links = [...panel.querySelectorAll("a")];
  const last = event.shiftKey ? links[0] : links.at(-1);
  if (event.key !== "Escape" && !(event.key === "Tab" && event.target === last)) return;
  event.preventDefault();
  shown?.bars.focus();
}

// A finger that goes along the bars walks the days; one that goes up or down scrolls the page.
let finger = null; // { x, bars }

function onFinger(event) {
  if (event.type === "pointerdown") finger = { x: event.clientX, bars: event.target.closest?.(".bars") };
  else if (finger?.bars && Math.abs(event.clientX - finger.x) > 8) showDay(finger.bars, indexAt(finger.bars, event.clientX));
}

function listenToBars() {
  document.body.append(panel);
  document.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch") return onFinger(event);
    const bars = event.target.closest?.(".bars");
    if (bars) showDay(bars, indexAt(bars, event.clientX));
    else if (panel.contains(event.target)) clearTimeout(leaving);
    else if (shown && shown.bars !== document.activeElement) leave();
  });
  document.addEventListener("pointerdown", (event) => event.pointerType === "touch" && onFinger(event));
  document.addEventListener("click", (event) => {
    const bars = event.target.closest?.(".bars");
    if (bars) showDay(bars, indexAt(bars, event.clientX));
    else if (!panel.contains(event.target)) hideDay();
  });
  document.addEventListener("focusin", (event) => {
    if (event.target.matches?.(".bars:focus-visible")) showDay(event.target, shown?.bars === event.target ? shown.index : DAYS - 1);
    else if (shown && event.target !== shown.bars && !panel.contains(event.target)) hideDay();
  });
  document.addEventListener("keydown", onBarKey);
}
