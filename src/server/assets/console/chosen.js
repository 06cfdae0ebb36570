// Rows of a list are ticked, also all of them at once and with the key x, and the bar below counts them.
{
  const bar = document.getElementById("chosen");
  if (bar) {
    const [said, boxes] = [bar.querySelector("[data-chosen]"), [...document.querySelectorAll("input[form=chosen][name=id]")]];
    const acts = bar.querySelector(".acts");
    const [some, none] = ["all", "none"].map(which => bar.querySelector(`[data-choose=${which}]`));
    const count = () => {
      const n = boxes.filter(box => box.checked).length;
      said.textContent = n ? `${n} chosen:` : "None chosen.";
      acts.hidden = !n;
      some.hidden = n === boxes.length;
      none.hidden = !n;
    };
    const choose = checked => event => {
      event.preventDefault();
      for (const box of boxes) box.checked = checked;
      count();
    };
    some.addEventListener("click", choose(true));
    none.addEventListener("click", choose(false));
    for (const box of boxes) box.addEventListener("change", count);
    // A browser that comes back to a list may tick again what was ticked.
    addEventListener("pageshow", count);
    count();

    const keys = document.getElementById("row-keys");
    addEventListener("keydown", event => {
      if (event.key !== "x" || !keys?.checked || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.target.closest("input:not([type=checkbox]), select, textarea, dialog, [popover]:popover-open")) return;
      const box = document.activeElement.closest("tr, li")?.querySelector("input[form=chosen]");
      if (!box) return;
      event.preventDefault();
      box.click();
    });
  }
}
