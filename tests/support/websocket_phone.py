"""A phone over WebSocket (RFC 7118): registers, refuses every call with 488, tells what happens.

Each event is a line of JSON: `registered`, `refused` (a call came and its refusal was acknowledged),
`failed`.
"""

import argparse
import asyncio
import hashlib
import json
import re
import ssl
import uuid

import websockets


def tell(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


def headers(text):
    """The headers of a message, each with all its lines."""
    found = {}
    for line in text.split("\r\n\r\n")[0].split("\r\n")[1:]:
        name, _, value = line.partition(":")
        found.setdefault(name.strip().lower(), []).append(value.strip())
    return found


class Phone:
    def __init__(self, args):
        self.user, self.password, self.domain = args.user, args.password, args.domain
        self.host = f"{uuid.uuid4().hex[:12]}.invalid"
        self.via = "WSS" if args.url.startswith("wss") else "WS"
        self.call_id, self.cseq = uuid.uuid4().hex, 0

    def register(self, authorization=None):
        self.cseq += 1
        lines = [
            f"REGISTER sip:{self.domain} SIP/2.0",
            f"Via: SIP/2.0/{self.via} {self.host};branch=z9hG4bK{uuid.uuid4().hex}",
            f"From: <sip:{self.user}@{self.domain}>;tag=phone",
            f"To: <sip:{self.user}@{self.domain}>",
            f"Call-ID: {self.call_id}",
            f"CSeq: {self.cseq} REGISTER",
            f"Contact: <sip:{self.user}@{self.host};transport=ws>"
            f';+sip.instance="<urn:uuid:{uuid.uuid5(uuid.NAMESPACE_DNS, self.user)}>";reg-id=1',
            "Supported: path, outbound",
            "Max-Forwards: 70",
            "Expires: 600",
        ]
        if authorization:
            lines.append(f"Authorization: {authorization}")
        return "\r\n".join(lines) + "\r\n\r\n"

    def answer_challenge(self, challenge):
        word = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge))
        uri, cnonce = f"sip:{self.domain}", uuid.uuid4().hex
        secret = md5(f"{self.user}:{word['realm']}:{self.password}")
        digest = md5(f"{secret}:{word['nonce']}:00000001:{cnonce}:auth:{md5('REGISTER:' + uri)}")
        return (
            f'Digest username="{self.user}", realm="{word["realm"]}", nonce="{word["nonce"]}", '
            f'uri="{uri}", response="{digest}", algorithm=MD5, qop=auth, nc=00000001, '
            f'cnonce="{cnonce}"'
        )

    def respond(self, request, status, reason):
        of = headers(request)
        lines = [f"SIP/2.0 {status} {reason}"]
        lines += [f"Via: {via}" for via in of["via"]]
        lines += [f"From: {of['from'][0]}", f"To: {of['to'][0]};tag=phone"]
        lines += [f"Call-ID: {of['call-id'][0]}", f"CSeq: {of['cseq'][0]}", "Content-Length: 0"]
        return "\r\n".join(lines) + "\r\n\r\n"

    async def run(self, socket):
        await socket.send(self.register())
        challenged = False
        async for text in socket:
            line = text.split("\r\n")[0]
            of = headers(text)
            if line.startswith("SIP/2.0 401") and not challenged:
                challenged = True
                answer = self.answer_challenge(of["www-authenticate"][0])
                await socket.send(self.register(answer))
            elif line.startswith("SIP/2.0 200"):
                tell("registered", require=of.get("require", [""])[0], contact=of["contact"][0])
            elif line.startswith("SIP/2.0"):
                tell("failed", line=line)
            elif line.startswith("INVITE"):
                await socket.send(self.respond(text, 488, "Not Acceptable Here"))
            elif line.startswith("ACK"):
                tell("refused", line=line)
            else:
                await socket.send(self.respond(text, 200, "OK"))


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("user")
    parser.add_argument("password")
    parser.add_argument("domain")
    parser.add_argument("--ca")
    args = parser.parse_args()
    secure = ssl.create_default_context(cafile=args.ca) if args.ca else None
    connecting = websockets.connect(
        args.url, subprotocols=["sip"], ssl=secure, ping_interval=None, open_timeout=10
    )
    async with connecting as socket:
        await Phone(args).run(socket)
    tell("closed")


asyncio.run(main())
