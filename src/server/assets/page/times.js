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
