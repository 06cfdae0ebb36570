//! An identity provider of our own, which says whatever a test wants it to say.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use poem::{
    EndpointExt, Request, Response, Server, endpoint,
    http::{StatusCode, header},
    listener::{Acceptor, Listener, TcpListener},
};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use secrecy::SecretString;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::console::oidc::Settings;

pub(super) const CLIENT_SECRET: &str = "client secret of the tests: +/&";
pub(super) const REDIRECT: &str = "https://status.example.com/console/log-in/oidc/callback";

/// A key that it signs with.
pub(super) struct Key(EcdsaKeyPair);

impl Key {
    pub(super) fn new() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        Self(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap())
    }

    fn jwk(&self, kid: &str) -> Value {
        let point = self.0.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": kid, "x": x, "y": y })
    }

    pub(super) fn public(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    /// A JWT, signed as it should be.
    pub(super) fn sign(&self, kid: &str, claims: &Value) -> String {
        let signed = unsigned(&json!({ "alg": "ES256", "typ": "JWT", "kid": kid }), claims);
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

/// Head and claims of a JWT.
pub(super) fn unsigned(head: &Value, claims: &Value) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(head.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()))
}

/// A JWT signed with a shared secret.
pub(super) fn with_secret(secret: &[u8], claims: &Value) -> String {
    let signed = unsigned(&json!({ "alg": "HS256", "typ": "JWT", "kid": "one" }), claims);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
}

/// What it says, for tests to change.
#[derive(Default)]
pub(super) struct Says {
    /// Laid over the discovery document.
    pub(super) metadata: Value,
    pub(super) keys: Vec<Value>,
    pub(super) user_info: Value,
    /// Spaces put behind the discovery document.
    pub(super) padding: usize,
    pub(super) n_key_requests: usize,
    pub(super) n_discoveries: usize,
    /// Codes that were given out: with the challenge of the sign-in, and what is answered.
    codes: HashMap<String, (String, Value)>,
}

pub(super) struct Idp {
    pub(super) base: String,
    pub(super) key: Key,
    says: Arc<Mutex<Says>>,
}

/// What the browser was sent off with.
pub(super) struct Question(pub(super) HashMap<String, String>);

impl Question {
    pub(super) fn of(location: &str) -> Self {
        Self(url::Url::parse(location).unwrap().query_pairs().into_owned().collect())
    }

    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

pub(super) fn now() -> i64 {
    jobs::Clock::default().now().0 / 1000
}

impl Idp {
    pub(super) async fn start() -> Self {
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
        let base = format!("http://{}", acceptor.local_addr()[0].as_socket_addr().unwrap());
        let key = Key::new();
        let says = Arc::new(Mutex::new(Says { keys: vec![key.jwk("one")], user_info: json!({ "sub": "s-1" }), ..Says::default() }));
        let (known, issuer) = (says.clone(), base.clone());
        let app = endpoint::make(move |request: Request| answer(known.clone(), issuer.clone(), request));
        tokio::spawn(Server::new_with_acceptor(acceptor).run(app.map_to_response()));
        Self { base, key, says }
    }

    pub(super) fn says(&self) -> MutexGuard<'_, Says> {
        self.says.lock().unwrap()
    }

    /// How often its discovery document and its keys were asked for.
    pub(super) fn n_requests(&self) -> (usize, usize) {
        let says = self.says();
        (says.n_discoveries, says.n_key_requests)
    }

    /// A provider whose groups `sre` and `platform` mean something, and which is not the only way in.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            issuer: self.base.clone(),
            client_id: "fanal".to_owned(),
            client_secret: Some(SecretString::from(CLIENT_SECRET)),
            roles: "sre=operator,platform=admin".parse().unwrap(),
            groups_claim: "groups".to_owned(),
            name: "Acme ID".to_owned(),
            only: false,
        }
    }

    /// What it says of somebody who is at this question.
    pub(super) fn claims(&self, question: &Question) -> Value {
        json!({
            "iss": self.base, "sub": "s-1", "aud": "fanal", "exp": now() + 300, "iat": now(), "auth_time": now(),
            "nonce": question.get("nonce"), "email": "Eve@example.com", "email_verified": true, "name": "Eve",
            "groups": ["sre"], "amr": ["pwd", "otp"],
        })
    }

    /// Gives out a code, for which these claims are answered.
    pub(super) fn grant(&self, code: &str, question: &Question, claims: &Value) {
        self.grant_token(code, question, Some(&self.key.sign("one", claims)));
    }

    pub(super) fn grant_token(&self, code: &str, question: &Question, id_token: Option<&str>) {
        let answer = json!({ "access_token": "access", "token_type": "Bearer", "expires_in": 300, "id_token": id_token });
        self.says().codes.insert(code.to_owned(), (question.get("code_challenge").to_owned(), answer));
    }

    /// Tells a new key from now on, beside the others.
    pub(super) fn add_key(&self, kid: &str) -> Key {
        let key = Key::new();
        self.says().keys.push(key.jwk(kid));
        key
    }
}

async fn answer(says: Arc<Mutex<Says>>, issuer: String, mut request: Request) -> Response {
    let body = request.take_body().into_string().await.unwrap();
    let says = &mut *says.lock().unwrap();
    let json = |value: Value| Response::builder().content_type("application/json").body(value.to_string());
    match request.uri().path() {
        "/.well-known/openid-configuration" => {
            says.n_discoveries += 1;
            let mut document = json!({
                "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"), "token_endpoint": format!("{issuer}/token"),
                "userinfo_endpoint": format!("{issuer}/userinfo"), "jwks_uri": format!("{issuer}/jwks"), "response_types_supported": ["code"],
                "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["ES256", "HS256", "none"],
                "scopes_supported": ["openid", "email", "profile", "groups"],
            });
            for (name, value) in says.metadata.as_object().into_iter().flatten() {
                document[name] = value.clone();
            }
            Response::builder().content_type("application/json").body(format!("{document}{}", " ".repeat(says.padding)))
        }
        "/jwks" => {
            says.n_key_requests += 1;
            json(json!({ "keys": says.keys }))
        }
        "/token" => token(says, &request, &body).map_or_else(
            || {
                let refused = json!({ "error": "invalid_grant" }).to_string();
                Response::builder().status(StatusCode::BAD_REQUEST).content_type("application/json").body(refused)
            },
            json,
        ),
        "/userinfo" if request.header(header::AUTHORIZATION) == Some("Bearer access") => json(says.user_info.clone()),
        _ => StatusCode::NOT_FOUND.into(),
    }
}

/// Each code once, for whoever knows the client's secret and the verifier of the sign-in.
fn token(says: &mut Says, request: &Request, body: &str) -> Option<Value> {
    let form: HashMap<String, String> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let encoded: String = url::form_urlencoded::byte_serialize(CLIENT_SECRET.as_bytes()).collect();
    let basic = format!("Basic {}", STANDARD.encode(format!("fanal:{encoded}")));
    let (challenge, answer) = says.codes.remove(form.get("code")?)?;
    let verifier = URL_SAFE_NO_PAD.encode(Sha256::digest(form.get("code_verifier")?));
    let fits = request.header(header::AUTHORIZATION) == Some(basic.as_str())
        && form.get("redirect_uri")? == REDIRECT
        && form.get("grant_type")? == "authorization_code"
        && verifier == challenge;
    fits.then_some(answer)
}
