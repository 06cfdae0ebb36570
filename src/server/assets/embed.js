// Keeps the widget current: asks again every minute while somebody looks. Without scripts it shows what was true when it was loaded.
const EVERY = 60_000;
const policy = window.trustedTypes?.createPolicy("fanal", { createHTML: (html) => html });
let asked = Date.now();

async function refresh() {
  if (document.hidden || Date.now() - asked < EVERY / 2) return;
  asked = Date.now();
  try {
    const answer = await fetch(location.href, { cache: "no-cache" });
    if (!answer.ok) return;
    const text = await answer.text();
    const next = new DOMParser().parseFromString(policy ? policy.createHTML(text) : text, "text/html").getElementById("widget");
    const current = document.getElementById("widget");
    if (next && !next.isEqualNode(current)) current.replaceWith(next);
  } catch { /* The next minute tries again. */ }
}

setInterval(refresh, EVERY);
document.addEventListener("visibilitychange", refresh);
