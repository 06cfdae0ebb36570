// Components are put in order by their grips, with a mouse, a pen or a finger. The buttons beside them do the same.
{
  const form = document.getElementById("order");
  const lists = [...document.querySelectorAll("[data-order]")];
  if (form) for (const grip of document.querySelectorAll(".grip")) {
    grip.hidden = false;
    grip.addEventListener("pointerdown", event => {
      if (event.button !== 0) return;
      event.preventDefault();
      const row = grip.closest("li");
      const [home, neighbour] = [row.parentElement, row.nextElementSibling];
      row.classList.add("dragged");

      /** The list that is nearest to a height, and the row of it that stands behind. */
      const place = y => {
        const distance = list => { const { top, bottom } = list.closest(".card").getBoundingClientRect(); return Math.max(top - y, y - bottom, 0); };
        const list = lists.reduce((one, other) => distance(other) < distance(one) ? other : one);
        const behind = [...list.children].find(other => other !== row && (({ top, height }) => y < top + height / 2)(other.getBoundingClientRect()));
        return [list, behind ?? null];
      };
      const move = ({ clientY }) => {
        const [list, behind] = place(clientY);
        if (row.parentElement !== list || row.nextElementSibling !== behind) list.insertBefore(row, behind);
        if (clientY < 60) scrollBy(0, -12);
        else if (clientY > innerHeight - 60) scrollBy(0, 12);
      };
      const end = keep => {
        removeEventListener("keydown", cancel, true);
        for (const [name, listener] of listeners()) removeEventListener(name, listener);
        row.classList.remove("dragged");
        if (!keep) home.insertBefore(row, neighbour);
      };
      const drop = () => {
        end(true);
        if (row.parentElement === home && row.nextElementSibling === neighbour) return;
        form.elements.component.value = row.dataset.id;
        form.elements.group.value = row.parentElement.dataset.order;
        form.elements.before.value = row.nextElementSibling?.dataset.id ?? "";
        form.requestSubmit();
      };
      const back = () => end(false);
      const cancel = pressed => { if (pressed.key === "Escape") back(); };
      // On the window: an element that moves in the document loses whatever it had captured.
      const listeners = () => Object.entries({ pointermove: move, pointerup: drop, pointercancel: back });
      for (const [name, listener] of listeners()) addEventListener(name, listener);
      addEventListener("keydown", cancel, true);
    });
  }
}
