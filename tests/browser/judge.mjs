// Looks for whatever a text must never become.

/** What a document holds that people's texts could have made of it, and we never do. Runs in a browser: in the page itself, or on `html` given. */
export function judge({ html, type }) {
  const parsed = (text, type) => new DOMParser().parseFromString(text, type);
  const root = html === undefined ? document : parsed(html, type ?? "text/html");
  const found = [];
  const elements = [...root.querySelectorAll("*")];
  // It grows below.
  for (const element of elements) {
    const [name, show] = [element.localName, () => element.outerHTML.slice(0, 200)];
    // A draft of the page stands in a frame without scripts, and is judged itself; a page under Trusted Types parses nothing.
    if (element.matches("#preview > iframe.draft[sandbox='allow-same-origin']")) {
      const draft = element.contentDocument ?? parsed(element.getAttribute("srcdoc"), "text/html");
      elements.push(...draft.querySelectorAll("*"));
      continue;
    }
    if (["iframe", "object", "embed", "base", "frame", "frameset", "template", "marquee", "plaintext", "xmp", "math", "foreignObject", "animate", "set"].includes(name)) found.push(`element ${show()}`);
    if (name === "script" && !/^\/assets\//.test(element.getAttribute("src") ?? "")) found.push(`script ${show()}`);
    if (name === "style" && html === undefined) found.push(`style ${show()}`);
    if (name === "meta" && element.hasAttribute("http-equiv")) found.push(`meta ${show()}`);
    if (name === "use" && !/^(#|\/assets\/)/.test(element.getAttribute("href") ?? "")) found.push(`use ${show()}`);
    if (name === "img" && !/^(\/|data:image\/)/.test(element.getAttribute("src") ?? "")) found.push(`image ${show()}`);
    for (const { name: key, value } of element.attributes) {
      const plain = value.replace(/[\u0000-\u0020]/g, "").toLowerCase();
      if (key.startsWith("on")) found.push(`handler ${show()}`);
      if (key === "style" && html === undefined) found.push(`style ${show()}`);
      if (["srcdoc", "srcset", "background", "ping"].includes(key)) found.push(`attribute ${show()}`);
      if (["href", "src", "action", "formaction", "xlink:href", "data"].includes(key) && /^(javascript|vbscript|data:(?!image\/svg\+xml;base64|image\/png))/.test(plain)) found.push(`address ${show()}`);
    }
  }
  if (root.querySelector("parsererror")) found.push(`no XML: ${root.querySelector("parsererror").textContent.slice(0, 200)}`);
  return found;
}

/** Texts of a feed that readers show as HTML. */
export function textsOfFeed(xml) {
  const feed = new DOMParser().parseFromString(xml, "application/xml");
  return [...feed.querySelectorAll("content[type=html], summary[type=html], title[type=html], item > description")].map(node => node.textContent);
}

/** Makes what payloads call tell that it ran. */
export const trap = context => context.addInitScript(() => {
  for (const name of ["ran", "alert", "confirm", "prompt", "print"]) window[name] = () => { window.tellWitness(`${name}() ran`); };
});
