// Sees whatever no page of ours may do.

/** Watches every page of a context. The list that it gives stays empty as long as all is well. */
export async function witness(context) {
  const seen = [];
  await context.exposeBinding("tellWitness", ({ page }, what) => { seen.push(`${page.url()}: ${what}`); });
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", event => {
      window.tellWitness(`the policy refuses ${event.blockedURI} (${event.violatedDirective}): ${event.sample}`);
    });
  });
  context.on("console", message => {
    if (["error", "warning"].includes(message.type())) seen.push(`${message.page()?.url()}: ${message.text()}`);
  });
  context.on("weberror", error => seen.push(`${error.page()?.url()}: ${error.error()}`));
  context.on("dialog", dialog => { seen.push(`a dialog says ${dialog.message()}`); dialog.dismiss().catch(() => {}); });
  context.on("response", response => { if (response.status() >= 400) seen.push(`${response.status()} for ${response.url()}`); });
  context.on("requestfailed", request => {
    // What a page still asked for when it was left is cut off, and no failure.
    const why = request.failure()?.errorText;
    if (why !== "net::ERR_ABORTED") seen.push(`${why} for ${request.url()}`);
  });
  return seen;
}
