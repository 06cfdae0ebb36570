// Switches in the foot: time zone and colours, kept in the browser.

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
