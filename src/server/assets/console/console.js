// The one way in for HTML, which comes from this site only.
const trusted = window.trustedTypes?.createPolicy("fanal", { createHTML: html => html }) ?? { createHTML: html => html };

// Passkeys: a form with `data-passkey` asks the device, fills its own fields with the answer, and is sent.
{
  const encode = bytes => btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const decode = text => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), c => c.charCodeAt(0));

  const make = async form => {
    const { challenge, host, page, handle, email, name, known } = form.dataset;
    const { id, response } = await navigator.credentials.create({ publicKey: {
      challenge: decode(challenge),
      rp: { id: host, name: page },
      user: { id: decode(handle), name: email, displayName: name },
      pubKeyCredParams: [-7, -8, -257].map(alg => ({ type: "public-key", alg })),
      authenticatorSelection: { residentKey: "required", userVerification: "required" },
      excludeCredentials: known.split(" ").filter(Boolean).map(id => ({ type: "public-key", id: decode(id) })),
    } });
    return {
      challenge, id,
      client_data: encode(response.clientDataJSON),
      authenticator_data: encode(response.getAuthenticatorData()),
      public_key: encode(response.getPublicKey() ?? new ArrayBuffer()),
      algorithm: response.getPublicKeyAlgorithm(),
    };
  };

  const sign = async form => {
    const challenge = await (await fetch("/console/passkeys/challenge")).text();
    const { id, response } = await navigator.credentials.get({ publicKey: { challenge: decode(challenge), rpId: form.dataset.host, userVerification: "required" } });
    return {
      challenge, id,
      client_data: encode(response.clientDataJSON),
      authenticator_data: encode(response.authenticatorData),
      signature: encode(response.signature),
    };
  };

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    if (!window.PublicKeyCredential) continue;
    form.hidden = false;
    form.addEventListener("submit", async event => {
      event.preventDefault();
      const said = form.querySelector("[role=status]");
      try {
        const answer = form.dataset.passkey === "make" ? await make(form) : await sign(form);
        for (const [name, value] of Object.entries(answer)) {
          const input = form.elements.namedItem(name) ?? form.appendChild(Object.assign(document.createElement("input"), { type: "hidden", name }));
          input.value = value;
        }
        form.submit();
      } catch (error) {
        said.textContent = error.name === "InvalidStateError" ? "This device has a passkey for you already." : "That did not work, or was cancelled. Try again, or use another way.";
      }
    });
  }
}

// What is typed is shown as readers will see it, and Ctrl+Enter sends it.
{
  const sent = form => form.enctype === "multipart/form-data" ? new FormData(form) : new URLSearchParams(new FormData(form));
  for (const form of document.querySelectorAll("form[data-preview]")) {
    const place = form.querySelector("#preview");
    let timer, asked = 0;
    const look = async () => {
      const n = ++asked;
      const answer = await fetch(form.dataset.preview, { method: "POST", body: sent(form) }).catch(() => null);
      if (answer?.ok && !answer.redirected && n === asked) place.innerHTML = trusted.createHTML(await answer.text());
    };
    const button = form.querySelector("button[name=preview]");
    if (!button) continue;
    button.hidden = true;
    form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(look, 300); });
    form.addEventListener("keydown", event => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit(form.querySelector("[data-strong]"));
    });
  }
}

// A file that is too large is refused before anything is sent, and colours can be picked.
{
  for (const file of document.querySelectorAll("input[type=file][data-max-bytes]")) {
    const most = Number(file.dataset.maxBytes);
    file.addEventListener("input", event => {
      const bytes = file.files[0]?.size ?? 0;
      file.setCustomValidity(bytes > most ? `This file has ${Math.ceil(bytes / 1024)} KiB, at most ${most / 1024} are allowed.` : "");
      if (!file.reportValidity()) event.stopPropagation();
    });
  }
  for (const picker of document.querySelectorAll("input[type=color][data-for]")) {
    const text = document.getElementById(picker.dataset.for);
    picker.hidden = false;
    picker.addEventListener("input", () => {
      text.value = picker.value;
      text.dispatchEvent(new Event("input", { bubbles: true }));
    });
    text.addEventListener("input", () => { if (/^#[0-9a-f]{6}$/i.test(text.value)) picker.value = text.value; });
  }
}
