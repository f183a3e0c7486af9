// A phone of JsSIP, the SIP stack of browser phones, without its audio: registers, keeps registered,
// asks what can be asked without a call, refuses calls.
//
// phone.js URL USER PASSWORD DOMAIN COLLEAGUE [CA]
//
// Each event is a line of JSON: `kept` (a REGISTER was answered 200, at each refresh again),
// `registered`, `refused`, `options`, `message`, `notify`, `unsubscribed`, `called`, `error`, `closed`.

"use strict";

// Where browsers have WebRTC; without it JsSIP refuses calls.
globalThis.window = globalThis;

const fs = require("fs");
const JsSIP = require("jssip");
const WebSocket = require("ws");

const [url, user, password, domain, colleague, ca] = process.argv.slice(2);

const tell = (event, fields) => console.log(JSON.stringify({ event, ...fields }));

// What JsSIP wants of a socket.
const socket = {
  url,
  via_transport: url.startsWith("wss") ? "WSS" : "WS",
  sip_uri: `sip:${new URL(url).host};transport=ws`,
  isConnected: () => socket.ws?.readyState === WebSocket.OPEN,
  isConnecting: () => socket.ws?.readyState === WebSocket.CONNECTING,
  connect() {
    socket.ws = new WebSocket(url, "sip", ca ? { ca: fs.readFileSync(ca) } : {});
    socket.ws.on("open", () => socket.onconnect());
    socket.ws.on("message", (data) => {
      const text = data.toString();
      // JsSIP tells of the first registration only.
      if (/^SIP\/2.0 200 [^]*^CSeq: *\d+ REGISTER/im.test(text)) tell("kept", {});
      socket.ondata(text);
    });
    socket.ws.on("close", (code) => {
      tell("closed", { code });
      socket.ondisconnect(true, code, "");
    });
    socket.ws.on("error", (error) => tell("error", { why: error.message }));
  },
  disconnect: () => socket.ws?.close(),
  send(message) {
    socket.ws.send(message);
    return true;
  },
};

const phone = new JsSIP.UA({
  sockets: [socket],
  uri: `sip:${user}@${domain}`,
  password,
  register_expires: 8,
  session_timers: false,
  user_agent: "JsSIP",
});

phone.on("registered", ({ response }) => {
  const contact = response.getHeaders("contact").find((line) => line.includes(".invalid"));
  tell("registered", { contact, require: response.getHeader("require") });
});
phone.on("registrationFailed", ({ response, cause }) => {
  tell("refused", { status: response?.status_code, cause });
});
phone.on("newRTCSession", () => tell("called", {}));
phone.once("registered", () => {
  const answered = (event) => ({
    succeeded: ({ response }) => tell(event, { status: response.status_code }),
    failed: ({ response, cause }) => tell(event, { status: response?.status_code, cause }),
  });
  phone.sendOptions(`sip:${domain}`, "", { eventHandlers: answered("options") });
  phone.sendMessage(`sip:${colleague}@${domain}`, "hello", { eventHandlers: answered("message") });
  const lamp = phone.subscribe(`sip:${colleague}@${domain}`, "dialog", "application/dialog-info+xml", {});
  lamp.on("notify", (isFinal, notify, body, contentType) => tell("notify", { body, contentType }));
  lamp.on("terminated", (code, reason) => tell("unsubscribed", { code, reason }));
  lamp.subscribe();
});
phone.start();
