// Ctrl+K finds everything, from everywhere. Without scripts the same is a page of its own.
{
  const [dialog, link] = [document.getElementById("finder"), document.getElementById("find")];
  if (dialog && link) {
    const [input, place] = [document.getElementById("finder-q"), document.getElementById("found")];
    const links = () => [...place.querySelectorAll("a")];
    const said = document.getElementById("found-n");
    let timer, asked = 0, shown = null;
    const look = async () => {
      const [n, text] = [++asked, input.value];
      shown = null;
      const answer = await fetch(`/console/search?part=1&q=${encodeURIComponent(text)}`).catch(() => null);
      const html = answer?.ok && !answer.redirected ? await answer.text() : null;
      if (n !== asked) return;
      if (html === null) place.textContent = "Fanal does not answer. Press Enter to try the page of its own.";
      else place.innerHTML = trusted.createHTML(html);
      shown = text;
      said.textContent = `${links().length} found`;
    };
    const open = () => {
      if (dialog.open) return;
      dialog.showModal();
      input.select();
      look();
    };
    link.querySelector("kbd").hidden = false;
    link.addEventListener("click", event => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      open();
    });
    addEventListener("keydown", event => {
      if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
      event.preventDefault();
      open();
    });
    input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(look, 150); });
    dialog.addEventListener("click", event => { if (event.target === dialog) dialog.close(); });
    dialog.addEventListener("keydown", event => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) {
        event.preventDefault();
        const stops = [input, ...links()];
        stops[Math.min(Math.max(stops.indexOf(document.activeElement) + step, 0), stops.length - 1)].focus();
      } else if (event.key === "Enter" && event.target === input && shown === input.value && input.value.trim() && links().length) {
        event.preventDefault();
        links()[0].click();
      }
    });
  }
}
