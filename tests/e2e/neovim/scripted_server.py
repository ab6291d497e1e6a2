#!/usr/bin/python3
"""A language server that does what a test tells it, for tests of the Neovim plugin.

Started as `scripted_server.py lsp [--encoding E] [--sync full|incremental]`. Besides LSP's life cycle
and document synchronization it understands

  test/rules    notification {rules: [{before, steps, deaf}]}: a textDocument/inlineCompletion or
                kinglet/context whose line ends, left of the cursor, with `before` gets these steps;
                others get null.
                Steps: {stream: value} sends $/progress; {gate: name} waits for test/release;
                {result: R} or {error: E} answers. A deaf rule does not listen to cancellation.
  test/release  notification {gate}: lets the requests that wait there go on
  test/received request: everything that came and the documents as this server has them
  test/forget   notification: forgets what came and the rules
  test/die      notification {code}: ends the process at once

Nothing in here waits for time: a test decides each moment.
"""
import argparse
import json
import os
import sys


class Connection:
    """Content-Length framing over stdin and stdout."""

    def read(self):
        length = None
        while True:
            line = sys.stdin.buffer.readline()
            if not line:
                return None
            line = line.strip()
            if not line:
                break
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return json.loads(sys.stdin.buffer.read(length))

    def write(self, message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        sys.stdout.buffer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        sys.stdout.buffer.flush()


def units(text, encoding):
    """Length of a text in the protocol's columns."""
    if encoding == "utf-32":
        return len(text)
    return len(text.encode(encoding + "-le" if encoding == "utf-16" else encoding)) // (
        2 if encoding == "utf-16" else 1
    )


def index_of(text, position, encoding):
    """Index into the text of a protocol position. One past the last line means the end: Neovim up
    to 0.10 sends it when a whole buffer is deleted. Any other wrong one ends the test."""
    lines = text.split("\n")
    if position["line"] >= len(lines):
        return len(text)
    line = lines[position["line"]]
    for i in range(len(line) + 1):
        if units(line[:i], encoding) == position["character"]:
            return sum(len(above) + 1 for above in lines[: position["line"]]) + i
    raise ValueError(f"{position} is no position of {line!r} in {encoding}")


class Server:
    def __init__(self, connection, encoding, sync):
        self.connection, self.encoding, self.sync = connection, encoding, sync
        self.documents, self.rules = {}, []
        self.waiting = {}  # request id -> (gate, its remaining steps, request, rule)
        self.received = {}
        self.capabilities = {}
        self.forget()

    def forget(self):
        self.received = {
            kind: [] for kind in ("completions", "contexts", "cancelled", "commands", "notifications")
        }

    def reply(self, request, **answer):
        self.connection.write({"id": request["id"], **answer})

    def apply(self, uri, changes):
        for change in changes:
            if "range" not in change:
                self.documents[uri] = change["text"]
                continue
            text = self.documents[uri]
            start = index_of(text, change["range"]["start"], self.encoding)
            end = index_of(text, change["range"]["end"], self.encoding)
            self.documents[uri] = text[:start] + change["text"] + text[end:]

    def before(self, params):
        """The line's text left of a position."""
        text = self.documents[params["textDocument"]["uri"]]
        cursor = index_of(text, params["position"], self.encoding)
        return text[:cursor].split("\n")[-1]

    def follow_rules(self, request, before):
        for rule in self.rules:
            if before.endswith(rule["before"]):
                return self.run(request, rule, list(rule["steps"]))
        self.reply(request, result=None)

    def run(self, request, rule, steps):
        while steps:
            step = steps.pop(0)
            if "gate" in step:
                self.waiting[request["id"]] = (step["gate"], steps, request, rule)
                return
            if "stream" in step:
                token = request["params"]["partialResultToken"]
                self.connection.write(
                    {"method": "$/progress", "params": {"token": token, "value": step["stream"]}}
                )
            elif "error" in step:
                self.reply(request, error=step["error"])
            else:
                self.reply(request, result=step.get("result"))

    def release(self, gate):
        ready = [id for id, (name, *_) in self.waiting.items() if name == gate]
        for id in ready:
            _, steps, request, rule = self.waiting.pop(id)
            self.run(request, rule, steps)

    def cancel(self, id):
        self.received["cancelled"].append(id)
        if id in self.waiting and not self.waiting[id][3].get("deaf"):
            request = self.waiting.pop(id)[2]
            self.reply(request, error={"code": -32800, "message": "cancelled"})

    def take(self, message):
        method, params = message.get("method"), message.get("params") or {}
        if method == "initialize":
            self.capabilities = params["capabilities"]
            sync = {"openClose": True, "change": 1 if self.sync == "full" else 2}
            self.reply(
                message,
                result={
                    "capabilities": {
                        "textDocumentSync": sync,
                        "positionEncoding": self.encoding,
                        "inlineCompletionProvider": {},
                        "executeCommandProvider": {"commands": ["test.accepted"]},
                    },
                    "serverInfo": {"name": "scripted", "version": "1"},
                },
            )
        elif method == "textDocument/didOpen":
            self.documents[params["textDocument"]["uri"]] = params["textDocument"]["text"]
        elif method == "textDocument/didChange":
            self.apply(params["textDocument"]["uri"], params["contentChanges"])
        elif method == "textDocument/inlineCompletion":
            before = self.before(params)
            self.received["completions"].append({"before": before, **params["context"]})
            self.follow_rules(message, before)
        elif method == "kinglet/context":
            before = self.before(params)
            self.received["contexts"].append(before)
            self.follow_rules(message, before)
        elif method == "$/cancelRequest":
            self.cancel(params["id"])
        elif method == "workspace/executeCommand":
            self.received["commands"].append(params)
            self.reply(message, result=None)
        elif method == "kinglet/status":
            self.reply(message, result={"model": "scripted", "index": {"files": 3}})
        elif method == "test/rules":
            self.rules = params["rules"]
        elif method == "test/forget":
            self.forget()
            self.rules = []
        elif method == "test/release":
            self.release(params["gate"])
        elif method == "test/progress":
            self.connection.write({"method": "$/progress", "params": params})
        elif method == "test/die":
            os._exit(params["code"])
        elif method == "test/received":
            waiting = sorted(gate for gate, *_ in self.waiting.values())
            answer = {**self.received, "documents": self.documents, "waiting": waiting}
            self.reply(message, result={**answer, "capabilities": self.capabilities})
        elif method == "shutdown":
            self.reply(message, result=None)
        elif method == "exit":
            sys.exit(0)
        elif "id" in message and method:
            self.reply(message, error={"code": -32601, "message": f"no {method}"})
        elif method:
            self.received["notifications"].append(method)


def main():
    if sys.argv[1:2] == ["--version"]:
        print("kinglet scripted")
        return
    if sys.argv[1:2] == ["logs"]:
        print("the daemon's log")
        return
    if sys.argv[1:2] == ["stop"]:
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=["lsp"])
    parser.add_argument("--encoding", default="utf-16")
    parser.add_argument("--sync", default="incremental")
    parser.add_argument("--refuse", type=int, help="end at once with this code")
    arguments = parser.parse_args()
    if arguments.refuse is not None:
        sys.exit(arguments.refuse)
    server = Server(Connection(), arguments.encoding, arguments.sync)
    while True:
        message = server.connection.read()
        if message is None:
            return
        server.take(message)


main()
