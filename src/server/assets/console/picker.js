// A picker with many choices gets a box that narrows them. What is ticked stays in sight, and what is out of sight is sent all the same.
{
  const MANY = 12;
  const make = (name, properties) => Object.assign(document.createElement(name), properties);
  const pickers = [...document.querySelectorAll("[data-picker]")];
  for (const [n, picker] of pickers.entries()) {
    const choices = [...picker.querySelectorAll(".choice, .option")].map(choice => ({
      choice, text: (choice.querySelector("label") ?? choice).textContent.toLowerCase(), box: choice.querySelector("input"),
    }));
    if (choices.length < MANY) continue;
    const groups = [...picker.querySelectorAll("[role=group]")].map(group => [group, choices.filter(({ choice }) => group.contains(choice))]);
    const id = `narrow-${n}`;
    const label = make("label", { htmlFor: id, textContent: "Narrow the list" });
    const input = make("input", { id, type: "search", autocomplete: "off" });
    const said = make("span", { className: "hint" });
    said.setAttribute("role", "status");
    const narrow = () => {
      const words = input.value.toLowerCase().split(/\s+/);
      for (const { choice, text, box } of choices) choice.hidden = !box.checked && !words.every(word => text.includes(word));
      for (const [group, within] of groups) group.hidden = within.every(({ choice }) => choice.hidden);
      const shown = choices.filter(({ choice }) => !choice.hidden).length;
      said.textContent = shown < choices.length ? `${shown} of ${choices.length}` : "";
    };
    input.addEventListener("input", narrow);
    // Enter is for the form, and nobody means to send it from here.
    input.addEventListener("keydown", event => { if (event.key === "Enter") event.preventDefault(); });
    const box = make("div", { className: "narrowing" });
    box.append(label, input, said);
    picker.querySelector("legend").after(box);
  }
}
