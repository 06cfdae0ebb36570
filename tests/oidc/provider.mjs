// A certified identity provider, for the end-to-end tests: `node provider.mjs '{"port", "secret", "redirect", "accounts"}'`.
// Whoever types the name of an account, with any password, is that account; consent is asked for.
import { generateKeyPairSync } from "node:crypto";
import Provider from "oidc-provider";

const { port, secret, redirect, accounts } = JSON.parse(process.argv[2]);
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: "fanal", client_secret: secret, redirect_uris: [redirect], grant_types: ["authorization_code"], response_types: ["code"] }],
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), alg: "RS256", use: "sig", kid: "tests" }] },
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"], groups: ["groups"] },
  pkce: { required: () => true },
  cookies: { keys: ["for the tests alone"] },
  findAccount: (_, id) => accounts[id] && { accountId: id, claims: () => ({ sub: id, ...accounts[id] }) },
  ttl: { Interaction: 600, Session: 600, Grant: 600, AccessToken: 60, AuthorizationCode: 30, IdToken: 60 },
});

provider.listen(port, "127.0.0.1");
