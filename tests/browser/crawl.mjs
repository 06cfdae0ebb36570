// Finds what there is to see, as a person does: by following links.

/** Where a page leads below `prefix`, by its links and by the forms that only ask. */
export async function ways(page, prefix) {
  const all = await page.evaluate(() => {
    // A field may be called `action`, which then stands before the form's own.
    const is = (form, name) => form.getAttribute(name)?.toLowerCase();
    const asked = form => {
      // A form may lead where its buttons say: that of a list, once rows are chosen.
      const own = [...form.querySelectorAll("button[formaction]")].map(button => button.getAttribute("formaction"));
      if (own.length && !new FormData(form).has("id")) return [];
      return (own.length ? own : [form.getAttribute("action") ?? ""]).map(action => {
        const url = new URL(action, location.href);
        url.search = new URLSearchParams(new FormData(form));
        return url.href;
      });
    };
    return [...[...document.links].map(link => link.href), ...[...document.forms].filter(form => (is(form, "method") ?? "get") === "get").flatMap(asked)];
  });
  const { origin } = new URL(page.url());
  const own = all.filter(href => URL.canParse(href)).map(href => new URL(href)).filter(url => url.origin === origin && url.pathname.startsWith(prefix));
  return own.map(url => url.pathname + url.search);
}

/** What tells screens apart: the path without its numbers, and what is asked for. */
export function shape(path) {
  const url = new URL(path, "http://any");
  return url.pathname.replace(/\/\d+/g, "/:id") + [...url.searchParams.keys()].map(key => `?${key}`).join("");
}

/** Goes to an address; false if what is there is to be kept and not to be looked at. */
async function opened(page, href) {
  try {
    await page.goto(href);
    return true;
  } catch (error) {
    if (/Download is starting/.test(error.message)) return false;
    throw error;
  }
}

/** Opens `paths` and everything below `prefix` that they lead to, and looks at each; at most `nAlike` of those that differ by a
 * number alone, and none that `leave` fits. */
export async function crawl(page, base, { paths, prefix, nAlike, look, leave }) {
  const [waiting, met, alike] = [[...paths], new Set(paths), new Map()];
  for (let path; (path = waiting.shift());) {
    if (!await opened(page, new URL(path, base).href)) continue;
    await look(path);
    for (const way of await ways(page, prefix)) {
      const n = alike.get(shape(way)) ?? 0;
      if (met.has(way) || n >= nAlike || leave?.test(way)) continue;
      met.add(way);
      alike.set(shape(way), n + 1);
      waiting.push(way);
    }
  }
  return [...met];
}
