"""A language server as an editor sees it, for the benchmarks."""
import json
import os
import subprocess
import threading
from pathlib import Path
from urllib.parse import unquote


def own_folders(folder):
    """The environment of a user who has nothing yet, below this folder."""
    folder = Path(folder)
    (folder / 'run').mkdir(mode=0o700, exist_ok=True)
    return {**os.environ, 'HOME': str(folder), 'XDG_RUNTIME_DIR': str(folder / 'run'),
            'XDG_CONFIG_HOME': str(folder / 'c'), 'XDG_CACHE_HOME': str(folder / 'k'),
            'XDG_STATE_HOME': str(folder / 's'), 'XDG_DATA_HOME': str(folder / 'd')}


class Server:
    def __init__(self, command, root, options, environment=None):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, cwd=root, env=environment)
        self.root, self.last_id, self.answers = Path(root), 0, {}
        self.changed, self.work = threading.Condition(), set()
        self.worked = False
        threading.Thread(target=self.read, daemon=True).start()
        self.request('initialize', {
            'processId': os.getpid(), 'rootUri': self.root.as_uri(),
            'initializationOptions': options,
            'capabilities': {'general': {'positionEncodings': ['utf-8']},
                             'window': {'workDoneProgress': True}}})
        self.notify('initialized', {})

    def read(self):
        stream = self.process.stdout
        while True:
            length = 0
            while (line := stream.readline().strip()):
                if line.lower().startswith(b'content-length:'):
                    length = int(line.split(b':')[1])
            if not length:
                return
            message = json.loads(stream.read(length))
            with self.changed:
                if 'method' in message:
                    if 'id' in message:
                        self.send({'id': message['id'], 'result': None})
                    value = message.get('params', {}).get('value', {}) \
                        if message['method'] == '$/progress' else {}
                    token = str(message.get('params', {}).get('token')) if value else ''
                    if value.get('kind') == 'begin':
                        self.work.add(token)
                        self.worked = True
                    elif value.get('kind') == 'end':
                        self.work.discard(token)
                else:
                    self.answers[message['id']] = message
                self.changed.notify_all()

    def send(self, message):
        body = json.dumps({'jsonrpc': '2.0', **message}).encode()
        self.process.stdin.write(b'Content-Length: %d\r\n\r\n' % len(body) + body)
        self.process.stdin.flush()

    def notify(self, method, params):
        self.send({'method': method, 'params': params})

    def request(self, method, params):
        self.last_id += 1
        number = self.last_id
        self.send({'id': number, 'method': method, 'params': params})
        with self.changed:
            self.changed.wait_for(lambda: number in self.answers, timeout=600)
            return self.answers.pop(number, {}).get('result')

    def wait_idle(self, seconds):
        with self.changed:
            self.changed.wait_for(lambda: self.worked, timeout=20)
            self.changed.wait_for(lambda: not self.work, timeout=seconds)

    def open(self, path):
        text = (self.root / path).read_text(errors='replace')
        kind = 'c' if path.endswith('.c') else 'cpp'
        self.notify('textDocument/didOpen', {'textDocument': {
            'uri': (self.root / path).as_uri(), 'languageId': kind, 'version': 1, 'text': text}})

    def close(self, path):
        self.notify('textDocument/didClose',
                    {'textDocument': {'uri': (self.root / path).as_uri()}})

    def places(self, method, path, line, column, **more):
        found = self.request('textDocument/' + method, {
            'textDocument': {'uri': (self.root / path).as_uri()},
            'position': {'line': line, 'character': column}, **more}) or []
        places = []
        for place in found if isinstance(found, list) else [found]:
            name = unquote(place['uri'][len('file://'):])
            inside = name.startswith(str(self.root) + '/')
            places.append((name[len(str(self.root)) + 1:] if inside else None,
                           place['range']['start']['line']))
        return places
