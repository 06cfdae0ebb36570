// Copying, lists that fill themselves, and searches that need no button. Everything works without.
{
  const copies = (button, source) => {
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(source.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(source);
        button.textContent = "Selected: press Ctrl+C";
      }
    });
  };
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    copies(button, document.getElementById(button.dataset.copy));
  }
  for (const block of document.querySelectorAll(".prose pre")) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "button small copy", textContent: "Copy" });
    copies(button, block);
    block.before(button);
  }

  for (const form of document.querySelectorAll("form[data-submit]")) {
    // A time changes with each of its parts: it is sent with the button.
    form.addEventListener("change", ({ target }) => { if (target.type !== "datetime-local") form.requestSubmit(); });
  }

  for (const input of document.querySelectorAll("input[data-filter]")) {
    const entries = [...(document.getElementById(input.dataset.filter)?.children ?? [])].map(entry => [entry, entry.textContent.toLowerCase()]);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/);
      for (const [entry, text] of entries) entry.hidden = !words.every(word => text.includes(word));
    });
  }

  const make = (name, text, className = "") => Object.assign(document.createElement(name), { textContent: text, className });
  const row = ({ id, at, state, said, reason, warned, test }) => {
    const tr = document.createElement("tr");
    tr.dataset.id = id;
    tr.dataset.state = state;
    const link = Object.assign(make("a", at), { href: `/console/deliveries/${id}` });
    const [when, how, what] = [make("td", "", "at"), document.createElement("td"), make("td", reason || said, "wide")];
    when.append(link);
    if (warned) what.append(document.createElement("br"), make("span", warned, "health warn"));
    how.append(make("span", state, `health ${state}`));
    if (test) how.append(" ", make("span", "test", "tag"));
    tr.append(when, how, what);
    return tr;
  };

  for (const table of document.querySelectorAll("table[data-live]")) {
    const [body, card] = [table.tBodies[0], table.closest(".card")];
    const [said, waiting] = [card.querySelector(".live"), card.querySelector(".waiting")];
    const seen = () => [...body.rows].map(tr => `${tr.dataset.id} ${tr.dataset.state}`).join();
    const look = async () => {
      if (document.hidden) return;
      try {
        const answer = await fetch(table.dataset.live);
        if (answer.redirected) {
          said.textContent = "You are signed out; load the page again to go on.";
          return;
        }
        if (!answer.ok) throw new Error(answer.statusText);
        const rows = await answer.json();
        if (rows.map(({ id, state }) => `${id} ${state}`).join() !== seen()) {
          // A row that somebody stands on stays while they do.
          if (body.contains(document.activeElement)) return;
          const newest = Number(body.rows[0]?.dataset.id ?? 0);
          body.replaceChildren(...rows.map(row));
          const n = rows.filter(({ id }) => id > newest).length;
          if (n) said.textContent = `${n} new`;
        }
        waiting.hidden = rows.length > 0;
      } catch {
        said.textContent = "Fanal does not answer; the list may be old.";
      }
    };
    setInterval(look, 3000);
  }
}
