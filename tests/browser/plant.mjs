// Puts texts into every field of the admin API that takes one, and into webhooks.
import assert from "node:assert/strict";

const HOUR_MS = 3_600_000;

/** A program that uses the admin API; `counts` says how many texts each field took, and how many it refused. */
export class Planter {
  counts = new Map();

  constructor(base, token, { hook, hookToken }) {
    Object.assign(this, { base, token, hook, hookToken });
  }

  async call(method, path, body) {
    const answer = await fetch(`${this.base}api/admin/v1/${path}`, {
      method, body: body && JSON.stringify(body), headers: { authorization: `Bearer ${this.token}`, "content-type": "application/json" },
    });
    assert.ok(answer.status < 500 && answer.status !== 429, `${method} ${path} ${JSON.stringify(body)}: ${answer.status}`);
    return { ok: answer.ok, made: answer.status === 204 ? null : await answer.json() };
  }

  /** As [`call`], counted; gives where the thing is found, to be removed by. */
  async add(kind, body) {
    const { ok, made } = await this.call("POST", kind, body);
    this.count(kind.replace(/\d+/, ":id"), ok);
    return ok && made.id !== undefined ? `${kind.replace(/\/.*/, "")}/${made.id}` : null;
  }

  /** Puts something in its place, counted. */
  async write(path, body) {
    const { ok } = await this.call("PUT", path, body);
    this.count(path.replace(/\d+/, ":id"), ok);
  }

  async change(path, body) {
    const { ok } = await this.call("PATCH", path, body);
    for (const field of Object.keys(body)) this.count(`${path.replace(/\d+/, ":id")} ${field}`, ok);
  }

  count(field, ok) {
    const n = this.counts.get(field) ?? [0, 0];
    n[ok ? 0 : 1]++;
    this.counts.set(field, n);
  }

  /** Everything that one text can be; `n` makes its keys. */
  async one(text, n) {
    const cut = max => [...text].slice(0, max).join("");
    const [key, at] = [`x${n}`, hours => new Date(Date.now() + hours * HOUR_MS).toISOString()];
    const made = [
      await this.add("groups", { key, name: cut(200) }),
      await this.add("components", { key, name: cut(200), description: cut(2_000), group: key })
        ?? await this.add("components", { key, name: `Component ${n}`, description: cut(2_000) }),
      await this.add("metrics", { key, name: cut(200), unit: cut(20) }),
      await this.add("maintenances", { title: cut(200), body: text, starts_at: at(-1), ends_at: at(1), components: [key] }),
      await this.add("integrations", { key, provider: "alertmanager", name: cut(200), secrets: [{ value: `secret-of-${key}-0123456789` }], routes: [{ components: [key], title: cut(200), body: text }] })
        ?? await this.add("integrations", { key, provider: "alertmanager", name: cut(200) }),
      await this.add("incident-templates", { key, name: cut(200), title: cut(200), body: text }) ?? await this.add("incident-templates", { key, name: cut(200), title: "Something fails" }),
      await this.add("tokens", { name: cut(100), scopes: ["components:read"] }),
      await this.add("subscribers", { channel: "webhook", address: `https://hooks.example.com/${cut(1_900)}` }),
      await this.add("subscribers", { channel: "email", address: `"${cut(60)}"@example.com` }),
      await this.add("invitations", { email: `${cut(60)}@example.com`, role: "viewer" }),
    ];
    const incident = await this.add("incidents", { title: cut(200), body: text, components: [{ component: key, status: "major_outage" }] });
    if (incident) await this.add(`${incident}/updates`, { body: text });
    // Some stay open, and what was learned from the others is written down.
    if (incident && n % 2 === 1) {
      await this.add(`${incident}/updates`, { body: text, status: "resolved" });
      await this.write(`${incident}/postmortem`, { body: text });
      await this.add(`${incident}/postmortem/publish`, {});
    }
    return [...made, incident].filter(Boolean);
  }

  /** One webhook in which every text of the sender is one of these. */
  async say(texts) {
    const at = new Date().toISOString();
    const alerts = texts.map(text => ({
      status: "firing", startsAt: at, endsAt: "0001-01-01T00:00:00Z", generatorURL: text, fingerprint: text.slice(0, 200),
      labels: { alertname: text, service: text, [text]: "name", severity: text }, annotations: { summary: text, description: text, runbook_url: text },
    }));
    const body = { version: "4", groupKey: texts[0], truncatedAlerts: 0, status: "firing", receiver: texts[0], groupLabels: {}, commonLabels: {}, commonAnnotations: {}, externalURL: texts[0], alerts };
    const answer = await fetch(this.hook, { method: "POST", body: JSON.stringify(body), headers: { authorization: `Bearer ${this.hookToken}`, "content-type": "application/json", "user-agent": "sender" } });
    this.count("webhooks", answer.status === 202);
    assert.ok(answer.status < 500, `the webhook is answered ${answer.status}`);
  }

  /** Takes away what [`one`] has made. */
  async remove(paths) {
    for (const path of paths.reverse()) await this.call("DELETE", path);
  }
}
