// Signs as others do, each with the library that its sender gives out: reads `[{signer, secret, body}]`, writes the headers for each.
import { sign as github } from "@octokit/webhooks-methods";
import { Webhook as StandardWebhook } from "standardwebhooks";
import Stripe from "stripe";
import { Webhook as SvixWebhook } from "svix";

const now = new Date();
const seconds = String(Math.floor(now.getTime() / 1000));

const signers = {
  github: async (secret, body, id) => ({
    "x-github-delivery": id,
    "x-hub-signature-256": await github(secret, body),
  }),
  standardwebhooks: async (secret, body, id) => ({
    "webhook-id": id,
    "webhook-timestamp": seconds,
    "webhook-signature": new StandardWebhook(secret).sign(id, now, body),
  }),
  svix: async (secret, body, id) => ({
    "svix-id": id,
    "svix-timestamp": seconds,
    "svix-signature": new SvixWebhook(secret).sign(id, now, body),
  }),
  stripe: async (secret, payload) => ({
    "stripe-signature": new Stripe("sk_test_nothing").webhooks.generateTestHeaderString({ payload, secret }),
  }),
};

let input = "";
for await (const chunk of process.stdin) input += chunk;
const signed = JSON.parse(input).map(({ signer, secret, body }, index) => signers[signer](secret, body, `msg_${seconds}_${index}`));
console.log(JSON.stringify(await Promise.all(signed)));
