// A mail server that keeps what it is sent.
import { createServer } from "node:net";

/** Starts it on a spare port. `htmls` gives the HTML of every mail so far. */
export async function mailbox() {
  const mails = [];
  const server = createServer(socket => {
    let [line, mail] = ["", null];
    socket.on("error", () => {});
    socket.write("220 mailbox\r\n");
    socket.on("data", bytes => {
      line += bytes.toString("latin1");
      for (let end; (end = line.indexOf("\r\n")) >= 0; line = line.slice(end + 2)) {
        const text = line.slice(0, end);
        if (mail !== null && text === ".") { mails.push(mail); mail = null; socket.write("250 kept\r\n"); }
        else if (mail !== null) mail += `${text.replace(/^\./, "")}\r\n`;
        else if (/^DATA/i.test(text)) { mail = ""; socket.write("354 go on\r\n"); }
        else if (/^QUIT/i.test(text)) socket.end("221 bye\r\n");
        else socket.write("250 ok\r\n");
      }
    });
  });
  await new Promise(done => server.listen(0, "127.0.0.1", done));
  return { url: `smtp://127.0.0.1:${server.address().port}`, htmls: () => mails.flatMap(html), n: () => mails.length, stop: () => server.close() };
}

/** The parts of a mail that are HTML. */
function html(mail) {
  const [head, ...rest] = mail.split("\r\n\r\n");
  const body = rest.join("\r\n\r\n");
  const boundary = /boundary="?([^"\r\n;]+)/i.exec(head)?.[1];
  if (boundary) return body.split(`--${boundary}`).slice(1, -1).flatMap(part => html(part.replace(/^\r\n/, "")));
  if (!/content-type:\s*text\/html/i.test(head)) return [];
  const encoding = /content-transfer-encoding:\s*(\S+)/i.exec(head)?.[1].toLowerCase();
  if (encoding === "base64") return [Buffer.from(body, "base64").toString()];
  if (encoding !== "quoted-printable") return [Buffer.from(body, "latin1").toString()];
  const plain = body.replace(/=\r\n/g, "").replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
  return [Buffer.from(plain, "latin1").toString()];
}
