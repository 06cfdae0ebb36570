// How the console looks and listens, as somebody chose: kept in this browser.
{
  const recall = key => { try { return localStorage.getItem(key) ?? ""; } catch { return ""; } };
  const remember = (key, value) => {
    try {
      if (value) localStorage.setItem(key, value);
      else localStorage.removeItem(key);
    } catch { /* Then it lasts until the page is left. */ }
  };
  const theme = document.getElementById("theme");
  const keys = document.getElementById("row-keys");
  if (theme && keys) {
    const { dataset } = document.documentElement;
    theme.value = dataset.theme ?? "";
    theme.addEventListener("change", () => {
      if (theme.value) dataset.theme = theme.value;
      else delete dataset.theme;
      remember("theme", theme.value);
    });
    keys.checked = recall("row-keys") !== "off";
    keys.addEventListener("change", () => remember("row-keys", keys.checked ? "" : "off"));
    theme.closest(".tastes").hidden = false;
  }

  // j and k walk the rows of lists, from link to link.
  const typing = target => target.closest("input:not([type=checkbox]), select, textarea, dialog, [popover]:popover-open");
  addEventListener("keydown", event => {
    const step = { j: 1, k: -1 }[event.key];
    if (!step || !keys?.checked || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    const first = row => row.querySelector("a[href]") ?? row.querySelector("button:not([disabled])");
    const rows = [...document.querySelectorAll("main .lines > li, main .routes > li, main tbody > tr")].filter(row => row.checkVisibility() && first(row));
    if (!rows.length) return;
    const at = rows.findIndex(row => row.contains(document.activeElement));
    const to = at < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + step, 0), rows.length - 1);
    first(rows[to]).focus();
    rows[to].scrollIntoView({ block: "nearest" });
    event.preventDefault();
  });
}

// Menus close with Escape, and when something else is pressed.
{
  const open = () => document.querySelectorAll("details.more[open]");
  addEventListener("keydown", event => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    for (const menu of open()) {
      const summary = menu.querySelector("summary");
      if (menu.contains(document.activeElement)) summary.focus();
      menu.open = false;
    }
  });
  addEventListener("pointerdown", event => {
    for (const menu of open()) if (!menu.contains(event.target)) menu.open = false;
  });
}

// What can be taken back for a few seconds counts them, and work that goes on shows how far it has come.
{
  for (const form of document.querySelectorAll("form[data-until]")) {
    const [said, button] = [form.querySelector("[role=status]"), form.querySelector("button")];
    const [text, until] = [said.textContent, performance.now() + 1000 * Number(/(\d+) seconds?/.exec(said.textContent)?.[1] ?? 0)];
    const word = button?.textContent;
    const tick = setInterval(() => {
      const left = Math.ceil((until - performance.now()) / 1000);
      if (button) button.textContent = left > 0 ? `${word} (${left})` : word;
      if (left > 0) return;
      clearInterval(tick);
      said.textContent = text.replace(/in \d+ seconds?.*/, "now.");
      if ("reload" in form.dataset) setTimeout(() => location.reload(), 1000); // The page says what has become of it.
      else button.hidden = true;
    }, 200);
  }

  const card = document.querySelector("[data-progress]");
  if (card) {
    const [done, bar, said, next] = [Number(card.dataset.progress), card.querySelector("progress"), card.querySelector("[data-said]"), card.querySelector("form[data-continue]")];
    if (next) next.querySelector("[data-scripted]").hidden = false;
    const look = async () => {
      const answer = await fetch("/console/deliveries/waiting").catch(() => null);
      if (!answer?.ok || answer.redirected) {
        said.textContent = answer?.redirected
          ? "You are signed out; load the page again to go on."
          : "Fanal does not answer; it goes on as soon as it does.";
        return;
      }
      const { waiting } = await answer.json();
      bar.value = card.querySelector("[data-done]").textContent = Math.max(done - waiting, 0);
      said.textContent = waiting > 0 ? `${waiting} wait for the evaluator.` : "Nothing waits any more.";
      if (waiting > 0) return;
      clearInterval(timer);
      next?.requestSubmit();
    };
    const timer = setInterval(look, 1000);
  }
}
